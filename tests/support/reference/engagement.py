"""Users and their sessions. A user is the pair of customer and user."""

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from .days import ONE_DAY, Period, periods
from .sheet import Sheet

if TYPE_CHECKING:
    from .book import Reference

Active = dict[tuple[str, str], set[date]]


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    active: Active = defaultdict(set)
    for day, event in book.dated["session"]:
        active[event["customer_id"], event["user_id"]].add(day)
    window = {n: {as_of - k * ONE_DAY for k in range(n)} for n in (1, 7, 30)}
    within = {n: sum(bool(days & window[n]) for days in active.values()) for n in window}
    sheet.put("growth_daily_active_users", within[1])
    sheet.put("growth_weekly_active_users", within[7])
    sheet.put("growth_monthly_active_users", within[30])
    sheet.put("growth_repeat_users", sum(len(days & window[30]) >= 2 for days in active.values()))
    sheet.ratio("growth_stickiness_ratio", within[1], within[30])
    _lifecycle(active, as_of, sheet)
    for period in periods(as_of):
        _retention(active, period, sheet)
        _sessions(book, period, sheet)


def _lifecycle(active: Active, today: date, sheet: Sheet) -> None:
    count = dict.fromkeys(("new", "returning", "resurrected", "dormant"), 0)
    yesterday = today - ONE_DAY
    for days in active.values():
        if today in days and min(days) == today:
            count["new"] += 1
        elif today in days:
            count["returning" if yesterday in days else "resurrected"] += 1
        elif yesterday in days:
            count["dormant"] += 1
    for state, number in count.items():
        sheet.put("growth_users_lifecycle", number, state=state)


def _retention(active: Active, period: Period, sheet: Sheet) -> None:
    for n in (1, 7, 30):
        due = [(min(days) + n * ONE_DAY, days) for days in active.values() if min(days) + n * ONE_DAY in period]
        again = sum(day in days for day, days in due)
        sheet.ratio("growth_user_retention_ratio", again, len(due), period=period.name, days=str(n))


def _sessions(book: "Reference", period: Period, sheet: Sheet) -> None:
    sessions = [event for _, event in book.happened("session", period)]
    duration = Fraction(sum(event["duration_ms"] for event in sessions), 1000)
    sheet.put("growth_sessions", len(sessions), period=period.name)
    sheet.put("growth_session_reactions", sum(event["reactions"] for event in sessions), period=period.name)
    sheet.ratio("growth_session_duration_seconds_mean", duration, len(sessions), period=period.name)
