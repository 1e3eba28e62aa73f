"""Days, instants, intervals and periods in the reporting time zone.

An instant is an integer of milliseconds since the epoch, a day an integer of days since 1970-01-01, a local time
milliseconds since 1970-01-01T00:00 on the zone's wall clock. Plain integers reach past the calendar's year 9999.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_right
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
_EPOCH = dt.date(1970, 1, 1)
_EPOCH_ORDINAL = _EPOCH.toordinal()
LAST_DAY = dt.date(9999, 12, 31).toordinal() - _EPOCH_ORDINAL
"""No one can ask for a later day: facts beyond it are left out."""

CYCLE_DAYS = 146_097
"""Days of 400 Gregorian years, a whole number of weeks: calendar and zone rules repeat after them."""
_CYCLE_MS = CYCLE_DAYS * DAY_MS
_TABLE_FROM = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
_FINE_UNTIL = dt.datetime(2040, 1, 1, tzinfo=dt.UTC)
_TABLE_UNTIL = dt.datetime(2510, 1, 1, tzinfo=dt.UTC)
_REPEATS_FROM_MS = int(dt.datetime(2105, 1, 1, tzinfo=dt.UTC).timestamp()) * 1000

Interval = Literal["day", "week", "month", "quarter", "year"]
_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}
_DAYS_OF = {"day": 1, "week": 7}


def day_of(date: dt.date) -> int:
    """Give a date's day number."""
    return date.toordinal() - _EPOCH_ORDINAL


def date_of(day: int) -> dt.date:
    """Give a day number's date; ValueError or OverflowError outside years 1 to 9999."""
    return dt.date.fromordinal(day + _EPOCH_ORDINAL)


@lru_cache(maxsize=8192)
def civil(day: int) -> tuple[int, int, int]:
    """Split a day into year, month and day of the month; years past 9999 too."""
    cycles, rest = divmod(day, CYCLE_DAYS)
    date = date_of(rest)
    return date.year + 400 * cycles, date.month, date.day


