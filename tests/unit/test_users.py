"""Users' ledgers and fold against a naive recomputation: any order, duplicates, splits, and what comes late."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators import users
from aggregators.calendar import DAY_MS, LAST_DAY, Zone
from aggregators.events import Session, Sessions
from aggregators.facts import Facts, key
from aggregators.rules import Rules
from aggregators.users.ledgers import EMPTY, FAR, SPAN_DAYS, Ledgers, days_of

UTC = Rules(zone=Zone("UTC"))
FIRST = 20_000
KEPT = ("sessions", "session_milliseconds", "session_reactions")


def session(
    day: int, number: object = 0, user: str = "u", customer: str = "c", seconds: int = 0, reactions: int = 0
) -> Session:
    """Make a session in the middle of a day (UTC)."""
    return Session(f"s{number}", customer, user, day * DAY_MS + DAY_MS // 2, seconds * 1000, reactions)


class Table:
    """Ledgers, facts and outcomes of batches put in one after the other, as a shard would keep them."""

    def __init__(self, rules: Rules = UTC) -> None:
        """Start from nothing."""
        self.rules = rules
        self.ledgers: dict[str, bytes] = {}
        self.facts = Facts()
        self.outcomes: Counter[str] = Counter()

    def put(self, rows: Iterable[Session]) -> Counter[str]:
        """Apply one batch and give its own outcomes."""
        batch = Sessions.of(list(rows))
        stored = {field: self.ledgers[field] for field in users.fields(batch) if field in self.ledgers}
        outcomes: Counter[str] = Counter()
        changed = users.apply(self.rules, batch, stored, self.facts, outcomes)
        assert all(stored.get(field) != ledger for field, ledger in changed.items())
        self.ledgers.update(changed)
        self.outcomes += outcomes
        assert outcomes.total() == len(batch)
        return outcomes

    def folded(self) -> Facts:
        """Fold all ledgers anew."""
        facts = Facts()
        for field, ledger in self.ledgers.items():
            facts.merge(users.fold(self.rules, field, ledger))
        return facts

    def counted(self) -> dict[int, tuple[int, int, int]]:
        """Give the kept facts by day: sessions, milliseconds, reactions."""
        kept = {day: tuple(facts.get(name, 0) for name in KEPT) for day, facts in self.facts.days.items()}
        return {day: counts for day, counts in kept.items() if any(counts)}

    def derived(self) -> Facts:
        """Give the facts that ledgers account for."""
        return Facts({day: {k: n for k, n in facts.items() if k not in KEPT} for day, facts in self.facts.days.items()})


def naive(active: Iterable[set[int]]) -> dict[int, dict[str, int]]:
    """Compute every measure's value day by day (levels summed up) from sets of active days, by SPEC's words alone."""
    values: dict[int, Counter[str]] = {}
    for days in active:
        for day in {d + n for d in days for n in range(32)}:
            counts = values.setdefault(day, Counter())
            for window in (1, 7, 30):
                counts[key("users_active", str(window))] += any(day - n in days for n in range(window))
            counts["users_repeat"] += sum(day - n in days for n in range(30)) >= 2
            before = any(d < day for d in days)
            counts["users_new"] += day in days and not before
            counts["users_returning"] += day in days and day - 1 in days
            counts["users_resurrected"] += day in days and before and day - 1 not in days
            counts["users_dormant"] += day not in days and day - 1 in days
            for n in (1, 7, 30):
                counts[key("users_retained", str(n))] += day in days and day - n == min(days)
    return {day: {k: n for k, n in counts.items() if n} for day, counts in values.items() if any(counts.values())}


def read(facts: Facts) -> dict[int, dict[str, int]]:
    """Read facts as a reader does: levels as running sums, flows as they are."""
    levels = {key("users_active", "1"), key("users_active", "7"), key("users_active", "30"), "users_repeat"}
    running: Counter[str] = Counter()
    values: dict[int, dict[str, int]] = {}
    days = facts.days
    for day in range(min(days, default=0), max(days, default=-1) + 1):
        own = days.get(day, {})
        for k, n in own.items():
            running[k] += n if k in levels else 0
        shown = {k: n for k, n in own.items() if k not in levels and n} | {k: n for k, n in running.items() if n}
        if shown:
            values[day] = shown
    return values


def shuffled_batches(draw: st.DrawFn, rows: list[Session]) -> list[list[Session]]:
    """Draw copies, an order and a split into batches."""
    copies = draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else []
    order = draw(st.permutations(rows + copies))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    return [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]


@st.composite
def logs(draw: st.DrawFn, span: int = 100) -> tuple[list[Session], list[list[Session]]]:
    """Draw sessions whose days lie within `span` days, and an arrival of them: copied, shuffled, split."""
    # Days apart by a window, or by one more or less, decide the most.
    apart = st.sampled_from([FIRST + n for n in (0, 1, 2, 7, 8, 29, 30, 31, 37, 38, 60, 61)])
    days = apart | st.integers(FIRST, FIRST + span)
    rows = [
        session(day, number, f"u{user}", f"c{user % 2}", seconds=number, reactions=number % 3)
        for number, (day, user) in enumerate(draw(st.lists(st.tuples(days, st.integers(0, 3)), max_size=40)))
    ]
    return rows, shuffled_batches(draw, rows)


def active_days(rows: Iterable[Session]) -> list[set[int]]:
    """Collect each user's active days."""
    by_user: dict[tuple[str, str], set[int]] = {}
    for row in rows:
        by_user.setdefault((row.customer_id, row.user_id), set()).add(row.occurred_at // DAY_MS)
    return list(by_user.values())


@settings(deadline=None, max_examples=200)
@given(logs())
def test_any_arrival_gives_the_facts_of_a_naive_recomputation(
    drawn: tuple[list[Session], list[list[Session]]],
) -> None:
    """Any order, any duplicates, any split into batches: every measure equals its definition, counts are exact."""
    rows, batches = drawn
    table = Table()
    for batch in batches:
        table.put(batch)
    assert read(table.derived()) == naive(active_days(rows))
    expected: dict[int, tuple[int, int, int]] = {}
    for row in rows:
        n, ms, reacted = expected.get(day := row.occurred_at // DAY_MS, (0, 0, 0))
        expected[day] = (n + 1, ms + row.duration, reacted + row.reactions)
    assert table.counted() == expected
    assert table.folded() == table.derived()
    copies = sum(map(len, batches)) - len(rows)
    assert table.outcomes == Counter({"session/accepted": len(rows), "session/duplicate": copies})


@settings(deadline=None, max_examples=150)
@given(logs(span=1500))
def test_days_stay_exact_when_sessions_come_late(drawn: tuple[list[Session], list[list[Session]]]) -> None:
    """However late sessions come, users and windows are exact; what counts does so once, and the rest is `late`."""
    rows, batches = drawn
    table = Table(Rules(zone=UTC.zone, dedupe_days=10))
    for batch in batches:
        table.put(batch)
    assert read(table.derived()) == naive(active_days(rows))
    assert table.folded() == table.derived()
    counted = table.counted()
    assert sum(n for n, _, _ in counted.values()) == table.outcomes["session/accepted"] <= len(rows)
    sessions_a_day = Counter(row.occurred_at // DAY_MS for row in rows)
    assert all(n <= sessions_a_day[day] for day, (n, _, _) in counted.items())


class Model:
    """What `apply` promises, in plain words: one user's days and ids, batch by batch."""

    def __init__(self, dedupe_days: int) -> None:
        """Start from nothing."""
        self.dedupe_days = dedupe_days
        self.days: set[int] = set()
        self.ids: dict[str, int] = {}
        self.counted: Counter[int] = Counter()

    def put(self, rows: list[Session]) -> Counter[str]:
        """Take one batch in the order of arrival."""
        outcomes: Counter[str] = Counter()
        oldest = max(self.days, default=-FAR) - self.dedupe_days
        for row in rows:
            day = row.occurred_at // DAY_MS
            if row.id in self.ids:
                outcomes["session/duplicate"] += 1
                continue
            self.days.add(day)
            if day < oldest:
                outcomes["session/late"] += 1
                continue
            outcomes["session/accepted"] += 1
            self.counted[day] += 1
            self.ids[row.id] = day
        kept_from = max(self.days, default=-FAR) - self.dedupe_days
        self.ids = {name: day for name, day in self.ids.items() if day >= kept_from}
        return outcomes


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 60) | st.integers(0, 900), st.integers(0, 9), st.integers(0, 2)), max_size=9),
        max_size=8,
    ),
    st.sampled_from([1, 10, 255]),
)
def test_outcomes_are_those_of_the_plain_model(batches: list[list[tuple[int, int, int]]], dedupe_days: int) -> None:
    """Ids that come again with another day, late ones and their copies: each outcome is the documented one."""
    table = Table(Rules(zone=UTC.zone, dedupe_days=dedupe_days))
    models = {f"u{number}": Model(dedupe_days) for number in range(3)}
    for batch in batches:
        rows = [session(FIRST + day, number, f"u{user}") for day, number, user in batch]
        expected: Counter[str] = Counter()
        for name, model in models.items():
            expected += model.put([row for row in rows if row.user_id == name])
        assert table.put(rows) == expected
    for name, model in models.items():
        assert days_of(table.ledgers.get(key("c", name), EMPTY)) == sorted(model.days)
        ids = len(table.ledgers.get(key("c", name), EMPTY)) // 8 - 1 - len({day // SPAN_DAYS for day in model.days})
        assert ids == len(model.ids)
    counted = sum((model.counted for model in models.values()), Counter())
    assert {day: n for day, (n, _, _) in table.counted().items()} == dict(counted)


