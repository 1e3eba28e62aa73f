"""Session events by the hundred thousand, and topics filled with them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Producer

from streams.decoding.partition import partitions_of
from streams.kafka import topics

DAY_MS = 86_400_000
PARTITIONS = 4


class Load(NamedTuple):
    """One topic's worth of sessions, in the order of time, evenly over the days."""

    topic: str
    title: str
    events: int
    users: int
    customers: int
    days: range
    """Day numbers since 1970-01-01."""


class Filled(NamedTuple):
    """A topic that holds a load."""

    load: Load
    ends: list[int]
    """By partition, the offset after the last record."""
    mean_bytes: float


def session(number: int, customer: int, user: int, occurred_at: int, reactions: int = 0) -> bytes:
    """Write one event, about 170 bytes."""
    return (
        b'{"id":"session-%08d","type":"session","customer_id":"customer-%06d","user_id":"user-%06d",'
        b'"occurred_at":%d,"duration_seconds":%d.5,"reactions":%d}'
    ) % (number, customer, user, occurred_at, 30 + number % 900, reactions)


def customer_of(user: int, load: Load) -> int:
    """Give the customer that a user belongs to: every customer has the same number of users."""
    return user * load.customers // load.users


def fill(broker: str, load: Load) -> Filled:
    """Make the topic and send the load to it, the same events every time."""
    topics.create(broker, [load.topic], PARTITIONS)
    producer = Producer(
        {"bootstrap.servers": broker, "linger.ms": 50, "batch.size": 1 << 20, "queue.buffering.max.messages": 1_000_000}
    )
    names = [f"customer-{number:06}" for number in range(load.customers)]
    partitions = partitions_of(names, PARTITIONS).tolist()
    ends, size = [0] * PARTITIONS, 0
    for customer, value in _events(load):
        partition = partitions[customer]
        producer.produce(load.topic, value, names[customer], partition)
        ends[partition] += 1
        size += len(value)
    if producer.flush(60):
        raise RuntimeError(f"The broker at {broker} did not take the whole load.")
    return Filled(load, ends, size / load.events)


def _events(load: Load) -> Iterator[tuple[int, bytes]]:
    dice = random.Random(load.topic)
    start, step = load.days.start * DAY_MS, len(load.days) * DAY_MS / load.events
    for number in range(load.events):
        user = dice.randrange(load.users)
        customer = customer_of(user, load)
        yield customer, session(number, customer, user, start + int(number * step), number % 3)
