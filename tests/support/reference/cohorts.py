"""Customers by the month they were first present in, and the days until they found value."""

from collections import defaultdict
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from .days import ONE_DAY, add_months, first_instant, local, periods, whole
from .sheet import Sheet
from .timeline import State, Timeline

if TYPE_CHECKING:
    from .book import Reference


def first_day(line: Timeline, holds: Callable[[State], bool]) -> date | None:
    """The first day at whose end something holds."""
    return next((day for day in line.days if holds(line.at_end_of(day))), None)


@lru_cache(maxsize=8)
def firsts(book: "Reference") -> dict[str, tuple[date | None, date | None]]:
    """Each customer's first day present and first day with MRR."""
    return {
        name: (first_day(line, lambda state: state.present), first_day(line, lambda state: state.subscriber))
        for name, line in book.timelines.items()
    }


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    _cohorts(book, as_of, sheet)
    _time_to_value(book, as_of, sheet)


def _months_later(first: date, months: int, book: "Reference") -> date:
    """The first day of the month `months` later."""
    return add_months(local(first_instant(first, book.settings.zone), book.settings.zone), months).date()


def _cohorts(book: "Reference", as_of: date, sheet: Sheet) -> None:
    this_month = whole("month", as_of)[0]
    for back in range(book.settings.cohort_months):
        cohort = _months_later(this_month, -back, book)
        members = [name for name, (first, _) in firsts(book).items() if first and whole("month", first)[0] == cohort]
        for month in range(back + 1):
            day = min(as_of, _months_later(cohort, month + 1, book) - ONE_DAY)
            states = [book.timelines[name].at_end_of(day) for name in members]
            labels = {"cohort": f"{cohort:%Y-%m}", "month": str(month)}
            sheet.put_open("growth_cohort_customers", sum(state.present for state in states), **labels)
            worth = sum((book.settings.convert(state.mrr, day) for state in states), Fraction(0))
            sheet.put_open("growth_cohort_mrr", worth, **labels)


def _time_to_value(book: "Reference", as_of: date, sheet: Sheet) -> None:
    sessions: dict[str, list[date]] = defaultdict(list)
    for day, event in book.dated["session"]:
        sessions[event["customer_id"]].append(day)
    reached: dict[str, list[tuple[date, int]]] = {"session": [], "payment": []}
    for name, (present, paying) in firsts(book).items():
        for milestone, day in (("session", min(sessions[name], default=None)), ("payment", paying)):
            if present and day:
                reached[milestone].append((day, max(0, (day - present).days)))
    for period in periods(as_of):
        for milestone, all_days in reached.items():
            days = [taken for day, taken in all_days if day in period]
            labels = {"period": period.name, "milestone": milestone}
            sheet.ratio("growth_time_to_value_days_mean", sum(days), len(days), **labels)
