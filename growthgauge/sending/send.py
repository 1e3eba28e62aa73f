"""Sending files of events: lines to records with the right topic, key and partition."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from aggregators.tables.door import Meta, Tables
from growthgauge.errors import GrowthgaugeError, WrongUsage
from growthgauge.sending.lines import STANDARD_INPUT, chunks
from growthgauge.sending.topics import identities, make_topics
from growthgauge.settings import Settings
from growthgauge.upkeep import catch_up
from streams.decoding.partition import partition_of
from streams.kafka.producer import Producer, TooLarge
from streams.kafka.topics import BrokerUnavailable
from streams.worker.pipeline_metrics import OUTCOMES

PATIENCE_SECONDS = 20
"""How long a broker may be silent."""


class Head(msgspec.Struct, gc=False):
    """The little of an event that says where it goes."""

    type: str = ""
    customer_id: str = ""


_decode = msgspec.json.Decoder(Head).decode
_decode_again = msgspec.json.Decoder(float_hook=float).decode


def head_of(line: bytes) -> Head:
    """Read what an event says of itself; of what is none everything is empty."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        # As the worker does: of a field that is there twice the last one counts, whatever the first one holds.
        return msgspec.convert(_decode_again(line), Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Head()


class Router:
    """Says where a line goes: topic, partition, key."""

    def __init__(self, topics: Mapping[Any, str], partitions: int) -> None:
        """Take the topics by event type; what has no known type goes where signups go."""
        self._topics = topics
        self._other = topics["signup"]
        self._partition = lru_cache(200_000)(lambda customer_id: partition_of(customer_id, partitions))

    def __call__(self, line: bytes) -> tuple[str, int, bytes | None]:
        """Route one line; one that is no event is still routed, so that the dead letters have it."""
        head = head_of(line)
        topic = self._topics.get(head.type, self._other)
        if not head.customer_id:
            return topic, 0, None
        return topic, self._partition(head.customer_id), head.customer_id.encode()


class Result(msgspec.Struct):
    """What became of what was sent."""

    acknowledged: int = 0
    too_large: list[str] = []
    """Places of lines that no broker takes."""
    outcomes: Counter[str] | None = None
    """What the tables counted in the meantime, if that was waited for."""


def check_files(files: Sequence[str]) -> None:
    """Make sure that every file can be read before anything is sent.

    Raises:
        WrongUsage: one cannot.
    """
    for name in files:
        if name == STANDARD_INPUT:
            continue
        if not Path(name).exists():
            raise WrongUsage(f"There is no file {name}: check the path.")
        try:
            if Path(name).is_dir():
                raise WrongUsage(f"{name} is a folder: name the files in it.")
            Path(name).open("rb").close()
        except OSError as error:
            raise WrongUsage(f"The file {name} cannot be read: {error.strerror}.") from None


def became(result: Result) -> str:
    """Word what became of what was sent, to go after "12 sent"; empty if that was not waited for."""
    if result.outcomes is None:
        return ""
    counts = dict.fromkeys(OUTCOMES, 0)
    reasons = []
    for key, count in sorted(result.outcomes.items()):
        kind, _, outcome = key.partition("/")
        if kind == "rejected":
            counts["rejected"] += count
            if count:
                reasons.append(f"{count:,} {outcome}")
        else:
            counts[outcome] += count
    shown = [f"{counts[name]:,} {name}" for name in OUTCOMES if counts[name] or name not in {"revised", "conflict"}]
    text = ", ".join(shown) + (f" ({', '.join(reasons)})" if reasons else "")
    processed = sum(counts.values())
    others = "" if processed == result.acknowledged else f"; with others' events, {processed:,} were processed"
    return f": {text}{others}"


async def send_files(
    settings: Settings, files: Sequence[str], tables: Tables | None, progress: Callable[[int, int], None]
) -> Result:
    """Send all lines of files, and wait until the tables have them if there are tables.

    Args:
        settings: where to.
        files: paths; `-` is standard input.
        tables: where to look for what became of them.
        progress: called with bytes read of the files and lines sent.

    Raises:
        GrowthgaugeError: the broker or a file failed; the message says how much was acknowledged.
        TablesUnavailable: the tables do not answer.
    """

    async def feed(producer: Producer, route: Router, result: Result) -> None:
        try:
            await _send_lines(producer, route, files, result, progress)
        except (OSError, EOFError, zlib.error) as error:
            raise GrowthgaugeError(
                f"A file could not be read to its end ({error}): {producer.acknowledged.records:,} lines were "
                "acknowledged; mend it and send it again, which is safe."
            ) from None

    return await deliver(settings, tables, feed, "lines")


async def deliver(
    settings: Settings, tables: Tables | None, feed: Callable[[Producer, Router, Result], Awaitable[None]], what: str
) -> Result:
    """Send what `feed` gives to a producer, and wait until the tables have it if there are tables.

    Args:
        settings: where to.
        tables: where to look for what became of it.
        feed: sends everything, with the right topic, key and partition.
        what: what that is, in the plural.

    Raises:
        GrowthgaugeError: the broker failed; the message says how much was acknowledged.
        TablesUnavailable: the tables do not answer.
    """
    ids = await _prepared(settings)
    before: list[Meta] = [] if tables is None else catch_up.metas(tables, settings.partitions)
    result = Result(too_large=[])
    producer = Producer(settings.broker, PATIENCE_SECONDS)
    try:
        async with producer:
            await feed(producer, Router(settings.topics, settings.partitions), result)
            await producer.flush()
    except BrokerUnavailable as error:
        raise GrowthgaugeError(
            f"{producer.acknowledged.records:,} {what} were acknowledged, then it failed: {str(error).rstrip('.')}; "
            "after that send the same again, which is safe."
        ) from None
    result.acknowledged = producer.acknowledged.records
    if tables is not None:
        after = await catch_up.settle(tables, settings.partitions, ids, producer.acknowledged.next)
        result.outcomes = catch_up.outcomes(after)
        result.outcomes.subtract(catch_up.outcomes(before))
    return result


async def _prepared(settings: Settings) -> dict[str, str]:
    """Make missing topics and give their ids, with patience for a broker that is only starting."""
    until = time.monotonic() + PATIENCE_SECONDS - 8
    while True:
        try:
            await asyncio.to_thread(make_topics, settings)
            return await asyncio.to_thread(identities, settings)
        except BrokerUnavailable as error:
            if time.monotonic() > until:
                raise GrowthgaugeError(f"Nothing was sent: {error}") from None
        await asyncio.sleep(0.5)


async def _send_lines(
    producer: Producer, route: Router, files: Sequence[str], result: Result, progress: Callable[[int, int], None]
) -> None:
    done = sent = 0
    for name in files:
        number = position = 0
        async for chunk in chunks(name):
            for line in chunk.lines:
                number += 1
                if not line or line.isspace():
                    continue
                try:
                    await producer.send(*route(line), line)
                except TooLarge:
                    result.too_large.append(f"{name}:{number}")
                else:
                    sent += 1
            if not chunk.more:
                # What has come should not wait for what is still to come.
                await producer.hand_over_all()
            position = chunk.position
            progress(done + position, sent)
        done += position
