"""The book opened at one as-of day: levels and flows of all periods, as vectors with one element a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Literal, TypeVar

import msgspec

from aggregators.calendar import Zone
from aggregators.facts import MEASURES
from aggregators.metrics.book import Book, Sums
from aggregators.metrics.grouping import by_group
from aggregators.metrics.periods import Period, periods
from aggregators.metrics.vector import Vector
from aggregators.rates import Rates
from aggregators.rules import DIMENSIONS

Number = int | float | Fraction
Samples = Iterator[tuple[tuple[str, ...], Number]]
"""The values of a metric's labels in the order of their names, and the value under them."""

Where = Literal["start", "end", "flow"]
"""Up to the end of the day before each period, up to the end of its last day, or over its days."""

T = TypeVar("T")


class MetricSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics read beside the facts."""

    zone: Zone
    rates: Rates = Rates()
    gross_margin: Fraction = Fraction(1)
    """The share of revenue that is left after the cost of serving it, for lifetime value."""
    dimensions: tuple[str, ...] = DIMENSIONS
    """What customers are shown by; facts have no others than those of the folds' rules."""
    segment_periods: tuple[str, ...] = ("month", "previous_month", "30d")
    """The periods of metrics by segment."""
    segment_limit: int = 50
    """Values of an open label beyond so many are shown as `other`."""
    cohort_months: int = 12
    """Monthly cohorts shown, the current month's included."""
    targets: Mapping[str, float] = {}
    version: str = "unknown"

    @property
    def reporting_currency(self) -> str:
        """The currency that amounts are converted to."""
        return self.rates.reporting


