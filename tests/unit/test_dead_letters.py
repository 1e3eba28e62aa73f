"""The way to the dead-letter topic: what a broker refuses, and which of it can be helped."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from aiokafka.errors import InvalidTimestampError, KafkaError, NotLeaderForPartitionError

from streams.kafka.dead_letters import DeadLetter, DeadLetters, DeadLettersUnavailable

NOON = 1_790_000_000_000


class Record(msgspec.Struct):
    """A record as aiokafka has it."""

    offset: int
    timestamp: int | None = NOON
    key: bytes | None = None
    value: bytes | None = b"nonsense"
    headers: list[tuple[str, bytes | None]] = []


class Batch:
    """A batch of aiokafka's that keeps timestamps."""

    def __init__(self) -> None:
        """Begin empty."""
        self.timestamps: list[int] = []

    def append(self, timestamp: int, **_: Any) -> object:
        """Take any record."""
        self.timestamps.append(timestamp)
        return object()

    def close(self) -> None:
        """Take no more."""


class Client:
    """A producer of aiokafka's whose broker refuses with an error where a test says so."""

    def __init__(self, refuses: type[KafkaError], where: Any) -> None:
        """`where` is asked with the batch."""
        self.refuses, self.where, self.taken = refuses, where, list[int]()

    async def partitions_for(self, _: str) -> set[int]:
        """Have two."""
        return {0, 1}

    def create_batch(self) -> Batch:
        """Make one."""
        return Batch()

    async def send_batch(self, batch: Batch, _: str, partition: int) -> asyncio.Future[None]:
        """Answer at once."""
        assert partition in {0, 1}
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.where(batch):
            answer.set_exception(self.refuses())
        else:
            self.taken += batch.timestamps
            answer.set_result(None)
        return answer

    async def stop(self) -> None:
        """Do nothing."""


def sent(client: Client, records: Sequence[Record]) -> None:
    """Send the records' letters, one to each partition in turn, as a shard's thread does."""
    letters = [DeadLetter(record, "signups", record.offset, "not_json", "no") for record in records]

    async def send() -> None:
        dead = DeadLetters("nowhere:1", "dead")
        dead._client = client  # type: ignore[assignment]
        await asyncio.to_thread(dead.send, letters)

    asyncio.run(send())


def test_what_a_broker_refuses_is_an_outage() -> None:
    """Whatever a partition's leader says, what the worker hears is that dead letters cannot be sent now."""
    with pytest.raises(DeadLettersUnavailable, match="NotLeaderForPartition"):
        sent(Client(NotLeaderForPartitionError, lambda _: True), [Record(0), Record(1)])


def test_a_clock_that_is_ahead_stops_nothing() -> None:
    """A broker refuses times of its future: the letters then have the times of their records."""
    client = Client(InvalidTimestampError, lambda batch: max(batch.timestamps) > NOON + 10)
    sent(client, [Record(0), Record(1, NOON + 7), Record(2, None)])
    assert sorted(client.taken) == [0, NOON, NOON + 7]
    with pytest.raises(DeadLettersUnavailable, match="InvalidTimestamp"):
        sent(Client(InvalidTimestampError, lambda _: True), [Record(0)])
