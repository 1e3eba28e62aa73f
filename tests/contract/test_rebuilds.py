"""What every store promises a rebuild: all of it or nothing, and what no ledger keeps stays."""

from __future__ import annotations

import pytest

from aggregators.calendar import LAST_DAY
from aggregators.facts import Facts, key
from aggregators.tables.door import EMPTYING, REBUILDING, Meta, Offset, Superseded, Tables
from aggregators.tables.opening import open_tables
from aggregators.tables.redis.connection import Link
from tests.contract.batches import all_facts, commit, write
from tests.contract.cut import cut_off
from tests.support.servers import RedisServer


def test_a_rebuild_replaces_what_derives_from_ledgers(tables: Tables):
    """New facts take the place of the old ones, kept measures stay, and so do ledgers, offsets and outcomes."""
    shard, reader = tables.shard(0), tables.reader()
    before = write(
        shard,
        facts={1: {"new": 1, "sessions": 10}, 2: {"new": 1, "signups": 1}, 3: {"session_reactions": 2**70}},
        ledgers={"users": {"u": b"1"}},
        offsets={"t": Offset("i", 3)},
        outcomes={"session/accepted": 10},
    )
    _, seen = reader.changes(0, {})
    started = tables.start_rebuild(0)
    assert started.fingerprint is not None
    assert started.fingerprint.startswith(REBUILDING)
    assert reader.changes(0, seen)[0].days == {}
    new = Facts({1: {"new": 7, "sessions": 999}, 4: {key("churned", "lapsed"): 1}, LAST_DAY + 1: {"new": 1}})
    after = tables.replace_facts(0, started, "rules 2", new)
    expected = {
        1: {"new": 7, "sessions": 10},
        3: {"session_reactions": 2**70},
        4: {key("churned", "lapsed"): 1},
    }
    assert all_facts(tables.reader()) == expected
    assert reader.changes(0, seen)[0].days == {**expected, 2: {}}
    assert shard.begin() == after
    assert (after.fingerprint, after.partitions, after.version) == ("rules 2", 4, before.version + 2)
    assert (after.offsets, after.outcomes) == (before.offsets, before.outcomes)
    assert shard.read("users", ["u"]) == [b"1"]
    write(shard, facts={1: {"new": 1}}, fingerprint="rules 2")
    assert all_facts(tables.reader())[1] == {"new": 8, "sessions": 10}


def test_a_rebuild_supersedes_batches_and_batches_a_rebuild(tables: Tables):
    """A batch under way when a rebuild starts commits nothing; a rebuild somebody commits into replaces nothing."""
    shard = tables.shard(0)
    write(shard, facts={1: {"new": 1}})
    meta = shard.begin()
    started = tables.start_rebuild(0)
    with pytest.raises(Superseded):
        shard.commit(commit(meta, facts={1: {"new": 1}}))
    write(shard, facts={1: {"new": 1}})
    with pytest.raises(Superseded):
        tables.replace_facts(0, started, "rules 2", Facts({9: {"new": 9}}))
    assert all_facts(tables.reader()) == {1: {"new": 2}}
    tables.replace_facts(0, tables.start_rebuild(0), "rules 2", Facts({9: {"new": 9}}))
    assert all_facts(tables.reader()) == {9: {"new": 9}}


def test_a_rebuild_can_be_started_again(tables: Tables):
    """A rebuild given up half-way leaves a fingerprint that no worker has, and only the last one started counts."""
    write(tables.shard(0), facts={1: {"new": 1}})
    first = tables.start_rebuild(0)
    second = tables.start_rebuild(0)
    assert first.fingerprint != second.fingerprint
    with pytest.raises(Superseded):
        tables.replace_facts(0, first, "rules 2", Facts({1: {"new": 2}}))
    assert tables.shard(0).begin() == second
    tables.replace_facts(0, second, "rules 2", Facts({}))
    assert all_facts(tables.reader()) == {}
    assert tables.shard(0).begin().fingerprint == "rules 2"


def test_a_long_history_is_rebuilt_and_read_whole(tables: Tables):
    """Nothing is lost where days come in several chunks."""
    facts = {day: {"new": day, "users_new": 1} for day in range(1, 1_000)}
    write(tables.shard(0), facts={day: {"sessions": 1, "new": 5} for day in range(500, 1_500)})
    tables.replace_facts(0, tables.start_rebuild(0), "rules 2", Facts({d: dict(f) for d, f in facts.items()}))
    for day in range(500, 1_500):
        facts.setdefault(day, {})["sessions"] = 1
    assert all_facts(tables.reader()) == facts


