"""Heavy users: ids in parts give the outcomes and facts of ledgers that are one value, and are read as needed."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators import users
from aggregators.events import Session, Sessions
from aggregators.facts import Facts, key
from aggregators.rules import Rules
from aggregators.tables.door import TablesUnavailable
from aggregators.users import heavy
from aggregators.users.heavy import LIGHT, PART, Covered, is_part
from aggregators.users.ledgers import days_of
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.rebuild import rebuild
from growthgauge.upkeep.verify import verify
from tests.unit.test_rebuild import NEW, OLD, PARTITIONS, facts, filled
from tests.unit.test_users import FIRST, UTC, session


class Table:
    """Ledgers as a shard keeps them, where parts are read when they are asked for."""

    def __init__(self, rules: Rules = UTC) -> None:
        """Start from nothing."""
        self.rules = rules
        self.ledgers: dict[str, bytes] = {}
        self.facts = Facts()
        self.read: list[str] = []
        """Parts found by the last batch."""
        self.changed: dict[str, bytes] = {}
        """What the last batch wrote."""

    def reading(self, fields: Sequence[str]) -> list[bytes | None]:
        """Read parts."""
        assert len(set(fields)) == len(fields)
        self.read += [field for field in fields if field in self.ledgers]
        return [self.ledgers.get(field) for field in fields]

    def put(self, rows: Sequence[Session]) -> Counter[str]:
        """Apply one batch and give its outcomes."""
        batch = Sessions.of(list(rows))
        stored = {field: self.ledgers[field] for field in users.fields(batch) if field in self.ledgers}
        outcomes: Counter[str] = Counter()
        self.read = []
        self.changed = users.apply(self.rules, batch, stored, self.facts, outcomes, None, self.reading)
        assert all(self.ledgers.get(field, b"") != ledger for field, ledger in self.changed.items())
        self.ledgers |= self.changed
        self.ledgers = {field: ledger for field, ledger in self.ledgers.items() if ledger}
        return outcomes

    def parts(self) -> dict[str, bytes]:
        """Give all parts."""
        return {field: ledger for field, ledger in self.ledgers.items() if is_part(field)}

    def folded(self) -> Facts:
        """Fold all ledgers anew, and look whether they are whole."""
        facts, covered = Facts(), Covered()
        for field, ledger in self.ledgers.items():
            facts.merge(users.fold(self.rules, field, ledger))
            covered.take(field, ledger)
        assert not list(covered.wrong())
        return facts


@contextmanager
def sizes(light: int, part: int) -> Iterator[None]:
    """Let ledgers of other sizes be heavy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heavy, "LIGHT", light)
        patch.setattr(heavy, "PART", part)
        yield


def kept(table: Table, user: str, newest: int) -> Counter[int]:
    """Give what is kept of a user's ids, those in parts left out that the user's newest day makes too old."""
    ids: Counter[int] = Counter()
    for field, packed in table.ledgers.items():
        header, *numbers = (int.from_bytes(packed[n : n + 8], "little") for n in range(0, len(packed), 8))
        if field == key("c", user):
            ids.update(numbers[header & 0xFFFF :])
        elif is_part(field) and field.startswith(key("c", user)):
            day = (header & (1 << 48) - 1) - (1 << 40)
            oldest = newest - table.rules.dedupe_days
            ids.update(number for number in numbers if day - (day - number) % 256 >= oldest)
    return ids


DAYS = st.sampled_from([0, 1, 9, 10, 11, 20, 21, 99, 100, 101, 155, 156, 200, 255, 256, 257, 266, 267, 356, 357, 512])
GROUPS = st.tuples(DAYS | st.integers(0, 900), st.sets(st.integers(0, 40), max_size=30), st.integers(0, 1))
"""Days, numbers of sessions and the user: many of one day, so that parts are left alone over a jump."""


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(GROUPS, max_size=3), max_size=8),
    st.sampled_from([1, 10, 100, 255]),
    st.sampled_from([(0, 2), (1, 3), (5, 2), (3, 8)]),
)
def test_parts_give_the_outcomes_and_facts_of_plain_ledgers(
    batches: list[list[tuple[int, set[int], int]]], dedupe_days: int, size: tuple[int, int]
) -> None:
    """Whatever comes, in whatever batches: each batch has the same outcomes, and the same facts and ids are kept."""
    rules = Rules(zone=UTC.zone, dedupe_days=dedupe_days)
    plain, table = Table(rules), Table(rules)
    newest: dict[str, int] = {}
    for batch in batches:
        rows = [
            session(FIRST + day, number, f"u{user}", seconds=day) for day, numbers, user in batch for number in numbers
        ]
        outcomes = plain.put(rows)
        with sizes(*size):
            assert table.put(rows) == outcomes
        assert table.facts == plain.facts
        for name in ("u0", "u1"):
            days = days_of(plain.ledgers[key("c", name)]) if key("c", name) in plain.ledgers else [0]
            newest[name] = days[-1]
            assert kept(table, name, newest[name]) == kept(plain, name, newest[name])
        assert table.folded() == plain.folded()
    assert not plain.parts()


