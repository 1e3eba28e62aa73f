"""`verify`: the books balance, and whatever is broken in facts or ledgers is found and named."""

from __future__ import annotations

import copy
from functools import cache

import pytest

from aggregators import activity, customers, expenses, surveys
from aggregators.calendar import Zone
from aggregators.facts import MEASURES, key, parts
from aggregators.metrics import Book, MetricSettings
from aggregators.metrics.identities import IDENTITIES, MEANINGS, unbalanced
from aggregators.rules import Rules
from aggregators.tables.door import Busy
from aggregators.tables.memory import Tables
from exporters.collector import GrowthCollector
from exporters.growth import Growth
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.shard_copy import Copy
from growthgauge.upkeep.verify import Verified, verify
from tests.unit import test_rebuild
from tests.unit.test_rebuild import NEW, OLD, PARTITIONS


@cache
def _whole() -> Tables:
    return test_rebuild.filled(OLD, days=90)


def filled() -> Tables:
    """Give tables as workers leave them, to be broken."""
    tables = Tables()
    for number in range(PARTITIONS):
        vars(tables._contents[number]).update(copy.deepcopy(vars(_whole()._contents[number])))
    return tables


def checked(tables: Tables, rules: Rules = OLD, limit: int = 20) -> Verified:
    """Verify both shards."""
    return verify(tables, rules, PARTITIONS, limit, lambda *_: None)


def stored(tables: Tables, number: int = 0):
    """Give what a shard holds, to be broken."""
    return tables._contents[number]


def names(found: Verified) -> set[str]:
    """Give the identities that do not hold."""
    return {each.identity for each in found.unbalanced}


def test_the_books_balance():
    """What a worker has written is what the ledgers fold to; progress ends with all shards and ledgers."""
    tables = filled()
    shown: list[tuple[int, int]] = []
    found = verify(tables, OLD, PARTITIONS, 20, lambda shards, ledgers: shown.append((shards, ledgers)))
    assert found.balanced
    assert (found.shards, found.differing, found.unsound, found.unbalanced) == (2, {}, [], [])
    ledgers = sum(len(each) for number in range(PARTITIONS) for each in stored(tables, number).ledgers.values())
    assert shown[-1] == (2, found.ledgers) == (2, ledgers)
    every = [key for number in range(PARTITIONS) for day in stored(tables, number).days.values() for key in day]
    kept = sum(MEASURES[parts(each)[0]].kept for each in every)
    assert (found.facts, found.kept) == (len(every) - kept, kept)
    assert kept


def test_empty_tables_balance():
    """Nothing is what nothing folds to."""
    found = checked(Tables())
    assert (found.balanced, found.facts, found.ledgers) == (True, 0, 0)


def test_every_kind_of_broken_fact_is_found():
    """One more, one less, one gone, one from nowhere: each with day, labels and both numbers, counted by measure."""
    tables = filled()
    days = stored(tables, 1).days
    day = min(day for day, facts in days.items() if "new" in facts)
    users = min(day for day, facts in days.items() if "users_new" in facts)
    days[day]["new"] += 1
    folded = days[users].pop("users_new")
    days[day][key("expense", "retention\x1f!", "USD")] = 7
    days[day]["of_an_older_release"] = 1
    days[99_999] = {"cancellations": -3}
    found = checked(tables)
    assert not found.balanced
    assert found.differing == {"new": 1, "users_new": 1, "expense": 1, "of_an_older_release": 1, "cancellations": 1}
    assert {each.shard for each in found.differences} == {1}
    told = {(each.day, each.key): (each.stored, each.folded) for each in found.differences}
    assert told[day, "new"] == (days[day]["new"], days[day]["new"] - 1)
    assert told[users, "users_new"] == (0, folded)
    assert told[day, key("expense", "retention\x1f!", "USD")] == (7, 0)
    assert told[99_999, "cancellations"] == (-3, 0)
    assert [each.day for each in found.differences] == sorted(each.day for each in found.differences)


