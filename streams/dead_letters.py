"""Dead letters: records that cannot be accepted, kept in a topic as they were, with headers that say what was wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from streams.transport import Record

log = logging.getLogger("growthgauge.worker")

PREFIX = "__connect.errors."
STAGE = b"VALUE_CONVERTER"
"""Kafka Connect's word for turning bytes into values."""
MESSAGE_BYTES = 512
"""The longest message in a header: a record almost as large as the broker takes must still fit."""
SECONDS = 10
"""How long the broker may take for a flush."""


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
    """The way to the dead-letter topic; several threads may use it at once."""

    def __init__(self, broker: str, topic: str) -> None:
        """Connect to nothing yet: most workers never need it."""
        self._broker, self._topic = broker, topic
        self._producer: KafkaProducer | None = None

    def send(self, letters: Iterable[DeadLetter]) -> None:
        """Send letters and return when the broker has them.

        Their timestamp is the time of sending: retention counts from the rejection, however old the record.

        Raises:
            DeadLettersUnavailable: it does not have all of them; sending all again may leave some twice.
        """
        try:
            producer = self._open()
            sent = [(letter, self._send(producer, letter, letter.record.value)) for letter in letters]
            producer.flush(SECONDS)
            for letter, future in sent:
                try:
                    future.get(timeout=SECONDS)
                except (MessageSizeTooLargeError, RecordListTooLargeError):
                    self._send_without_value(producer, letter)
        except (KafkaError, OSError) as error:
            self.close()  # what a producer does after it has failed once is not worth knowing
            name = type(error).__name__
            raise DeadLettersUnavailable(
                f"The topic {self._topic} at {self._broker} does not take dead letters ({name})."
            ) from error

    def close(self) -> None:
        """Let go of the connection; what has not been flushed is given up."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=0)

    def _open(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._broker.split(","),
                bootstrap_timeout_ms=SECONDS * 500,
                max_block_ms=SECONDS * 500,
                request_timeout_ms=SECONDS * 500,
                delivery_timeout_ms=SECONDS * 900,
                linger_ms=10,
                batch_size=256 << 10,
                # The broker's limit is for what is compressed, and only the broker knows it.
                compression_type="gzip",
                max_request_size=1 << 30,
            )
        return self._producer

    def _send(self, producer: KafkaProducer, letter: DeadLetter, value: bytes | None) -> Any:
        return producer.send(self._topic, key=letter.record.key, value=value, headers=letter.headers())

    def _send_without_value(self, producer: KafkaProducer, letter: DeadLetter) -> None:
        size = len(letter.record.value or b"")
        note = f"its value of {size} bytes is too large for this topic, find it at the offset named. {letter.message}"
        self._send(producer, letter._replace(message=note), None).get(timeout=SECONDS)
        log.error(
            "A rejected record of %d bytes is too large for the topic %s, so only its headers are there: "
            "raise that topic's max.message.bytes. It is at %s-%d, offset %d.",
            *(size, self._topic, letter.topic, letter.partition, letter.record.offset),
            extra={"action": "dead_letter_too_large"},
        )


def _clipped(message: str) -> bytes:
    encoded = message.encode(errors="backslashreplace")
    if len(encoded) <= MESSAGE_BYTES:
        return encoded
    return encoded[: MESSAGE_BYTES - 3].decode(errors="ignore").encode() + b"..."
