"""The slow reference itself, held against worked examples: SPEC.md's, published definitions', and small hand sums."""

from datetime import date
from fractions import Fraction
from math import isclose, sqrt

from tests.support.reference import Reference, Settings, accepted
from tests.support.reference.examples import at, cancel, event, get, ms, pay, signup


def test_a_published_example_of_retention() -> None:
    """70 customers, 30 gained, 10 of the 70 lost: retention 60/70."""
    log = [signup(f"c{n}", "2026-01-10T12:00") for n in range(70)]
    log += [signup(f"c{n}", "2026-02-10T12:00") for n in range(70, 100)]
    log += [cancel(f"c{n}", "2026-02-20T12:00", reason="price") for n in range(10)]
    of = at(log, "2026-02-28")
    assert of("customers") == 90
    assert of("customers_at_start", period="month") == 70
    assert of("customers_gained", period="month") == of("customers_new", period="month") == 30
    assert of("customers_lost", period="month") == 10
    assert of("customers_churned", period="month", reason="price") == 10
    assert of("customer_retention_ratio", period="month") == Fraction(60, 70)
    assert of("customer_churn_ratio", period="month") == Fraction(1, 7)
    assert of("customer_churn_ratio", period="previous_month") is None


def test_a_published_example_of_mrr() -> None:
    """100 subscribers at 100 a month and 50 at 600 a year are 12,500 of MRR and 150,000 of ARR."""
    log = [pay(f"m{n}", "2026-01-10T12:00", 100) for n in range(100)]
    log += [pay(f"y{n}", "2026-01-10T12:00", 600, interval="year") for n in range(50)]
    of = at(log, "2026-01-15")
    assert of("mrr") == of("mrr_native", currency="USD") == 12_500
    assert of("arr") == 150_000
    assert of("arpa") == Fraction(12_500, 150)
    assert of("subscribers") == 150


def test_gold_and_silver() -> None:
    """4 gold at 2,000 a year and 2 silver at 60 a month, then an upgrade, a downgrade, a loss and a return."""
    gold = {"interval": "year", "plan": "gold"}
    log = [pay(f"g{n}", "2026-01-05T12:00", 2000, **gold) for n in range(4)]
    log += [pay(f"s{n}", "2026-01-05T12:00", 60, plan="silver") for n in range(2)]
    year = 166_666_667  # 2000 / 12 in millionths
    of = at(log, "2026-01-31")
    assert of("mrr") == Fraction(4 * year, 10**6) + 120
    assert of("mrr_movement", period="month", movement="new") == of("mrr")
    assert of("mrr_movement_customers", period="month", movement="new") == 6
    log += [pay("s0", "2026-02-03T12:00", 2000, **gold), pay("g0", "2026-02-03T12:00", 60, plan="silver")]
    log += [cancel("g1", "2026-02-10T12:00"), pay("s1", "2026-02-05T12:00", 60)]
    of = at(log, "2026-02-28")
    step = Fraction(year, 10**6) - 60
    moved = {name: of("mrr_movement", period="month", movement=name) for name in ("expansion", "contraction", "churn")}
    assert moved == {"expansion": step, "contraction": -step, "churn": -Fraction(year, 10**6)}
    assert of("quick_ratio", period="month") == step / (step + Fraction(year, 10**6))
    start = Fraction(4 * year, 10**6) + 120
    assert of("mrr_churn_ratio", period="month", kind="gross") == (step + Fraction(year, 10**6)) / start
    assert of("mrr_churn_ratio", period="month", kind="net") == Fraction(year, 10**6) / start
    assert of("revenue_retention_ratio", period="month", kind="net") == (start - Fraction(year, 10**6)) / start
    assert of("revenue_retention_ratio", period="month", kind="gross") == (start - step - Fraction(year, 10**6)) / start
    assert of("mrr_churned", period="month", reason="unspecified") == Fraction(year, 10**6)
    log += [pay("g1", "2026-03-01T12:00", 2000, **gold)]
    of = at(log, "2026-03-02")
    assert of("mrr_movement", period="month", movement="reactivation") == Fraction(year, 10**6)
    assert of("customers_returned", period="month") == 1