def test_only_the_first_differences_are_kept():
    """However many there are, all are counted."""
    tables = filled()
    for facts in stored(tables).days.values():
        facts["signups"] = facts.get("signups", 0) + 1
    found = checked(tables, limit=3)
    assert len(found.differences) == 3
    assert found.differing["signups"] == len(stored(tables).days)


def test_what_no_ledger_keeps_is_left_out():
    """Sessions, their duration and reactions may be anything."""
    tables = filled()
    for facts in stored(tables).days.values():
        facts["sessions"] = 12_345
    assert checked(tables).balanced


@pytest.mark.parametrize(
    ("space", "prefix"),
    [
        ("users", ""),
        ("customers", customers.PREFIX),
        ("customers", activity.PREFIX),
        ("customers", surveys.PREFIX),
        ("customers", expenses.PREFIX),
    ],
)
@pytest.mark.parametrize("damage", [lambda packed: packed[:-3], lambda packed: b"\xc1" * len(packed)])
def test_a_damaged_ledger_is_named(space, prefix, damage):
    """Cut short or overwritten: it is named, and what came of it shows in the facts; a rebuild refuses it."""
    tables = filled()
    ledgers = stored(tables).ledgers[space]
    field = min(name for name in ledgers if name.startswith(prefix))
    ledgers[field] = damage(ledgers[field])
    found = checked(tables)
    assert (found.unsound[0].shard, found.unsound[0].space, found.unsound[0].field) == (0, space, field)
    assert found.differing
    assert not found.balanced


def test_a_ledger_that_is_gone_is_seen():
    """Its facts are stored and nothing folds to them; the activity beside it disagrees with no billing at all."""
    tables = filled()
    ledgers = stored(tables).ledgers["customers"]
    field = min(name for name in ledgers if name.startswith(customers.PREFIX))
    del ledgers[field]
    found = checked(tables)
    assert {"new", "mrr"} & found.differing.keys()
    assert [each.field for each in found.unsound] == [activity.field(field[1:])]
    assert "disagrees" in found.unsound[0].why


def test_a_ledger_with_a_strange_name_is_named():
    """A field that no fold writes."""
    tables = filled()
    stored(tables).ledgers["customers"]["?x"] = b"1"
    assert [each.field for each in checked(tables).unsound] == ["?x"]


