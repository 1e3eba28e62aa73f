"""Reads the dead-letter topic, from its beginning to the end that it has now, as no consumer group."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.dead_letters import NO_ROOM, PREFIX
from streams.kafka.topics import BrokerUnavailable

REPLAYED = "growthgauge.replayed"
"""The header that a replay adds: which letter was sent again, as `Letter.mark`; one for every time."""
_PATH = re.compile(rf"(?:{re.escape(NO_ROOM)}.*?\. )?(\$[\w.\[\]]*)")

Headers = list[tuple[str, bytes | None]]


class Place(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Write it as TOPIC-PARTITION@OFFSET."""
        return f"{self.topic}-{self.partition}@{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what `str` writes; ValueError for anything else."""
        found = re.fullmatch(r"(.+)-([0-9]+)@([0-9]+)", text)
        if found is None:
            raise ValueError(text)
        return cls(found[1], int(found[2]), int(found[3]))


class Letter(msgspec.Struct, frozen=True):
    """A dead letter: a record that was rejected, and why."""

    place: Place
    """Of the letter, in the dead-letter topic."""
    time: int
    """When the record was rejected, in milliseconds."""
    key: bytes | None
    value: bytes | None
    """None for a tombstone, and where the topic had no room for it."""
    headers: Headers
    """The record's own, without those that say what was wrong."""
    origin: Place | None
    """Where the record came from; None if the headers do not say."""
    reason: str
    message: str

    @property
    def field(self) -> str:
        """The path of the field that was wrong, such as `$.score`; empty where no field was."""
        found = _PATH.match(self.message)
        return found[1] if found else ""

    @property
    def has_no_room(self) -> bool:
        """Whether the value was left out as too large: it is at the origin alone, while that topic keeps it."""
        return self.value is None and self.message.startswith(NO_ROOM)

    @property
    def mark(self) -> bytes:
        """What names this letter in a record that is sent again: its place and its time, for a topic may be new."""
        return f"{self.place} {self.time}".encode()

    @property
    def marks(self) -> list[bytes]:
        """The letters that this record was before: one for every time that it was sent again and rejected again."""
        return [value or b"" for name, value in self.headers if name == REPLAYED]


def letter_of(topic: str, partition: int, record: Any) -> Letter:
    """Read a letter from its record, of which nothing is taken for granted."""
    told: dict[str, str] = {}
    own: Headers = []
    for name, value in record.headers:
        if name.startswith(PREFIX):
            told[name.removeprefix(PREFIX)] = (value or b"").decode(errors="replace")
        else:
            own.append((name, value))
    try:
        origin = Place(told["topic"], int(told["partition"]), int(told["offset"]))
    except (KeyError, ValueError):
        origin = None
    return Letter(
        place=Place(topic, partition, record.offset),
        time=record.timestamp,
        key=record.key,
        value=record.value,
        headers=own,
        origin=origin,
        reason=told.get("exception.class.name", ""),
        message=told.get("exception.message", ""),
    )


class LetterReader:
    """Reads all letters, as often as asked, each time to the end that the topic had at the first.

    Args:
        broker: bootstrap servers.
        topic: the dead-letter topic, which exists.
        partitions: how many it has.
        patience: seconds without an answer after which the broker counts as dead.
    """

    def __init__(self, broker: str, topic: str, partitions: int, patience: float = 20) -> None:
        """Nothing is opened yet."""
        self._broker, self._topic, self._patience = broker, topic, patience
        self._places = [TopicPartition(topic, number) for number in range(partitions)]
        self._ends: dict[TopicPartition, int] = {}
        self._client: Any = None

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: nobody answers.
        """
        self._client = AIOKafkaConsumer(
            bootstrap_servers=self._broker,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=100,
        )
        try:
            await asyncio.wait_for(self._client.start(), self._patience)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._client.stop()
            raise self._dead(type(error).__name__) from None
        self._client.assign(self._places)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the connection."""
        await self._client.stop()

    async def letters(self) -> AsyncIterator[Letter]:
        """Read from the beginning; those of one partition come in their order.

        Raises:
            BrokerUnavailable: there is no answer for too long.
        """
        try:
            await asyncio.wait_for(self._client.seek_to_beginning(*self._places), self._patience)
            self._client.resume(*self._places)
            async for letter in self._until_the_ends():
                yield letter
        except (KafkaError, OSError, TimeoutError) as error:
            raise self._dead(type(error).__name__) from None

    async def _until_the_ends(self) -> AsyncIterator[Letter]:
        left = set(self._places)
        moved = time.monotonic()
        while left:
            fetched = await self._client.getmany(*left, timeout_ms=200)
            for place, records in fetched.items():
                moved = time.monotonic()
                end = self._end(place)
                for record in records:
                    if end is None or record.offset < end:
                        yield letter_of(place.topic, place.partition, record)
            for place in list(left):
                end = self._end(place)
                if end is not None and await self._client.position(place) >= end:
                    self._client.pause(place)
                    left.discard(place)
                    moved = time.monotonic()
            if time.monotonic() - moved > self._patience:
                raise TimeoutError

    def _end(self, place: TopicPartition) -> int | None:
        """Give a partition's end, once a fetch has told it: brokers differ in what they say of it when asked."""
        if place not in self._ends:
            end = self._client.highwater(place)
            if end is None:
                return None
            self._ends[place] = end
        return self._ends[place]

    def _dead(self, why: str) -> BrokerUnavailable:
        return BrokerUnavailable(
            f"The topic {self._topic} at {self._broker} cannot be read ({why}): "
            "see whether the broker runs (`growthgauge check`), then try again."
        )
