"""Sends records in large batches, and knows what the broker has acknowledged.

Built on aiokafka's own batches, which are made in C: kafka-python's producer takes 88 microseconds a record, this 3.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.kafka.topics import BrokerUnavailable

BATCH_BYTES = 256 << 10
"""A batch is sent when it is as full as this."""
LINGER_SECONDS = 0.1
"""How long a batch that is not full waits for more: brokers slow down with many small batches."""
YIELD_SECONDS = 0.001
"""After handing over: time for the client to send and to hear, however busy whoever makes the records is."""
IN_FLIGHT = 64
"""Batches that may wait for the broker before the sender waits too: bounds memory."""
RECORD_BYTES = 1_000_000
"""The largest record that is tried; Apache Kafka takes 1,048,588 bytes with all that belongs to it by default."""

Header = tuple[str, bytes | None]

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its errors reach the user as a sentence


class TooLarge(ValueError):  # noqa: N818 - reads as what it says
    """A record is larger than what brokers take."""


class Acknowledged(msgspec.Struct):
    """What the broker has confirmed to one producer."""

    records: int = 0
    next: dict[tuple[str, int], int] = {}
    """By topic and partition: the offset after the highest one confirmed."""


class Producer:
    """A producer; open it with `async with`.

    Args:
        broker: bootstrap servers, host:port, several separated by commas.
        patience: seconds without any acknowledgement, while some is due, after which the broker counts as dead.
    """

    def __init__(self, broker: str, patience: float = 20) -> None:
        """Nothing is opened yet."""
        self._broker = broker
        self._patience = patience
        self._client: Any = None
        self._batches: dict[tuple[str, int], Any] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._last: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._flushed = 0.0
        self._moved = 0.0
        self._error: BaseException | None = None
        self.acknowledged = Acknowledged(next={})

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnavailable: nobody answers.
        """
        until = time.monotonic() + self._patience
        while True:
            self._client = AIOKafkaProducer(
                bootstrap_servers=self._broker,
                acks="all",
                max_batch_size=BATCH_BYTES,
                max_request_size=16 << 20,
                # Longer than this producer's own patience, which ends while nothing is acknowledged, and only then.
                request_timeout_ms=int(self._patience * 6000),
                metadata_max_age_ms=30_000,
            )
            try:
                await asyncio.wait_for(self._client.start(), self._patience)
            except (KafkaError, OSError, TimeoutError):
                await self._client.stop()
                if time.monotonic() > until:
                    raise self._dead() from None
                await asyncio.sleep(0.5)
            else:
                self._moved = time.monotonic()
                return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the connection; what has not been acknowledged is given up."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
        closing = asyncio.ensure_future(self._client.stop())
        done, _ = await asyncio.wait({closing}, timeout=0.5 if error else 5)
        if not done:
            closing.cancel()

    async def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp: int | None = None,
        headers: Sequence[Header] = (),
    ) -> None:
        """Put a record into its batch; waits while much is under way. Records of a partition stay in order.

        Args:
            topic: where to.
            partition: of it.
            key: the record's.
            value: the record's; None is a tombstone.
            timestamp: milliseconds since the epoch; the time of sending without it.
            headers: the record's.

        Raises:
            TooLarge: brokers do not take records of this size.
            BrokerUnavailable: nothing has been acknowledged for too long.
        """
        around = sum(len(name) + len(held or b"") for name, held in headers) if headers else 0
        if len(value or b"") + len(key or b"") + around > RECORD_BYTES:
            raise TooLarge
        now = time.time()
        place = (topic, partition)
        batch = self._batches.get(place)
        if batch is None:
            batch = self._batches[place] = self._client.create_batch()
        record = {
            "key": key,
            "value": value,
            "timestamp": int(now * 1000) if timestamp is None else timestamp,
            "headers": list(headers),  # aiokafka takes nothing else
        }
        if batch.append(**record) is None:
            await self._hand_over(place)
            await asyncio.sleep(YIELD_SECONDS)
            batch = self._batches[place] = self._client.create_batch()
            batch.append(**record)
        if now - self._flushed > LINGER_SECONDS or now < self._flushed:
            await self.hand_over_all()

    async def hand_over_all(self) -> None:
        """Send every batch that is not empty, without waiting for the acknowledgements."""
        self._flushed = time.time()
        for place in list(self._batches):
            await self._hand_over(place)
        await asyncio.sleep(YIELD_SECONDS)

    async def flush(self) -> None:
        """Send everything and wait until it is acknowledged.

        Raises:
            BrokerUnavailable: nothing has been acknowledged for too long.
        """
        await self.hand_over_all()
        while self._waiting:
            await self._progress()
        self._check()

    async def _hand_over(self, place: tuple[str, int]) -> None:
        batch = self._batches.pop(place)
        while len(self._waiting) >= IN_FLIGHT:
            await self._progress()
        self._check()
        if not self._waiting:
            self._moved = time.monotonic()
        task = self._last[place] = asyncio.create_task(self._acknowledge(place, batch, self._last.get(place)))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _acknowledge(self, place: tuple[str, int], batch: Any, before: asyncio.Task[None] | None) -> None:
        batch.close()
        count = batch.record_count()
        if before is not None:
            # The client sends one batch of a partition at a time, but those that wait for it may overtake each other.
            await asyncio.wait({before})
            if self._error is not None:
                return
        try:
            metadata = await (await self._client.send_batch(batch, place[0], partition=place[1]))
        except (KafkaError, OSError) as error:
            self._error = error
            return
        self._moved = time.monotonic()
        self.acknowledged.records += count
        after = metadata.offset + count
        self.acknowledged.next[place] = max(after, self.acknowledged.next.get(place, 0))

    async def _progress(self) -> None:
        """Wait for an acknowledgement."""
        left = self._moved + self._patience - time.monotonic()
        if left <= 0:
            raise self._dead()
        await asyncio.wait(self._waiting, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        self._check()

    def _check(self) -> None:
        if self._error is not None:
            raise self._dead(type(self._error).__name__)

    def _dead(self, why: str = "") -> BrokerUnavailable:
        reason = why or f"no answer for {self._patience:.0f} s"
        return BrokerUnavailable(
            f"The broker at {self._broker} does not answer as it should ({reason}): "
            "start it, or correct the setting broker (--broker, GROWTHGAUGE_BROKER)."
        )
