"""What the tests of metrics share: a book of hand-made facts, and its samples by name and labels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from aggregators.calendar import Zone, day_of
from aggregators.facts import key
from aggregators.metrics import Book, MetricSettings, samples
from aggregators.rates import Rates

UTC = Zone("UTC")
Found = dict[tuple[str, ...], Any]


def day(text: str) -> int:
    """Give the day number of a date such as 2026-03-31."""
    return day_of(dt.date.fromisoformat(text))


def book_of(facts: Mapping[str, Mapping[tuple[str, ...] | str, int]]) -> Book:
    """Make a book of facts by date and by measure, or measure and labels."""
    book = Book()
    book.update(
        0,
        {
            day(date): {key(*((name,) if isinstance(name, str) else name)): amount for name, amount in of_day.items()}
            for date, of_day in facts.items()
        },
    )
    return book


def settings(**changed: Any) -> MetricSettings:
    """Give settings in UTC, with dollars as the only currency."""
    return MetricSettings(**{"zone": UTC, "rates": Rates(), "version": "1.2.3", **changed})


def read(book: Book, date: str, **changed: Any) -> dict[tuple[str, ...], Any]:
    """Give all samples of a date's metrics by name (without `growth_`) and labels."""
    return {
        (family.name.removeprefix("growth_"), *sample.labels): sample.value
        for family in samples(book, settings(**changed), day(date))
        for sample in family.samples
    }


def usd(amount: str) -> int:
    """Give an amount's millionths."""
    return int(Fraction(amount) * 1_000_000)
