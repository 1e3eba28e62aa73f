"""Customers' ledgers: what events do to presence, subscribers and MRR, by example and by property."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregators import customers
from aggregators.calendar import Zone, day_of
from aggregators.customers.ledger import BillingEvent, Ledger, pack, unpack
from aggregators.events import Cancellation, Payment, Signup
from aggregators.facts import Facts, parts
from aggregators.rules import Rules

UTC = Zone()
NEW_YORK = Zone("America/New_York")
RULES = Rules(zone=UTC)


def ms(text: str) -> int:
    """Give an instant; without an offset it is in UTC."""
    moment = dt.datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp() * 1000)


def signup(at: str, trial: str | None = None, name: str = "s", **more: object) -> Signup:
    """Make a signup of customer c."""
    ends = None if trial is None else ms(trial)
    return Signup(id=name + at, customer_id="c", occurred_at=ms(at), trial_ends_at=ends, **more)  # type: ignore[arg-type]


def payment(at: str, amount: str = "10", name: str = "p", **more: object) -> Payment:
    """Make a payment of customer c."""
    fields = {"amount": amount, "recurring_amount": amount, "currency": "USD", **more}
    return Payment(id=name + at, customer_id="c", occurred_at=ms(at), **fields)  # type: ignore[arg-type]


def cancellation(at: str, effective: str | None = None, **more: object) -> Cancellation:
    """Make a cancellation of customer c."""
    return Cancellation(id="x" + at, customer_id="c", occurred_at=ms(at), effective_at=ms(effective or at), **more)  # type: ignore[arg-type]


def facts_of(events: Iterable[BillingEvent], rules: Rules = RULES) -> Facts:
    """Fold events that arrive in this order, one by one."""
    facts, ledgers, outcomes = Facts(), {}, Counter[str]()
    for event in events:
        ledgers.update(customers.apply(rules, [event], ledgers, facts, outcomes)[0])
    return facts


def story(facts: Facts, *measures: str) -> list[str]:
    """Tell facts as sorted lines: day, measure and labels, amount."""
    lines = []
    for day, fact_key, amount in facts:
        measure, *labels = parts(fact_key)
        if measure in measures:
            date = dt.date(1970, 1, 1) + dt.timedelta(days=day)
            lines.append(" ".join([date.isoformat(), measure, *filter(None, labels), f"{amount:+}"]))
    return sorted(lines)


PRESENCE = ("new", "returned", "churned")


def test_a_month_paid_lapses_after_its_grace() -> None:
    """A monthly payment covers a month; thirty days later the customer is gone, and nobody has to tell.

    jan 31 ----- covered ----- feb 28 ----- grace ----- mar 30
    """
    facts = facts_of([payment("2026-01-31")])
    assert story(facts, *PRESENCE, "mrr") == [
        "2026-01-31 mrr new USD +10000000",
        "2026-01-31 new +1",
        "2026-03-30 churned lapsed +1",
        "2026-03-30 mrr churn USD lapsed -10000000",
    ]


def test_the_next_payment_takes_the_written_churn_back() -> None:
    """A renewal moves the lapse, and a failed payment gives it its reason."""
    failed = payment("2026-04-01", name="f", status="failed")
    facts = facts_of([payment("2026-01-31"), payment("2026-02-28"), failed])
    assert story(facts, "churned") == ["2026-04-27 churned payment_failed +1"]


def test_a_scheduled_cancellation_counts_now_and_ends_later() -> None:
    """Cancelled on 8 June, paid to 15 June: MRR until then, gone after."""
    facts = facts_of([payment("2026-05-15"), cancellation("2026-06-08", "2026-06-15", reason="price")])
    assert story(facts, "churned", "cancellations", "cancellations_scheduled") == [
        "2026-06-08 cancellations +1",
        "2026-06-08 cancellations_scheduled +1",
        "2026-06-15 cancellations_scheduled -1",
        "2026-06-15 churned price +1",
    ]


def test_one_of_two_subscriptions_cancelled_is_contraction() -> None:
    """The customer stays while one subscription has MRR."""
    facts = facts_of(
        [
            payment("2026-01-01", "10", "a", subscription_id="a", interval="year"),
            payment("2026-01-02", "24", "b", subscription_id="b", interval="year"),
            cancellation("2026-01-05", subscription_id="b"),
        ]
    )
    assert story(facts, "mrr")[1:3] == [
        "2026-01-02 mrr expansion USD +2000000",
        "2026-01-05 mrr contraction USD -2000000",
    ]
    assert not [line for line in story(facts, "churned") if line < "2027"]


def test_a_signup_at_the_instant_of_a_lapse_comes_before_it() -> None:
    """By the order of items at one instant the lapse has the last word, whatever lapsed shortly before it."""
    log = [
        payment("2026-01-01", name="a", subscription_id="a"),
        payment("2026-01-05", name="b", subscription_id="b"),
        signup("2026-03-07"),
    ]
    expected = ["2026-01-01 new +1", "2026-03-07 churned lapsed +1"]
    assert story(facts_of(log), *PRESENCE) == story(facts_of(reversed(log)), *PRESENCE) == expected


WHOLE_PERIODS = [
    *(("year", f"{year}-01-01", f"{year}-12-31") for year in (2023, 2024)),
    *(
        ("quarter", f"{year}-{first:02}-01", f"{year}-{first + 2:02}-{last}")
        for year in (2023, 2024)
        for first, last in ((1, 31), (4, 30), (7, 30), (10, 31))
    ),
    ("month", "2023-02-01", "2023-02-28"),
    ("month", "2024-02-01", "2024-02-29"),
    ("month", "2024-07-01", "2024-07-31"),
    ("week", "2024-07-01", "2024-07-07"),
]


@pytest.mark.parametrize(("kind", "first", "last"), WHOLE_PERIODS)
def test_leaving_on_the_first_and_returning_on_the_last_day_of_a_period_is_no_loss(
    kind: str, first: str, last: str
) -> None:
    """The longest absence within a calendar period of each kind still counts as none at its end."""
    log = [signup("2020-06-01", name="a"), payment("2020-06-01", interval="year", interval_count=9)]
    facts = facts_of([*log, cancellation(first), signup(last), payment(last, name="q")])
    days = range(day_of(dt.date.fromisoformat(first)), day_of(dt.date.fromisoformat(last)) + 1)
    booked = dict.fromkeys(("void_customers", "void_subscribers"), 0)
    for day, fact_key, amount in facts:
        measure, *labels = parts(fact_key)
        if day in days and measure in booked and labels == [kind]:
            booked[measure] += amount
    assert booked == {"void_customers": 1, "void_subscribers": 1}


def test_without_grace_a_coverage_ends_at_its_very_instant() -> None:
    """In New York 01:30 of 1 November 2026 comes twice: a coverage to the second one is not over at the first."""
    log = [
        payment("2026-10-01T12:00-04:00", covers_until=ms("2026-11-01T01:30-05:00")),
        payment("2026-11-01T01:00-05:00", interval="year", name="q"),
    ]
    facts = facts_of(log, Rules(zone=NEW_YORK, lapse_grace_days=0))
    assert story(facts, "renewals_decided")[0] == "2026-11-01 renewals_decided renewed 0 +1"


def test_of_equal_plans_the_smaller_subscription_id_names_the_segment() -> None:
    """Whichever of the two was paid first."""
    log = [
        payment("2026-01-01", name="b", subscription_id="b", plan="beta", interval="year"),
        payment("2026-01-02", name="a", subscription_id="a", plan="alpha", interval="year"),
    ]
    lines = [line for line in story(facts_of(log), "segment_customers") if line < "2026-02" and " plan " in line]
    assert lines == [
        "2026-01-01 segment_customers plan beta +1",
        "2026-01-02 segment_customers plan alpha +1",
        "2026-01-02 segment_customers plan beta -1",
    ]


def test_trials_end_unless_they_convert() -> None:
    """A trial that nobody paid for ends with its grace; one that converted does not."""
    rules = Rules(zone=UTC, lapse_grace_days=3)
    alone = facts_of([signup("2026-01-01", "2026-01-15")], rules)
    assert story(alone, "churned") == ["2026-01-18 churned trial_ended +1"]
    paid = facts_of([signup("2026-01-01", "2026-01-15"), payment("2026-01-17", interval="year")], rules)
    assert story(paid, "churned") == ["2027-01-20 churned lapsed +1"]
    renewed = facts_of([signup("2026-01-01", "2026-01-15"), signup("2026-01-10")], rules)
    assert story(renewed, "churned") == []


def test_a_downgrade_to_free_ends_mrr_but_not_presence() -> None:
    """A payment of 0 takes the MRR away, by the reason `downgrade`."""
    facts = facts_of([payment("2026-01-01"), payment("2026-01-20", "0")])
    assert story(facts, *PRESENCE, "mrr") == [
        "2026-01-01 mrr new USD +10000000",
        "2026-01-01 new +1",
        "2026-01-20 mrr churn USD downgrade -10000000",
    ]


def test_a_day_is_its_end() -> None:
    """What comes and goes within a day leaves no trace; who returns on the next day was never there before."""
    facts = facts_of(
        [
            signup("2026-01-01T09:00"),
            cancellation("2026-01-01T10:00"),
            signup("2026-01-02T09:00"),
        ]
    )
    assert story(facts, *PRESENCE) == ["2026-01-02 new +1"]


def test_one_time_purchases_make_new_customers_only() -> None:
    """A purchase makes present who never was; after a cancellation it does not, unless purchases lapse."""
    events = [
        payment("2026-01-01", interval="one_time"),
        cancellation("2026-01-10"),
        payment("2026-01-20", interval="one_time"),
    ]
    assert story(facts_of(events), *PRESENCE) == ["2026-01-01 new +1", "2026-01-10 churned unspecified +1"]
    lapsing = Rules(zone=UTC, purchase_lapse_days=60)
    assert story(facts_of(events, lapsing), *PRESENCE)[2:] == [
        "2026-01-20 returned +1",
        "2026-03-21 churned inactive +1",
    ]


def test_coverage_ends_at_local_time() -> None:
    """In New York a month from 8 February 02:30 ends at 03:30 of 8 March, after the gap; without grace it lapses."""
    rules = Rules(zone=NEW_YORK, lapse_grace_days=0)
    early = [payment("2026-02-08T02:30-05:00"), payment("2026-03-08T03:29:59-04:00", "20")]
    late = [payment("2026-02-08T02:30-05:00"), payment("2026-03-08T03:30-04:00", "20")]
    assert [line.split()[2] for line in story(facts_of(early, rules), "mrr")] == ["new", "expansion", "churn"]
    both = facts_of(late, rules)
    assert story(both, "mrr")[1] == "2026-03-08 mrr expansion USD +10000000"


def test_leaving_and_returning_in_a_window_is_no_loss() -> None:
    """A void says where a window's two ends disagree with what happened in it."""
    facts = facts_of([signup("2024-01-01"), cancellation("2026-01-10"), signup("2026-01-12")])
    assert story(facts, "void_customers") == [
        # Churned once, yet there at both ends of every window that holds both days.
        "2026-01-12 void_customers 30d +1",
        "2026-01-12 void_customers 365d +1",
        "2026-01-12 void_customers 7d +1",
        "2026-01-12 void_customers 90d +1",
        "2026-01-12 void_customers month +1",
        "2026-01-12 void_customers quarter +1",
        "2026-01-12 void_customers year +1",
        "2026-01-17 void_customers 7d -1",
        "2026-02-09 void_customers 30d -1",
        "2026-04-10 void_customers 90d -1",
        "2027-01-10 void_customers 365d -1",
    ]


