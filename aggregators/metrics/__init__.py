"""From facts and an as-of day to the samples of every metric (SPEC, section 4)."""

from __future__ import annotations

from aggregators.metrics import (
    activity,
    cash,
    cohorts,
    contracts,
    customers,
    engagement,
    expenses,
    info,
    plans,
    revenue,
    segments,
    voice,
)
from aggregators.metrics.book import Book
from aggregators.metrics.family import Family, Metric, Sample, defined_in
from aggregators.metrics.periods import Period, periods
from aggregators.metrics.reading import MetricSettings, Reading

__all__ = ["CATALOGUE", "Book", "Family", "Metric", "MetricSettings", "Period", "Sample", "periods", "samples"]

CATALOGUE: tuple[Metric, ...] = defined_in(
    customers, revenue, plans, contracts, cash, expenses, engagement, activity, voice, cohorts, segments, info
)
"""Every metric, in the order it is shown in."""


def samples(book: Book, settings: MetricSettings, as_of: int) -> list[Family]:
    """Work out every metric for one as-of day, in the catalogue's order; one that has no samples then is left out.

    Args:
        book: the facts.
        settings: what metrics read beside them.
        as_of: the day asked for, as days since 1970-01-01; all of it counts.
    """
    reading = Reading(book, settings, as_of)
    return [family for family in (metric.family(reading) for metric in CATALOGUE) if family.samples]