class Reading:
    """One look at the book: every number that a metric is made of, for one as-of day.

    Vectors have one element a period, in the order of `periods`. Measures may be given with their first labels, and
    are summed over the others.
    """

    def __init__(self, book: Book, settings: MetricSettings, as_of: int) -> None:
        """Read the sums at all bounds of the periods at once."""
        self.book = book
        self.settings = settings
        self.as_of = as_of
        self.periods: tuple[Period, ...] = periods(as_of)
        self.last_days = [period.last for period in self.periods]
        self.days_before = [period.before for period in self.periods]
        sums = book.sums([*self.last_days, *self.days_before])
        end, start = sums[: len(self.periods)], sums[len(self.periods) :]
        self._blocks = {"end": end, "start": start, "flow": end - start}
        self._known: dict[Any, Any] = {}

    def at_end(self, measure: str, *labels: str) -> Vector:
        """Give a measure's sum up to the end of each period's last day."""
        return self.once(("end", measure, labels), lambda: self._sum("end", self._columns(measure, labels)))

    def at_start(self, measure: str, *labels: str) -> Vector:
        """Give a measure's sum up to the end of the day before each period."""
        return self.once(("start", measure, labels), lambda: self._sum("start", self._columns(measure, labels)))

    def flow(self, measure: str, *labels: str) -> Vector:
        """Give a measure's sum over each period's days."""
        return self.once(("flow", measure, labels), lambda: self._sum("flow", self._columns(measure, labels)))

    def now(self, measure: str, *labels: str) -> int:
        """Give a measure's sum up to the end of the as-of day."""
        return self.at_end(measure, *labels)[0]

    def today(self, measure: str, *labels: str) -> int:
        """Give a measure's sum on the as-of day alone."""
        return self.flow(measure, *labels)[0]

    def void(self, measure: str, *labels: str) -> Vector:
        """Give what the flows of each period say more than a comparison of its two ends (SPEC, section 3.1)."""
        return Vector(
            0
            if period.window == "day"
            else (self.at_end if period.rolling else self.flow)(measure, period.window, *labels)[position]
            for position, period in enumerate(self.periods)
        )

    def where(self, which: Where, measure: str, **labels: str | Sequence[str]) -> Vector:
        """Give a measure's levels or flows where the labels named have a value, or one of several."""
        names = MEASURES[measure].labels
        index = self._index(measure, tuple(map(names.index, labels)))
        wanted = product(*((has,) if isinstance(has, str) else has for has in labels.values()))
        columns = [column for values in wanted for column in index.get(values, ())]
        return self._sum(which, columns)

    def by_label(
        self, which: Where, measure: str, label: str, names: Mapping[str, str] | None = None
    ) -> dict[str, Vector]:
        """Give a measure's levels or flows by the values of one of its labels, or by the names given for them."""
        position = MEASURES[measure].labels.index(label)
        columns: dict[str, list[int]] = {}
        for labels, column in self.book.columns(measure).items():
            name = labels[position] if names is None else names.get(labels[position])
            if name is not None:
                columns.setdefault(name, []).append(column)
        return {value: self._sum(which, found) for value, found in columns.items()}

    def grouped(self, which: Where, measure: str, group_of: Callable[[tuple[str, ...]], int | None], size: int) -> Sums:
        """Give a measure's levels or flows by groups of its labels.

        Args:
            which: levels or flows.
            measure: the measure.
            group_of: tells a combination of labels its group's number; None leaves it out.
            size: how many groups there are.

        Returns:
            A row for each period, a column for each group.
        """
        columns, groups = [], []
        for labels, column in self.book.columns(measure).items():
            group = group_of(labels)
            if group is not None:
                columns.append(column)
                groups.append(group)
        return by_group(self._blocks[which][:, columns], groups, size)

    def values(self, measure: str, label: str, *labels: str) -> dict[str, int]:
        """Give the values of a label that a measure has come with by the as-of day, and its sum under each.

        A series that has come stays: under one combination of labels the amounts must all have one sign, so that
        their sum is not 0 again.
        """
        position = MEASURES[measure].labels.index(label)
        today = self._blocks["end"][0]
        sums: dict[str, int] = {}
        for found, column in self.book.columns(measure).items():
            if found[: len(labels)] == labels and (amount := int(today[column])):
                sums[found[position]] = sums.get(found[position], 0) + amount
        return sums

    def flow_between(self, measure: str, days: Iterable[tuple[int, int]], *labels: str) -> Vector:
        """Give a measure's sum over runs of days of one's own, from each first to each last day."""
        bounds = list(days)
        ends = [*(last for _, last in bounds), *(first - 1 for first, _ in bounds)]
        sums = [sum(row) for row in self.book.sums(ends, self._columns(measure, labels)).tolist()]
        return Vector(sums[: len(bounds)]) - Vector(sums[len(bounds) :])

    def once(self, name: object, work: Callable[[], T]) -> T:
        """Give what some work gives, doing it only once in this reading."""
        if name not in self._known:
            self._known[name] = work()
        found: T = self._known[name]
        return found

    def by_period(self, values: Iterable[Number | None], *labels: str) -> Samples:
        """Give a sample for each period that has a value, the period's name before the other labels."""
        for period, value in zip(self.periods, values, strict=True):
            if value is not None:
                yield (period.name, *labels), value

    def _sum(self, which: Where, columns: list[int]) -> Vector:
        # As Python's integers, so that no sum of columns can overflow.
        return Vector(map(sum, self._blocks[which][:, columns].tolist()))

    def _columns(self, measure: str, labels: tuple[str, ...]) -> list[int]:
        assert len(labels) <= len(MEASURES[measure].labels)
        return self._index(measure, tuple(range(len(labels)))).get(labels, [])

    def _index(self, measure: str, positions: tuple[int, ...]) -> dict[tuple[str, ...], list[int]]:
        """Give a measure's columns by the values of some labels: with many values a look at all for each takes long."""

        def index() -> dict[tuple[str, ...], list[int]]:
            columns: dict[tuple[str, ...], list[int]] = {}
            for labels, column in self.book.columns(measure).items():
                columns.setdefault(tuple(labels[position] for position in positions), []).append(column)
            return columns

        return self.once(("index", measure, positions), index)
