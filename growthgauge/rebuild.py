"""Folding all ledgers anew: after a setting or a fold has changed, the facts are made to follow."""

from __future__ import annotations

from collections.abc import Callable

from aggregators.facts import Facts
from aggregators.refold import refold
from aggregators.rules import Rules
from aggregators.tables import Commit, Meta, Shard, Superseded, Tables
from growthgauge.errors import GrowthgaugeError

LEDGERS_AT_ONCE = 1000


def _write(shard: Shard, meta: Meta, ledgers: dict[str, bytes]) -> Meta:
    """Write ledgers while the shard is marked as being rebuilt, and give its meta.

    Raises:
        Superseded: someone else has committed in the meantime.
    """
    fields = list(ledgers)
    for start in range(0, len(fields), LEDGERS_AT_ONCE):
        begun = shard.begin()
        if begun.token != meta.token:
            raise Superseded
        assert begun.fingerprint is not None
        assert begun.partitions is not None
        meta = shard.commit(
            Commit(
                based_on=begun,
                fingerprint=begun.fingerprint,
                partitions=begun.partitions,
                ledgers={"customers": {field: ledgers[field] for field in fields[start : start + LEDGERS_AT_ONCE]}},
                facts=Facts(),
                offsets={},
                outcomes={},
            )
        )
    return meta


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
            facts, ledgers = refold(rules, shard, folded)
            meta = _write(shard, meta, ledgers)
            tables.replace_facts(number, meta, rules.fingerprint(), facts)
        except Superseded:
            raise GrowthgaugeError(
                "A worker has committed while the ledgers were folded, so that shard was not replaced: "
                "stop all workers, then run `growthgauge rebuild` again."
            ) from None
        finally:
            shard.close()
        progress(number + 1, count)
    return count
