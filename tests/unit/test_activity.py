"""Customers' activity against a naive recomputation day by day: any order, split and copies, billing that changes."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators import activity, users
from aggregators.activity import Digest
from aggregators.calendar import DAY_MS, LAST_DAY, Zone
from aggregators.events import Session, Sessions
from aggregators.facts import Facts, key
from aggregators.rules import HEALTH_PARTS, Rules, whole_weights

UTC = Rules(zone=Zone("UTC"))
FIRST = 20_000
NOBODY = Digest((), ())

Answer = tuple[int, str, int]


class Batch(NamedTuple):
    """Sessions, and what billing and surveys say after the same batch."""

    sessions: Sequence[Session] = ()
    digests: Mapping[str, Digest] = {}
    answers: Mapping[str, Sequence[Answer]] = {}


def session(
    day: int, number: object = 0, user: str = "u", customer: str = "c", features: Sequence[str] = ()
) -> Session:
    """Make a session in the middle of a day (UTC)."""
    return Session(f"s{number}", customer, user, day * DAY_MS + DAY_MS // 2, features=tuple(features))


def answer(day: int, score: int, name: str = "n", hour: int = 12) -> Answer:
    """Make an nps answer on a day (UTC)."""
    return day * DAY_MS + hour * 3_600_000, name, score


class Table:
    """Ledgers and facts of batches put in one after the other, as a shard would keep them."""

    def __init__(self, rules: Rules = UTC) -> None:
        """Start from nothing."""
        self.rules = rules
        self.users: dict[str, bytes] = {}
        self.ledgers: dict[str, bytes] = {}
        self.facts = Facts()

    def put(self, batch: Batch) -> dict[str, bytes]:
        """Apply one batch, and give the activity ledgers that it changed."""
        rows, seen, rest = Sessions.of(list(batch.sessions)), users.Seen(), Facts()
        self.users.update(users.apply(self.rules, rows, self.users, rest, Counter(), seen))
        names = [*activity.fields(rows), *map(activity.field, [*batch.digests, *batch.answers])]
        stored = {name: self.ledgers[name] for name in names if name in self.ledgers}
        changed = activity.apply(self.rules, seen, batch.digests, batch.answers, stored, self.facts)
        for name, ledger in changed.items():
            assert self.ledgers.get(name, b"") != ledger
            self.ledgers[name] = ledger
            if not ledger:
                del self.ledgers[name]
        return changed

    def folded(self) -> Facts:
        """Fold all ledgers anew."""
        facts = Facts()
        for ledger in self.ledgers.values():
            facts.merge(activity.fold(self.rules, ledger))
        return facts

    def levels(self, day: int) -> dict[str, int]:
        """Read the levels at the end of a day."""
        sums: Counter[str] = Counter()
        for when, fact_key, amount in self.facts:
            if when <= day and not fact_key.startswith("time_to_value"):
                sums[fact_key] += amount
        return {fact_key: amount for fact_key, amount in sums.items() if amount}


def value_at(changes: Iterable[tuple[int, int]], day: int) -> int | None:
    """Give the value that the changes up to a day come to."""
    found = [value for when, value in changes if when <= day]
    return found[-1] if found else None


def naive_levels(
    rules: Rules, rows: Sequence[Session], digest: Digest, answers: Sequence[Answer], last: int
) -> dict[int, set[str]]:
    """Name the levels that one customer stands in at the end of each day, by SPEC's words alone."""
    levels: dict[int, set[str]] = {}
    since = None
    for day in range(FIRST - 1, last + 1):
        if not value_at(digest.presence, day):
            since = None
            continue
        since = day if since is None else since
        levels[day] = standing(rules, rows, digest, answers, day, day - since)
    return levels


