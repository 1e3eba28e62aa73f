"""The slow reference's contracts, segments, cohorts and health, held against hand-worked examples."""

from datetime import date
from fractions import Fraction

from tests.support.reference import Reference, Settings
from tests.support.reference.contracts import renewals
from tests.support.reference.examples import at, cancel, event, ms, pay, signup


def test_trials() -> None:
    """A trial ends on its day, or earlier by a cancellation; it is pending until its grace has passed."""
    ends = {"trial_ends_at": ms("2026-01-19T12:00")}
    log = [signup(name, "2026-01-05T12:00", **ends) for name in "abcd"]
    log += [pay("a", "2026-01-10T12:00"), pay("b", "2026-02-02T12:00"), cancel("c", "2026-01-08T12:00")]
    of = at(log, "2026-01-08")
    assert [of(f"trials_{name}", period="month") for name in ("started", "ended", "pending")] == [4, 1, 0]
    assert of("trial_conversion_ratio", period="month") == 0
    of = at(log, "2026-01-31")
    assert [of(f"trials_{name}", period="month") for name in ("started", "ended", "pending")] == [4, 4, 2]
    assert of("trial_conversion_ratio", period="month") == Fraction(1, 2)
    of = at(log, "2026-02-18")
    assert of("trials_pending", period="previous_month") == 0
    assert of("trial_conversion_ratio", period="previous_month") == Fraction(1, 2)
    assert of("trials_ended", period="month") == 0


#   paid            last quarter         covered until        lapse (grace 30)
#   Apr 1 12:00 ------ Apr 24 0:00 ---- May 1 12:00 -------------- May 31
def test_renewals() -> None:
    """A coverage is due unless replaced before its last quarter; pending until something ends its hold."""
    first = pay("c", "2026-04-01T12:00")
    may = date(2026, 5, 1)
    cases = [
        ([], (date(2026, 5, 31), False)),
        ([pay("c", "2026-04-24T00:00")], (date(2026, 4, 24), True)),
        ([pay("c", "2026-04-24T00:00"), cancel("c", "2026-04-23T00:00")], (date(2026, 4, 23), False)),
        ([pay("c", "2026-05-20T12:00")], (date(2026, 5, 20), True)),
        ([pay("c", "2026-05-31T12:00")], (date(2026, 5, 31), False)),
        ([pay("c", "2026-05-20T12:00", 0)], (date(2026, 5, 20), False)),
        ([cancel("c", "2026-04-10T12:00"), pay("c", "2026-04-11T12:00")], (date(2026, 4, 10), False)),
        ([cancel("c", "2026-04-10T12:00", subscription_id="other")], (date(2026, 5, 31), False)),
    ]
    for more, expected in cases:
        line = Reference([first, *more], Settings()).timelines["c"]
        assert [(due.decided, due.renewed) for due in renewals(line) if due.due == may] == [expected], more
    # The last quarter is the last 7 days and 12 hours, its first instant included.
    for instant, number in (("2026-04-23T23:59:59.999", 0), ("2026-04-24T00:00", 1)):
        assert at([first, pay("c", instant)], "2026-05-01")("renewals_due", period="day") == number
    of = at([first, pay("c", "2026-05-20T12:00")], "2026-05-10")
    assert [of(name, period="month") for name in ("renewals_due", "renewals", "renewals_pending")] == [1, 0, 1]
    assert of("renewal_ratio", period="month") is None
    of = at([first, pay("c", "2026-05-20T12:00")], "2026-05-20")
    assert of("renewal_ratio", period="month") == 1


def test_recovery() -> None:
    """An episode of failures ends with the next success, or unrecovered with the lapse or a cancellation."""
    log = [pay("a", "2026-01-05T12:00"), pay("a", "2026-02-05T12:00", status="failed")]
    log += [pay("a", "2026-02-06T12:00", status="failed"), pay("a", "2026-02-07T12:00")]
    log += [
        pay("b", "2026-01-05T12:00"),
        pay("b", "2026-01-15T12:00", status="failed"),
        cancel("b", "2026-02-08T12:00"),
    ]
    log += [pay("x", "2026-02-01T12:00", status="failed"), pay("x", "2026-02-02T12:00")]
    of = at(log, "2026-02-28")
    assert of("payment_recovery_ratio", period="month") == Fraction(1, 2)
    assert of("payment_recovery_ratio", period="previous_month") is None
    assert of("repeat_purchase_ratio") == Fraction(1, 3)


