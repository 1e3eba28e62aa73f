"""What every store promises a worker."""

from __future__ import annotations

import threading

import pytest

from aggregators.calendar import LAST_DAY
from aggregators.facts import key
from aggregators.tables.door import Meta, Offset, Superseded, Tables
from aggregators.tables.opening import open_tables
from tests.contract.batches import all_facts, commit, write
from tests.contract.stores import Store

ODD = [
    "plain",
    "",
    " ",
    "two\nlines\r\n",
    "\x00",
    "\x1e",
    "\x1f",
    "\x1e1",
    "a:b{c}",
    "*",
    "Zoë",
    "日本語",
    "👩‍🚀",
    "x" * 4_000,
]


def test_an_untouched_shard_is_empty(tables: Tables):
    """Before the first commit there is no fingerprint, no offset, no ledger and no fact."""
    shard = tables.shard(0)
    assert shard.begin() == Meta()
    assert shard.read("users", ["a"]) == [None]
    assert list(shard.ledgers("customers")) == []
    assert all_facts(tables.reader()) == {}
    tables.ping()


def test_everything_of_a_commit_is_read_back(tables: Tables):
    """A commit's parts all come back, from another connection too."""
    offset = Offset(identity="AAAA-topic id_", next=42)
    shard = tables.shard(0)
    written = write(
        shard,
        facts={20_000: {"new": 2, key("churned", "lapsed"): -1}, -3: {"signups": 1}},
        ledgers={"users": {"u": b"user"}, "customers": {"u": b"customer \x00\xff"}},
        offsets={"growth.signups": offset},
        outcomes={"signup/accepted": 3},
    )
    meta = tables.shard(0).begin()
    assert meta == written
    assert (meta.fingerprint, meta.partitions, meta.version) == ("rules 1", 4, 1)
    assert meta.offsets == {"growth.signups": offset}
    assert meta.outcomes == {"signup/accepted": 3}
    shard.begin()
    assert shard.read("users", ["u", "absent"]) == [b"user", None]
    assert shard.read("customers", ["u"]) == [b"customer \x00\xff"]
    assert shard.read("customers", []) == []
    assert all_facts(tables.reader()) == {20_000: {"new": 2, key("churned", "lapsed"): -1}, -3: {"signups": 1}}


@pytest.mark.parametrize("read", [["b1", "s1", "a1"], ["b1", "a1"], ["b1", "a1", "p1", "x"]])
def test_ledgers_are_written_under_their_own_names(tables: Tables, read: list[str]):
    """What was read before says nothing of what is written: other fields, as many, fewer or more, keep their bytes."""
    shard = tables.shard(0)
    write(shard, ledgers={"customers": {name: f"old {name}".encode() for name in read}})
    meta = shard.begin()
    shard.read("customers", read)
    changed = ["b1", "a1", "part"]
    shard.commit(commit(meta, ledgers={"customers": {name: f"new {name}".encode() for name in changed}}))
    shard.begin()
    names = sorted({*read, *changed})
    expected = [f"{'new' if name in changed else 'old'} {name}".encode() for name in names]
    assert shard.read("customers", names) == expected


def test_offsets_and_outcomes_accumulate(tables: Tables):
    """A commit replaces the offsets that it names, leaves the others, and adds to the counts."""
    shard = tables.shard(0)
    write(shard, offsets={"a": Offset("id-a", 5), "b": Offset("id-b", 7)}, outcomes={"x": 1, "y": 2})
    write(shard, offsets={"a": Offset("made again", 0)}, outcomes={"y": 3, "rejected/not_json": 1})
    meta = shard.begin()
    assert meta.offsets == {"a": Offset("made again", 0), "b": Offset("id-b", 7)}
    assert meta.outcomes == {"x": 1, "y": 5, "rejected/not_json": 1}
    assert meta.version == 2


def test_shards_are_apart(tables: Tables):
    """What one shard holds is nothing to another."""
    for number in (0, 1, 10):
        write(tables.shard(number), facts={1: {"new": number + 1}}, ledgers={"users": {"u": b"%d" % number}})
    for number in (0, 1, 10):
        assert all_facts(tables.reader(), number) == {1: {"new": number + 1}}
        assert list(tables.shard(number).ledgers("users")) == [("u", b"%d" % number)]


