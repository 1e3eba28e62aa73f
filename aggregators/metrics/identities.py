"""What must hold between facts on every day, whatever the events were: seen without a single ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from aggregators.facts import MEASURES, ROLLING_WINDOWS
from aggregators.metrics.book import Book
from aggregators.rules import DIMENSIONS

Flags = npt.NDArray[np.bool_]
Column = npt.NDArray[Any]
"""A sum a day, up to its end."""
By = Mapping[tuple[str, ...], Column]
"""Sums by labels."""


class Levels:
    """Sums up to the ends of some days."""

    def __init__(self, book: Book, days: Sequence[int], dimensions: Sequence[str]) -> None:
        """Open a book; `dimensions` are those that its facts were folded with."""
        self.book, self.days, self.dimensions = book, days, dimensions
        self.nothing: Column = np.zeros(len(days), np.int64)

    def total(self, *measures: str, back: int = 0) -> Column:
        """Sum measures over all their labels, up to so many days before."""
        columns = [column for measure in measures for column in self.book.columns(measure).values()]
        return self.book.sums([day - back for day in self.days], columns).sum(axis=1)  # type: ignore[no-any-return]

    def by(self, measure: str, *names: str) -> dict[tuple[str, ...], Column]:
        """Sum a measure by some of its labels."""
        places = [MEASURES[measure].labels.index(name) for name in names]
        columns: dict[tuple[str, ...], list[int]] = {}
        for labels, column in self.book.columns(measure).items():
            columns.setdefault(tuple(labels[place] for place in places), []).append(column)
        return {group: self.book.sums(self.days, found).sum(axis=1) for group, found in columns.items()}

    def customers(self, back: int = 0) -> Column:
        """Count the customers present."""
        return self.total("new", "returned", back=back) - self.total("churned", back=back)

    def subscribers(self, back: int = 0) -> Column:
        """Count the customers with MRR."""
        return self.total("subscribers_came", back=back) - self.total("subscribers_left", back=back)


def _differ(levels: Levels, one: By, other: By) -> Flags:
    """Tell the days on which two sums by the same labels are not equal."""
    wrong = np.zeros(len(levels.days), np.bool_)
    for labels in one.keys() | other.keys():
        wrong |= one.get(labels, levels.nothing) != other.get(labels, levels.nothing)
    return wrong


def _descend(*columns: Column) -> Flags:
    """Tell the days on which sums that never grow from one to the next, nor fall below 0, do so."""
    wrong: Flags = columns[-1] < 0
    for larger, smaller in pairwise(columns):
        wrong = wrong | (larger < smaller)
    return wrong


def _split(levels: Levels, measure: str, *names: str) -> Iterator[By]:
    """Give a measure's sums by the labels named, for each dimension."""
    found = levels.by(measure, "dimension", *names)
    for dimension in levels.dimensions:
        yield {labels[1:]: column for labels, column in found.items() if labels[0] == dimension}


def _any(levels: Levels, wrong: Iterator[Flags]) -> Flags:
    together = np.zeros(len(levels.days), np.bool_)
    for each in wrong:
        together |= each
    return together


def _presence(levels: Levels) -> Flags:
    return _descend(levels.customers(), levels.subscribers())


def _periods(levels: Levels) -> Flags:
    """At start + gained - lost = at end, for windows: nobody is lost who was not there, nor gained who is not."""

    def wrong() -> Iterator[Flags]:
        for level, came, left, void in (
            (levels.customers, ("new", "returned"), "churned", "void_customers"),
            (levels.subscribers, ("subscribers_came",), "subscribers_left", "void_subscribers"),
        ):
            voids = levels.by(void, "window")
            for window, days in ROLLING_WINDOWS.items():
                twice = voids.get((window,), levels.nothing)
                yield _descend(level(days), levels.total(left) - levels.total(left, back=days) - twice)
                yield _descend(level(), levels.total(*came) - levels.total(*came, back=days) - twice)

    return _any(levels, wrong())


