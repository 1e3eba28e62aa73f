"""The worker on real brokers and a real Redis: from records to tables, through whatever may happen to it."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.kafka import topics
from tests.support.pipelines import DAY, Pipeline, session, signup, until
from tests.support.servers import RedisServer, redis_server
from tests.support.servers_kafka import Broker, Tansu

NOW = int(time.time() * 1000)


@pytest.fixture
def pipeline(broker: Broker, redis: RedisServer, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline on every broker in turn."""
    made = Pipeline(broker, redis, tmp_path)
    yield made
    made.close()


@pytest.fixture
def on_kafka(kafka: Broker, redis: RedisServer, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline on Apache Kafka."""
    made = Pipeline(kafka, redis, tmp_path)
    yield made
    made.close()


def company(customers: int, sessions: int) -> list[dict]:
    """Signups of a company's customers and sessions of their users over forty days."""
    chance = random.Random(7)
    events = [signup(f"customer {n}", NOW - 50 * DAY) for n in range(customers)]
    events += [
        session(f"customer {n % customers}", f"user {chance.randrange(20)}", NOW - chance.randrange(40 * DAY))
        for n in range(sessions)
    ]
    return events


def test_events_reach_the_tables(pipeline: Pipeline) -> None:
    """What is sent before and after a worker starts is counted, and the worker leaves within its time."""
    events = company(100, 3_000)
    sent = pipeline.send(events[:1_500])
    worker = pipeline.ready_worker()
    assert worker.assigned() == {topic: [0, 1, 2, 3] for topic in pipeline.topics.values()}
    sent += pipeline.send(events[1_500:])
    until(lambda: pipeline.outcomes().total() == sent, why=worker.text)
    assert pipeline.outcomes() == {"signup/accepted": 100, "session/accepted": 3_000}
    assert pipeline.total("signups") == 100
    assert pipeline.total("sessions") == 3_000
    assert worker.metric('growth_events_total{outcome="accepted",type="session"}') == 3_000
    assert worker.metric('growth_events_total{outcome="conflict",type="survey"}') == 0
    topic = pipeline.topics["session"]
    # It is looked at once a second: just now there may be none yet.
    until(lambda: f'growth_consumer_lag{{partition="0",topic="{topic}"}} 0.0\n' in worker.get("/metrics")[1])
    assert worker.get("/-/healthy")[0] == 200
    status, seconds = worker.terminate()
    assert (status, seconds < 10) == (0, True), worker.text()
    assert "Traceback" not in worker.text()


def test_restarts_and_duplicates_count_once(pipeline: Pipeline) -> None:
    """A worker killed and started again, and everything sent twice, gives what one clean run gives."""
    events = company(60, 2_000)
    worker = pipeline.ready_worker()
    for part in range(0, len(events), 515):
        pipeline.send(events[part : part + 515])
        worker.kill()
        worker = pipeline.worker()
    random.Random(3).shuffle(events)
    pipeline.send(events)
    until(lambda: pipeline.outcomes().total() == 2 * len(events), 60, why=worker.text)
    assert pipeline.outcomes()["session/accepted"] == pipeline.outcomes()["session/duplicate"] == 2_000
    assert (pipeline.total("signups"), pipeline.total("sessions")) == (60, 2_000)


def test_two_workers_share_the_shards(pipeline: Pipeline) -> None:
    """Each of two has the same partitions of every topic; when one is killed the other takes over all."""
    first, second = pipeline.worker(), pipeline.worker()
    everything = {topic: [0, 1, 2, 3] for topic in pipeline.topics.values()}

    def shared() -> bool:
        halves = first.assigned(), second.assigned()
        return all(half and {len(numbers) for numbers in half.values()} == {2} for half in halves)

    until(shared, 40, why=lambda: first.text() + second.text())
    assert len({tuple(numbers) for numbers in first.assigned().values()}) == 1
    events = company(80, 4_000)
    pipeline.send(events[:2_000])
    first.kill()
    pipeline.send(events[2_000:])
    until(lambda: second.assigned() == everything, 30, why=second.text)
    until(lambda: pipeline.outcomes().total() == len(events), why=second.text)
    assert pipeline.total("sessions") == 4_000
    third = pipeline.ready_worker()
    until(lambda: set(map(len, third.assigned().values())) == {2}, 20, why=third.text)
    second.terminate()
    left = time.monotonic()
    until(lambda: third.assigned() == everything, 30, why=third.text)
    assert time.monotonic() - left < 6, "a worker that ends says so to the group"


def test_a_worker_that_was_only_asleep_counts_nothing_twice(pipeline: Pipeline) -> None:
    """A worker that is stopped in its tracks, replaced and then wakes up again does no harm: the tables refuse it."""
    first = pipeline.ready_worker()
    events = company(60, 6_000)
    pipeline.send(events[:3_000])
    until(lambda: pipeline.outcomes().total() > 0, why=first.text)
    first.process.send_signal(signal.SIGSTOP)
    second = pipeline.ready_worker()
    pipeline.send(events[3_000:])
    until(lambda: pipeline.outcomes().total() == len(events), why=second.text)
    first.process.send_signal(signal.SIGCONT)
    until(lambda: first.ready() and second.ready(), 40, why=lambda: first.text() + second.text())
    pipeline.send(events)
    until(lambda: pipeline.outcomes().total() == 2 * len(events), why=lambda: first.text() + second.text())
    assert (pipeline.total("signups"), pipeline.total("sessions")) == (60, 6_000)
    assert pipeline.outcomes()["session/accepted"] == 6_000


def test_rejected_records_are_kept_as_they_were(pipeline: Pipeline) -> None:
    """Dead letters have the record's key, value and headers, and what was wrong; the others are counted."""
    topic = pipeline.topics["signup"]
    large = b"{" + random.Random(1).randbytes(900_000)
    records = [
        (b"k1", b"not json", [("trace", b"\x00\xff"), ("empty", b"")]),
        (None, b'{"type":"nonsense","id":"1","customer_id":"c"}', []),
        (b"k3", None, [("tombstone", None)]),
        (b"k4", large, []),
        (None, None, []),
    ]
    pipeline.send_raw(topic, 1, records)
    worker = pipeline.ready_worker()
    pipeline.send([signup("somebody", NOW)])
    until(lambda: pipeline.outcomes()["signup/accepted"] == 1, why=worker.text)
    letters = sorted(pipeline.read_dead_letters(5), key=lambda letter: dict(letter.headers)["__connect.errors.offset"])
    for letter, (key, value, headers) in zip(letters, records, strict=True):
        assert (letter.key, letter.value) == (key, value)
        own = [header for header in letter.headers if not header[0].startswith("__connect.")]
        assert list(own) == headers
        added = dict(letter.headers[len(headers) :])
        assert added["__connect.errors.topic"] == topic.encode()
        assert added["__connect.errors.partition"] == b"1"
        assert added["__connect.errors.stage"] == b"VALUE_CONVERTER"
        assert added["__connect.errors.exception.message"]
    reasons = [dict(letter.headers)["__connect.errors.exception.class.name"] for letter in letters]
    assert reasons[:2] == [b"not_json", b"unknown_type"]
    assert [dict(letter.headers)["__connect.errors.offset"] for letter in letters] == [b"0", b"1", b"2", b"3", b"4"]
    assert worker.metric('growth_events_rejected_total{reason="unknown_type"}') == 1
    assert pipeline.outcomes()["rejected/unknown_type"] == 1


def test_a_topic_made_again_is_read_from_its_beginning(redis: RedisServer, tmp_path: Path) -> None:
    """A broker that lost everything has new topic ids: all its records are read, and known events count once."""
    with Tansu(tmp_path / "tansu") as broker:
        pipeline = Pipeline(broker, redis, tmp_path)
        events = company(20, 500)
        worker = pipeline.ready_worker()
        pipeline.send(events)
        until(lambda: pipeline.outcomes().total() == 520, why=worker.text)
        broker.kill()
        broker.start()
        pipeline.make_topics()
        pipeline.send(events[:300])
        pipeline.send([signup("new one", NOW)])
        until(lambda: (pipeline.covered("signup"), pipeline.covered("session")) == (21, 280), 60, why=worker.text)
        there = topics.describe(broker.address, pipeline.topics.values())
        offsets = [item for meta in pipeline.metas() for item in meta.offsets.items()]
        assert all(offset.identity == there[topic].identity for topic, offset in offsets)
        assert (pipeline.total("signups"), pipeline.total("sessions")) == (21, 500)
        assert "is not the one it was" in worker.text()
        assert "Traceback" not in worker.text()
        broker.kill()
        status, seconds = worker.terminate()
        assert (status, seconds < 15) == (0, True), worker.text()


@pytest.mark.kafka
def test_a_topic_that_was_away_is_read_again(on_kafka: Pipeline) -> None:
    """The group deals out partitions without a topic that was deleted, and again with it soon after it is back."""
    from kafka import KafkaAdminClient  # noqa: PLC0415

    worker = on_kafka.ready_worker()
    events = [session("one", f"user {n}", NOW) for n in range(50)]
    on_kafka.send(events)
    until(lambda: on_kafka.outcomes().total() == 50, why=worker.text)
    topic = on_kafka.topics["session"]
    admin = KafkaAdminClient(bootstrap_servers=on_kafka.broker.address)
    admin.delete_topics([topic])
    admin.close()
    until(lambda: worker.assigned() and topic not in worker.assigned(), 60, why=worker.text)
    on_kafka.make_topics()
    on_kafka.send([*events[:30], session("one", "another", NOW)])
    until(lambda: on_kafka.outcomes()["session/accepted"] == 51, 60, why=worker.text)
    assert on_kafka.total("sessions") == 51


def test_redis_down_is_waited_for(tansu: Broker, tmp_path: Path) -> None:
    """While Redis is away the worker is not ready, says so once, loses nothing and goes on when it is back."""
    with redis_server(append_only=True) as redis:
        pipeline = Pipeline(tansu, redis, tmp_path)
        worker = pipeline.ready_worker()
        pipeline.send(company(10, 100))
        until(lambda: pipeline.outcomes().total() == 110, why=worker.text)
        redis.kill()
        sent = 110 + pipeline.send(company(10, 200))
        until(lambda: worker.get("/-/ready")[0] == 503, why=worker.text)
        assert worker.metric("growth_redis_up") == 0
        assert worker.get("/-/healthy")[0] == 200
        time.sleep(3)
        assert worker.text().count("do not take the events, trying again") == 1
        redis.start()
        until(worker.ready, why=worker.text)
        until(lambda: pipeline.outcomes().total() == sent, why=worker.text)
        assert pipeline.total("sessions") == 300
        assert "Traceback" not in worker.text()
        pipeline.close()


def test_redis_that_went_back_in_time_is_caught_up(tansu: Broker, redis: RedisServer, tmp_path: Path) -> None:
    """Tables that lost commits are filled again from Kafka while the worker runs, also where nothing new comes."""
    pipeline = Pipeline(tansu, redis, tmp_path)
    worker = pipeline.ready_worker()
    pipeline.send(company(30, 600))
    until(lambda: pipeline.outcomes().total() == 630, why=worker.text)
    redis.client().flushall()
    until(lambda: pipeline.outcomes().total() == 630, why=worker.text)
    assert "an older state" in worker.text()
    redis.client().flushall()
    pipeline.send(company(30, 100))
    until(lambda: pipeline.outcomes().total() == 760, why=worker.text)
    assert pipeline.total("sessions") == 700
    pipeline.close()


@pytest.mark.kafka
def test_records_deleted_unread_are_reported(on_kafka: Pipeline) -> None:
    """A stored offset before the broker's first record is loss: it is logged and counted, and reading goes on."""
    from kafka import KafkaAdminClient, TopicPartition  # noqa: PLC0415

    worker = on_kafka.ready_worker()
    sent = on_kafka.send([session("one", f"user {n}", NOW) for n in range(100)])
    until(lambda: on_kafka.outcomes().total() == sent, why=worker.text)
    worker.kill()
    on_kafka.send([session("one", f"user {n}", NOW) for n in range(50)])
    topic = on_kafka.topics["session"]
    (number,) = [n for n, meta in enumerate(on_kafka.metas()) if meta.offsets[topic].next]
    admin = KafkaAdminClient(bootstrap_servers=on_kafka.broker.address)
    admin.delete_records({TopicPartition(topic, number): 130})
    admin.close()
    worker = on_kafka.ready_worker()
    until(lambda: on_kafka.outcomes().total() == 120, why=worker.text)
    assert worker.metric(f'growth_records_lost_total{{partition="{number}",topic="{topic}"}}') == 30
    assert "deleted 30 records" in worker.text()


def test_a_worker_that_cannot_work_says_why(tansu: Broker, redis: RedisServer, tmp_path: Path) -> None:
    """No broker, no topics, other partitions, other settings: one sentence that says what to do, and status 1."""
    pipeline = Pipeline(tansu, redis, tmp_path)

    def refused(**options: object) -> str:
        worker = pipeline.worker(**options)
        assert worker.process.wait(40) == 1, worker.text()
        assert "Traceback" not in worker.text()
        return worker.text()

    assert "growthgauge init" in refused(topics={"signup": "nowhere"})
    assert "has 4 partitions" in refused(partitions=8)
    assert "does not answer" in refused(broker="127.0.0.1:1", patience_seconds=1)
    worker = pipeline.ready_worker()
    assert "--worker-port" in refused(port=worker.options.port)
    pipeline.send([signup("one", NOW)])
    until(lambda: pipeline.outcomes().total() == 1, why=worker.text)
    worker.terminate()
    assert "growthgauge rebuild" in refused(lapse_grace_days=3)
    pipeline.close()


def test_metrics_are_an_exposition(tansu: Broker, redis: RedisServer, tmp_path: Path) -> None:
    """The worker's page is text for Prometheus, or OpenMetrics for who asks for it."""
    pipeline = Pipeline(tansu, redis, tmp_path)
    worker = pipeline.ready_worker()
    text = worker.get("/metrics")[1]
    assert "# TYPE growth_events_total counter" in text
    assert json.loads(worker.get("/-/ready")[1])["ready"] is True
    pipeline.close()
