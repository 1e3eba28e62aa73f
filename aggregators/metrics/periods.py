"""The fourteen periods that a metric is given for, as days, for any as-of day (SPEC, section 4)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from aggregators.calendar import civil, from_civil
from aggregators.facts import ROLLING_WINDOWS

_WEEKDAY_OF_DAY_0 = 3
"""1970-01-01 was a Thursday: the third day after an ISO week's Monday."""


class Period(msgspec.Struct, frozen=True):
    """A run of days that metrics are summed over; days count from 1970-01-01."""

    name: str
    """The label `period`."""
    window: str
    """The kind of period: `day` to `year`, the same for the previous one, or a rolling window's own name."""
    start: int
    """The first day."""
    last: int
    """The last day that counts: the as-of day in a period that is still open on it."""
    end: int
    """The last day of the whole period."""

    @property
    def before(self) -> int:
        """The day at whose end the state is what the period starts from."""
        return self.start - 1

    @property
    def days(self) -> int:
        """Days elapsed in the period, the as-of day included."""
        return self.last - self.start + 1

    @property
    def rolling(self) -> bool:
        """Whether it is a window that ends with the as-of day, whatever the calendar says."""
        return self.window in ROLLING_WINDOWS


@lru_cache(maxsize=32)
def periods(as_of: int) -> tuple[Period, ...]:
    """Give the periods of an as-of day: the open ones, the last complete ones, the rolling windows."""
    calendar = list(_calendar(as_of))
    return (
        *(Period(kind, kind, start, as_of, following - 1) for kind, _, start, following in calendar),
        *(
            Period(f"previous_{kind}", kind, previous, start - 1, start - 1)
            for kind, previous, start, following in calendar
        ),
        *(Period(name, name, as_of - days + 1, as_of, as_of) for name, days in ROLLING_WINDOWS.items()),
    )


def _calendar(day: int) -> Iterator[tuple[str, int, int, int]]:
    """Give for each kind the first days of the period before, of the one that holds the day, and of the one after."""
    yield "day", day - 1, day, day + 1
    monday = day - (day + _WEEKDAY_OF_DAY_0) % 7
    yield "week", monday - 7, monday, monday + 7
    year, month, _ = civil(day)
    for kind, months in (("month", 1), ("quarter", 3), ("year", 12)):
        first = 12 * year + (month - 1) // months * months
        yield kind, first_of_month(first - months), first_of_month(first), first_of_month(first + months)


def first_of_month(month: int) -> int:
    """Give the first day of a month; months count from year 0's January."""
    year, month0 = divmod(month, 12)
    return from_civil(year, month0 + 1, 1)
