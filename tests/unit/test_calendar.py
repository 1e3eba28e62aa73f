"""Days, instants, intervals and periods in the reporting time zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregators.calendar import (
    DAY_MS,
    Zone,
    add_interval,
    civil,
    date_of,
    day_of,
    from_civil,
    period_number,
)

NAMES = ["UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca", "America/St_Johns"]
ZONES = {name: Zone(name) for name in NAMES}
instants = st.integers(int(dt.datetime(1900, 1, 2, tzinfo=dt.UTC).timestamp()), 253_000_000_000)


def local(text: str) -> int:
    """Give a wall clock's time as milliseconds."""
    return int(dt.datetime.fromisoformat(text + "+00:00").timestamp()) * 1000


@given(st.sampled_from(NAMES), instants)
def test_local_times_are_those_of_the_time_zone_database(name: str, seconds: int) -> None:
    """For any instant of any zone, to the year 9999, the local time is the database's."""
    moment = dt.datetime.fromtimestamp(seconds, tz=ZoneInfo(name))
    shift = moment.utcoffset()
    assert shift is not None
    assert ZONES[name].local(seconds * 1000) == (seconds + round(shift.total_seconds())) * 1000


@given(st.sampled_from(NAMES), instants)
def test_the_instant_of_an_instants_local_time_is_it_or_the_first_of_two(name: str, seconds: int) -> None:
    """Going to the wall clock and back gives the instant, or the earlier of two with the same local time."""
    zone, instant = ZONES[name], seconds * 1000
    back = zone.at(zone.local(instant))
    assert back <= instant
    assert zone.local(back) == zone.local(instant)


@given(st.sampled_from(NAMES), instants, st.integers(0, 90_000))
def test_days_never_go_back(name: str, seconds: int, later: int) -> None:
    """A later instant is never on an earlier day, though the clock may go back over midnight."""
    zone = ZONES[name]
    assert zone.day(seconds * 1000) <= zone.day((seconds + later) * 1000)


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("America/St_Johns", "2010-11-07T01:00"),  # at 00:01 back to 23:01 of the day before
        ("America/Goose_Bay", "2008-11-02T01:00"),
        ("America/Havana", "2026-11-01T03:00"),  # at 01:00 back to 00:00
        ("Pacific/Apia", "2011-12-30T08:00"),  # a day that does not exist
        ("America/New_York", "2026-11-01T03:00"),
    ],
)
def test_days_never_go_back_around_a_transition(name: str, begin: str) -> None:
    """Minute by minute through a night on which the clock is changed, the day stays or goes forward."""
    zone = Zone(name)
    days = [zone.day(local(begin) + minute * 60_000) for minute in range(8 * 60)]
    assert days == sorted(days)
    assert days[0] < days[-1]


@pytest.mark.parametrize("name", NAMES)
def test_a_day_begins_at_its_first_instant(name: str) -> None:
    """The start of a day is on it, and the millisecond before is not."""
    zone = ZONES[name]
    for day in range(day_of(dt.date(1985, 1, 1)), day_of(dt.date(2030, 1, 1))):
        start = zone.start_of(day)
        assert zone.day(start) == day
        assert zone.day(start - 1) == day - 1


def test_local_times_in_a_gap_move_forward_and_repeated_ones_are_the_first() -> None:
    """New York, 2026: 02:30 of 8 March is 03:30; 01:30 of 1 November is the one in summer time."""
    zone = ZONES["America/New_York"]
    assert zone.local(zone.at(local("2026-03-08T02:30"))) == local("2026-03-08T03:30")
    assert zone.at(local("2026-11-01T01:30")) == local("2026-11-01T05:30")


@pytest.mark.parametrize(
    ("start", "interval", "count", "end"),
    [
        ("2026-01-31T10:00", "month", 1, "2026-02-28T10:00"),
        ("2024-01-31T10:00", "month", 1, "2024-02-29T10:00"),
        ("2026-01-31T10:00", "month", 2, "2026-03-31T10:00"),
        ("2024-02-29T10:00", "year", 1, "2025-02-28T10:00"),
        ("2026-11-30T10:00", "quarter", 1, "2027-02-28T10:00"),
        ("2026-12-31T23:59", "day", 1, "2027-01-01T23:59"),
        ("2026-12-28T00:00", "week", 2, "2027-01-11T00:00"),
    ],
)
def test_intervals_end_at_the_same_local_time(start: str, interval: str, count: int, end: str) -> None:
    """The 31st becomes the month's last day, and leap days count."""
    assert add_interval(local(start), interval, count) == local(end)  # type: ignore[arg-type]


def test_intervals_reach_past_the_calendars_last_year() -> None:
    """A thousand years from the year 9500 are days like others."""
    start = from_civil(9500, 2, 28) * DAY_MS
    assert civil(add_interval(start, "year", 1000) // DAY_MS) == (10_500, 2, 28)
    assert ZONES["America/New_York"].local(ZONES["America/New_York"].at(start * 2)) == start * 2


@given(st.integers(day_of(dt.date(1, 1, 1)), day_of(dt.date(9999, 12, 30))))
def test_periods_are_those_of_the_calendar(day: int) -> None:
    """A period's number changes with the day exactly when the calendar's period does."""
    date, following = date_of(day), date_of(day + 1)
    assert civil(day) == (date.year, date.month, date.day)
    changes = {kind: period_number(kind, day + 1) - period_number(kind, day) for kind in ("week", "month", "year")}
    assert changes["week"] == (date.isocalendar()[:2] != following.isocalendar()[:2])
    assert changes["month"] == (date.month != following.month)
    assert changes["year"] == (date.year != following.year)
    quarter = period_number("quarter", day + 1) - period_number("quarter", day)
    assert quarter == ((date.month - 1) // 3 != (following.month - 1) // 3)
