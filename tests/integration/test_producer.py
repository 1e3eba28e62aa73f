"""The producer on a real broker: where records go, what is acknowledged, and how it gives up."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from streams.kafka import topics
from streams.kafka.producer import RECORD_BYTES, Acknowledged, Producer, TooLarge
from tests.support.servers_kafka import Broker, Tansu

Sent = tuple[int, bytes | None, bytes]


def send(broker: str, topic: str, records: list[Sent], patience: float = 20) -> Acknowledged:
    """Send records and wait until they are acknowledged."""

    async def main() -> Acknowledged:
        async with Producer(broker, patience) as producer:
            for partition, key, value in records:
                await producer.send(topic, partition, key, value)
            await producer.flush()
            return producer.acknowledged

    return asyncio.run(main())


def test_records_arrive_where_they_were_sent_and_acknowledgements_say_how_far(tansu: Broker):
    """Keys and values are unchanged, timestamps are the time of sending, offsets go on where they were."""
    topics.create(tansu.address, ["producer.test"], 2)
    records = [(number % 2, f"k{number}".encode(), f"v{number}".encode() * 50) for number in range(5000)]
    began = int(time.time() * 1000)
    first = send(tansu.address, "producer.test", records)
    assert (first.records, first.next) == (5000, {("producer.test", 0): 2500, ("producer.test", 1): 2500})
    second = send(tansu.address, "producer.test", [(1, None, b"no event")])
    assert (second.records, second.next) == (1, {("producer.test", 1): 2501})

    consumer = KafkaConsumer(bootstrap_servers=tansu.address, enable_auto_commit=False)
    try:
        places = [TopicPartition("producer.test", partition) for partition in (0, 1)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        arrived = []
        until = time.monotonic() + 30
        while len(arrived) < 5001 and time.monotonic() < until:
            for batch in consumer.poll(500).values():
                arrived += batch
    finally:
        consumer.close()
    assert sorted((r.partition, r.key or b"", r.value) for r in arrived) == sorted(
        (partition, key or b"", value) for partition, key, value in [*records, (1, None, b"no event")]
    )
    assert all(began <= record.timestamp <= time.time() * 1000 for record in arrived)


def test_a_record_that_no_broker_takes_is_refused_before_it_is_sent(tansu: Broker):
    """The next record still goes."""
    topics.create(tansu.address, ["producer.large"], 1)

    async def main() -> int:
        async with Producer(tansu.address) as producer:
            with pytest.raises(TooLarge):
                await producer.send("producer.large", 0, None, b"x" * (RECORD_BYTES + 1))
            await producer.send("producer.large", 0, None, b"x" * (RECORD_BYTES - 1))
            await producer.flush()
            return producer.acknowledged.records

    assert asyncio.run(main()) == 1


def test_a_broker_that_is_not_there_costs_its_patience_and_no_more():
    """It tries for as long as it was told."""
    began = time.monotonic()
    with pytest.raises(topics.BrokerUnavailable, match=r"127\.0\.0\.1:1 "):
        send("127.0.0.1:1", "t", [], patience=2)
    assert 1.5 < time.monotonic() - began < 10


def test_a_broker_that_dies_costs_its_patience_and_no_more(tmp_path: Path):
    """What was acknowledged before is known; what was not is given up."""
    with Tansu(tmp_path) as broker:
        topics.create(broker.address, ["t"], 1)

        async def main() -> tuple[int, float]:
            async with Producer(broker.address, 3) as producer:
                await producer.send("t", 0, None, b"first")
                await producer.flush()
                broker.kill()
                began = time.monotonic()
                await producer.send("t", 0, None, b"second")
                with pytest.raises(topics.BrokerUnavailable):
                    await producer.flush()
                return producer.acknowledged.records, time.monotonic() - began

        acknowledged, took = asyncio.run(main())
    assert acknowledged == 1
    assert took < 10
