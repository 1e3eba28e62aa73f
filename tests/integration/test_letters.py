"""Dead letters on real brokers: read to the end without a group, and sent again to where they belong."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from growthgauge.sending.dead_letter_replay import Replayed, Wanted, choose, chosen_letters, reader, replay
from growthgauge.settings import Settings
from streams.decoding.partition import partition_of
from streams.kafka import topics
from streams.kafka.dead_letter_reader import REPLAYED, Letter
from tests.support.pipelines import Pipeline, signup, until
from tests.support.servers import RedisServer
from tests.support.servers_kafka import Broker

NOW = int(time.time() * 1000)


def settings_of(pipeline: Pipeline) -> Settings:
    """Give a pipeline's topics as settings."""
    names = {f"topic_{kind}s": name for kind, name in pipeline.topics.items()}
    others = ("topic_cancellations", "topic_surveys", "topic_expenses")
    return Settings(
        broker=pipeline.broker.address,
        redis_url=pipeline.redis.url,
        topic_dead_letters=pipeline.dead_letters,
        **{**dict.fromkeys(others, pipeline.topics["signup"]), **names},
    )


def listed(settings: Settings, wanted: Wanted) -> list[Letter]:
    """Read the letters that are asked for."""

    async def run() -> list[Letter]:
        async with reader(settings) as opened:
            return [letter async for letter in chosen_letters(opened, await choose(opened, wanted))]

    return asyncio.run(run())


def sent_again(settings: Settings, *, dry: bool = False) -> Replayed:
    """Replay all letters."""
    return asyncio.run(replay(settings, Wanted(), None, lambda _: None, dry=dry))


def records(pipeline: Pipeline, topic: str) -> list:
    """Read all records of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=pipeline.broker.address, fetch_max_wait_ms=100)
    places = [TopicPartition(topic, number) for number in range(pipeline.partitions)]
    consumer.assign(places)
    consumer.seek_to_beginning(*places)
    found: list = []
    quiet = 0
    while quiet < 3:
        polled = consumer.poll(timeout_ms=300)
        quiet = 0 if polled else quiet + 1
        for some in polled.values():
            found += some
    consumer.close()
    return found


@pytest.mark.kafka
def test_letters_on_apache_kafka(kafka: Broker, redis: RedisServer, tmp_path: Path):
    """A record in the wrong partition is put right; what has no value is told; nobody's group is touched."""
    pipeline = Pipeline(kafka, redis, tmp_path)
    # A dead-letter topic that somebody made too small.
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    pipeline.dead_letters = f"{pipeline.group}.small"
    small = NewTopic(pipeline.dead_letters, 4, 1, topic_configs={"max.message.bytes": "5000"})
    admin.create_topics([small])
    try:
        settings = settings_of(pipeline)
        # A broker may know of a new topic a little later than the controller that made it.
        until(lambda: topics.describe(kafka.address, [pipeline.dead_letters]))
        assert listed(settings, Wanted()) == []
        astray = [signup(f"c-{number}", NOW) for number in range(40)]
        astray = [event for event in astray if partition_of(event["customer_id"], 4) != 2]
        large = b'{"type":"signup","plan":"' + random.Random(1).randbytes(9000).hex().encode() + b'"}'
        lines = [(b"wrong key", json.dumps(event).encode(), [("trace", b"t"), ("none", None)]) for event in astray]
        pipeline.send_raw(pipeline.topics["payment"], 2, [*lines, (b"k", None, []), (b"k", large, [])])
        worker = pipeline.ready_worker()
        until(lambda: sum(pipeline.outcomes().values()) == len(astray) + 2, why=worker.text)

        groups = {group["group_id"] for group in admin.list_groups()}
        assert pipeline.group in groups
        letters = listed(settings, Wanted())
        assert sorted(letter.reason for letter in letters) == ["not_json", "schema"] + ["wrong_partition"] * len(astray)
        assert {letter.origin.offset for letter in letters if letter.origin} == set(range(len(astray) + 2))
        planned = sent_again(settings, dry=True)
        assert planned.by_topic == {pipeline.topics["signup"]: len(astray)}
        assert records(pipeline, pipeline.topics["signup"]) == []
        done = sent_again(settings)
        assert (done.result.acknowledged, done.tombstones) == (len(astray), 1)
        assert done.without_value == [f"{pipeline.topics['payment']}-2@{len(astray) + 1}"]
        until(lambda: pipeline.outcomes()["signup/accepted"] == len(astray), why=worker.text)

        arrived = records(pipeline, pipeline.topics["signup"])
        assert {json.loads(each.value)["customer_id"]: each.partition for each in arrived} == {
            event["customer_id"]: partition_of(event["customer_id"], 4) for event in astray
        }
        marks = {letter.mark for letter in letters if letter.reason == "wrong_partition"}
        for each in arrived:
            assert each.key == json.loads(each.value)["customer_id"].encode()
            assert list(each.headers)[:2] == [("trace", b"t"), ("none", None)]
            [(name, mark)] = list(each.headers)[2:]
            assert (name, mark in marks) == (REPLAYED, True)
        assert {group["group_id"] for group in admin.list_groups()} == groups
        assert sent_again(settings).result.acknowledged == len(astray)
        until(lambda: pipeline.outcomes()["signup/duplicate"] == len(astray), why=worker.text)
        assert pipeline.total("signups") == len(astray)
    finally:
        admin.close()
        pipeline.close()