def standing(
    rules: Rules, rows: Sequence[Session], digest: Digest, answers: Sequence[Answer], day: int, present: int
) -> set[str]:
    """Name the levels of a customer at the end of a day, present for so many days before it."""
    names = set()
    parts = {"tenure": 0 if present < 90 else 50 if present < 365 else 100}
    used = [(row.occurred_at // DAY_MS, row) for row in rows if row.occurred_at // DAY_MS <= day]
    if used:
        quiet = day - max(when for when, _ in used)
        names = {key("customers_inactive", str(days)) for days in (7, 14, 30, 60, 90) if quiet >= days}
        recent = [(when, row) for when, row in used if when > day - 28]
        parts["recency"] = max(0, 100 - 25 * (quiet // 7))
        parts["frequency"] = min(100, 5 * len({when for when, _ in recent}))
        parts["breadth"] = min(100, 100 * len({row.user_id for _, row in recent}) // rules.health_users)
        features = {feature for _, row in recent for feature in row.features}
        parts["adoption"] = min(100, 100 * len(features) // rules.health_features)
    payment = value_at(digest.payment, day)
    if payment is not None:
        parts["payment"] = payment
    lately = [given for given in answers if day - 90 < given[0] // DAY_MS <= day]
    if lately:
        parts["sentiment"] = 10 * max(lately)[2]
    weights = {part: rules.health_weights[HEALTH_PARTS.index(part)] for part in parts}
    if sum(weights.values()):
        score = Fraction(sum(weights[part] * parts[part] for part in parts), sum(weights.values()))
        names.add(key("customer_health", "healthy" if score >= 70 else "at_risk" if score >= 40 else "critical"))
    return names


def changes_of(days: Iterable[int]) -> list[tuple[int, bool]]:
    """Make a presence of days on which it turns."""
    return [(day, number % 2 == 0) for number, day in enumerate(sorted(days))]


CUSTOMERS = ("c0", "c1")
DAYS = st.integers(FIRST, FIRST + 450) | st.integers(FIRST + 100, FIRST + 140)
DIGESTS = st.builds(
    Digest,
    st.sets(DAYS, max_size=4).map(changes_of),
    st.dictionaries(DAYS, st.sampled_from((0, 100)), max_size=3).map(lambda found: sorted(found.items())),
)
ANSWERS = st.lists(st.builds(answer, DAYS, st.integers(0, 10), st.sampled_from("xyz"), st.integers(1, 3)), max_size=4)
RULES = st.sampled_from(
    (
        UTC,
        Rules(zone=UTC.zone, dedupe_days=10, health_users=2, health_features=3),
        Rules(zone=UTC.zone, health_weights=(1, 0, 2, 3, 0, 5, 0)),
        Rules(zone=UTC.zone, health_weights=(0, 1, 1, 0, 1, 0, 0), health_users=1),
    )
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Session], list[Batch]]:
    """Draw sessions and an arrival of them, copied, shuffled and split, among versions of billing and answers."""
    rows = [
        session(day, number, f"u{user}", f"c{user % 2}", features)
        for number, (day, user, features) in enumerate(
            draw(st.lists(st.tuples(DAYS, st.integers(0, 5), st.sets(st.sampled_from("abcdef"))), max_size=30))
        )
    ]
    copies = draw(st.lists(st.sampled_from(rows), max_size=8)) if rows else []
    order = draw(st.permutations(rows + copies))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=6)))
    versions = st.dictionaries(st.sampled_from(CUSTOMERS), DIGESTS)
    given_answers = st.dictionaries(st.sampled_from(CUSTOMERS), ANSWERS)
    return rows, [
        Batch(order[start:end], draw(versions), draw(given_answers))
        for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)
    ]


LAST = FIRST + 640


@settings(deadline=None, max_examples=40)
@given(histories(), RULES)
def test_any_arrival_gives_the_facts_of_a_naive_recomputation(
    drawn: tuple[list[Session], list[Batch]], rules: Rules
) -> None:
    """Any order, any duplicates, any split, billing rewritten on the way: every level of every day is as defined."""
    rows, batches = drawn
    table = Table(rules)
    digests: dict[str, Digest] = {}
    answers: dict[str, Sequence[Answer]] = {}
    for batch in batches:
        table.put(batch)
        digests |= batch.digests
        answers |= batch.answers
    expected: dict[int, Counter[str]] = {day: Counter() for day in range(FIRST - 1, LAST + 1)}
    reached: Counter[tuple[int, str]] = Counter()
    for customer in CUSTOMERS:
        own = [row for row in rows if row.customer_id == customer]
        digest = digests.get(customer, NOBODY)
        for day, names in naive_levels(rules, own, digest, answers.get(customer, ()), LAST).items():
            expected[day].update(names)
        if own and digest.presence:
            first = min(row.occurred_at // DAY_MS for row in own)
            reached[first, key("time_to_value", "session")] += 1
            reached[first, key("time_to_value_days", "session")] += max(first - digest.presence[0][0], 0)
    running: Counter[str] = Counter()
    for day in range(FIRST - 1, LAST + 1):
        running.update(table.facts.days.get(day, {}))
        assert {name: n for name, n in running.items() if n and not name.startswith("time_to_value")} == expected[day]
    assert {(day, name): n for day, name, n in table.facts if name.startswith("time_to_value")} == {
        what: n for what, n in reached.items() if n
    }


@settings(deadline=None, max_examples=120)
@given(histories(), RULES)
def test_ledgers_account_for_all_facts(drawn: tuple[list[Session], list[Batch]], rules: Rules) -> None:
    """After every batch the whole folds of all ledgers are the sum of what the batches changed."""
    table = Table(rules)
    for batch in drawn[1]:
        table.put(batch)
        assert table.facts == table.folded()


def test_a_batch_that_says_nothing_new_changes_nothing() -> None:
    """Copies, known days, features in use, the same billing and answers: no ledger to write, no facts."""
    table = Table()
    told = {"c": Digest([(FIRST, True)], [(FIRST, 100)])}, {"c": [answer(FIRST, 9)]}
    rows = [session(FIRST + day, day, features=("search", "export")) for day in range(5)]
    table.put(Batch(rows, *told))
    for more in (rows, [session(FIRST + day, f"x{day}", features=("export",)) for day in range(1, 5)]):
        facts = Facts(table.facts.days.copy())
        assert table.put(Batch(more, *told)) == {}
        assert table.facts == facts
    assert table.put(Batch()) == {}


def test_features_of_a_copy_do_not_count() -> None:
    """A second copy of a session is a duplicate whatever it holds, features included."""
    table = Table()
    table.put(Batch([session(FIRST, 1, features=("a",)), session(FIRST, 1, features=("b",))]))
    assert table.put(Batch([session(FIRST, 1, features=("c",))])) == {}
    other = Table()
    other.put(Batch([session(FIRST, 1, features=("a",))]))
    assert table.ledgers == other.ledgers


def test_the_seven_parts_of_a_score() -> None:
    """A score worked out by hand: it is healthy with all parts, and each decays on its own days."""
    table = Table(Rules(zone=UTC.zone, health_weights=(1, 0, 0, 0, 0, 0, 0)))
    table.put(Batch([session(FIRST)], {"c": Digest([(FIRST - 5, True), (FIRST + 100, False)], [])}))
    bands = [set(table.levels(day)) for day in (FIRST - 1, FIRST, FIRST + 13, FIRST + 14, FIRST + 20, FIRST + 21)]
    silent = [key("customers_inactive", str(days)) for days in (7, 14)]
    healthy, at_risk, critical = (key("customer_health", band) for band in ("healthy", "at_risk", "critical"))
    # Recency is 100, 75 from the 7th day on, 50 from the 14th, 25 from the 21st; before the session there is no part.
    assert bands == [
        set(),
        {healthy},
        {healthy, silent[0]},
        {at_risk, *silent},
        {at_risk, *silent},
        {critical, *silent},
    ]
    assert table.levels(FIRST + 99).keys() == {
        critical,
        *(key("customers_inactive", str(n)) for n in (7, 14, 30, 60, 90)),
    }
    assert table.levels(FIRST + 100) == {}


def test_a_customer_without_parts_that_count_is_in_no_band() -> None:
    """With weights on sessions alone a customer present, but never seen, has no score."""
    table = Table(Rules(zone=UTC.zone, health_weights=(1, 1, 1, 1, 0, 0, 0)))
    table.put(Batch(digests={"c": Digest([(FIRST, True)], [(FIRST, 100)])}))
    assert table.facts == Facts()


def test_first_sessions_take_days() -> None:
    """Time to value is written on the first session's day, moves with it, and is 0 if the session came before."""
    table = Table()
    reached, taken = key("time_to_value", "session"), key("time_to_value_days", "session")
    table.put(Batch([session(FIRST + 9, 1)]))
    assert table.facts == Facts()
    for batch, expected in (
        (Batch(digests={"c": Digest([(FIRST, True)], [])}), {(FIRST + 9, reached): 1, (FIRST + 9, taken): 9}),
        (Batch([session(FIRST + 4, 2)]), {(FIRST + 4, reached): 1, (FIRST + 4, taken): 4}),
        (Batch([session(FIRST - 4, 3)]), {(FIRST - 4, reached): 1}),
        (Batch(digests={"c": NOBODY}), {}),
    ):
        table.put(batch)
        found = {(day, name): n for day, name, n in table.facts if name.startswith("time_to_value")}
        assert found == expected


def test_a_ledger_without_content_is_removed() -> None:
    """A customer whose only signup and answer were withdrawn leaves no ledger."""
    table = Table()
    table.put(Batch((), {"c": Digest([(FIRST, True)], [])}, {"c": [answer(FIRST, 3)]}))
    assert table.put(Batch((), {"c": NOBODY}, {"c": []})) == {activity.field("c"): b""}
    assert table.facts == Facts()


def test_many_users_leaving_on_one_day_fit() -> None:
    """More users than an entry's amount holds come and go together, and the ledger still tells how many."""
    table = Table(Rules(zone=UTC.zone, health_weights=(0, 0, 1, 0, 0, 0, 0), health_users=1500))
    rows = [session(FIRST, n, f"u{n}") for n in range(1200)]
    table.put(Batch(rows[:700], {"c": Digest([(FIRST, True)], [])}))
    table.put(Batch(rows[700:]))
    assert table.levels(FIRST + 27) == {key("customer_health", "healthy"): 1} | {
        key("customers_inactive", str(days)): 1 for days in (7, 14)
    }
    assert table.facts == table.folded()
    assert len(table.ledgers[activity.field("c")]) < 100


def test_many_users_are_kept_alike_however_they_come() -> None:
    """A step too great for one entry is the same few entries after many batches as after one."""
    rows = [session(FIRST, n, f"u{n}") for n in range(1200)]
    whole, parts = Table(), Table()
    whole.put(Batch(rows))
    for first in range(0, len(rows), 100):
        parts.put(Batch(rows[first : first + 100]))
    assert parts.ledgers == whole.ledgers


def test_days_at_both_ends_of_the_calendar_fit() -> None:
    """Sessions in the first and on the last day, and a presence beyond it, are kept and write no fact beyond."""
    table = Table()
    table.put(Batch([session(-719_162, 1), session(LAST_DAY, 2, features=("a",))]))
    table.put(Batch(digests={"c": Digest([(-719_162, True), (LAST_DAY + 9, False)], [(LAST_DAY, 100)])}))
    assert max(table.facts.days) == LAST_DAY
    assert table.facts == table.folded()


def test_a_renewed_ledger_is_that_of_the_new_billing() -> None:
    """Putting another digest into a ledger gives what would have come of it, and the same one changes no byte."""
    table, other = Table(), Table()
    rows = [session(FIRST + day, day, features=("a", "b")) for day in (0, 3, 40)]
    first, then = Digest([(FIRST, True)], [(FIRST, 0)]), Digest([(FIRST - 9, True), (FIRST + 20, False)], [])
    table.put(Batch(rows, {"c": first}, {"c": [answer(FIRST, 7)]}))
    other.put(Batch(rows, {"c": then}, {"c": [answer(FIRST, 7)]}))
    ledger = table.ledgers[activity.field("c")]
    assert activity.renewed(ledger, first) == ledger
    assert activity.renewed(ledger, then) == other.ledgers[activity.field("c")]
    assert activity.renewed(None, NOBODY) == b""


def test_a_ledger_of_another_format_is_refused() -> None:
    """Bytes of an unknown version raise an error that says what to do."""
    table = Table()
    table.ledgers[activity.field("c")] = (9).to_bytes(32, "little")
    with pytest.raises(ValueError, match="on an empty Redis"):
        table.put(Batch([session(FIRST)]))


def test_whole_weights_compare_as_the_given_ones() -> None:
    """Decimals become the smallest whole numbers in the same proportion; what is no weight is refused."""
    weights = dict.fromkeys(HEALTH_PARTS, "1")
    assert whole_weights(weights) == (1,) * 7
    assert whole_weights(weights | {"recency": 0.1, "tenure": "0"}) == (1, 10, 10, 10, 10, 10, 0)
    assert whole_weights(dict.fromkeys(HEALTH_PARTS, 0)) == (0,) * 7
    for wrong in ("-1", "0.0000000000001"):
        with pytest.raises(ValueError, match="0 or more"):
            whole_weights(weights | {"recency": wrong})
