"""Instants where calendars err."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = 3_600_000, 86_400_000


def instant(wall: datetime, zone: ZoneInfo) -> int:
    """Milliseconds of a wall clock: moved forward over a gap, the first of two."""
    return (wall.replace(tzinfo=zone, fold=0).astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)


def wall_at(at: int, zone: ZoneInfo) -> datetime:
    """The wall clock at an instant in milliseconds."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone).replace(tzinfo=None, fold=0)


def midnight(day: date) -> datetime:
    """The wall clock at the start of a day."""
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 (a wall clock)


@cache
def transitions(name: str, first: date, days: int) -> tuple[int, ...]:
    """The instants at which the clocks of a zone change."""
    zone, half = ZoneInfo(name), timedelta(minutes=30)
    ends = (instant(midnight(day), zone) for day in (first, first + timedelta(days=days)))
    return tuple(at for at in range(*ends, HOUR // 2) if wall_at(at, zone) - wall_at(at - HOUR // 2, zone) != half)


@cache
def odd_instants(name: str, first: date, days: int) -> tuple[int, ...]:
    """Instants where calendars err: changes of the clock and what leads up to them, midnights, ends of months."""
    zone = ZoneInfo(name)
    found = set()
    for at in transitions(name, first, days):
        found |= {at + step for step in (-2 * HOUR, -HOUR - 1, -HOUR, -HOUR // 2, -1, 0, 1, HOUR // 2, HOUR)}
        for minutes in (-90, -30, 0, 15, 30, 90):
            odd = wall_at(at - HOUR, zone) + timedelta(hours=1, minutes=minutes)
            found |= {instant(odd - timedelta(days=back), zone) for back in (0, 1, 3, 7, 20, 30, 31, 61)}
    for day in (first + timedelta(days=n) for n in range(days)):
        tomorrow = day + timedelta(days=1)
        if tomorrow.day == 1 or day.day == 31 or (day.month, day.day) == (2, 29):
            noon = instant(midnight(day), zone) + 12 * HOUR
            found |= {instant(midnight(day), zone), noon, instant(midnight(tomorrow), zone) - 1}
        if day.day % 5 == 0:
            found |= {instant(midnight(day), zone), instant(midnight(day), zone) - 1}
    return tuple(sorted(found))
