"""`rebuild`: the facts follow the settings, whatever they were folded with before."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from aggregators.calendar import Zone
from aggregators.facts import Facts
from aggregators.rules import Rules
from aggregators.tables.door import Commit
from aggregators.tables.memory import Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.rebuild import rebuild
from tests.support.demo_facts import fill

PARTITIONS = 2
OLD = Rules(zone=Zone("UTC"))
NEW = Rules(zone=Zone("UTC"), lapse_grace_days=3)


def filled(rules: Rules, days: int = 200) -> Tables:
    """Put the demo company's first days into tables in memory, as a worker would."""
    tables = Tables()
    fill(tables, rules, first=dt.date(2024, 3, 1), days=days, partitions=PARTITIONS)
    return tables


def into_redis(tables: Any, made: Tables) -> None:
    """Put all that tables in memory hold into empty ones in Redis."""
    for number in range(PARTITIONS):
        contents, shard = made._contents[number], tables.shard(number)
        meta = contents.meta
        shard.commit(
            Commit(
                based_on=shard.begin(),
                fingerprint=str(meta.fingerprint),
                partitions=PARTITIONS,
                ledgers=contents.ledgers,
                facts=Facts(contents.days),
                offsets=dict(meta.offsets),
                outcomes=dict(meta.outcomes),
            )
        )


def facts(tables: Tables) -> list[dict[int, dict[str, int]]]:
    """Read all facts that are not zero, by shard."""
    reader = tables.reader()
    return [
        {
            day: kept
            for day, values in reader.changes(number, {})[0].days.items()
            if (kept := {key: count for key, count in values.items() if count})
        }
        for number in range(PARTITIONS)
    ]


def test_the_facts_are_those_that_the_new_settings_would_have_given():
    """Folding anew equals having had the new settings from the start, and what no ledger keeps stays."""
    tables = filled(OLD)
    wanted = facts(filled(NEW))
    assert facts(tables) != wanted, "the settings have to matter"
    shown: list[tuple[int, int]] = []
    count = rebuild(tables, NEW, PARTITIONS, lambda shards, ledgers: shown.append((shards, ledgers)))
    assert facts(tables) == wanted
    assert shown[-1] == (PARTITIONS, count)
    metas = [tables.shard(number).begin() for number in range(PARTITIONS)]
    assert {meta.fingerprint for meta in metas} == {NEW.fingerprint()}
    assert all(meta.offsets["t"].identity == "id" for meta in metas), "reading goes on where it was"


def test_another_number_of_partitions_is_refused():
    """A rebuild cannot move ledgers from shard to shard."""
    tables = filled(OLD)
    with pytest.raises(GrowthgaugeError, match="set it to 2"):
        rebuild(tables, NEW, 1, lambda *_: None)
    assert tables.shard(0).begin().fingerprint == OLD.fingerprint(), "nothing was begun"


def test_another_time_zone_is_refused():
    """Ledgers hold days, which are those of the zone that they were written in."""
    tables = filled(OLD)
    tokyo = Rules(zone=Zone("Asia/Tokyo"))
    with pytest.raises(GrowthgaugeError, match="set it to UTC"):
        rebuild(tables, tokyo, PARTITIONS, lambda *_: None)
    for number in range(PARTITIONS):
        tables.start_rebuild(number)
    with pytest.raises(GrowthgaugeError, match="set it to UTC"):
        rebuild(tables, tokyo, PARTITIONS, lambda *_: None)
