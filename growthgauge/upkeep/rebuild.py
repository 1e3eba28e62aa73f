"""Folding all ledgers anew: after a setting or a fold has changed, the facts are made to follow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aggregators.facts import Facts
from aggregators.refold import Damaged, refold
from aggregators.rules import Rules
from aggregators.tables.agreement import needs_replay
from aggregators.tables.door import Commit, Meta, Shard, Superseded, Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.catch_up import metas

LEDGERS_AT_ONCE = 1000


def refuse_what_needs_a_replay(found: Sequence[Meta], rules: Rules, partitions: int, remedy: str | None = None) -> None:
    """Make sure that the tables can follow the settings by folding the ledgers anew; `remedy` is what else to do.

    Raises:
        GrowthgaugeError: they were written with other partitions or the days of another time zone, or are half empty.
    """
    for meta in found:
        sentence = needs_replay(meta, rules.fingerprint(), partitions, remedy)
        if sentence is not None:
            raise GrowthgaugeError(sentence)


def _cannot(number: int, damaged: Sequence[Damaged]) -> str:
    first = damaged[0]
    more = f", and {len(damaged) - 1:,} more are" if len(damaged) > 1 else ""
    return (
        f"In shard {number} the ledger {first.field!a} of {first.space} is damaged ({first.why}){more}: restore a "
        "snapshot of Redis and run `growthgauge rebuild` again, or read everything anew with "
        "`growthgauge rebuild --from-kafka`."
    )


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
        GrowthgaugeError: a worker has committed in the meantime, or folding anew is not enough.
        TablesUnavailable: the store does not answer.
    """
    # Before anything is marked: shards beyond a number that is too small would be left behind.
    refuse_what_needs_a_replay(metas(tables, partitions), rules, partitions)
    count = 0
    for number in range(partitions):
        meta = tables.start_rebuild(number)

        def folded(ledgers: int, number: int = number) -> None:
            nonlocal count
            count += ledgers
            progress(number, count)

        shard = tables.shard(number)
        try:
            facts, ledgers, damaged = refold(rules, shard, folded)
            if damaged:
                raise GrowthgaugeError(_cannot(number, damaged))
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
