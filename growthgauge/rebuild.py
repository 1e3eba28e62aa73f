"""Folding all ledgers anew: after a setting or a fold has changed, the facts are made to follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aggregators.batch import fold_ledger
from aggregators.facts import Facts
from aggregators.rules import Rules
from aggregators.tables import SPACES, Meta, Superseded, Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.settled import metas


def refuse_what_needs_a_replay(found: Sequence[Meta], rules: Rules, partitions: int) -> None:
    """Make sure that the tables can follow the settings by folding the ledgers anew.

    Raises:
        GrowthgaugeError: they were written with other partitions, or with the days of another time zone.
    """
    for meta in found:
        if meta.partitions not in (None, partitions):
            raise GrowthgaugeError(
                f"The tables were written with {meta.partitions} partitions and PARTITIONS is {partitions}: "
                f"set it to {meta.partitions}, or send all events again into an empty Redis or data folder."
            )
        zone = (meta.fingerprint or "").partition("/")[2]
        if zone and zone != rules.zone.name:
            raise GrowthgaugeError(
                f"The tables hold the days of the time zone {zone} and TIME_ZONE is {rules.zone.name}: "
                f"set it to {zone}, or send all events again into an empty Redis or data folder."
            )


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
        GrowthgaugeError: a worker has committed in the meantime, or folding anew is not enough.
        TablesUnavailable: the store does not answer.
    """
    # Before anything is marked: shards beyond a number that is too small would be left behind.
    refuse_what_needs_a_replay(metas(tables, partitions), rules, partitions)
    count = 0
    for number in range(partitions):
        meta = tables.start_rebuild(number)
        facts = Facts()
        shard = tables.shard(number)
        try:
            for space in SPACES:
                for field, ledger in shard.ledgers(space):
                    facts.merge(fold_ledger(rules, space, field, ledger))
                    count += 1
                    if count % 100 == 0:
                        progress(number, count)
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