@pytest.mark.parametrize("rounds", [1, 3])
def test_of_two_writers_one_is_superseded(store: Store, rounds: int):
    """Whoever commits second on the same meta writes nothing at all, and can begin again."""
    tables = store.tables
    for _ in range(rounds):
        first, second = tables.shard(0), tables.shard(0)
        of_first, of_second = first.begin(), second.begin()
        first.commit(commit(of_first, facts={1: {"new": 1}}, offsets={"t": Offset("i", 1)}))
        before = store.save()
        late = commit(of_second, facts={1: {"new": 5}, 2: {"new": 5}}, ledgers={"users": {"u": b"late"}})
        with pytest.raises(Superseded):
            second.commit(late)
        with pytest.raises(Superseded):
            second.commit(late)
        assert second.begin().token == tables.shard(0).begin().token
        assert store.save() == before
        assert all_facts(tables.reader()).keys() == {1}
        assert list(first.ledgers("users")) == []
    write(second, facts={1: {"new": 100}})
    assert all_facts(tables.reader()) == {1: {"new": rounds + 100}}


def test_a_commit_needs_its_own_begin(tables: Tables):
    """A meta from another shard object or an earlier begin commits nothing."""
    shard = tables.shard(0)
    meta = shard.begin()
    with pytest.raises(Superseded):
        tables.shard(0).commit(commit(meta, facts={1: {"new": 1}}))
    shard.commit(commit(meta, facts={1: {"new": 1}}))
    shard.begin()
    with pytest.raises(Superseded):
        shard.commit(commit(meta, facts={1: {"new": 1}}))
    for other in (shard, tables.shard(0)):
        with pytest.raises(Superseded):
            other.read("users", ["u"])
    assert all_facts(tables.reader()) == {1: {"new": 1}}


def test_many_writers_lose_no_count(tables: Tables):
    """Threads that begin again whenever they are superseded add up exactly."""

    def work() -> None:
        shard = tables.shard(0)
        done = 0
        while done < 25:
            meta = shard.begin()
            stored = shard.read("users", ["u"])[0] or b"0"
            try:
                shard.commit(commit(meta, facts={1: {"new": 1}}, ledgers={"users": {"u": b"%d" % (int(stored) + 1)}}))
            except Superseded:
                continue
            done += 1
        shard.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all_facts(tables.reader()) == {1: {"new": 100}}
    assert list(tables.shard(0).ledgers("users")) == [("u", b"100")]
    assert tables.shard(0).begin().version == 100


def test_a_batch_under_way_does_not_survive_a_restored_snapshot(store: Store):
    """A worker that read before a snapshot was restored is superseded, even at the same version."""
    tables = store.tables
    write(tables.shard(0), facts={1: {"new": 1}})
    snapshot = store.save()
    write(tables.shard(0), facts={1: {"new": 1}})
    shard = tables.shard(0)
    meta = shard.begin()
    store.restore(snapshot)
    write(tables.shard(0), facts={1: {"new": 5}})
    with pytest.raises(Superseded):
        shard.commit(commit(meta, facts={1: {"new": 100}}))
    assert all_facts(tables.reader()) == {1: {"new": 6}}


def test_facts_that_become_zero_are_gone(store: Store):
    """A fact, a group and a day that add up to zero leave nothing but the day's stamp."""
    tables = store.tables
    shard, reader = tables.shard(0), tables.reader()
    write(shard, facts={1: {"new": 1, "users_new": 2, "signups": 1}, 2: {"new": 4}})
    _, seen = reader.changes(0, {})
    write(shard, facts={1: {"new": -1}, 2: {"new": -4}})
    changes, seen = reader.changes(0, seen)
    assert changes.days == {1: {"users_new": 2, "signups": 1}, 2: {}}
    write(shard, facts={1: {"signups": -1}})
    changes, seen = reader.changes(0, seen)
    assert changes.days == {1: {"users_new": 2}}
    write(shard, facts={2: {"new": 1}, 3: {"new": 0}})
    assert reader.changes(0, seen)[0].days == {2: {"new": 1}}


