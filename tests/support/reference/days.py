"""Days, local times and periods in one time zone."""

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE_DAY = timedelta(days=1)
KINDS = ("day", "week", "month", "quarter", "year")
ROLLING = (7, 30, 90, 365)


def local(instant: int, zone: ZoneInfo) -> datetime:
    """The wall clock (naive) at an instant in milliseconds."""
    return (EPOCH + timedelta(milliseconds=instant)).astimezone(zone).replace(tzinfo=None, fold=0)


def resolve(wall: datetime, zone: ZoneInfo) -> int:
    """The instant of a wall clock: one that does not exist moves forward by the gap, of two the first."""
    return (wall.replace(tzinfo=zone, fold=0).astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)


def day_of(instant: int, zone: ZoneInfo) -> date:
    """The calendar day that an instant falls on."""
    return local(instant, zone).date()


def first_instant(day: date, zone: ZoneInfo) -> int:
    """The first instant of a day."""
    return resolve(datetime(day.year, day.month, day.day), zone)  # noqa: DTZ001 (a wall clock)


def add_months(wall: datetime, months: int) -> datetime:
    """The same day and time `months` later; the 31st becomes the month's last day."""
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    return wall.replace(year=year, month=month + 1, day=min(wall.day, calendar.monthrange(year, month + 1)[1]))


def add_interval(wall: datetime, interval: str, count: int) -> datetime:
    """The same local time `count` intervals later."""
    if interval == "day":
        return wall + count * ONE_DAY
    if interval == "week":
        return wall + 7 * count * ONE_DAY
    return add_months(wall, {"month": 1, "quarter": 3, "year": 12}[interval] * count)


def add_days(instant: int, days: int, zone: ZoneInfo) -> int:
    """An instant moved by calendar days of its local time; 0 days change nothing."""
    return instant if days == 0 else resolve(local(instant, zone) + days * ONE_DAY, zone)


@dataclass(frozen=True)
class Period:
    """The days `first` to `last` count; the whole period ends with the day `end`."""

    name: str
    first: date
    last: date
    end: date

    @property
    def before(self) -> date:
        """The day whose end is the period's start."""
        return self.first - ONE_DAY

    def __contains__(self, day: date) -> bool:
        """Whether a day counts in this period."""
        return self.first <= day <= self.last

    def days(self) -> list[date]:
        """The days that count."""
        return [self.first + n * ONE_DAY for n in range((self.last - self.first).days + 1)]


def whole(kind: str, day: date) -> tuple[date, date]:
    """First and last day of the calendar period that holds `day`."""
    if kind == "day":
        return day, day
    if kind == "week":
        monday = day - day.weekday() * ONE_DAY
        return monday, monday + 6 * ONE_DAY
    months = {"month": 1, "quarter": 3, "year": 12}[kind]
    first_month = (day.month - 1) // months * months + 1
    last_month = first_month + months - 1
    last_day = calendar.monthrange(day.year, last_month)[1]
    return date(day.year, first_month, 1), date(day.year, last_month, last_day)


def periods(as_of: date) -> list[Period]:
    """All fourteen periods of an as-of day."""
    found = []
    for kind in KINDS:
        first, end = whole(kind, as_of)
        found.append(Period(kind, first, as_of, end))
        earlier_first, earlier_end = whole(kind, first - ONE_DAY)
        found.append(Period(f"previous_{kind}", earlier_first, earlier_end, earlier_end))
    return [*found, *(Period(f"{n}d", as_of - (n - 1) * ONE_DAY, as_of, as_of) for n in ROLLING)]