def test_a_session_is_late_only_where_the_ledger_cannot_tell() -> None:
    """The day `dedupe_days` before the newest still counts, the day before that is late and only marks its day."""
    table = Table()
    table.put([session(FIRST, 1)])
    assert table.put([session(FIRST - 100, 2)]) == {"session/accepted": 1}
    assert table.put([session(FIRST - 101, 3)]) == {"session/late": 1}
    assert table.put([session(FIRST - 101, 3)]) == {"session/late": 1}
    assert table.counted().keys() == {FIRST, FIRST - 100}
    assert days_of(table.ledgers[key("c", "u")]) == [FIRST - 101, FIRST - 100, FIRST]


def test_lateness_does_not_depend_on_the_order_within_a_batch() -> None:
    """A batch with sessions far apart counts them all: the newest day before the batch decides."""
    rows = [session(FIRST + 150 * n, n) for n in range(5)]
    for batch in (rows, rows[::-1], rows[2:] + rows[:2]):
        table = Table()
        assert table.put(batch) == {"session/accepted": 5}
        assert table.put(batch) == {"session/duplicate": 1, "session/late": 4}
        assert sum(n for n, _, _ in table.counted().values()) == 5


def test_a_second_copy_changes_nothing_whatever_it_holds() -> None:
    """A copy with another day is a duplicate as long as the id is kept, and does not even mark its day."""
    for batches in ([[session(FIRST, 1), session(FIRST + 3, 1)]], [[session(FIRST, 1)], [session(FIRST + 3, 1)]]):
        table = Table()
        for batch in batches:
            table.put(batch)
        assert table.outcomes == {"session/accepted": 1, "session/duplicate": 1}
        assert days_of(table.ledgers[key("c", "u")]) == [FIRST]


