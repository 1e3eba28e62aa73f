"""Cohorts month by month and the days until a milestone, from facts made by hand."""

from __future__ import annotations

from fractions import Fraction

from metrics_support import book_of, read, usd

from aggregators.metrics import Book
from aggregators.rates import Rates

EURO = Rates.parse('{"EUR": {"2026-01-01": "1.10", "2026-03-01": "1.20"}}', "rates.json")
JANUARY = book_of(
    {
        "2025-12-31": {("cohort_customers", "2025-12"): 7},
        "2026-01-10": {("cohort_customers", "2026-01"): 3, ("cohort_mrr", "2026-01", "EUR"): usd("100")},
        "2026-02-28": {("cohort_customers", "2026-01"): -1},
        "2026-03-01": {("cohort_customers", "2026-01"): -1, ("cohort_mrr", "2026-01", "EUR"): -usd("50")},
        "2026-03-20": {("cohort_customers", "2026-03"): 5},
    }
)


def cohorts(date: str, name: str, **settings: object) -> dict[tuple[str, ...], object]:
    """Give one metric's samples by cohort and month."""
    return {labels[1:]: n for labels, n in read(JANUARY, date, **settings).items() if labels[0] == name}


def test_a_cohort_is_followed_to_the_end_of_each_month_and_to_the_as_of_day() -> None:
    """Month 0 is its own; the current month counts up to the as-of day; cohorts without customers are left out."""
    assert cohorts("2026-03-10", "cohort_customers", cohort_months=3) == {
        ("2026-01", "0"): 3,
        ("2026-01", "1"): 2,
        ("2026-01", "2"): 1,
    }
    assert cohorts("2026-03-20", "cohort_customers", cohort_months=2) == {("2026-03", "0"): 5}


def test_the_last_cohorts_are_shown() -> None:
    """The current month's counts among them: with four, December's is in, with three it is not."""
    assert cohorts("2026-03-10", "cohort_customers", cohort_months=4)["2025-12", "3"] == 7
    assert not any(name == "2025-12" for name, _ in cohorts("2026-03-10", "cohort_customers", cohort_months=3))
    assert not cohorts("2026-03-10", "cohort_customers", cohort_months=1)


def test_cohort_mrr_is_converted_at_the_day_it_is_read_for() -> None:
    """100 euros at 1.10 in January and February; 50 at 1.20 in March."""
    assert cohorts("2026-03-10", "cohort_mrr", cohort_months=3, rates=EURO) == {
        ("2026-01", "0"): 110,
        ("2026-01", "1"): 110,
        ("2026-01", "2"): 60,
    }
    assert set(cohorts("2026-03-10", "cohort_mrr", cohort_months=3).values()) == {0}


def test_before_any_data_there_are_no_cohorts() -> None:
    """Neither an empty book nor a day before the first customer shows one."""
    assert not cohorts("2025-12-30", "cohort_customers")
    assert not [labels for labels in read(Book(), "2026-03-10") if labels[0].startswith("cohort")]


def test_time_to_value_is_the_mean_by_the_milestones_day() -> None:
    """Three customers took 2, 0 and 5 days, two of them this month."""
    book = book_of(
        {
            "2026-07-31": {("time_to_value", "payment"): 1, ("time_to_value_days", "payment"): 5},
            "2026-08-05": {("time_to_value", "payment"): 2, ("time_to_value_days", "payment"): 2},
            "2026-08-06": {("time_to_value", "session"): 1},
        }
    )
    found = read(book, "2026-08-31")
    assert found["time_to_value_days_mean", "month", "payment"] == 1
    assert found["time_to_value_days_mean", "year", "payment"] == Fraction(7, 3)
    assert found["time_to_value_days_mean", "month", "session"] == 0
    assert ("time_to_value_days_mean", "previous_month", "session") not in found
