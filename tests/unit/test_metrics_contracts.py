"""Trials, renewals, recoveries, repeat purchases and plans, from facts made by hand."""

from __future__ import annotations

from fractions import Fraction

from metrics_support import book_of, read, usd

from aggregators.rates import Rates

EURO = Rates.parse('{"EUR": {"2026-01-01": "1.10"}}', "rates.json")


def test_trials_are_pending_until_they_are_decided() -> None:
    """Four trials end in August: one converts before its end, one after, one is lost after, one waits."""
    book = book_of(
        {
            "2026-07-20": {"trials_started": 4},
            "2026-08-03": {"trials_ended": 4, ("trials_decided", "converted", "0"): 1},
            "2026-08-05": {("trials_decided", "converted", "2"): 1},
            "2026-09-02": {("trials_decided", "lost", "30"): 1},
        }
    )

    def month(date: str, period: str = "month") -> list[object]:
        found = read(book, date)
        names = ("trials_started", "trials_ended", "trials_pending", "trial_conversion_ratio")
        return [found.get((name, period)) for name in names]

    assert month("2026-07-31") == [4, 0, 0, None]
    assert month("2026-08-03") == [0, 4, 3, 1]
    assert month("2026-08-04") == [0, 4, 3, 1]
    assert month("2026-08-05") == [0, 4, 2, 1]
    assert month("2026-09-01", "previous_month") == [0, 4, 2, 1]
    assert month("2026-09-02", "previous_month") == [0, 4, 1, Fraction(2, 3)]
    assert month("2026-09-02") == [0, 0, 0, None]


def test_a_decision_counts_for_the_period_of_its_due_day() -> None:
    """Due on the last day of July and decided in August: July's renewal, and none of August's."""
    book = book_of(
        {
            "2026-07-31": {"renewals_due": 1},
            "2026-08-01": {"renewals_due": 1, ("renewals_decided", "renewed", "1"): 1},
            "2026-08-04": {("renewals_decided", "lost", "3"): 1},
        }
    )
    found = read(book, "2026-08-04")
    names = ("renewals_due", "renewals", "renewals_pending", "renewal_ratio")
    assert [found[name, "previous_month"] for name in names] == [1, 1, 0, 1]
    assert [found[name, "month"] for name in names] == [1, 0, 0, 0]
    found = read(book, "2026-08-03")
    assert [found[name, "month"] for name in names[:3]] == [1, 0, 1]
    assert ("renewal_ratio", "month") not in found
    assert [found[name, "year"] for name in names] == [2, 1, 1, 1]


def test_a_decision_after_its_due_day_is_not_known_before() -> None:
    """A due day that is asked about before the decision is pending, whatever later days hold."""
    book = book_of({"2026-08-01": {"renewals_due": 1}, "2026-08-20": {("renewals_decided", "renewed", "19"): 1}})
    assert read(book, "2026-08-20")["renewals", "month"] == 1
    assert read(book, "2026-08-19")["renewals_pending", "month"] == 1
    assert read(book, "2026-08-01")["renewals_pending", "day"] == 1


def test_recoveries_and_repeat_purchases() -> None:
    """Two of three episodes recovered; one of four payers came again; without any there is no ratio."""
    book = book_of(
        {
            "2026-08-10": {("recoveries", "recovered"): 2, ("recoveries", "unrecovered"): 1, "payers": 4},
            "2026-08-12": {"repeat_payers": 1},
        }
    )
    found = read(book, "2026-08-12")
    assert found["payment_recovery_ratio", "month"] == Fraction(2, 3)
    assert ("payment_recovery_ratio", "day") not in found
    assert found["repeat_purchase_ratio",] == Fraction(1, 4)
    assert read(book, "2026-08-11")["repeat_purchase_ratio",] == 0
    assert ("repeat_purchase_ratio",) not in read(book, "2026-08-09")


def test_plans_stay_once_they_came() -> None:
    """Subscriptions and MRR by plan; one that lost its last is 0, one that comes later is not there yet."""
    book = book_of(
        {
            "2026-08-01": {
                ("plan_subscriptions", "gold"): 2,
                ("plan_mrr", "gold", "USD"): usd("30"),
                ("plan_mrr", "gold", "EUR"): usd("10"),
                ("plan_subscriptions", "swiss"): 1,
                ("plan_mrr", "swiss", "CHF"): usd("5"),
            },
            "2026-08-10": {("plan_subscriptions", "swiss"): -1, ("plan_mrr", "swiss", "CHF"): -usd("5")},
            "2026-08-20": {("plan_subscriptions", "later"): 1},
        }
    )
    found = read(book, "2026-08-15", rates=EURO)
    assert {labels[1]: n for labels, n in found.items() if labels[0] == "plan_subscriptions"} == {"gold": 2, "swiss": 0}
    assert {labels[1]: n for labels, n in found.items() if labels[0] == "plan_mrr"} == {"gold": 41, "swiss": 0}


def test_a_plan_that_was_taken_back_never_came() -> None:
    """A subscription that a correction retracts on its own day leaves no series behind."""
    book = book_of({"2026-08-01": {("plan_subscriptions", "gold"): 1}})
    assert read(book, "2026-08-15")["plan_subscriptions", "gold"] == 1
    book.update(0, {20_666: {}})
    assert ("plan_subscriptions", "gold") not in read(book, "2026-08-15")
