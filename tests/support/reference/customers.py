"""Customers and subscribers: levels, flows, and the states at a period's two ends compared."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from .days import Period, day_of, periods
from .sheet import Sheet

if TYPE_CHECKING:
    from .book import Reference


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    now = book.states(as_of).values()
    sheet.put("growth_customers", sum(state.present for state in now))
    sheet.put("growth_subscribers", sum(state.subscriber for state in now))
    scheduled = sum(
        day <= as_of < day_of(event["effective_at"], book.settings.zone) for day, event in book.dated["cancellation"]
    )
    sheet.put("growth_cancellations_scheduled", scheduled)
    _inactive(book, as_of, sheet)
    name_of = reason_names(book, as_of)
    for period in periods(as_of):
        sheet.put("growth_signups", len(book.happened("signup", period)), period=period.name)
        sheet.put("growth_cancellations", len(book.happened("cancellation", period)), period=period.name)
        _flows(book, period, name_of, sheet)
        _two_days(book, period, sheet)


def names_within(limit: int, count: Counter[str]) -> Callable[[str], str]:
    """A namer that keeps the `limit` values counted most, ties by name, and calls the others so."""
    ranked = sorted(count, key=lambda name: (-count[name], name))
    return lambda name: name if name in ranked[:limit] or name not in count else "other"


def reason_names(book: "Reference", as_of: date) -> Callable[[str], str]:
    """Names of reasons: those beyond the limit, by customers churned up to the as-of day, are `other`."""
    count: Counter[str] = Counter()
    for flow in book.flows(book.since_ever(as_of)):
        if flow.measure in ("churned", "mrr_churned"):
            count[flow.label] += flow.measure == "churned"
    return names_within(book.settings.segment_limit, count)


def _inactive(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Customers present whose last session was some days ago or longer."""
    last: dict[str, date] = {}
    for day, event in book.dated["session"]:
        if day <= as_of:
            last[event["customer_id"]] = max(day, last.get(event["customer_id"], day))
    quiet = [(as_of - last[name]).days for name, state in book.states(as_of).items() if state.present and name in last]
    for days in (7, 14, 30, 60, 90):
        sheet.put("growth_customers_inactive", sum(n >= days for n in quiet), days=str(days))


def _flows(book: "Reference", period: Period, name_of: Callable[[str], str], sheet: Sheet) -> None:
    count = Counter((flow.measure, flow.label) for flow in book.flows(period))
    sheet.put("growth_customers_new", count["new", ""], period=period.name)
    sheet.put("growth_customers_returned", count["returned", ""], period=period.name)
    sheet.put("growth_subscribers_churned", count["subscriber_churned", ""], period=period.name)
    churned: Counter[str] = Counter()
    for (measure, reason), number in count.items():
        if measure == "churned":
            churned[name_of(reason)] += number
    for reason, number in churned.items():
        sheet.put_open("growth_customers_churned", number, period=period.name, reason=reason)


def _two_days(book: "Reference", period: Period, sheet: Sheet) -> None:
    start, end = book.states(period.before), book.states(period.last)
    for noun, fact in (("customer", "present"), ("subscriber", "subscriber")):
        old = {name for name, state in start.items() if getattr(state, fact)}
        new = {name for name, state in end.items() if getattr(state, fact)}
        sheet.put(f"growth_{noun}s_at_start", len(old), period=period.name)
        sheet.put(f"growth_{noun}s_gained", len(new - old), period=period.name)
        sheet.put(f"growth_{noun}s_lost", len(old - new), period=period.name)
        sheet.ratio(f"growth_{noun}_churn_ratio", len(old - new), len(old), period=period.name)
        if noun == "customer":
            sheet.ratio("growth_customer_retention_ratio", len(old & new), len(old), period=period.name)
