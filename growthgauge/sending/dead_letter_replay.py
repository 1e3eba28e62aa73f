"""Dead letters that are asked for: which they are, how they are shown, and sending their records again."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec
import xxhash

from aggregators.events import TYPES
from aggregators.tables.door import Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.sending.send import Result, Router, deliver, head_of
from growthgauge.settings import Settings
from streams.decoding.fields import shown_instant
from streams.kafka import topics
from streams.kafka.dead_letter_reader import REPLAYED, Letter, LetterReader, Place
from streams.kafka.producer import Producer, TooLarge


class Wanted(msgspec.Struct, frozen=True):
    """Which letters are asked for; what is empty or None asks for nothing in particular."""

    reasons: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    """Event types, or `unknown`."""
    topics: frozenset[str] = frozenset()
    """That the records came from."""
    places: frozenset[Place] = frozenset()
    """Of the records or of the letters."""
    since: int | None = None
    """The first millisecond in which a record was rejected."""
    until: int | None = None
    """The first millisecond after."""
    limit: int | None = None
    """The newest so many."""

    def takes(self, letter: Letter) -> bool:
        """Say whether a letter is one of them, the limit apart."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.topics or (letter.origin is not None and letter.origin.topic in self.topics))
            and (not self.places or letter.origin in self.places or letter.place in self.places)
            and (self.since is None or letter.time >= self.since)
            and (self.until is None or letter.time < self.until)
            and (not self.types or type_of(letter) in self.types)
        )


class Chosen(NamedTuple):
    """The letters that are asked for, by partition and offset."""

    places: frozenset[tuple[int, int]]
    replaced: int
    """How many more there would be, had their records not been sent again and come back as other letters."""


def type_of(letter: Letter) -> str:
    """Name the event's type, `unknown` if it is none of the six."""
    kind = head_of(letter.value or b"").type
    return kind if kind in TYPES else "unknown"


def reader(settings: Settings) -> LetterReader:
    """Make a reader of the dead-letter topic, once that is known to exist.

    Raises:
        BrokerUnavailable: the broker does not answer.
        GrowthgaugeError: there is no such topic.
    """
    name = settings.topic_dead_letters
    there = topics.describe(settings.broker, [name])
    if name not in there:
        raise GrowthgaugeError(*topics.problems(there, [name], settings.partitions))
    return LetterReader(settings.broker, name, there[name].partitions)


async def choose(opened: LetterReader, wanted: Wanted) -> Chosen:
    """Read all letters and choose those that are asked for.

    Left out are copies, which a worker's crash can leave, and letters whose records came back as newer ones.
    """
    found: list[tuple[int, int, int, bytes]] = []
    seen: set[int] = set()
    again: set[bytes] = set()
    async for letter in opened.letters():
        what = xxhash.xxh3_64_intdigest(
            f"{letter.origin or letter.place}\n{letter.message}\n".encode() + (letter.value or b"")
        )
        if what in seen:
            continue
        seen.add(what)
        again.update(letter.marks)
        if wanted.takes(letter):
            found.append((letter.time, letter.place.partition, letter.place.offset, letter.mark))
    last = sorted(each for each in found if each[3] not in again)
    kept = last if wanted.limit is None else last[len(last) - min(wanted.limit, len(last)) :]
    return Chosen(frozenset((partition, offset) for _, partition, offset, _ in kept), len(found) - len(last))


async def chosen_letters(opened: LetterReader, chosen: Chosen) -> AsyncIterator[Letter]:
    """Read the chosen letters, those of one partition in their order."""
    if chosen.places:
        async for letter in opened.letters():
            if (letter.place.partition, letter.place.offset) in chosen.places:
                yield letter


def plain(letter: Letter) -> dict[str, Any]:
    r"""Give a letter as plain values for JSON; bytes that are no UTF-8 are shown as `\xff`."""
    return {
        "time": shown_instant(letter.time),
        "reason": letter.reason,
        "field": letter.field,
        "message": letter.message,
        "type": type_of(letter),
        "origin": None if letter.origin is None else letter.origin._asdict(),
        "letter": letter.place._asdict(),
        "replays": len(letter.marks),
        "key": _text(letter.key),
        "value": _text(letter.value),
        "headers": [[name, _text(value)] for name, value in letter.headers],
    }


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode(errors="backslashreplace")


class Replayed(msgspec.Struct):
    """What a replay did, or would do."""

    result: Result
    by_topic: Counter[str]
    """Records by the topic that they go to."""
    without_value: list[str]
    """Where the records are that the dead-letter topic had no room for."""
    tombstones: int = 0
    """Records that never had a value."""


async def replay(
    settings: Settings, wanted: Wanted, tables: Tables | None, progress: Callable[[int], None], *, dry: bool = False
) -> Replayed:
    """Send the records of letters again, unchanged, to where they belong.

    Args:
        settings: from where and to where.
        wanted: which letters.
        tables: where to wait for what became of them, if that is waited for.
        progress: called with the number of records sent.
        dry: send nothing.

    Raises:
        BrokerUnavailable: the letters cannot be read.
        GrowthgaugeError: the broker failed in between; the message says how much was acknowledged.
        TablesUnavailable: the tables do not answer.
    """
    done = Replayed(Result(too_large=[]), Counter(), [])
    async with reader(settings) as opened:
        chosen = await choose(opened, wanted)

        async def feed(producer: Producer | None, route: Router, result: Result) -> None:
            async for letter in chosen_letters(opened, chosen):
                if letter.value is None:
                    if letter.has_no_room:
                        done.without_value.append(str(letter.origin or letter.place))
                    else:
                        done.tombstones += 1
                    continue
                topic, partition, key = route(letter.value)
                try:
                    if producer is not None:
                        headers = [*letter.headers, (REPLAYED, letter.mark)]
                        await producer.send(topic, partition, key, letter.value, headers=headers)
                except TooLarge:
                    result.too_large.append(str(letter.origin or letter.place))
                    continue
                done.by_topic[topic] += 1
                progress(done.by_topic.total())

        if dry or not chosen.places:
            await feed(None, Router(settings.topics, settings.partitions), done.result)
        else:
            done.result = await deliver(settings, tables, feed, "records")
    return done
