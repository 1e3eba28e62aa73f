"""How far the tables have come: what `send --wait` and the demo wait for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from aggregators.tables.door import Meta, Tables
from growthgauge.errors import GrowthgaugeError

IDLE_SECONDS = 60
"""How long nothing may move before waiting is given up."""


def metas(tables: Tables, partitions: int) -> list[Meta]:
    """Read what every shard says of itself.

    Raises:
        TablesUnavailable: the store does not answer.
    """
    found = []
    for number in range(partitions):
        shard = tables.shard(number)
        try:
            found.append(shard.begin())
        finally:
            shard.close()
    return found


def outcomes(found: list[Meta]) -> Counter[str]:
    """Add up the outcomes of all shards."""
    total: Counter[str] = Counter()
    for meta in found:
        total.update(meta.outcomes)
    return total


def behind(found: list[Meta], identities: Mapping[str, str], goal: Mapping[tuple[str, int], int]) -> int:
    """Count the records that the tables do not cover yet.

    Args:
        found: the shards' metas, by number.
        identities: the topics' ids; an offset of an earlier topic of that name says nothing.
        goal: the offset to pass, by topic and partition.
    """
    missing = 0
    for (topic, partition), offset in goal.items():
        stored = found[partition].offsets.get(topic)
        reached = stored.next if stored is not None and stored.identity == identities[topic] else 0
        missing += max(0, offset - reached)
    return missing


async def settle(
    tables: Tables, partitions: int, identities: Mapping[str, str], goal: Mapping[tuple[str, int], int]
) -> list[Meta]:
    """Wait until the tables cover a goal, and give the metas of then.

    Raises:
        GrowthgaugeError: nothing moves for `IDLE_SECONDS`.
        TablesUnavailable: the store does not answer.
    """
    moved, before = time.monotonic(), -1
    pause = 0.02
    while True:
        found = await asyncio.to_thread(metas, tables, partitions)
        missing = behind(found, identities, goal)
        if not missing:
            return found
        now = time.monotonic()
        if missing != before:
            moved, before = now, missing
        elif now - moved > IDLE_SECONDS:
            raise GrowthgaugeError(
                f"{missing:,} of the records sent are not processed, and nothing has moved for {IDLE_SECONDS} s: "
                "see whether a worker runs on the same broker and Redis (`growthgauge check`)."
            )
        await asyncio.sleep(pause)
        pause = min(0.5, pause * 1.5)
