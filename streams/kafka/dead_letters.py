"""Dead letters: records that cannot be accepted, kept in a topic as they were, with headers that say what was wrong."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streams.kafka.transport import Record

log = logging.getLogger("growthgauge.worker")

PREFIX = "__connect.errors."
STAGE = b"VALUE_CONVERTER"
"""Kafka Connect's word for turning bytes into values."""
MESSAGE_BYTES = 512
"""The longest message in a header: a record almost as large as the broker takes must still fit."""
BATCH_BYTES = 256 << 10
NO_ROOM = "Its value of "
"""How the message begins of a letter whose value the topic does not take."""
SECONDS = 15
"""How long the broker may take for all letters of a batch of records."""


class DeadLettersUnavailable(Exception):  # noqa: N818 - reads as the state it names
    """The dead-letter topic did not take what it was sent: some of it may be there."""


class DeadLetter(NamedTuple):
    """A record and why it was rejected."""

    record: Record
    topic: str
    partition: int
    reason: str
    message: str

    def headers(self) -> list[tuple[str, bytes | None]]:
        """The record's own headers, and after them Kafka Connect's."""
        return [
            *self.record.headers,
            (f"{PREFIX}topic", self.topic.encode()),
            (f"{PREFIX}partition", str(self.partition).encode()),
            (f"{PREFIX}offset", str(self.record.offset).encode()),
            (f"{PREFIX}stage", STAGE),
            (f"{PREFIX}exception.class.name", self.reason.encode()),
            (f"{PREFIX}exception.message", _clipped(self.message)),
        ]


class DeadLetters:
    """The way to the dead-letter topic, for the threads of the shards.

    Built on aiokafka's own batches: the other producers refuse what Kafka allows, such as a header without a value.
    """

    def __init__(self, broker: str, topic: str) -> None:
        """Connect to nothing yet: most workers never need it. Belongs to the event loop that runs now."""
        self._broker, self._topic = broker, topic
        self._loop = asyncio.get_running_loop()
        self._opening = asyncio.Lock()
        self._client: AIOKafkaProducer | None = None

    def send(self, letters: Sequence[DeadLetter]) -> None:
        """Send letters and return when the broker has them; from any thread but the event loop's.

        Their timestamp is the time of sending: retention counts from the rejection, however old the record. Where the
        broker does not take that, because this machine's clock is ahead, it is the record's own.

        Raises:
            DeadLettersUnavailable: it does not have all of them; sending all again may leave some twice.
        """
        sending = asyncio.run_coroutine_threadsafe(self._send(letters), self._loop)
        try:
            sending.result(SECONDS)
        except (KafkaError, OSError, TimeoutError, concurrent.futures.CancelledError) as error:
            sending.cancel()
            asyncio.run_coroutine_threadsafe(self.close(), self._loop)
            name = type(error).__name__
            raise DeadLettersUnavailable(
                f"The topic {self._topic} at {self._broker} does not take dead letters ({name})."
            ) from error

    async def close(self) -> None:
        """Let go of the connection; what the broker has not confirmed is given up."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                await asyncio.wait_for(client.stop(), 1)

    async def _open(self) -> AIOKafkaProducer:
        async with self._opening:
            if self._client is None:
                client = AIOKafkaProducer(
                    bootstrap_servers=self._broker,
                    acks="all",
                    # The broker's limit is for what is compressed.
                    compression_type="gzip",
                    max_batch_size=BATCH_BYTES,
                    request_timeout_ms=SECONDS * 1000,
                )
                try:
                    await client.start()
                except BaseException:
                    await client.stop()
                    raise
                self._client = client
            return self._client

    async def _send(self, letters: Sequence[DeadLetter]) -> None:
        client = await self._open()
        partitions = len(await client.partitions_for(self._topic))
        shares: dict[int, list[DeadLetter]] = {}
        for letter in letters:
            shares.setdefault(letter.partition % partitions, []).append(letter)
        try:
            async with asyncio.TaskGroup() as sending:
                for partition, share in shares.items():
                    sending.create_task(self._send_share(client, partition, share))
        except BaseExceptionGroup as failed:
            # One broker failed them, most often all in the same way.
            raise failed.exceptions[0] from failed

    async def _send_share(
        self, client: AIOKafkaProducer, partition: int, letters: Sequence[DeadLetter], *, own_times: bool = False
    ) -> None:
        now = int(time.time() * 1000)
        rest = list(reversed(letters))
        while rest:
            batch, held = client.create_batch(), []
            while rest and batch.append(
                timestamp=rest[-1].record.timestamp or 0 if own_times else now,
                key=rest[-1].record.key,
                value=rest[-1].record.value,
                headers=rest[-1].headers(),
            ):
                held.append(rest.pop())
            batch.close()
            try:
                await (await client.send_batch(batch, self._topic, partition=partition))
            except InvalidTimestampError:
                if own_times:
                    raise
                # Brokers refuse what is of the future: this machine's clock is ahead. The records' times were taken.
                await self._send_share(client, partition, held, own_times=True)
            except (MessageSizeTooLargeError, RecordListTooLargeError):
                if len(held) > 1:
                    for letter in held:
                        await self._send_share(client, partition, [letter], own_times=own_times)
                elif held[0].record.value is None:
                    raise
                else:
                    bare = self._without_value(held[0])
                    await self._send_share(client, partition, [bare], own_times=own_times)

    def _without_value(self, letter: DeadLetter) -> DeadLetter:
        """Give what can be kept of a record that the topic does not take."""
        size = len(letter.record.value or b"")
        log.error(
            "A rejected record of %d bytes is too large for the topic %s, so only its key and headers are there: "
            "raise that topic's max.message.bytes. It is at %s-%d, offset %d.",
            *(size, self._topic, letter.topic, letter.partition, letter.record.offset),
            extra={"action": "dead_letter_too_large"},
        )
        note = f"{NO_ROOM}{size} bytes is too large for this topic: find it at the offset named. {letter.message}"
        return letter._replace(record=_Bare(letter.record), message=note)


class _Bare:
    """A record without its value."""

    def __init__(self, record: Record) -> None:
        self.offset, self.timestamp, self.key, self.headers = (
            record.offset,
            record.timestamp,
            record.key,
            record.headers,
        )
        self.value: bytes | None = None


def _clipped(message: str) -> bytes:
    encoded = message.encode(errors="backslashreplace")
    if len(encoded) <= MESSAGE_BYTES:
        return encoded
    return encoded[: MESSAGE_BYTES - 3].decode(errors="ignore").encode() + b"..."
