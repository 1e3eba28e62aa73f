"""Monthly recurring revenue: levels, movements, and what became of the revenue at a period's start."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from .customers import reason_names
from .days import Period, periods
from .events import millionths
from .settings import MILLION
from .sheet import Sheet
from .timeline import State

if TYPE_CHECKING:
    from .book import Reference

MOVEMENTS = ("new", "expansion", "contraction", "churn", "reactivation")


def total(states: Iterable[State]) -> dict[str, int]:
    """MRR of many customers in millionths by currency."""
    found: Counter[str] = Counter()
    for state in states:
        found.update(state.mrr)
    return dict(found)


def mrr(book: "Reference", day: date) -> Fraction:
    """MRR at the end of a day at that day's rates."""
    return book.settings.convert(total(book.states(day).values()), day)


def write(book: "Reference", as_of: date, sheet: Sheet) -> None:
    """Write the group's samples."""
    now = book.states(as_of).values()
    level = mrr(book, as_of)
    sheet.put("growth_mrr", level)
    sheet.put("growth_arr", 12 * level)
    sheet.ratio("growth_arpa", level, sum(state.subscriber for state in now))
    for currency, amount in total(now).items():
        sheet.put_open("growth_mrr_native", Fraction(amount, MILLION), currency=currency)
    for currency in sorted(_seen_currencies(book, as_of)):
        if book.settings.rate(currency, as_of) is None:
            sheet.put("growth_currency_unconverted", 1, currency=currency)
    name_of = reason_names(book, as_of)
    for period in periods(as_of):
        _movements(book, period, name_of, sheet)
        _retention(book, period, sheet)


def _seen_currencies(book: "Reference", as_of: date) -> set[str]:
    """Currencies with MRR at the end of a day, or with cash in or back, up to the as-of day."""
    found = {
        event["currency"]
        for day, event in book.dated["payment"]
        if day <= as_of and event["status"] != "failed" and millionths(event["amount"])
    }
    return found | {flow.currency for flow in book.flows(book.since_ever(as_of)) if flow.measure == "movement"}


def _movements(book: "Reference", period: Period, name_of: Callable[[str], str], sheet: Sheet) -> None:
    money = dict.fromkeys(MOVEMENTS, Fraction(0))
    churned: dict[str, Fraction] = {}
    customers: Counter[str] = Counter()
    for flow in book.flows(period):
        worth = book.settings.convert({flow.currency: flow.amount}, flow.day) if flow.currency else Fraction(0)
        if flow.measure == "movement":
            money[flow.label] += worth
        elif flow.measure == "mrr_churned":
            reason = name_of(flow.label)
            churned[reason] = churned.get(reason, Fraction(0)) + worth
        elif flow.measure == "movement_customer":
            customers[flow.label] += 1
    start, end = mrr(book, period.before), mrr(book, period.last)
    moved = sum(money.values())
    sheet.put("growth_mrr_at_start", start, period=period.name)
    for movement in MOVEMENTS:
        sheet.put("growth_mrr_movement", money[movement], period=period.name, movement=movement)
        sheet.put("growth_mrr_movement_customers", customers[movement], period=period.name, movement=movement)
    sheet.put("growth_mrr_movement", end - start - moved, period=period.name, movement="fx")
    for reason, worth in churned.items():
        sheet.put_open("growth_mrr_churned", worth, period=period.name, reason=reason)
    lost = -(money["churn"] + money["contraction"])
    back = money["expansion"] + money["reactivation"]
    sheet.ratio("growth_mrr_churn_ratio", lost, start, period=period.name, kind="gross")
    sheet.ratio("growth_mrr_churn_ratio", lost - back, start, period=period.name, kind="net")
    sheet.ratio("growth_mrr_growth_ratio", moved, start, period=period.name)
    sheet.ratio("growth_quick_ratio", money["new"] + back, lost, period=period.name)
    sheet.ratio("growth_average_sale_price", money["new"], customers["new"], period=period.name)
    _lifetime_value(book, period, sheet)


def _lifetime_value(book: "Reference", period: Period, sheet: Sheet) -> None:
    """ARPA on the period's last day x gross margin / subscriber churn a month."""
    start = {name for name, state in book.states(period.before).items() if state.subscriber}
    end = {name for name, state in book.states(period.last).items() if state.subscriber}
    if start and start - end and end:
        churn = Fraction(len(start - end), len(start)) * Fraction("30.4375") / len(period.days())
        arpa = mrr(book, period.last) / len(end)
        sheet.put("growth_lifetime_value", arpa * Fraction(book.settings.gross_margin) / churn, period=period.name)


def _retention(book: "Reference", period: Period, sheet: Sheet) -> None:
    """Customers with MRR at the start alone, both days at the rates of the start."""
    start, end = book.states(period.before), book.states(period.last)
    kept: Counter[str] = Counter()
    left: Counter[str] = Counter()
    for name, old in start.items():
        if old.subscriber:
            new = end[name].mrr
            left.update(new)
            kept.update({currency: min(amount, new.get(currency, 0)) for currency, amount in old.mrr.items()})
    at_start = mrr(book, period.before)
    for kind, amounts in (("gross", kept), ("net", left)):
        worth = book.settings.convert(dict(amounts), period.before)
        sheet.ratio("growth_revenue_retention_ratio", worth, at_start, period=period.name, kind=kind)