def _cohorts(levels: Levels) -> Flags:
    return _differ(levels, {(): levels.customers()}, levels.by("cohort_customers"))


def _cohort_mrr(levels: Levels) -> Flags:
    return _differ(levels, levels.by("mrr", "currency"), levels.by("cohort_mrr", "currency"))


def _plans(levels: Levels) -> Flags:
    return _differ(levels, levels.by("mrr", "currency"), levels.by("plan_mrr", "currency"))


def _segments(levels: Levels) -> Flags:
    def wrong() -> Iterator[Flags]:
        for measure, total in (
            ("segment_customers", levels.customers()),
            ("segment_subscribers", levels.subscribers()),
            ("segment_new", levels.total("new")),
            ("segment_churned", levels.total("churned")),
        ):
            yield from (_differ(levels, {(): total}, by) for by in _split(levels, measure))

    return _any(levels, wrong())


def _segment_mrr(levels: Levels) -> Flags:
    total = levels.by("mrr", "currency")
    return _any(levels, (_differ(levels, total, by) for by in _split(levels, "segment_mrr", "currency")))


def _segment_nps(levels: Levels) -> Flags:
    total = levels.by("nps", "outcome")
    return _any(levels, (_differ(levels, total, by) for by in _split(levels, "segment_nps", "outcome")))


def _health(levels: Levels) -> Flags:
    bands = levels.by("customer_health", "band").values()
    return _any(levels, chain([_descend(levels.customers(), levels.total("customer_health"))], map(_descend, bands)))


def _inactive(levels: Levels) -> Flags:
    found = levels.by("customers_inactive", "days")
    silent = [found.get((days,), levels.nothing) for days in ("7", "14", "30", "60", "90")]
    return _descend(levels.customers(), *silent)


def _users(levels: Levels) -> Flags:
    active = levels.by("users_active", "days")
    month, week, day = (active.get((days,), levels.nothing) for days in ("30", "7", "1"))
    came = ("users_new", "users_returning", "users_resurrected")
    told = levels.total(*came) - levels.total(*came, back=1)
    return _any(levels, iter((_descend(month, week, day), _descend(month, levels.total("users_repeat")), told != day)))


def _payers(levels: Levels) -> Flags:
    return _descend(levels.total("payers"), levels.total("repeat_payers"))


IDENTITIES: dict[str, Callable[[Levels], Flags]] = {
    "presence": _presence,
    "periods": _periods,
    "cohorts": _cohorts,
    "cohort_mrr": _cohort_mrr,
    "plans": _plans,
    "segments": _segments,
    "segment_mrr": _segment_mrr,
    "segment_nps": _segment_nps,
    "health": _health,
    "inactive": _inactive,
    "users": _users,
    "payers": _payers,
}
"""By name, what tells the days on which it does not hold."""

MEANINGS = {
    "presence": "subscribers are customers",
    "periods": "at start + gained - lost = at end",
    "cohorts": "customers by cohort add up to all customers",
    "cohort_mrr": "MRR by cohort adds up to all MRR",
    "plans": "MRR by plan adds up to all MRR",
    "segments": "the segments of a dimension add up to all customers and subscribers",
    "segment_mrr": "the MRR of a dimension's segments adds up to all MRR",
    "segment_nps": "the answers of a dimension's segments add up to all answers",
    "health": "no more customers have a health band than there are",
    "inactive": "who is silent for longer is silent for shorter, and present",
    "users": "active users are new, returning or resurrected, and longer windows hold shorter ones",
    "payers": "who paid twice has paid once",
}
"""What each of them says."""


def unbalanced(book: Book, days: Sequence[int], dimensions: Sequence[str] = DIMENSIONS) -> dict[str, list[int]]:
    """Give, by the name of every identity, those of the days on which it does not hold; none where all is well."""
    levels = Levels(book, days, dimensions)
    return {
        name: [day for day, bad in zip(days, identity(levels).tolist(), strict=True) if bad]
        for name, identity in IDENTITIES.items()
    }
