"""Long ledgers: kept in parts they give the facts of ledgers in one value, however events come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators import parts
from aggregators.batch import fold_batch, touched
from aggregators.calendar import DAY_MS, Zone
from aggregators.customers import long
from aggregators.events import Cancellation, Event, Payment, Sessions, Signup, Survey
from aggregators.facts import Facts
from aggregators.refold import refold
from aggregators.rules import Rules
from aggregators.surveys import ledgers as answers
from aggregators.tables.door import Meta, Space, TablesUnavailable

NONE = np.zeros(0, np.int64)
NOBODY = Sessions(ids=[], customer_ids=[], user_ids=[], occurred_at=NONE, durations=NONE, reactions=NONE, features=[])
RULES = [
    Rules(zone=zone, lapse_grace_days=grace, purchase_lapse_days=purchases)
    for zone in (Zone(), Zone("America/New_York"))
    for grace in (0, 30)
    for purchases in (None, 400)
]


class Store:
    """Ledgers as a table holds them, and what has been read and folded so far."""

    def __init__(self, rules: Rules) -> None:
        """Start empty."""
        self.rules = rules
        self.fields: dict[str, bytes] = {}
        self.facts = Facts()
        self.outcomes: Counter[str] = Counter()
        self.further: list[str] = []

    def take(self, events: Sequence[Event]) -> None:
        """Fold one batch."""
        heads = touched(NOBODY, events)["customers"]
        stored = {name: self.fields[name] for name in heads if name in self.fields}
        folded = fold_batch(self.rules, NOBODY, events, {"users": {}, "customers": stored}, self.read)
        self.facts.merge(folded.facts)
        self.outcomes += folded.outcomes
        self.fields |= folded.ledgers["customers"]
        self.fields = {name: packed for name, packed in self.fields.items() if packed}

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read further fields."""
        assert space == "customers"
        self.further += fields
        return [self.fields.get(name) for name in fields]

    def begin(self) -> Meta:
        """Come before every read."""
        return Meta()

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Give all fields."""
        return iter(list(self.fields.items()) if space == "customers" else [])

    def refolded(self) -> Facts:
        """Fold all ledgers anew."""
        folded = refold(self.rules, self, lambda _: None)
        assert not folded.ledgers
        assert not folded.damaged
        return folded.facts


@pytest.fixture(autouse=True, scope="module")
def tiny() -> Iterator[None]:
    """Make ledgers long that have more than two items or answers, in parts of one to three."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long, "CHUNK", 1)
        patch.setattr(answers, "LONG", 1)
        patch.setattr(parts, "ROWS", 2)
        yield