def test_a_withdrawn_event_has_never_been() -> None:
    """Taking an event back leaves the facts of the others."""
    base = [signup("2026-01-01"), payment("2026-01-02")]
    gone = cancellation("2026-01-03")
    back = Cancellation(
        id=gone.id, customer_id="c", occurred_at=gone.occurred_at, effective_at=gone.effective_at, revision=1,
        withdrawn=True,
    )  # fmt: skip
    assert facts_of([*base, gone, back]) == facts_of(base) == facts_of([back, *base, gone])


def test_outcomes_name_what_each_event_was() -> None:
    """First come is accepted; then duplicate, revised and conflict."""
    outcomes: Counter[str] = Counter()
    first = payment("2026-01-01")
    other = payment("2026-01-01", "11")
    newer = payment("2026-01-01", "12", revision=1)
    customers.apply(RULES, [first, first, other, newer, first], {}, Facts(), outcomes)
    assert outcomes == {
        "payment/accepted": 1,
        "payment/duplicate": 1,
        "payment/conflict": 1,
        "payment/revised": 2,
    }


def test_a_ledger_keeps_no_terms_that_nobody_has() -> None:
    """Revised terms leave the ledger with the item that had them."""
    ledgers: dict[str, bytes] = {}
    for revision in range(5):
        event = payment("2026-01-01", str(revision + 1), revision=revision)
        ledgers, _ = customers.apply(RULES, [event], ledgers, Facts(), Counter())
    ledger = unpack(ledgers["bc"])
    assert len(ledger.items) == len(ledger.terms) == 1
    assert pack(ledger) == ledgers["bc"]
    assert unpack(None) == Ledger()