def from_civil(year: int, month: int, day_of_month: int) -> int:
    """Give the day of a year, month and day of the month, which is cut to the month's last day."""
    cycles, rest = divmod(year - 1970, 400)
    if day_of_month <= 28:
        date = dt.date(1970 + rest, month, day_of_month)
        return date.toordinal() - _EPOCH_ORDINAL + cycles * CYCLE_DAYS
    first = dt.date(1970 + rest, month, 1)
    following = dt.date(first.year + month // 12, month % 12 + 1, 1)
    date = min(first + dt.timedelta(days=day_of_month - 1), following - dt.timedelta(days=1))
    return date.toordinal() - _EPOCH_ORDINAL + cycles * CYCLE_DAYS


def add_interval(local: int, interval: Interval, count: int) -> int:
    """Move a local time by `count` intervals of the calendar: same time of day, the 31st cut to the month's last."""
    days = _DAYS_OF.get(interval)
    if days is not None:
        return local + days * count * DAY_MS
    day, time = divmod(local, DAY_MS)
    year, month, day_of_month = civil(day)
    years, month0 = divmod(month - 1 + _MONTHS_OF[interval] * count, 12)
    return from_civil(year + years, month0 + 1, day_of_month) * DAY_MS + time


@lru_cache(maxsize=16_384)
def period_number(kind: str, day: int) -> int:
    """Number the calendar period (`week`, ISO; `month`, `quarter`, `year`) that holds a day; the next has one more."""
    if kind == "week":
        return (day + 3) // 7  # 1970-01-01 was a Thursday
    year, month, _ = civil(day)
    if kind == "year":
        return year
    return year * 12 + month if kind == "month" else year * 4 + (month - 1) // 3


class Zone:
    """A reporting time zone as tables of transitions: instants to local times and back by bisection.

    A local time that does not exist moves forward by the gap; one that exists twice is the first (SPEC, section 3.2).

    Args:
        name: an IANA name.

    Raises:
        ZoneInfoNotFoundError, ValueError: no such zone.
    """

    __slots__ = ("_day_transitions", "_local_from", "_offsets", "_transitions", "digest", "name")

    def __init__(self, name: str = "UTC") -> None:
        """Make the tables by probing the time zone database."""
        self.name = name
        zone = ZoneInfo(name)

        def offset(seconds: int) -> int:
            moment = dt.datetime.fromtimestamp(seconds, tz=zone)
            shift = moment.utcoffset()
            assert shift is not None
            return round(shift.total_seconds())

        transitions: list[int] = []
        offsets = [offset(int(_TABLE_FROM.timestamp()))]
        at, end = int(_TABLE_FROM.timestamp()), int(_TABLE_UNTIL.timestamp())
        fine_until = int(_FINE_UNTIL.timestamp())
        while at < end:
            # A rule's transitions are months apart; history has had some days apart.
            following = at + (86_400 if at < fine_until else 7 * 86_400)
            if offset(following) != offsets[-1]:
                low, high = at, following
                while high - low > 1:
                    middle = (low + high) // 2
                    if offset(middle) == offsets[-1]:
                        low = middle
                    else:
                        high = middle
                transitions.append(high)
                offsets.append(offset(high))
                following = high
            at = following
        self._transitions = [1000 * seconds for seconds in transitions]
        self._offsets = [1000 * seconds for seconds in offsets]
        # From this local time on the transition is over: the later of its two wall clocks.
        self._local_from = [
            moment + max(before, after)
            for moment, before, after in zip(self._transitions, self._offsets, self._offsets[1:], strict=False)
        ]
        # A day begins once: where the clock goes back over midnight, the new day goes on through the repeated hour.
        self._day_transitions = [
            max(moment, (moment + before - 1) // DAY_MS * DAY_MS - after)
            for moment, before, after in zip(self._transitions, self._offsets, self._offsets[1:], strict=False)
        ]
        self.digest = hashlib.blake2b(repr((transitions, offsets)).encode(), digest_size=8).hexdigest()

    def local(self, instant: int) -> int:
        """Give the wall clock's local time at an instant."""
        if instant < _REPEATS_FROM_MS + _CYCLE_MS:
            return instant + self._offsets[bisect_right(self._transitions, instant)]
        cycles = (instant - _REPEATS_FROM_MS) // _CYCLE_MS
        return self.local(instant - cycles * _CYCLE_MS) + cycles * _CYCLE_MS

    def at(self, local: int) -> int:
        """Give the instant of a local time: after the gap for one that does not exist, the first of two."""
        if local < _REPEATS_FROM_MS + _CYCLE_MS:
            return local - self._offsets[bisect_right(self._local_from, local)]
        cycles = (local - _REPEATS_FROM_MS) // _CYCLE_MS
        return self.at(local - cycles * _CYCLE_MS) + cycles * _CYCLE_MS

    def day(self, instant: int) -> int:
        """Give the day that an instant lies on; it never falls as instants rise."""
        if instant < _REPEATS_FROM_MS + _CYCLE_MS:
            return (instant + self._offsets[bisect_right(self._day_transitions, instant)]) // DAY_MS
        cycles = (instant - _REPEATS_FROM_MS) // _CYCLE_MS
        return self.day(instant - cycles * _CYCLE_MS) + cycles * CYCLE_DAYS

    def start_of(self, day: int) -> int:
        """Give the first instant of a day."""
        return self.at(day * DAY_MS)

    def day_tables(self) -> tuple[list[int], list[int]]:
        """Give the instants at which the offset that counts for days changes, and the offsets around them.

        With them a column of instants before the year 2500 becomes a column of days at once:
        `(instants + offsets[searchsorted(changes, instants, side="right")]) // DAY_MS`.
        """
        return self._day_transitions, self._offsets

    def __repr__(self) -> str:
        """Show the zone's name."""
        return f"Zone({self.name!r})"
