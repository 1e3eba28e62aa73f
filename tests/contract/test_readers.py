"""What every store promises a reader: one version at a time, and only what changed."""

from __future__ import annotations

import random
import threading

from aggregators.tables.door import Tables
from tests.contract.batches import write
from tests.contract.stores import Store


def test_a_reader_gets_only_the_days_that_changed(tables: Tables):
    """After the first look a reader is given changed days alone, and nothing while nothing happens."""
    shard, reader = tables.shard(0), tables.reader()
    write(shard, facts={day: {"new": day} for day in range(1, 201)})
    changes, seen = reader.changes(0, {})
    assert changes.days == {day: {"new": day} for day in range(1, 201)}
    assert reader.changes(0, seen) == (type(changes)(changes.meta, {}), seen)
    write(shard, facts={7: {"new": 1}, 500: {"signups": 1}, 9: {"new": 0}})
    write(shard, facts={8: {"new": -8}})
    changes, again = reader.changes(0, seen)
    assert changes.days == {7: {"new": 8}, 500: {"signups": 1}, 8: {}}
    assert changes.meta == shard.begin()
    # What was seen before is still worth as much as it was.
    assert tables.reader().changes(0, seen)[0] == changes
    write(shard, facts={day: {"new": 1} for day in range(1, 401)})
    changes, _ = reader.changes(0, again)
    assert changes.days.keys() == set(range(1, 401))


def test_a_reader_keeps_up_with_a_writer_that_never_rests(tables: Tables):
    """Every look is one version of the shard, although the days change faster than they are read."""
    reader = tables.reader()
    write(tables.shard(0), facts={day: {"new": 1_000_000} for day in range(400)})
    stop = threading.Event()

    def work() -> None:
        shard, chance = tables.shard(0), random.Random(1)
        while not stop.is_set():
            # What one day loses another gains: the sum over all days is the same in every version.
            one, other = chance.sample(range(600), 2)
            write(shard, facts={one: {"new": -1}, other: {"new": 1}})

    writer = threading.Thread(target=work)
    writer.start()
    try:
        for _ in range(15):
            known: dict[int, dict[str, int]] = {}
            seen: dict[int, str] = {}
            for _ in range(4):
                changes, seen = reader.changes(0, seen)
                known |= changes.days
                assert sum(facts.get("new", 0) for facts in known.values()) == 400 * 1_000_000
    finally:
        stop.set()
        writer.join()


def test_a_reader_notices_a_store_that_went_back_in_time(store: Store):
    """After a restored snapshot a reader is given the days that differ, though versions are reached again."""
    tables = store.tables
    write(tables.shard(0), facts={1: {"new": 1}, 2: {"new": 1}})
    snapshot = store.save()
    reader = tables.reader()
    write(tables.shard(0), facts={2: {"new": 10}, 3: {"new": 10}})
    changes, seen = reader.changes(0, {})
    store.restore(snapshot)
    back, _ = reader.changes(0, seen)
    assert back.days == {2: {"new": 1}, 3: {}}
    write(tables.shard(0), facts={2: {"new": 20}, 4: {"new": 20}})
    assert tables.shard(0).begin().version == changes.meta.version
    replayed, seen = reader.changes(0, seen)
    assert replayed.days == {2: {"new": 21}, 3: {}, 4: {"new": 20}}
    store.empty()
    emptied, seen = reader.changes(0, seen)
    assert emptied.days == {1: {}, 2: {}, 4: {}}
    assert reader.changes(0, seen)[0].days == {}