INSTANTS = st.integers(0, 40).map(lambda n: ms("2026-02-20") + n * 43_200_000) | st.integers(0, 600).map(
    lambda n: ms("2025-01-31T12:00") + n * 86_400_000
)
IDS = st.sampled_from("abcdef")
REVISIONS = st.sampled_from([0, 0, 0, 1])


@st.composite
def billing_events(draw: st.DrawFn) -> BillingEvent:
    """Draw an event of customer c, dense in time and with ids that collide."""
    at = draw(INSTANTS)
    common = {
        "id": draw(IDS),
        "customer_id": "c",
        "occurred_at": at,
        "revision": draw(REVISIONS),
        "withdrawn": draw(st.booleans()) and draw(st.booleans()),
    }
    kind = draw(st.sampled_from(["signup", "payment", "payment", "payment", "cancellation"]))
    ahead = st.none() | st.integers(1, 60).map(lambda n: at + n * 43_200_000)
    if kind == "signup":
        return Signup(**common, trial_ends_at=draw(ahead))
    if kind == "cancellation":
        return Cancellation(
            **common,
            subscription_id=draw(st.sampled_from([None, "1", "2", "3"])),
            effective_at=draw(ahead) or at,
            reason=draw(st.sampled_from(["price", "bugs"])),
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
    )


