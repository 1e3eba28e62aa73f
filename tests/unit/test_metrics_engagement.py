"""Users, sessions, surveys, and what other metrics refer to, from facts made by hand."""

from __future__ import annotations

import datetime as dt
import math
from fractions import Fraction

import pytest
from metrics_support import book_of, read

from aggregators.calendar import Zone
from aggregators.metrics import Book


def test_active_users_are_levels() -> None:
    """Users of a window leave it on the day that the fold wrote ahead."""
    book = book_of(
        {
            "2026-08-01": {("users_active", days): 4 for days in ("1", "7", "30")},
            "2026-08-02": {("users_active", "1"): -3, "users_repeat": 1},
            "2026-08-08": {("users_active", "7"): -3},
        }
    )
    first, second, eighth = (read(book, f"2026-08-0{day}") for day in (1, 2, 8))
    assert (first["daily_active_users",], second["daily_active_users",]) == (4, 1)
    assert second["weekly_active_users",] == 4
    assert eighth["weekly_active_users",] == 1
    assert eighth["monthly_active_users",] == 4
    assert (first["repeat_users",], second["repeat_users",]) == (0, 1)
    assert second["stickiness_ratio",] == Fraction(1, 4)
    assert ("stickiness_ratio",) not in read(book, "2026-07-31")


def test_lifecycle_is_of_the_as_of_day_alone() -> None:
    """New, returning, resurrected and dormant users of one day."""
    book = book_of(
        {
            "2026-08-18": {"users_new": 50},
            "2026-08-19": {"users_new": 1, "users_returning": 2, "users_resurrected": 3, "users_dormant": 4},
        }
    )
    found = read(book, "2026-08-19")
    assert [found["users_lifecycle", state] for state in ("new", "returning", "resurrected", "dormant")] == [1, 2, 3, 4]
    assert read(book, "2026-08-20")["users_lifecycle", "new"] == 0


def test_user_retention_divides_by_the_users_that_began_so_many_days_before() -> None:
    """7 days after the 10 of the 4th and the 6 of the 5th, 4 and 2 are back: 6 of 16 in the week of the 10th."""
    book = book_of(
        {
            "2026-08-04": {"users_new": 10},
            "2026-08-05": {"users_new": 6},
            "2026-08-11": {("users_retained", "7"): 4},
            "2026-08-12": {("users_retained", "7"): 2, ("users_retained", "1"): 9},
        }
    )
    found = read(book, "2026-08-19")
    assert found["user_retention_ratio", "previous_week", "7"] == Fraction(6, 16)
    assert found["user_retention_ratio", "month", "7"] == Fraction(6, 16)
    assert read(book, "2026-08-12")["user_retention_ratio", "day", "7"] == Fraction(2, 6)
    # Nobody began on the 11th, nor 30 days before any of these days.
    assert ("user_retention_ratio", "day", "1") not in read(book, "2026-08-12")
    assert ("user_retention_ratio", "month", "30") not in found


def test_sessions() -> None:
    """Sessions, their mean duration in seconds and their reactions."""
    book = book_of({"2026-08-19": {"sessions": 4, "session_milliseconds": 10_001, "session_reactions": 7}})
    found = read(book, "2026-08-19")
    assert found["sessions", "day"] == 4
    assert found["session_duration_seconds_mean", "day"] == Fraction(10_001, 4000)
    assert found["session_reactions", "day"] == 7
    assert ("session_duration_seconds_mean", "previous_day") not in found


def test_nps_counts_each_respondent_once() -> None:
    """Of 10 answers in August 2 were superseded: 5 promoters, 2 passives, 1 detractor of 8 respondents."""
    book = book_of(
        {
            "2026-08-05": {("nps", "promoter"): 5, ("nps", "passive"): 2, ("nps", "detractor"): 3},
            "2026-08-06": {("void_nps", "month", "detractor"): 2, ("void_nps", "30d", "detractor"): 2},
        }
    )
    found = read(book, "2026-08-19")
    for period in ("month", "30d"):
        assert found["nps", period] == Fraction(100 * 4, 8)
        assert found["survey_responses", period, "nps", "detractor"] == 1
        assert found["nps_standard_error", period] == pytest.approx(
            100 * math.sqrt((5 / 8 + 1 / 8 - (4 / 8) ** 2) / 8), rel=1e-15
        )
    assert found["nps", "90d"] == 20
    assert found["survey_responses", "90d", "nps", "detractor"] == 3
    assert ("nps", "day") not in found
    assert ("nps_standard_error", "day") not in found


def test_one_respondent_has_no_spread() -> None:
    """With one answer the standard error is 0, not left out."""
    found = read(book_of({"2026-08-19": {("nps", "promoter"): 1}}), "2026-08-19")
    assert found["nps", "day"] == 100
    assert found["nps_standard_error", "day"] == 0


def test_csat_ces_and_fcr_count_every_answer() -> None:
    """Ratios of answers; the effort score is their mean."""
    book = book_of(
        {
            "2026-08-19": {
                ("csat", "satisfied"): 3,
                ("csat", "unsatisfied"): 1,
                ("ces", "1"): 1,
                ("ces", "5"): 2,
                ("ces", "7"): 1,
                ("fcr", "resolved"): 2,
                ("fcr", "unresolved"): 3,
            }
        }
    )
    found = read(book, "2026-08-19")
    assert found["csat_ratio", "day"] == Fraction(3, 4)
    assert found["ces_score", "day"] == Fraction(18, 4)
    assert found["ces_easy_ratio", "day"] == Fraction(3, 4)
    assert found["first_contact_resolution_ratio", "day"] == Fraction(2, 5)
    assert found["survey_responses", "day", "csat", "unsatisfied"] == 1
    assert found["survey_responses", "day", "ces", "answered"] == 4
    assert found["survey_responses", "day", "fcr", "unresolved"] == 3


def test_bounds_of_periods_are_local_midnights() -> None:
    """In Berlin, on the day the clocks went back: the day has 25 hours, its month began in summer time."""
    found = read(Book(), "2026-10-25", zone=Zone("Europe/Berlin"))

    def seconds(*civil: int) -> float:
        return dt.datetime(*civil, tzinfo=dt.UTC).timestamp()

    assert found["period_start_timestamp_seconds", "day"] == seconds(2026, 10, 24, 22)
    assert found["period_end_timestamp_seconds", "day"] == seconds(2026, 10, 25, 23)
    assert found["period_start_timestamp_seconds", "month"] == seconds(2026, 9, 30, 22)
    assert found["period_end_timestamp_seconds", "month"] == seconds(2026, 10, 31, 23)
    assert found["period_end_timestamp_seconds", "year"] == seconds(2026, 12, 31, 23)
    assert found["period_end_timestamp_seconds", "previous_day"] == found["period_start_timestamp_seconds", "day"]
    assert found["period_end_timestamp_seconds", "7d"] == seconds(2026, 10, 25, 23)


def test_targets_and_build() -> None:
    """Targets come as they were set, the build as its version."""
    found = read(Book(), "2026-08-19", targets={"customer_churn_ratio": 0.03})
    assert found["target", "customer_churn_ratio"] == 0.03
    assert found["build_info", "1.2.3"] == 1
    assert found["reporting_currency_info", "USD"] == 1