def test_a_rebuild_may_be_interrupted_anywhere(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """Cut off after any of its commands, a rebuild has replaced nothing, is seen by no reader, and can run again."""
    tables = open_tables(fresh.url)
    days = range(1, 151)
    write(tables.shard(0), facts={day: {"new": 1, "sessions": 5} for day in days})
    old, new = all_facts(tables.reader()), {day: {"new": 2, "sessions": 5} for day in days}
    interrupted = 0
    while True:
        started = tables.start_rebuild(0)
        try:
            with cut_off(monkeypatch, interrupted):
                tables.replace_facts(0, started, "rules 2", Facts({day: {"new": 2} for day in days}))
            break
        except KeyboardInterrupt:
            pass
        assert all_facts(tables.reader()) == old
        assert tables.shard(0).begin().fingerprint == started.fingerprint
        interrupted += 1
    assert interrupted > 8
    assert all_facts(tables.reader()) == new
    with fresh.client() as client:
        assert not [name for name in client.scan_iter() if b"staged" in name]


def test_staged_facts_that_vanish_stop_a_rebuild(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """A staged day evicted just before the transaction supersedes the rebuild instead of breaking it."""
    tables = open_tables(fresh.url)
    write(tables.shard(0), facts={1: {"new": 1}, 2: {"new": 1}})
    started = tables.start_rebuild(0)
    whole = Link.call
    with fresh.client() as client, monkeypatch.context() as patched:

        def evict(self: Link, *commands, resume: bool = False):
            if commands[0] == ("MULTI",):
                assert client.delete("growth:{0}:staged:1970-01-03") == 1
            return whole(self, *commands, resume=resume)

        patched.setattr(Link, "call", evict)
        with pytest.raises(Superseded):
            tables.replace_facts(0, started, "rules 2", Facts({1: {"new": 2}, 2: {"new": 2}}))
    assert all_facts(tables.reader()) == {1: {"new": 1}, 2: {"new": 1}}
    tables.replace_facts(0, tables.start_rebuild(0), "rules 2", Facts({1: {"new": 2}, 2: {"new": 2}}))
    assert all_facts(tables.reader()) == {1: {"new": 2}, 2: {"new": 2}}


def test_an_emptied_shard_is_read_anew(tables: Tables):
    """Ledgers, facts, kept measures, counts and offsets are gone; readers notice, and only its workers may fill it."""
    shard, reader = tables.shard(0), tables.reader()
    full = {
        "facts": {1: {"new": 1, "sessions": 10}, 2: {"new": 1}},
        "ledgers": {"users": {"u": b"1"}, "customers": {"bc": b"2"}},
        "offsets": {"t": Offset("i", 3)},
        "outcomes": {"session/accepted": 10},
    }
    before = write(shard, **full)
    other = write(tables.shard(1), **full)
    _, seen = reader.changes(0, {})
    meta = shard.begin()
    started = tables.start_emptying(0)
    with pytest.raises(Superseded):
        shard.commit(commit(meta, facts={1: {"new": 1}}))
    assert started.fingerprint is not None
    assert started.fingerprint.startswith(EMPTYING)
    assert started.offsets == before.offsets
    tables.empty(0, started, ("rules 2", 8))
    after = shard.begin()
    assert (after.fingerprint, after.partitions, after.offsets, after.outcomes) == ("rules 2", 8, {}, {})
    assert after.version > started.version
    assert [list(shard.ledgers(space)) for space in ("users", "customers")] == [[], []]
    changes, seen = reader.changes(0, seen)
    assert changes.days == {1: {}, 2: {}}
    assert tables.shard(1).begin() == other
    write(shard, facts={2: {"new": 5}}, fingerprint="rules 2")
    assert reader.changes(0, seen)[0].days == {2: {"new": 5}}
    tables.empty(0, tables.start_emptying(0), None)
    assert shard.begin() == Meta()
    assert all_facts(tables.reader()) == {}


def test_an_emptying_that_is_started_again(tables: Tables):
    """Only who marked the shard last empties it."""
    write(tables.shard(0), facts={1: {"new": 1}})
    first = tables.start_emptying(0)
    second = tables.start_emptying(0)
    with pytest.raises(Superseded):
        tables.empty(0, first, ("rules 2", 4))
    assert all_facts(tables.reader()) == {1: {"new": 1}}
    tables.empty(0, second, ("rules 2", 4))
    assert all_facts(tables.reader()) == {}


def test_an_emptying_may_be_interrupted_anywhere(fresh: RedisServer, monkeypatch: pytest.MonkeyPatch):
    """Cut off after any of its commands the mark is there, until the shard is empty; then nothing of it is left."""
    tables = open_tables(fresh.url)
    interrupted = 0
    ledgers = {f"u{n}": b"1" for n in range(3_000)}
    write(tables.shard(0), facts={day: {"new": 1} for day in range(1, 2_000)}, ledgers={"users": ledgers})
    while True:
        started = tables.start_emptying(0)
        try:
            with cut_off(monkeypatch, interrupted):
                tables.empty(0, started, None)
            break
        except KeyboardInterrupt:
            pass
        assert tables.shard(0).begin().fingerprint == started.fingerprint
        interrupted += 1
    assert interrupted > 5
    with fresh.client() as client:
        assert client.dbsize() == 0
