"""Numbers, days and periods as people read them."""

from __future__ import annotations

from aggregators.calendar import date_of
from aggregators.metrics.family import Unit
from aggregators.metrics.periods import Period
from aggregators.metrics.reading import Number

PERIODS = {
    "day": "Today",
    "week": "This week",
    "month": "This month",
    "quarter": "This quarter",
    "year": "This year",
    "previous_day": "Yesterday",
    "previous_week": "Last week",
    "previous_month": "Last month",
    "previous_quarter": "Last quarter",
    "previous_year": "Last year",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "365d": "365 days",
}
"""What each period is called, seen from the as-of day."""

TIMES = {"growth_quick_ratio"}
"""Ratios that are read as so many times, not as so many percent."""

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def formatted(value: Number | None, unit: Unit, currency: str = "") -> str:
    """Write a value for people: thousands apart, ratios in percent, money with its currency; a dash for none."""
    if value is None:
        return NONE
    number = float(value)
    match unit:
        case "count":
            text = f"{number:,.0f}"
        case "money":
            text = f"{number:,.2f} {currency}".rstrip()
        case "ratio":
            text = f"{100 * number:,.1f}%"
        case "seconds":
            text = f"{number / 60:,.1f} min" if number >= 60 else f"{number:,.1f} s"
        case "days":
            text = f"{number:,.1f} days"
        case _:
            text = f"{number:,.2f}".removesuffix(".00")
    return text.replace("-", MINUS)


def changed(now: Number, before: Number, unit: Unit) -> tuple[int, str]:
    """Say how a value has changed: its direction, -1, 0 or 1, and by how much, in percent or in points."""
    difference = float(now) - float(before)
    if unit == "ratio":
        direction, text = _rounded(100 * difference, " pp")
    elif unit == "score":
        direction, text = _rounded(difference, "")
    elif not before:
        return (difference > 0) - (difference < 0), "new" if difference else "no change"
    else:
        direction, text = _rounded(100 * difference / abs(float(before)), "%")
    return direction, text if direction else "no change"


def _rounded(number: float, unit: str) -> tuple[int, str]:
    text = f"{abs(number):,.1f}" if unit or abs(number) >= 1 else f"{abs(number):.2f}"
    return (0 if not float(text.replace(",", "")) else 1 if number > 0 else -1), text + unit


def day(number: int) -> str:
    """Write a day: 31 Mar 2026."""
    date = date_of(number)
    return f"{date.day} {date:%b} {date.year}"


def span(period: Period) -> str:
    """Write the days that count of a period."""
    return day(period.last) if period.start == period.last else f"{day(period.start)} to {day(period.last)}"
