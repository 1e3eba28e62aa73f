"""Folding all ledgers anew: after a setting or a fold has changed, the facts are made to follow."""

from __future__ import annotations

from collections.abc import Callable

from aggregators.refold import refold
from aggregators.rules import Rules
from aggregators.tables import Superseded, Tables
from growthgauge.errors import GrowthgaugeError


def rebuild(tables: Tables, rules: Rules, partitions: int, progress: Callable[[int, int], None]) -> int:
    """Fold the ledgers of every shard and put the facts in place of the old ones.

    Args:
        tables: where they are.
        rules: the settings to fold with.
        partitions: how many shards there are.
        progress: called with the shard and the number of ledgers folded so far.

    Returns:
        The number of ledgers folded.

    Raises:
        GrowthgaugeError: a worker has committed in the meantime, or the shards were written with other partitions.
        TablesUnavailable: the store does not answer.
    """
    count = 0
    for number in range(partitions):
        meta = tables.start_rebuild(number)
        if meta.partitions not in (None, partitions):
            raise GrowthgaugeError(
                f"The tables were written with {meta.partitions} partitions and PARTITIONS is {partitions}: "
                f"set it to {meta.partitions}; another number needs a replay from Kafka into an empty Redis."
            )

        def folded(ledgers: int, number: int = number) -> None:
            nonlocal count
            count += ledgers
            progress(number, count)

        shard = tables.shard(number)
        try:
            facts = refold(rules, shard, folded)
        finally:
            shard.close()
        try:
            tables.replace_facts(number, meta, rules.fingerprint(), facts)
        except Superseded:
            raise GrowthgaugeError(
                "A worker has committed while the ledgers were folded, so that shard was not replaced: "
                "stop all workers, then run `growthgauge rebuild` again."
            ) from None
        progress(number + 1, count)
    return count