def test_monthly_amounts() -> None:
    """Days count 365/12, weeks 52/12, each divided by the count, rounded half-even to millionths."""
    cases = [
        ("day", 1, "12", Fraction(365)),
        ("week", 2, "6", Fraction(13)),
        ("quarter", 1, "10", Fraction(3_333_333, 10**6)),
        ("year", 2, "24", Fraction(1)),
        ("month", 2, "0.000001", Fraction(0)),
        ("month", 2, "0.000003", Fraction(2, 10**6)),
    ]
    for interval, count, amount, expected in cases:
        log = [pay("c", "2026-01-05T12:00", amount, interval=interval, interval_count=count)]
        assert at(log, "2026-01-05")("mrr") == expected, (interval, count)
    prorated = pay("c", "2026-01-20T12:00", "3.5", recurring_amount="10", covers_until=ms("2026-01-31T12:00"))
    of = at([prorated], "2026-01-20")
    assert (of("mrr"), of("revenue", period="month", kind="recurring")) == (10, Fraction("3.5"))


#   paid            covered until       lapse (grace 3)
#   Jan 31 ----------- Feb 28 ----------- Mar 3
def test_coverage_grace_and_lapse() -> None:
    """The 31st covers to the month's last day, then comes the grace; a payment at the lapse's very instant is late."""
    log = [pay("c", "2026-01-31T12:00")]
    grace = {"lapse_grace_days": 3}
    assert at(log, "2026-03-02", **grace)("customers") == 1
    of = at(log, "2026-03-03", **grace)
    assert of("customers") == of("mrr") == 0
    assert of("customers_churned", period="day", reason="lapsed") == 1
    failed = pay("c", "2026-03-03T11:59:59.999", status="failed")
    assert at([*log, failed], "2026-03-03", **grace)("mrr_churned", period="7d", reason="payment_failed") == 10
    for instant, reason in (("2026-03-03T11:59:59.999", ""), ("2026-03-03T12:00", "lapsed")):
        book = Reference([*log, pay("c", instant)], Settings(**grace))
        assert book.timelines["c"].at_end_of(date(2026, 3, 3)).left_reason == reason
        assert get(book.metrics(date(2026, 3, 3)), "customers_lost", period="30d") == 0
    assert at(log, "2026-02-28", lapse_grace_days=0)("customers") == 0


def test_coverage_in_a_gap_and_an_overlap() -> None:
    """A coverage that ends at a local time that does not exist ends later by the gap; one that exists twice, first."""
    zone = {"time_zone": "America/New_York", "lapse_grace_days": 0}
    gap = [pay("c", "2026-02-08T02:30-05:00")]  # to March 8th 02:30, which is 03:30
    cover = lambda until: pay("c", until, amount=20)  # noqa: E731
    before = at([*gap, cover("2026-03-08T03:29:59.999-04:00")], "2026-03-08", **zone)
    assert before("mrr_movement", period="day", movement="expansion") == 10
    lapse = Reference(gap, Settings(**zone)).timelines["c"].items[-1]
    assert lapse.instant == ms("2026-03-08T03:30-04:00")
    overlap = Reference([pay("c", "2026-10-01T01:30-04:00")], Settings(**zone)).timelines["c"].items[-1]
    assert overlap.instant == ms("2026-11-01T01:30-04:00")
    # A trial that ends in the second of two hours keeps that instant with no grace, and moves to a plain one with some.
    trial = [signup("c", "2026-10-20T12:00", trial_ends_at="2026-11-01T01:30:00-05:00")]
    for days, expected in ((0, "2026-11-01T01:30-05:00"), (3, "2026-11-04T01:30-05:00")):
        line = Reference(trial, Settings(time_zone="America/New_York", lapse_grace_days=days)).timelines["c"]
        assert line.items[-1].instant == ms(expected)


