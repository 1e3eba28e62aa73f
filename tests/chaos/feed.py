"""The producer of a run: sends a log shuffled and doubled, and knows of every copy whether Kafka still has it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any

import confluent_kafka

LONG_AGO = 1_577_836_800_000
"""2020-01-01 in milliseconds: before every event, so that a record of then holds an event of its future."""


class Feed:
    """Sends the events of a log; a copy that the broker does not acknowledge is sent again."""

    def __init__(self, broker: str, topics: Mapping[str, str], log: Sequence[dict[str, Any]], seed: int) -> None:
        """Prepare every event once to three times, in another order; `topics` is by type."""
        self._rng = random.Random(f"feed {seed}")
        self._topics, self.log = topics, log
        copies = [number for number in range(len(log)) for _ in range(self._rng.choice((1, 2, 2, 3)))]
        self._rng.shuffle(copies)
        self.waiting = deque(copies)
        """Numbers of events in the log, still to be sent."""
        self.there: dict[tuple[str, int], dict[int, int]] = {}
        """What Kafka has: by topic and partition, offset to the event's number."""
        self.gone: list[int] = []
        """Events whose records were read and then deleted: tables that go back in time need them sent again."""
        self.lost: list[int] = []
        """Events whose records were deleted unread, and that nobody has sent again."""
        self.counting: Counter[int] = Counter()
        """By event: its acknowledged copies that were not lost for good."""
        self.acknowledged = self.refused = self.misdated = 0
        self.clock = 0
        """Milliseconds that this producer's clock is ahead; 0 or less, for brokers refuse the future."""
        self._producer = confluent_kafka.Producer(
            {
                "bootstrap.servers": broker,
                # The documented setting: librdkafka's own would put customers elsewhere.
                "partitioner": "murmur2_random",
                # A record is acknowledged once or its event is sent again by us: no copies that nobody knows of.
                "retries": 0,
                "message.timeout.ms": 60_000,
                "topic.metadata.refresh.interval.ms": 1_000,
                "reconnect.backoff.max.ms": 500,
                "linger.ms": 5,
                "log_level": 0,
                "error_cb": lambda _: None,
            }
        )

    def burst(self, count: int) -> int:
        """Hand over that many events, and give how many there were."""
        count = min(count, len(self.waiting))
        for _ in range(count):
            number = self.waiting.popleft()
            self._send(number, int(time.time() * 1000) + self.clock, tracked=True)
        self._producer.poll(0)
        return count

    def misdate(self, count: int) -> None:
        """Send further copies with a time from before the event: each is rejected, and must not count."""
        for number in self._rng.sample(range(len(self.log)), min(count, len(self.log))):
            self._send(number, LONG_AGO, tracked=False)
            self.misdated += 1

    def poll(self) -> None:
        """Hear what the broker has acknowledged."""
        self._producer.poll(0)

    def flush(self, seconds: float) -> bool:
        """Wait for the broker's answers; False if some are still due."""
        return self._producer.flush(seconds) == 0

    def again(self, numbers: Sequence[int]) -> None:
        """Send events again, somewhere among those that wait."""
        waiting = [*self.waiting, *numbers]
        self._rng.shuffle(waiting)
        self.waiting = deque(waiting)

    def provide(self, count: int) -> None:
        """Make sure that so many events wait, by further copies where they do not."""
        if len(self.waiting) < count:
            self.again(self._rng.sample(range(len(self.log)), min(count, len(self.log))))

    def deleted(self, topic: str, partition: int, before: int, stored: int) -> list[int]:
        """Note that Kafka has no record before an offset any more, and give the events of those not yet stored.

        What was stored is `gone`, the others no longer count.
        """
        held = self.there.get((topic, partition), {})
        lost = []
        for offset in [offset for offset in held if offset < before]:
            number = held.pop(offset)
            if offset < stored:
                self.gone.append(number)
            else:
                self.counting[number] -= 1
                lost.append(number)
        return lost

    def went_back(self) -> None:
        """Send again what tables that went back in time may lack and Kafka has not."""
        # Kafka killed right after a deletion may have the records again: so what was lost is brought back, too.
        self.again([*self.gone, *self.lost])
        self.gone, self.lost = [], []

    def counted(self) -> list[dict[str, Any]]:
        """Give the events that must be in the numbers now, if all is processed."""
        return [event for number, event in enumerate(self.log) if self.counting[number] > 0]

    def _send(self, number: int, at: int, *, tracked: bool) -> None:
        event = self.log[number]

        def answered(error: Any, message: Any) -> None:
            if error is not None:
                self.refused += 1
                if tracked:
                    self.waiting.append(number)
            elif tracked:
                self.acknowledged += 1
                self.counting[number] += 1
                self.there.setdefault((message.topic(), message.partition()), {})[message.offset()] = number

        try:
            self._producer.produce(
                self._topics[event["type"]],
                key=event["customer_id"].encode(),
                value=json.dumps(event).encode(),
                timestamp=at,
                on_delivery=answered,
            )
        except confluent_kafka.KafkaException as refused:  # at once where the topic is known to be away
            answered(refused, None)