def test_segments() -> None:
    """Who changes segment leaves one and enters the other; loss is told by the segment at the start."""
    log = [signup("c", "2026-01-05T12:00", country="DE", owner=""), pay("c", "2026-01-05T12:00", 10, plan="basic")]
    log += [pay("c", "2026-02-01T12:00", 30, plan="pro"), signup("d", "2026-01-06T12:00", plan="free")]
    log += [cancel("d", "2026-02-10T12:00"), event("survey", "d", "2026-02-11T12:00", kind="nps", score=0)]
    of = at(log, "2026-02-20")

    def move(segment: str, movement: str) -> int:
        labels = {"dimension": "plan", "segment": segment, "period": "month", "movement": movement}
        return of("segment_mrr_movement", **labels) or 0

    assert [move("basic", name) for name in ("left", "entered", "contraction", "fx")] == [-10, 0, 0, 0]
    assert [move("pro", name) for name in ("left", "entered", "expansion", "fx")] == [0, 10, 20, 0]
    assert of("segment_customers_lost", dimension="plan", segment="free", period="month") == 1
    assert of("segment_customer_churn_ratio", dimension="country", segment="unknown", period="month") == 1
    assert of("segment_customers", dimension="country", segment="DE") == 1
    assert of("segment_nps", dimension="plan", segment="free", period="month") == -100
    assert (of("plan_mrr", plan="pro"), of("plan_subscriptions", plan="pro")) == (30, 1)
    few = at(log, "2026-02-20", segment_limit=1)
    assert few("segment_mrr", dimension="plan", segment="pro") == 30
    assert few("segment_customers_lost", dimension="plan", segment="other", period="month") == 1


def test_cohorts_and_value() -> None:
    """A cohort is followed month by month to the as-of day; milestones count from the first day present."""
    log = [signup("a", "2026-01-10T12:00"), pay("a", "2026-01-14T12:00", interval="year", amount=120)]
    log += [signup("b", "2026-01-20T12:00"), cancel("b", "2026-02-03T12:00"), event("session", "b", "2026-01-19T12:00")]
    log += [event("session", "a", "2026-01-12T12:00")]
    of = at(log, "2026-03-05")
    assert [of("cohort_customers", cohort="2026-01", month=str(n)) for n in range(3)] == [2, 1, 1]
    assert of("cohort_mrr", cohort="2026-01", month="0") == 10
    assert of("time_to_value_days_mean", period="90d", milestone="session") == 1
    assert of("time_to_value_days_mean", period="90d", milestone="payment") == 4
    assert of("customers_inactive", days="30") == 1
    # 1 of 2 subscribers lost in the 31 days of March.
    log += [pay("b", "2026-02-20T12:00", 30), cancel("b", "2026-03-20T12:00")]
    expected = 10 / (Fraction(1, 2) * Fraction("30.4375") / 31)
    assert at(log, "2026-03-31")("lifetime_value", period="month") == expected
    assert at(log, "2026-02-28")("average_sale_price", period="month") == 30


def test_health() -> None:
    """Each part of the score as section 5 says, weighed by what there is data for."""

    def bands(log: list[dict], day: str) -> list[int]:
        of = at(log, day)
        return [of("customer_health", band=band) for band in ("healthy", "at_risk", "critical")]

    log = [signup("c", "2026-01-01T12:00")]
    assert bands(log, "2026-03-31") == [0, 0, 1]  # tenure 0 on its 89th day after
    assert bands(log, "2026-04-01") == [0, 1, 0]  # 50
    assert bands(log, "2027-01-01") == [1, 0, 0]  # 100
    log += [event("session", "c", "2026-01-02T12:00", features=["a", "b"])]
    # Recency 100 x 3, frequency 5 x 2, breadth 33, adoption 40, tenure 0, over 8: 383 / 8 = 47.875.
    assert bands(log, "2026-01-02") == [0, 1, 0]
    # A week later recency is 75 x 3: 308 / 8 = 38.5.
    assert bands(log, "2026-01-09") == [0, 0, 1]
    log += [pay("c", "2026-01-03T12:00"), event("survey", "c", "2026-01-04T12:00", kind="nps", score=9)]
    assert bands(log, "2026-01-09") == [0, 1, 0]  # (308 + 200 + 180) / 12 = 57.3
    log += [pay("c", "2026-01-05T12:00", status="failed", subscription_id="other")]
    assert bands(log, "2026-01-09") == [0, 1, 0]  # (308 + 180) / 12 = 40.7
    assert bands(log, "2026-01-16") == [0, 0, 1]  # (233 + 180) / 12 = 34.4