def test_integers_have_no_limit(tables: Tables):
    """Facts beyond 64 bits add and come back exactly."""
    shard = tables.shard(0)
    big = key("cash", "recurring", "IDR")
    edges = [2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70, -(2**63), -(2**63) - 1, -(2**90)]
    for day, amount in enumerate(edges):
        write(shard, facts={day: {big: amount, "new": 1}})
    assert all_facts(tables.reader()) == {day: {big: amount, "new": 1} for day, amount in enumerate(edges)}
    write(shard, facts={day: {big: 1 - amount} for day, amount in enumerate(edges)})
    assert all_facts(tables.reader()) == {day: {big: 1, "new": 1} for day in range(len(edges))}


def test_any_text_is_safe(tables: Tables):
    """Ledger fields, labels, topics' identities and outcomes hold any text, and none is taken for another."""
    shard = tables.shard(0)
    ledgers = {key(one, other): f"{one}|{other}".encode() for one in ODD for other in ODD}
    facts = {key("churned", text): number for number, text in enumerate(ODD, 1)}
    identities = {f"topic.{number}": Offset(text, number) for number, text in enumerate(ODD)}
    outcomes = {f"rejected/{text}": number for number, text in enumerate(ODD, 1)}
    written = write(shard, facts={1: facts}, ledgers={"users": ledgers}, offsets=identities, outcomes=outcomes)
    assert len(ledgers) == len(ODD) ** 2
    assert written == shard.begin()
    assert shard.begin().offsets == identities
    assert shard.begin().outcomes == outcomes
    assert shard.read("users", list(ledgers)) == list(ledgers.values())
    assert dict(shard.ledgers("users")) == ledgers
    assert all_facts(tables.reader()) == {1: facts}


def test_ledgers_are_replaced_and_removed(tables: Tables):
    """A ledger's new bytes take the place of the old ones; empty bytes remove it."""
    shard = tables.shard(0)
    write(shard, ledgers={"customers": {"a": b"1", "b": b"1", "c": b"1"}})
    write(shard, ledgers={"customers": {"a": b"22", "b": b"", "absent": b""}})
    shard.begin()
    assert shard.read("customers", ["a", "b", "c", "absent"]) == [b"22", None, b"1", None]
    assert dict(shard.ledgers("customers")) == {"a": b"22", "c": b"1"}


def test_thousands_of_ledgers_in_one_commit(tables: Tables):
    """A commit of 4,000 ledgers and 8 MiB is one transaction, read back in the order asked for."""
    shard = tables.shard(0)
    ledgers = {key(f"customer {n % 50}", f"user {n}"): n.to_bytes(4, "big") * 512 for n in range(4_000)}
    write(shard, ledgers={"users": ledgers})
    fields = sorted([*ledgers, "absent"], key=lambda field: hash((field, 1)))
    shard.begin()
    assert shard.read("users", fields) == [ledgers.get(field) for field in fields]
    assert dict(shard.ledgers("users")) == ledgers


def test_days_after_the_last_are_left_out(tables: Tables):
    """The calendar's last day is kept, and what comes after it, which nobody can ask for, is not."""
    write(tables.shard(0), facts={LAST_DAY: {"new": 1}, LAST_DAY + 1: {"new": 1}, 10**7: {"new": 1}})
    assert all_facts(tables.reader()) == {LAST_DAY: {"new": 1}}


def test_an_unknown_measure_is_refused_before_anything_is_written(tables: Tables):
    """A measure that the catalogue does not have is a bug of the caller's, and nothing of its commit is written."""
    shard = tables.shard(0)
    with pytest.raises(KeyError):
        write(shard, facts={1: {"no such measure": 1}}, ledgers={"users": {"u": b"1"}})
    assert shard.begin() == Meta()
    assert shard.read("users", ["u"]) == [None]


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://127.0.0.1:6379", "redis://127.0.0.1:port/0"])
def test_a_url_that_is_none_is_refused(url: str):
    """What cannot be a Redis' address is refused at once, without a connection."""
    with pytest.raises(ValueError, match=r".+"):
        open_tables(url)