def test_several_subscriptions() -> None:
    """Cancelling one of two subscriptions is contraction; the last one's end makes the customer leave."""
    log = [pay("c", "2026-01-05T12:00", 10, subscription_id="a"), pay("c", "2026-01-05T12:00", 5, subscription_id="b")]
    log += [cancel("c", "2026-01-10T12:00", subscription_id="a"), cancel("c", "2026-01-11T12:00", subscription_id="x")]
    of = at(log, "2026-01-11")
    assert (of("customers"), of("mrr"), of("cancellations", period="month")) == (1, 5, 2)
    assert of("mrr_movement", period="month", movement="contraction") == -10
    log += [cancel("c", "2026-01-12T12:00", subscription_id="b", reason="price")]
    of = at(log, "2026-01-12")
    assert (of("customers"), of("customers_churned", period="day", reason="price")) == (0, 1)


def test_free_and_trial_customers_leave() -> None:
    """Any cancellation makes a customer without MRR leave; a trial that did not convert ends after its grace."""
    free = [signup("c", "2026-01-05T12:00"), cancel("c", "2026-01-10T12:00", subscription_id="none")]
    assert at(free, "2026-01-10")("customers") == 0
    trial = [signup("c", "2026-01-05T12:00", trial_ends_at=ms("2026-01-19T12:00"))]
    assert at(trial, "2026-02-17")("customers") == 1
    assert at(trial, "2026-02-18")("customers_churned", period="day", reason="trial_ended") == 1
    assert at([*trial, signup("c", "2026-02-18T12:00")], "2026-02-18")("customers") == 1
    converted = [*trial, pay("c", "2026-01-20T12:00"), pay("c", "2026-01-21T12:00", 0)]
    of = at(converted, "2026-02-20")
    assert (of("customers"), of("subscribers"), of("mrr_churned", period="7d", reason="downgrade")) == (1, 0, 0)
    assert at(converted, "2026-01-20")("mrr_movement", period="day", movement="new") == 10
    assert at(converted, "2026-01-21")("mrr_churned", period="day", reason="downgrade") == 10


def test_one_time_purchases() -> None:
    """A purchase makes a customer present once; with a purchase lapse, always, and inactivity ends it."""
    log = [pay("c", "2026-01-05T12:00", interval="one_time")]
    log += [cancel("c", "2026-01-10T12:00"), pay("c", "2026-02-10T12:00", interval="one_time")]
    of = at(log, "2026-02-10")
    assert (of("customers"), of("mrr")) == (0, 0)
    assert of("revenue", period="month", kind="one_time") == 10
    lapse = {"purchase_lapse_days": 20}
    assert at(log, "2026-03-01", **lapse)("customers") == 1
    of = at(log, "2026-03-02", **lapse)
    assert of("customers_churned", period="day", reason="inactive") == 1
    assert of("customers_returned", period="90d") == 1


def test_cancellations_ahead() -> None:
    """A cancellation counts on the day it was asked for, is scheduled until it takes effect, and then acts."""
    log = [pay("c", "2026-01-05T12:00", interval="year")]
    log += [cancel("c", "2026-01-10T12:00", effective_at="2026-01-20T00:00:00Z")]
    of = at(log, "2026-01-19")
    assert (of("cancellations_scheduled"), of("cancellations", period="month"), of("customers")) == (1, 1, 1)
    of = at(log, "2026-01-20")
    assert (of("cancellations_scheduled"), of("customers")) == (0, 0)
    assert at(log, "2026-01-09")("cancellations_scheduled") == 0
    assert at([cancel("c", "2026-01-10T12:00")], "2026-01-10")("cancellations", period="day") == 1


