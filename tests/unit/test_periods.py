"""The fourteen periods of an as-of day."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregators.calendar import date_of, day_of
from aggregators.metrics.periods import periods

FIRST, LAST = day_of(dt.date(2, 1, 1)), day_of(dt.date(9998, 12, 31))


def shown(date: str) -> dict[str, tuple[str, str, str]]:
    """Give the periods of a date: their first day, last day and whole end."""
    as_of = day_of(dt.date.fromisoformat(date))
    return {p.name: tuple(date_of(d).isoformat() for d in (p.start, p.last, p.end)) for p in periods(as_of)}


def test_all_periods_of_a_day_in_the_middle() -> None:
    """A Wednesday in August: open periods end with it and reach further, previous ones are whole, windows roll."""
    assert shown("2026-08-19") == {
        "day": ("2026-08-19", "2026-08-19", "2026-08-19"),
        "week": ("2026-08-17", "2026-08-19", "2026-08-23"),
        "month": ("2026-08-01", "2026-08-19", "2026-08-31"),
        "quarter": ("2026-07-01", "2026-08-19", "2026-09-30"),
        "year": ("2026-01-01", "2026-08-19", "2026-12-31"),
        "previous_day": ("2026-08-18", "2026-08-18", "2026-08-18"),
        "previous_week": ("2026-08-10", "2026-08-16", "2026-08-16"),
        "previous_month": ("2026-07-01", "2026-07-31", "2026-07-31"),
        "previous_quarter": ("2026-04-01", "2026-06-30", "2026-06-30"),
        "previous_year": ("2025-01-01", "2025-12-31", "2025-12-31"),
        "7d": ("2026-08-13", "2026-08-19", "2026-08-19"),
        "30d": ("2026-07-21", "2026-08-19", "2026-08-19"),
        "90d": ("2026-05-22", "2026-08-19", "2026-08-19"),
        "365d": ("2025-08-20", "2026-08-19", "2026-08-19"),
    }


@pytest.mark.parametrize(
    ("date", "name", "expected"),
    [
        ("2024-02-29", "month", ("2024-02-01", "2024-02-29", "2024-02-29")),
        ("2024-03-31", "previous_month", ("2024-02-01", "2024-02-29", "2024-02-29")),
        ("2026-01-01", "previous_quarter", ("2025-10-01", "2025-12-31", "2025-12-31")),
        ("2026-01-01", "week", ("2025-12-29", "2026-01-01", "2026-01-04")),
        ("2026-11-22", "week", ("2026-11-16", "2026-11-22", "2026-11-22")),
        ("2026-11-23", "previous_week", ("2026-11-16", "2026-11-22", "2026-11-22")),
        ("1969-12-31", "week", ("1969-12-29", "1969-12-31", "1970-01-04")),
        ("2025-12-31", "365d", ("2025-01-01", "2025-12-31", "2025-12-31")),
    ],
)
def test_edges_of_the_calendar(date: str, name: str, expected: tuple[str, str, str]) -> None:
    """Leap days, years' ends and Sundays fall into the period that the calendar says."""
    assert shown(date)[name] == expected


@given(st.integers(FIRST, LAST))
def test_periods_agree_with_the_standard_library(as_of: int) -> None:
    """For any day of the calendar the periods are those that datetime gives, and follow on each other."""
    by_name = {period.name: period for period in periods(as_of)}
    date = date_of(as_of)
    for kind in ("day", "week", "month", "quarter", "year"):
        period, previous = by_name[kind], by_name[f"previous_{kind}"]
        assert period.start <= period.last == as_of <= period.end
        assert previous.end == previous.last == period.before
        assert previous.window == period.window == kind
    month = date_of(by_name["month"].start), date_of(by_name["month"].end)
    assert month[0] == date.replace(day=1)
    assert (month[1] + dt.timedelta(days=1)).day == 1
    assert month[1].month == date.month
    assert date_of(by_name["quarter"].start) == dt.date(date.year, (date.month - 1) // 3 * 3 + 1, 1)
    assert date_of(by_name["year"].end) == dt.date(date.year, 12, 31)
    assert date_of(by_name["week"].start).isocalendar()[:] == (*date.isocalendar()[:2], 1)
    assert [by_name[f"{n}d"].days for n in (7, 30, 90, 365)] == [7, 30, 90, 365]
