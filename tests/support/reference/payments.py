"""Cash: payments and their fates, revenue, refunds, and what was spent on customers."""

from collections import Counter
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from .days import Period, periods
from .events import millionths
from .sheet import Sheet

if TYPE_CHECKING:
    from .book import Reference


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    bought = Counter(
        event["customer_id"] for day, event in book.dated["payment"] if day <= as_of and event["status"] == "succeeded"
    )
    sheet.ratio("growth_repeat_purchase_ratio", sum(number >= 2 for number in bought.values()), len(bought))
    for period in periods(as_of):
        _payments(book, period, sheet)
        _expenses(book, period, sheet)


def _worth(book: "Reference", happened: list[tuple[date, dict]]) -> Fraction:
    """Amounts of events, each at the rate of its day."""
    worths = (book.settings.convert({event["currency"]: millionths(event["amount"])}, day) for day, event in happened)
    return sum(worths, Fraction(0))


def _payments(book: "Reference", period: Period, sheet: Sheet) -> None:
    happened = book.happened("payment", period)
    count = Counter(event["status"] for _, event in happened)
    for status in ("succeeded", "failed", "refunded"):
        sheet.put("growth_payments", count[status], period=period.name, status=status)
    tried = count["failed"] + count["succeeded"]
    sheet.ratio("growth_payment_failure_ratio", count["failed"], tried, period=period.name)
    for kind in ("recurring", "one_time"):
        paid = [
            (day, event)
            for day, event in happened
            if event["status"] == "succeeded" and (event["interval"] == "one_time") == (kind == "one_time")
        ]
        sheet.put("growth_revenue", _worth(book, paid), period=period.name, kind=kind)
    refunded = [(day, event) for day, event in happened if event["status"] == "refunded"]
    sheet.put("growth_refunds", _worth(book, refunded), period=period.name)


def _expenses(book: "Reference", period: Period, sheet: Sheet) -> None:
    spent = {}
    for category in ("retention", "acquisition"):
        happened = [(day, event) for day, event in book.happened("expense", period) if event["category"] == category]
        spent[category] = _worth(book, happened)
        sheet.put("growth_expense", spent[category], period=period.name, category=category)
    ends = [sum(state.present for state in book.states(day).values()) for day in (period.before, period.last)]
    mean = Fraction(sum(ends), 2)
    new = sum(flow.measure == "new" for flow in book.flows(period))
    sheet.ratio("growth_retention_cost_per_customer", spent["retention"], mean, period=period.name)
    sheet.ratio("growth_acquisition_cost_per_customer", spent["acquisition"], new, period=period.name)