def test_only_ends_of_days_are_compared() -> None:
    """Who comes and goes within a day was never there; the reason is the last ending's that ended something."""
    log = [signup("c", "2026-01-05T08:00"), cancel("c", "2026-01-05T09:00"), signup("c", "2026-01-07T08:00")]
    of = at(log, "2026-01-07")
    assert (of("customers_new", period="month"), of("customers_returned", period="month")) == (1, 0)
    log = [pay("c", "2026-01-05T08:00"), pay("c", "2026-01-06T08:00", 0), cancel("c", "2026-01-06T09:00", reason="a")]
    log += [cancel("c", "2026-01-06T10:00", reason="b")]
    of = at(log, "2026-01-06")
    assert of("customers_churned", period="day", reason="a") == of("mrr_churned", period="day", reason="downgrade") / 10
    assert of("customers_churned", period="day", reason="b") == 0


def test_currencies() -> None:
    """Flows at their day's rate, levels at the day's they are asked for, the rest is fx; no rate, no conversion."""
    rates = {"EUR": {"2026-01-01": "1.10", "2026-02-01": "1.20"}}
    log = [pay("c", "2026-01-10T12:00", 100, currency="EUR", interval="year", recurring_amount=1200)]
    log += [
        pay("c", "2026-02-10T12:00", 2400, currency="EUR", interval="year"),
        pay("d", "2026-02-11T12:00", currency="CHF"),
    ]
    of = at(log, "2026-02-28", rates=rates)
    assert of("mrr_at_start", period="month") == 110
    assert of("mrr") == 240
    assert of("mrr_movement", period="month", movement="expansion") == 120
    assert of("mrr_movement", period="month", movement="fx") == 10
    assert of("mrr_movement", period="month", movement="new") == 0
    assert of("mrr_movement_customers", period="month", movement="new") == 1
    assert of("revenue_retention_ratio", period="month", kind="net") == 2
    assert of("mrr_native", currency="CHF") == 10
    assert of("currency_unconverted", currency="CHF") == 1
    assert of("arpa") == 120
    assert of("revenue", period="previous_month", kind="recurring") == 110
    # A customer who changes currency: contraction in one, expansion in the other.
    log = [pay("c", "2026-01-10T12:00", 100, currency="EUR"), pay("c", "2026-01-11T12:00", 100)]
    of = at(log, "2026-01-11", rates=rates)
    assert of("mrr_movement", period="day", movement="contraction") == -110
    assert of("mrr_movement", period="day", movement="expansion") == 100
    assert of("revenue_retention_ratio", period="day", kind="gross") == 0
    assert of("revenue_retention_ratio", period="day", kind="net") == Fraction(100, 110)


def test_payments_and_costs() -> None:
    """Every payment counts by its status; expenses are set against customers."""
    log = [pay("c", "2026-01-10T12:00", 50), pay("c", "2026-01-11T12:00", 50, status="failed")]
    log += [pay("c", "2026-01-12T12:00", 20, status="refunded"), pay("c", "2026-01-13T12:00", 5, interval="one_time")]
    log += [event("expense", "ads", "2026-01-14T12:00", category="acquisition", amount=30, currency="USD")]
    log += [event("expense", "desk", "2026-01-14T12:00", category="retention", amount="7.5", currency="USD")]
    of = at(log, "2026-01-31")
    counts = [of("payments", period="month", status=status) for status in ("succeeded", "failed", "refunded")]
    assert counts == [2, 1, 1]
    assert of("payment_failure_ratio", period="month") == Fraction(1, 3)
    assert of("revenue", period="month", kind="recurring") == 50
    assert of("refunds", period="month") == 20
    assert of("acquisition_cost_per_customer", period="month") == 30
    assert of("retention_cost_per_customer", period="month") == 15


def test_users() -> None:
    """Windows end with the as-of day; a user is the pair of customer and user; retention looks at exact days."""
    days = [("c", "u", 1), ("c", "u", 2), ("c", "u", 8), ("d", "u", 8), ("d", None, 7), ("e", "v", 7)]
    log = [
        event("session", customer, f"2026-01-{day:02d}T12:00", user_id=user, duration_seconds=day, reactions=1)
        for customer, user, day in days
    ]
    of = at([*log, log[0]], "2026-01-08")
    assert [of(f"{name}_active_users") for name in ("daily", "weekly", "monthly")] == [2, 4, 4]
    assert (of("repeat_users"), of("stickiness_ratio")) == (1, Fraction(1, 2))
    states = {name: of("users_lifecycle", state=name) for name in ("new", "returning", "resurrected", "dormant")}
    assert states == {"new": 1, "returning": 0, "resurrected": 1, "dormant": 2}
    assert of("user_retention_ratio", period="month", days="7") == 1
    assert of("user_retention_ratio", period="month", days="1") == Fraction(1, 3)
    assert of("user_retention_ratio", period="month", days="30") is None
    assert of("sessions", period="month") == of("session_reactions", period="month") == 6
    assert of("session_duration_seconds_mean", period="month") == Fraction(33, 6)


