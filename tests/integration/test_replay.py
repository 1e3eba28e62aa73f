"""Reading everything anew on a real Apache Kafka, as the how-to on partitions and time zone has it, step by step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from aggregators.events import TYPES
from aggregators.tables.door import Meta
from aggregators.tables.opening import open_tables
from growthgauge.upkeep.catch_up import metas
from streams.kafka import topic_copy, topics
from streams.kafka.producer import Producer
from streams.kafka.topic_copy import HEADER, copy
from tests.integration.test_kills import SETTING, past
from tests.support.kills import PARTITIONS, Run, Worker
from tests.support.pipelines import until
from tests.support.random_logs import random_log
from tests.support.servers_kafka import Broker

DAY = date(2025, 7, 29)
MORE = 6
"""Partitions, later."""


@pytest.fixture
def run(kafka: Broker, tmp_path: Path) -> Iterator[Run]:
    """A run on fresh topics and tables."""
    with Run(kafka, tmp_path / "run", SETTING) as made:
        yield made


def found(settings: Mapping[str, str]) -> list[Meta]:
    """Read what the shards of a deployment say of themselves."""
    tables = open_tables(settings["GROWTHGAUGE_REDIS_URL"])
    try:
        return metas(tables, int(settings["GROWTHGAUGE_PARTITIONS"]))
    finally:
        tables.close()


def counted(settings: Mapping[str, str], worker: Worker, records: int) -> dict[str, int]:
    """Wait until so many records are counted, and give the counts."""
    until(lambda: sum(sum(meta.outcomes.values()) for meta in found(settings)) >= records, 90, why=worker.text)
    counts: dict[str, int] = {}
    for meta in found(settings):
        for name, count in meta.outcomes.items():
            counts[name] = counts.get(name, 0) + count
    return counts


@pytest.mark.kafka
def test_other_partitions_and_another_time_zone(run: Run):
    """Copied to topics with more partitions the numbers are the same; in another zone those of a fresh deployment."""
    log = [event for event in random_log(20, size=100, zone=str(SETTING["time_zone"])) if past(event)]
    lines = [*(json.dumps(event) + "\n" for event in log), "no event\n"]
    worker = run.worker()
    run.begin()
    assert run.finish(lines)["rejected"] == 1
    before, expected = counted(run.settings, worker, len(lines)), run.report(DAY)
    balanced = run.user.runs("verify", **run.settings)
    assert (balanced.status, balanced.error) == (0, ""), balanced.output
    assert balanced.output.startswith("The books balance: ")

    # More partitions: first the records, while the worker goes on.
    old = {f"GROWTHGAUGE_TOPIC_{kind.upper()}S": run.settings[f"GROWTHGAUGE_TOPIC_{kind.upper()}S"] for kind in TYPES}
    run.user.runs("rebuild", **run.settings | {"GROWTHGAUGE_PARTITIONS": "6"}).refuses(
        1, "made for 4 partitions", "set it to 4", "init --copy-from", "rebuild --from-kafka"
    )
    wanted = run.settings | {"GROWTHGAUGE_PARTITIONS": str(MORE)} | {key: f"{name}.6" for key, name in old.items()}
    sources = [word for name in old.values() for word in ("--copy-from", name)]
    copied = run.user.runs("init", *sources, **wanted)
    assert copied.output.endswith(f"\n{len(lines):,} records copied.\n"), copied.error
    run.user.runs("init", "--copy-from", old["GROWTHGAUGE_TOPIC_SESSIONS"], **run.settings).refuses(2, "to itself")
    again = run.user.runs("init", *sources, **wanted)
    assert again.output.endswith(f"\n0 records copied, {len(lines):,} were copied before.\n")

    # Then the tables.
    worker.kill()
    asked = run.user.runs("rebuild", "--from-kafka", **wanted)
    assert (asked.status, asked.output) == (2, "")
    assert "--yes" in asked.error
    assert found(run.settings)[0].partitions == PARTITIONS
    emptied = run.user.runs("rebuild", "--from-kafka", "--yes", **wanted)
    assert (emptied.status, emptied.output.split(":")[0]) == (0, f"{MORE} shards emptied"), emptied.error
    assert f"({len(lines):,} records counted, made for 4 partitions)" in emptied.error
    assert old["GROWTHGAUGE_TOPIC_SIGNUPS"] in emptied.error
    assert "lost" not in emptied.error
    run.settings = wanted
    worker = run.worker()
    assert counted(wanted, worker, len(lines)) == before
    assert run.report(DAY) == expected
    assert run.user.runs("verify", **wanted).status == 0

    # Another time zone: the same topics, against a deployment that never had another one.
    worker.kill()
    tokyo = wanted | {"GROWTHGAUGE_TIME_ZONE": "Asia/Tokyo"}
    sentence = ("days of the time zone Africa/Cairo", "growthgauge rebuild --from-kafka")
    run.settings = tokyo
    refused = run.worker()
    assert refused.process.wait(60) == 1
    assert all(part in refused.text() for part in sentence)
    assert run.user.runs("rebuild", "--from-kafka", "--yes", **tokyo).status == 0
    counted(tokyo, run.worker(), len(lines))
    moved = run.report(DAY)
    assert moved != expected
    fresh = tokyo | {
        "GROWTHGAUGE_REDIS_URL": tokyo["GROWTHGAUGE_REDIS_URL"].removesuffix("/0") + "/1",
        "GROWTHGAUGE_GROUP": "fresh",
    }
    run.settings = fresh
    counted(fresh, run.worker(), len(lines))
    assert run.report(DAY) == moved


@pytest.mark.kafka
def test_what_will_be_lost_is_said(run: Run):
    """Records that Kafka has deleted since they were read, and a topic that is another one now, are counted."""
    log = [event for event in random_log(20, size=150, zone=str(SETTING["time_zone"])) if past(event)]
    worker = run.worker()
    run.begin()
    run.finish([json.dumps(event) + "\n" for event in log])
    worker.kill()
    sessions, payments = (run.settings[f"GROWTHGAUGE_TOPIC_{kind}S"] for kind in ("SESSION", "PAYMENT"))
    read = {name: sum(meta.offsets[name].next for meta in found(run.settings)) for name in (sessions, payments)}
    broker = run.settings["GROWTHGAUGE_BROKER"]
    number = max(range(PARTITIONS), key=lambda number: found(run.settings)[number].offsets[sessions].next)
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.delete_records({TopicPartition(sessions, number): 3})
    admin.delete_topics([payments])
    admin.close()
    until(lambda: payments not in topics.describe(broker, [payments]))
    run.user.runs("rebuild", "--from-kafka", "--yes", **run.settings).refuses(1, payments, "growthgauge init")
    run.user.runs("init", **run.settings)
    asked = run.user.runs("rebuild", "--from-kafka", **run.settings)
    assert asked.status == 2
    assert f"{sessions}: {read[sessions] - 3:,} records\n" in asked.error
    assert f"{sessions}: 3 records that were read are not in Kafka any more, and are lost.\n" in asked.error
    assert f"{payments} is not the topic that was read before: {read[payments]:,} records of that one are lost" in (
        asked.error
    )
    assert found(run.settings)[0].offsets, "nothing was emptied"


def records(broker: Broker, topic: str, partitions: int, count: int) -> list[list]:
    """Read so many records of a topic, by partition."""
    consumer = KafkaConsumer(bootstrap_servers=broker.address, enable_auto_commit=False, fetch_max_wait_ms=100)
    places = [TopicPartition(topic, number) for number in range(partitions)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    read: list[list] = [[] for _ in places]

    def all_there() -> bool:
        for place, batch in consumer.poll(timeout_ms=500).items():
            read[place.partition] += batch
        return sum(map(len, read)) >= count

    until(all_there, 30, why=lambda: f"{sum(map(len, read))} of {count}")
    consumer.close()
    return read


def test_a_copy_that_is_interrupted_goes_on(broker: Broker, monkeypatch: pytest.MonkeyPatch):
    """Cut off on the way again and again, every record is copied once, in order, with all that belongs to it."""
    source, target = f"{broker.name[0]}.from", f"{broker.name[0]}.to"
    topics.create(broker.address, [source], 2)
    topics.create(broker.address, [target], 3)
    count = 2_000

    async def fill() -> None:
        async with Producer(broker.address) as producer:
            for number in range(count):
                key = None if number % 7 == 0 else b"k%d" % number
                headers = [("trace", b"%d" % number), ("none", None)]
                await producer.send(source, number % 2, key, b"%d" % number, timestamp=1000 + number, headers=headers)
            await producer.send(source, 0, b"tombstone", None, timestamp=5)
            await producer.flush()

    asyncio.run(fill())
    monkeypatch.setattr("streams.kafka.producer.BATCH_BYTES", 2_000)
    whole, sent, limit = Producer.send, 0, 400

    async def cut(self: Producer, *arguments, **named) -> None:
        nonlocal sent
        sent += 1
        if sent > limit:
            raise KeyboardInterrupt
        await whole(self, *arguments, **named)

    def run() -> topic_copy.Copied:
        nonlocal sent
        sent = 0
        return asyncio.run(
            copy(broker.address, [source], [target], lambda value: (target, int(value or 0) % 3), lambda *_: None)
        )

    interrupted = 0
    with monkeypatch.context() as patched:
        patched.setattr(Producer, "send", cut)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                run()
            interrupted += 1
    result = run()
    assert interrupted == 3
    assert 0 < result.before < count
    assert result.before + result.records == count + 1
    copies = records(broker, target, 3, count + 1)
    values = [[record.value for record in partition] for partition in copies]
    for remainder, partition in enumerate(values):
        numbers = [int(value) for value in partition if value is not None]
        assert sorted(numbers) == [number for number in range(count) if number % 3 == remainder]
        # Those of one partition stay in order.
        for parity in range(2):
            of_one = [number for number in numbers if number % 2 == parity]
            assert of_one == sorted(of_one)
    everything = {record.value: record for partition in copies for record in partition}
    assert None in everything
    one = everything[b"123"]
    assert (one.key, one.timestamp) == (b"k123", 1123)
    assert list(one.headers[:2]) == [("trace", b"123"), ("none", None)]
    assert one.headers[2][0] == HEADER == "growthgauge.copied-from", "it stands in records that copies of before left"
    assert everything[b"7"].key is None
    assert (run().records, run().before) == (0, count + 1)