ALL_RULES = [
    Rules(zone=zone, lapse_grace_days=grace, purchase_lapse_days=purchases)
    for zone in (UTC, NEW_YORK)
    for grace in (0, 3, 30)
    for purchases in (None, 20)
]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.lists(billing_events(), min_size=1, max_size=12), st.sampled_from(ALL_RULES))
def test_any_order_any_duplicates_any_split_the_same_facts(
    data: st.DataObject, events: Sequence[BillingEvent], rules: Rules
) -> None:
    """However events arrive, the sum of all deltas is the fold of the ledger that they leave."""
    expected = None
    for _ in range(2):
        arriving = data.draw(st.permutations(events)) + data.draw(st.lists(st.sampled_from(events), max_size=4))
        facts, ledgers = Facts(), {}
        while arriving:
            size = data.draw(st.integers(1, 5))
            batch, arriving = arriving[:size], arriving[size:]
            ledgers.update(customers.apply(rules, batch, ledgers, facts, Counter())[0])
        assert facts == customers.fold(rules, ledgers["bc"])
        expected = facts.nonzero() if expected is None else expected
        assert facts.nonzero() == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(billing_events(), min_size=1, max_size=12), st.sampled_from(ALL_RULES))
def test_voids_make_two_days_comparable(events: Sequence[BillingEvent], rules: Rules) -> None:
    """In any 30 days, churned less the void is 1 exactly if present at their start and not at their end."""
    facts = facts_of(events, rules)
    days = sorted(facts.days)
    level: dict[int, int] = {}
    churned: dict[int, int] = {}
    void: dict[int, int] = {}
    for day, fact_key, amount in facts:
        measure, *labels = parts(fact_key)
        if measure in {"new", "returned"}:
            level[day] = level.get(day, 0) + amount
        elif measure == "churned":
            level[day] = level.get(day, 0) - amount
            churned[day] = churned.get(day, 0) + amount
        elif measure == "void_customers" and labels == ["30d"]:
            void[day] = void.get(day, 0) + amount

    def upto(amounts: dict[int, int], day: int) -> int:
        return sum(n for d, n in amounts.items() if d <= day)

    for end in {day + shift for day in days for shift in (0, 1, 29, 30)}:
        start = end - 30
        lost = upto(churned, end) - upto(churned, start) - upto(void, end)
        assert lost == int(upto(level, start) == 1 and upto(level, end) == 0)


def test_days_are_days_of_the_zone() -> None:
    """An evening in New York is still that day there."""
    facts = facts_of([signup("2026-01-02T03:00")], Rules(zone=NEW_YORK))
    assert list(facts.days) == [day_of(dt.date(2026, 1, 1))]


@pytest.mark.parametrize("interval", ["day", "week", "month", "quarter", "year"])
def test_the_longest_coverages_stay_days_that_can_be_asked_for(interval: str) -> None:
    """A thousand intervals are no error, and what falls after the last day is left out."""
    facts = facts_of([payment("9998-01-01", interval=interval, interval_count=1000)])
    assert story(facts, "new") == ["9998-01-01 new +1"]


def test_a_monthly_amount_beyond_64_bits_is_kept_and_counted():
    """The greatest amount a day is more millionths a month than a machine's integer holds: no batch may fail on it."""
    most = "999999999999.99"
    events = [payment(f"2026-01-0{n}T00:00:00Z", most, interval="day", subscription_id=f"s{n}") for n in (1, 2, 3)]
    facts = facts_of(events)
    assert facts == facts_of(reversed(events))
    mrr = sum(amount for _, fact, amount in facts if parts(fact)[:2] in (("mrr", "new"), ("mrr", "expansion")))
    assert mrr == 3 * round(Fraction(most) * 1_000_000 * 365 / 12) > 2**64