DENSE = st.integers(0, 40).map(lambda n: 20_000 * DAY_MS + n * DAY_MS // 2)
WIDE = st.integers(0, 1500).map(lambda n: 19_000 * DAY_MS + n * DAY_MS + DAY_MS // 2)
PLANS = st.sampled_from([None, "basic", "gold"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Draw an event of customer c, dense in time and with ids that collide."""
    at = draw(DENSE | WIDE)
    common = {
        "id": draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz")),
        "customer_id": "c",
        "occurred_at": at,
        "revision": draw(st.sampled_from([0, 0, 0, 1])),
        "withdrawn": draw(st.sampled_from([False, False, False, True])),
    }
    ahead = st.none() | st.integers(1, 60).map(lambda n: at + n * DAY_MS // 2)
    kind = draw(st.sampled_from(["signup", "payment", "payment", "payment", "cancellation", "survey", "survey"]))
    if kind == "signup":
        return Signup(
            **common, trial_ends_at=draw(ahead), plan=draw(PLANS), country=draw(st.sampled_from(["DE", "FR"]))
        )
    if kind == "cancellation":
        return Cancellation(
            **common,
            subscription_id=draw(st.sampled_from([None, "1", "2"])),
            effective_at=draw(ahead) or at,
            reason=draw(st.sampled_from(["price", "bugs"])),
        )
    if kind == "survey":
        return Survey(
            **common,
            kind=draw(st.sampled_from(["nps", "nps", "nps", "csat"])),
            score=draw(st.integers(1, 5)) * 2,
            user_id=draw(st.sampled_from("uv")),
        )
    amount = draw(st.sampled_from(["0", "10", "25.5"]))
    return Payment(
        **common,
        amount=amount,
        recurring_amount=amount,
        currency=draw(st.sampled_from(["USD", "EUR"])),
        interval=draw(st.sampled_from(["day", "week", "month", "quarter", "year", "one_time"])),
        interval_count=draw(st.sampled_from([1, 2])),
        covers_until=draw(ahead),
        subscription_id=draw(st.sampled_from(["1", "2"])),
        status=draw(st.sampled_from(["succeeded", "succeeded", "succeeded", "failed", "refunded"])),
        plan=draw(PLANS),
    )


@settings(max_examples=250, deadline=None)
@given(st.data(), st.lists(events(), min_size=1, max_size=30), st.sampled_from(RULES))
def test_any_order_any_duplicates_any_split_the_facts_of_whole_ledgers(
    data: st.DataObject, log: Sequence[Event], rules: Rules
) -> None:
    """After every batch the facts are those of folding anew, and in the end those of ledgers in one value."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long, "CHUNK", 1000)
        patch.setattr(answers, "LONG", 1000)
        plain = Store(rules)
        plain.take(log)
        assert len(plain.fields) <= 3
        expected = plain.refolded()
    arriving = data.draw(st.permutations(log)) + data.draw(st.lists(st.sampled_from(log), max_size=4))
    store = Store(rules)
    while arriving:
        size = data.draw(st.integers(1, 6))
        batched, arriving = arriving[:size], arriving[size:]
        store.take(batched)
        assert store.facts == store.refolded()
    assert store.facts == expected == plain.facts
    assert store.outcomes.total() >= len(log)


def monthly(number: int, at: int, amount: str = "10") -> Payment:
    """Make a payment of customer c."""
    return Payment(
        id=f"p{number}", customer_id="c", occurred_at=at, amount=amount, recurring_amount=amount, currency="USD"
    )


def test_an_event_in_time_reads_no_part_but_that_of_its_id() -> None:
    """However many are before it; a copy reads one chunk more, and one in between only to where nothing differs."""
    store = Store(RULES[0])
    log = [monthly(number, (20_000 + 30 * number) * DAY_MS) for number in range(60)]
    for event in log:
        store.take([event])
    store.further.clear()
    store.take([monthly(60, (20_000 + 30 * 60) * DAY_MS)])
    assert {name[:2] for name in store.further} == {"pi"}
    assert len(store.further) <= 2
    store.further.clear()
    store.take([log[20]])
    assert {name[:2] for name in store.further} == {"pi", "pc"}
    assert len(store.further) <= 3
    assert store.outcomes["payment/duplicate"] == 1
    store.further.clear()
    store.take([monthly(99, (20_000 + 30 * 20 + 10) * DAY_MS)])
    assert 1 < len(store.further) < 20
    assert store.facts == store.refolded()


def test_amounts_beyond_64_bits_are_swept_anew_and_come_out_right() -> None:
    """What cannot be kept of the sweep is worked out again, whichever chunk it is in, and kept again afterwards."""
    store = Store(RULES[0])
    days = range(20_000, 20_200, 20)
    for number, day in enumerate(days):
        store.take([monthly(number, day * DAY_MS, "1000000000000000" if number in {3, 9} else "10")])
        assert store.facts == store.refolded()
    for number in (9, 3):
        fixed = monthly(number, days[number] * DAY_MS)
        store.take([msgspec.structs.replace(fixed, revision=1)])
        assert store.facts == store.refolded()
    store.further.clear()
    store.take([monthly(10, 20_200 * DAY_MS)])
    assert {name[:2] for name in store.further} == {"pi"}


def test_who_had_mrr_long_ago_comes_back() -> None:
    """The first MRR is remembered beyond the longest window: a payment years later is no `new` one."""
    store = Store(RULES[0])
    day = 20_000
    store.take([Signup(id="s", customer_id="c", occurred_at=day * DAY_MS)])
    store.take([monthly(0, (day + 10) * DAY_MS)])
    left = (day + 20) * DAY_MS
    store.take([Cancellation(id="x", customer_id="c", occurred_at=left, effective_at=left)])
    for number, later in enumerate((500, 600, 700), 1):
        once = msgspec.structs.replace(monthly(number, (day + later) * DAY_MS), interval="one_time")
        store.take([once])
    store.take([monthly(9, (day + 900) * DAY_MS)])
    assert store.facts == store.refolded()
    moved = store.facts.days[day + 900]
    assert [name.split("\x1f")[1] for name in moved if name.startswith("mrr\x1f")] == ["reactivation"]


PAIRS = [(old, new) for old in RULES for new in RULES if old != new and old.zone == new.zone]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(events(), min_size=1, max_size=14),
    st.lists(events(), min_size=1, max_size=8),
    st.sampled_from(PAIRS),
    st.booleans(),
)
def test_after_a_rebuild_under_other_rules_the_facts_are_those_of_the_new_rules(
    before: Sequence[Event], after: Sequence[Event], rules: tuple[Rules, Rules], long_ones: bool
) -> None:
    """What a ledger keeps of the sweep under the old rules says nothing under the new ones."""
    old, new = rules
    with pytest.MonkeyPatch.context() as patch:
        if not long_ones:
            patch.setattr(long, "CHUNK", 1000)
            patch.setattr(answers, "LONG", 1000)
        store = Store(old)
        for event in before:
            store.take([event])
        store.rules = new
        rebuilt = refold(new, store, lambda _: None)
        store.facts = rebuilt.facts
        store.fields |= rebuilt.ledgers
        for event in after:
            store.take([event])
            assert store.facts == store.refolded()
        fresh = Store(new)
        fresh.take([*before, *after])
        assert store.facts == fresh.facts


def test_a_part_that_is_lost_is_said_to_be() -> None:
    """Nothing is folded as if the part had held nothing."""
    store = Store(RULES[0])
    for number in range(10):
        store.take([monthly(number, (20_000 + number) * DAY_MS)])
    store.fields = {name: packed for name, packed in store.fields.items() if not name.startswith("pc")}
    with pytest.raises(TablesUnavailable, match="has lost a part of a long ledger"):
        store.take([monthly(77, 20_001 * DAY_MS)])