def test_the_same_id_of_another_user_or_customer_is_another_session() -> None:
    """Ids name a session within its user: neither a batch nor a ledger mixes them up."""
    rows = [session(FIRST, 1, user, customer) for user in "ab" for customer in "xy"]
    table = Table()
    assert table.put(rows) == {"session/accepted": 4}
    assert table.put([*rows, session(FIRST, 1, "c", "x")]) == {"session/duplicate": 4, "session/accepted": 1}


def test_an_id_is_kept_over_a_jump_of_more_than_a_byte_of_days() -> None:
    """An id's day is told from its low byte by the newest day so far, not by the one to come."""
    table = Table()
    table.put([session(FIRST, 1), session(FIRST - 50, 2)])
    table.put([session(FIRST + 256, 3)])
    ledger = table.ledgers[key("c", "u")]
    words = len({day // SPAN_DAYS for day in days_of(ledger)})
    assert len(ledger) == 8 * (1 + words + 1)


def test_duplicates_alone_change_no_ledger() -> None:
    """A batch of duplicates gives no ledger to write and no facts."""
    table = Table()
    rows = [session(FIRST + n, n) for n in range(9)]
    table.put(rows)
    facts, outcomes = Facts(), Counter()
    assert users.apply(UTC, Sessions.of(rows), table.ledgers, facts, outcomes) == {}
    assert facts == Facts()
    assert outcomes == {"session/duplicate": 9}


def test_an_empty_batch_is_nothing() -> None:
    """No sessions: no fields, no ledgers, no facts."""
    facts, outcomes = Facts(), Counter()
    assert users.fields(Sessions.of()) == []
    assert users.apply(UTC, Sessions.of(), {}, facts, outcomes) == {}
    assert (facts, outcomes) == (Facts(), Counter())


def test_fields_keep_separators_in_ids_apart() -> None:
    """Customers and users whose ids hold the separator do not meet in one ledger."""
    rows = [session(FIRST, 1, "b\x1fc", "a"), session(FIRST, 1, "c", "a\x1fb")]
    assert users.fields(Sessions.of(rows)) == [key("a", "b\x1fc"), key("a\x1fb", "c")]
    assert Table().put(rows) == {"session/accepted": 2}


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe"])
def test_a_sessions_day_is_the_zones(name: str) -> None:
    """The column of days equals the zone's day of each instant, over transitions and beyond the tables' end."""
    rules = Rules(zone=Zone(name))
    for start, step, count in (
        (631_152_000_000, 7 * 3_600_000 + 1, 50_000),
        (16_725_225_600_000 - 9 * DAY_MS, 7_200_000, 300),
    ):
        instants = [start + n * step for n in range(count)]
        batch = Sessions.of([Session(str(n), "c", "u", at) for n, at in enumerate(instants)])
        ledger = users.apply(rules, batch, {}, Facts(), Counter())[key("c", "u")]
        assert days_of(ledger) == sorted({rules.zone.day(at) for at in instants})


def test_facts_after_the_last_day_are_left_out() -> None:
    """A session on the calendar's last day writes no fact beyond it, neither at once nor in the whole fold."""
    table = Table()
    table.put([session(LAST_DAY, 1)])
    assert set(table.facts.days) == {LAST_DAY}
    assert table.folded() == table.derived()


def test_days_from_the_first_year_to_the_last_fit() -> None:
    """Far apart days, before the epoch too, come back as they went in."""
    days = [-719_162, -1, 0, 1, FIRST, LAST_DAY]
    table = Table()
    for day in days[::-1]:
        table.put([session(day, day)])
    assert days_of(table.ledgers[key("c", "u")]) == days
    assert table.folded() == table.derived()


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sets(st.integers(-200, 200), max_size=30), min_size=1, max_size=4), st.integers(-200, 200))
def test_neighbours_are_found_across_words(sets: list[set[int]], day: int) -> None:
    """The two active days on either side of any day are found, wherever words begin and end."""
    table = Table(Rules(zone=UTC.zone, dedupe_days=255))
    for user, days in enumerate(sets):
        table.put([session(d, d, str(user)) for d in days])
    state = Ledgers([table.ledgers.get(key("c", str(user)), EMPTY) for user in range(len(sets))])
    everyone = np.arange(len(sets))
    column = np.full(len(sets), day)
    for found, wanted in zip(
        zip(
            *state.before(everyone, column), *state.after(everyone, column), state.active(everyone, column), strict=True
        ),
        sets,
        strict=True,
    ):
        down = [*sorted((d for d in wanted if d < day), reverse=True), -FAR, -FAR]
        up = [*sorted(d for d in wanted if d > day), FAR, FAR]
        assert found == (down[0], down[1], up[0], up[1], day in wanted)


def test_a_ledger_of_another_format_is_refused() -> None:
    """Bytes of an unknown version raise an error that says what to do."""
    with pytest.raises(ValueError, match="on an empty Redis"):
        users.apply(
            UTC, Sessions.of([session(FIRST)]), {key("c", "u"): (9 << 48).to_bytes(8, "little")}, Facts(), Counter()
        )


def test_more_dedupe_days_than_an_id_can_tell_apart_are_refused() -> None:
    """A window that the ids' day byte cannot span is an error, not a wrong count."""
    with pytest.raises(ValueError, match="at most 255"):
        Table(Rules(zone=UTC.zone, dedupe_days=256)).put([session(FIRST)])