@pytest.mark.parametrize(
    ("measure", "labels", "seen"),
    [
        ("new", (), {"cohorts", "segments"}),
        ("subscribers_came", (), {"segments"}),
        ("mrr", ("new", "USD", ""), {"cohort_mrr", "plans", "segment_mrr"}),
        ("plan_mrr", ("pro", "USD"), {"plans"}),
        ("cohort_customers", ("2024-03",), {"cohorts"}),
        ("cohort_mrr", ("2024-03", "EUR"), {"cohort_mrr"}),
        ("segment_customers", ("country", "DE"), {"segments"}),
        ("segment_mrr", ("owner", "x", "new", "USD"), {"segment_mrr"}),
        ("segment_nps", ("plan", "x", "promoter"), {"segment_nps"}),
        ("customers_inactive", ("90",), {"inactive"}),
        ("users_active", ("1",), {"users"}),
        ("users_new", (), {"users"}),
        ("repeat_payers", (), {"payers"}),
    ],
)
def test_facts_that_contradict_each_other_are_seen_without_ledgers(measure, labels, seen):
    """A million more of one measure break the identities that it is part of, on that day and, for levels, after it."""
    tables = filled()
    days = stored(tables).days
    day = sorted(days)[len(days) // 2]
    days[day][key(measure, *labels)] = days[day].get(key(measure, *labels), 0) + 1_000_000
    found = checked(tables)
    assert seen <= names(found)
    assert found.differing == {measure: 1}
    assert all(min(each.days) >= day for each in found.unbalanced)


@pytest.mark.parametrize(
    ("measure", "labels", "seen"),
    [
        ("customer_health", ("healthy",), {"health"}),
        ("subscribers_came", (), {"presence"}),
        ("void_customers", ("30d",), {"periods"}),
        ("void_subscribers", ("365d",), {"periods"}),
        ("churned", ("lapsed",), {"presence", "cohorts"}),
    ],
)
@pytest.mark.parametrize("amount", [-1_000_000, 1_000_000])
def test_impossible_levels_are_seen(measure, labels, seen, amount):
    """Below none, or more than there are."""
    tables = filled()
    days = stored(tables).days
    day = sorted(days)[len(days) // 2]
    days[day][key(measure, *labels)] = amount
    found = checked(tables)
    assert seen & names(found)


def test_every_identity_can_fail():
    """Each has a meaning to show, and the cases above break every one of them."""
    assert IDENTITIES.keys() == MEANINGS.keys()
    book = Book()
    assert unbalanced(book, [1, 2, 3]) == {name: [] for name in IDENTITIES}
    book.update(0, {1: {key("mrr", "new", "USD", ""): 2**70}, 2: {key("plan_mrr", "p", "USD"): 2**70}})
    assert unbalanced(book, [1, 2])["plans"] == [1]


def scraped(tables: Tables) -> dict[str, float]:
    """Give what an exporter says of the balance, at the end of the tables' last day but one."""
    settings = MetricSettings(zone=Zone("UTC"))
    growth = Growth(tables.reader(), partitions=PARTITIONS, settings=settings)
    day = sorted(stored(tables).days)[-2]
    families = {family.name: family.samples for family in GrowthCollector(growth, lambda: day).collect()}
    return {sample.labels["identity"]: sample.value for sample in families["growth_facts_unbalanced"]}


def test_monitoring_sees_facts_out_of_balance():
    """The exporter says 0 of every identity, and 1 of those that one broken fact of a shard contradicts."""
    tables = filled()
    assert scraped(tables) == dict.fromkeys(IDENTITIES, 0)
    days = stored(tables, 1).days
    day = min(day for day, facts in days.items() if "new" in facts)
    days[day]["new"] += 1
    assert {name for name, value in scraped(tables).items() if value} == {"cohorts", "segments"}


def test_other_settings_are_refused():
    """Other rules, another number of partitions, a rebuild under way: one sentence each."""
    tables = filled()
    with pytest.raises(GrowthgaugeError, match="go back to what they were folded with"):
        checked(tables, NEW)
    with pytest.raises(GrowthgaugeError, match="set it to 2"):
        verify(tables, OLD, 1, 20, lambda *_: None)
    tables.start_rebuild(0)
    with pytest.raises(GrowthgaugeError, match="`growthgauge rebuild` to end"):
        checked(tables)


def test_a_busy_shard_is_not_passed_over(monkeypatch: pytest.MonkeyPatch):
    """A shard that could not be read whole is named, and nothing is said to balance."""
    tables = filled()
    whole = Tables.snapshot

    def busy(self, number, sink):
        if number:
            raise Busy
        return whole(self, number, sink)

    monkeypatch.setattr(Tables, "snapshot", busy)
    found = checked(tables)
    assert (found.balanced, found.busy, found.shards) == (False, [1], 1)


def test_a_copy_forgets_an_attempt():
    """What was taken before the last start is gone."""
    made = Copy()
    for ledger in (b"old", b"new"):
        made.start()
        made.take("users", [("u\x00\x1fü", ledger)])
        made.take("customers", [(f"b{n}", b"%d" % n) for n in range(5)])
    assert made.finish() == 6
    assert list(made.ledgers("users")) == [("u\x00\x1fü", b"new")]
    assert made.read("customers", ["b3", "nobody", "b0"]) == [b"3", None, b"0"]
    assert dict(made.ledgers("customers")) == {f"b{n}": b"%d" % n for n in range(5)}
    made.close()