@settings(deadline=None, max_examples=100)
@given(st.permutations(range(60)), st.lists(st.integers(0, 60), max_size=6), st.integers(0, 30))
def test_any_split_into_batches_counts_each_session_once(order: list[int], cuts: list[int], again: int) -> None:
    """Within `dedupe_days` nothing is late: in any order, twice, with other heavy and light users beside it."""
    table = Table()
    places = sorted({0, len(order), *cuts})
    outcomes: Counter[str] = Counter()
    with sizes(4, 2):
        for begin, end in pairwise(places):
            for copy in (order[begin:end], order[:again]):
                rows = [session(FIRST + number, number, f"u{number % 7 // 3}") for number in copy]
                outcomes += table.put(rows)
    assert outcomes["session/accepted"] == 60
    assert set(outcomes) <= {"session/accepted", "session/duplicate"}
    assert sum(facts.get("sessions", 0) for facts in table.facts.days.values()) == 60
    assert len(table.parts()) > 10
    table.folded()


def many(numbers: range, day: int = FIRST) -> list[Session]:
    """Make sessions of one day."""
    return [session(day, number) for number in numbers]


def test_a_ledger_grows_into_parts_that_a_session_reads_one_of() -> None:
    """Of 100,000 ids a session reads and writes one part, its head only on a new day, and duplicates write nothing."""
    table = Table()
    table.put(many(range(LIGHT)))
    assert not table.parts()
    table.put(many(range(LIGHT, LIGHT + 1)))
    assert len(table.parts()) == 8
    for begin in range(LIGHT + 1, 100_000, 10_000):
        table.put(many(range(begin, min(begin + 10_000, 100_000))))
    sizes_in_ids = [len(part) // 8 - 1 for part in table.parts().values()]
    assert sum(sizes_in_ids) == 100_000
    assert max(sizes_in_ids) <= PART
    assert min(sizes_in_ids) > PART // 4
    assert len(table.ledgers[key("c", "u")]) == 16
    assert table.put(many(range(100_000, 100_001))) == {"session/accepted": 1}
    assert len(table.read) == 1
    assert list(table.changed) == table.read
    assert table.put(many(range(99_000, 100_001))) == {"session/duplicate": 1_001}
    assert table.changed == {}
    table.put(many(range(100_001, 100_002), FIRST + 1))
    assert len(table.read) == 1
    assert set(table.changed) == {key("c", "u"), *table.read}


def test_a_part_follows_its_heads_growth_when_it_is_written() -> None:
    """One part's split does not touch the others: each is found under its shorter name until it is written."""
    table = Table()
    with sizes(8, 8):
        number = 0
        while len(table.parts()) < 4:
            table.put(many(range(number, number := number + 1)))
        before = {field.rpartition("-")[0] for field in table.parts()}
        while {field.rpartition("-")[0] for field in table.parts()} == before:
            table.put(many(range(number, number := number + 1)))
        assert len({field.rpartition("-")[0] for field in table.parts()}) == 2
        assert table.put(many(range(number))) == {"session/duplicate": number}
        assert table.changed == {}
    table.folded()


def test_ids_in_a_part_that_nobody_has_touched_grow_too_old() -> None:
    """An id whose plain ledger would have dropped it counts again, whatever day its low byte may seem."""
    for jump in (101, 155, 156, 200, 256, 300, 356, 357, 512):
        table = Table()
        with sizes(0, 4):
            table.put(many(range(40)))
            table.put([session(FIRST + jump, "far")])
            assert sum(len(part) // 8 - 1 for field, part in table.parts().items() if field not in table.changed) > 20
            assert table.put([session(FIRST + jump, number) for number in range(40)]) == {"session/accepted": 40}
        assert sum(kept(table, "u", FIRST + jump).values()) == 41


def test_parts_grow_where_no_more_bits_may_name_them() -> None:
    """There are only so many parts of one user: with more ids they are larger, and nothing else changes."""
    table = Table()
    with sizes(4, 2), pytest.MonkeyPatch.context() as patch:
        patch.setattr(heavy, "DEEPEST", 3)
        for begin in range(0, 100, 10):
            table.put(many(range(begin, begin + 10)))
        assert len(table.parts()) == 8
        assert table.put(many(range(100))) == {"session/duplicate": 100}
    assert sum(kept(table, "u", FIRST).values()) == 100
    table.folded()


def test_a_part_that_is_lost_is_said_to_be() -> None:
    """Without one of its parts a ledger says nothing: the batch fails, and says what to do."""
    table = Table()
    with sizes(4, 2):
        table.put(many(range(30)))
        for field in table.parts():
            del table.ledgers[field]
        with pytest.raises(TablesUnavailable, match=r"lost a part of a long ledger \(c u\): restore"):
            table.put(many(range(1)))


def _without_part(ledgers: dict[str, bytes]) -> None:
    del ledgers[next(filter(is_part, ledgers))]


def _without_head(ledgers: dict[str, bytes]) -> None:
    del ledgers[key("c", "u")]


def _one_too_many(ledgers: dict[str, bytes]) -> None:
    ledgers[heavy.field(key("c", "u"), "0-0")] = ledgers[next(filter(is_part, ledgers))]


def _too_deep(ledgers: dict[str, bytes]) -> None:
    ledgers[heavy.field(key("c", "u"), "16-7")] = ledgers.pop(next(filter(is_part, ledgers)))


@pytest.mark.parametrize("damage", [_without_part, _without_head, _one_too_many, _too_deep])
def test_parts_that_do_not_fit_their_head_are_noticed(damage: Callable[[dict[str, bytes]], None]) -> None:
    """A part that is missing, one too many, or no head: whoever folds all ledgers sees whose they are."""
    table = Table()
    with sizes(4, 2):
        table.put(many(range(30)))
    damage(table.ledgers)
    covered = Covered()
    for field, ledger in table.ledgers.items():
        covered.take(field, ledger)
    assert [field for field, _ in covered.wrong()] == [key("c", "u")]


def test_verify_and_rebuild_know_parts() -> None:
    """A company whose users are all heavy has the same facts, and its books balance until a part is gone."""
    with sizes(2, 2):
        tables = filled(OLD, days=40)
    light = filled(OLD, days=40)
    assert facts(tables) == facts(light)
    ledgers = tables._contents[0].ledgers["users"]
    assert sum(map(is_part, ledgers)) > 100
    assert verify(tables, OLD, PARTITIONS, 9, lambda *_: None).balanced
    rebuild(tables, NEW, PARTITIONS, lambda *_: None)
    rebuild(light, NEW, PARTITIONS, lambda *_: None)
    assert facts(tables) == facts(light)
    lost = min(filter(is_part, ledgers))
    del ledgers[lost]
    found = verify(tables, NEW, PARTITIONS, 9, lambda *_: None)
    assert [each.field for each in found.unsound] == [lost.rpartition("\x1e")[0]]
    with pytest.raises(GrowthgaugeError, match="its parts are not those that its head speaks of"):
        rebuild(tables, OLD, PARTITIONS, lambda *_: None)


@pytest.mark.parametrize("name", ["", "1", "1-2", "x-1", "01-0", "1--1", "1-0-0", "-1-0"])
def test_a_strange_parts_name_is_refused(name: str) -> None:
    """A field that no fold writes."""
    with pytest.raises(ValueError, match=r"."):
        users.fold(UTC, heavy.field(key("c", "u"), name), (3 << 48 | FIRST + (1 << 40)).to_bytes(8, "little"))


@pytest.mark.parametrize("packed", [b"", b"abc", users.apply.__name__.encode() * 8, (1 << 48).to_bytes(8, "little")])
def test_a_damaged_part_is_refused(packed: bytes) -> None:
    """Bytes that are no part."""
    with pytest.raises(ValueError, match="no part of a user's ledger"):
        users.fold(UTC, heavy.field(key("c", "u"), "1-0"), packed)


def test_a_head_with_many_days_stays_one() -> None:
    """Words of days are no ids: however many there are, they split nothing."""
    table = Table()
    with sizes(4, 2):
        for day in range(0, 46 * 40, 46):
            table.put([session(FIRST + day, day)])
        assert not table.parts()
        table.put([session(FIRST + day, f"more {day}") for day in range(46 * 39 - 50, 46 * 39)])
        assert table.parts()
        before = table.ledgers[key("c", "u")]
        table.put([session(FIRST - 460, 1)])
        assert len(table.ledgers[key("c", "u")]) == len(before) + 8
    table.folded()


def test_days_before_the_epoch_are_kept_in_parts() -> None:
    """A part's newest day may be any day."""
    table = Table()
    with sizes(1, 2):
        table.put([session(day, day) for day in range(-40, -20)])
        assert table.put([session(day, day) for day in range(-40, -20)]) == {"session/duplicate": 20}
        table.put([session(61, "new")])
        assert table.put([session(0, day) for day in range(-40, -20)]) == {
            "session/accepted": 1,
            "session/duplicate": 19,
        }


def test_no_users_field_is_taken_for_a_part() -> None:
    """Whatever separators and escapes its ids hold."""
    rows = [Session("s", "p1-0", "c\x1fu", 0), Session("s", "p1-0\x1fc", "u", 0), Session("s", "c\x1ep1-0", "\x1f", 0)]
    rows += [Session("s", "c", "u\x1ep1-0", 0), Session("s", "c\x1fu\x1ep1-0", "\x1ep1-0\x1e", 0)]
    assert not any(map(is_part, users.fields(Sessions.of(rows))))
    assert is_part(heavy.field(key("c", "u"), "1-0"))