def test_surveys() -> None:
    """Of a respondent the last nps answer counts once (ties: the greater id); elsewhere every answer."""
    answers = [("a", 10), ("a", 0), ("b", 9), ("c", 7), ("d", 3)]
    log = [event("survey", name, "2026-01-10T12:00", kind="nps", score=score) for name, score in answers]
    log[0]["id"], log[1]["id"] = "9", "10"
    of = at(log, "2026-01-31")
    assert of("nps", period="month") == 25
    assert isclose(of("nps_standard_error", period="month"), 100 * sqrt((0.75 - 0.0625) / 4))
    assert of("survey_responses", period="month", survey="nps", outcome="promoter") == 2
    others = [("csat", 4), ("csat", 3), ("ces", 5), ("ces", 2), ("fcr", 1), ("fcr", 0), ("fcr", 0)]
    of = at([event("survey", "a", "2026-01-10T12:00", kind=kind, score=score) for kind, score in others], "2026-01-10")
    assert of("csat_ratio", period="day") == of("ces_easy_ratio", period="day") == Fraction(1, 2)
    assert of("ces_score", period="day") == Fraction(7, 2)
    assert of("first_contact_resolution_ratio", period="day") == Fraction(1, 3)
    assert of("nps", period="day") is None


def test_the_same_event_again() -> None:
    """Copies: equal content once, the greater revision, at a tie the greater bytes, withdrawn as if never sent."""
    first = pay("c", "2026-01-10T12:00", "10.00")
    spelled = {**first, "amount": 10, "occurred_at": "2026-01-10T17:30:00.0009+05:30", "plan": None, "more": 1}
    assert accepted([first, spelled]) == accepted([first])
    revised = {**first, "amount": "9", "revision": 2}
    older = {**first, "amount": "99", "revision": 1, "withdrawn": True}
    for log in ([first, revised, older], [older, revised, first], [revised, first, older]):
        assert [copy["amount"] for copy in accepted(log)] == ["9"]
    other = {**first, "amount": "9"}
    assert [copy["amount"] for copy in accepted([first, other])] == ["9"]
    assert accepted([other, first]) == accepted([first, other])
    assert accepted([first, {**first, "revision": 1, "withdrawn": True}]) == []
    assert (
        len(accepted([first, {**first, "customer_id": "d"}, {**signup("c", "2026-01-10T12:00"), "id": first["id"]}]))
        == 3
    )


def test_periods() -> None:
    """Starts and exclusive ends of periods are first instants of local days, also where midnight does not exist."""
    of = at([], "2026-08-19", time_zone="Asia/Kolkata")
    assert of("period_start_timestamp_seconds", period="week") == ms("2026-08-17T00:00+05:30") // 1000
    assert of("period_end_timestamp_seconds", period="week") == ms("2026-08-24T00:00+05:30") // 1000
    assert of("period_start_timestamp_seconds", period="previous_quarter") == ms("2026-04-01T00:00+05:30") // 1000
    assert of("period_end_timestamp_seconds", period="year") == ms("2027-01-01T00:00+05:30") // 1000
    assert of("period_start_timestamp_seconds", period="7d") == ms("2026-08-13T00:00+05:30") // 1000
    of = at([], "2026-04-24", time_zone="Africa/Cairo")
    assert of("period_start_timestamp_seconds", period="day") == ms("2026-04-24T01:00+03:00") // 1000
