"""What a page is asked to show, and the reports that it is read from."""

from __future__ import annotations

import msgspec

from aggregators.metrics import CATALOGUE, periods
from aggregators.metrics.family import Unit
from aggregators.metrics.periods import Period
from aggregators.metrics.reading import Number
from aggregators.rules import DIMENSIONS
from exporters.days import Report
from exporters.page.markup import Html, element
from exporters.page.words import TIMES, formatted

_BY_NAME = {metric.name: metric for metric in CATALOGUE}
TRENDS = {"30": "30 days", "90": "90 days", "365": "a year", "730": "two years"}
"""How far back charts go, in days."""


class Asked(msgspec.Struct, frozen=True):
    """What somebody wants to see."""

    as_of: int
    today: int
    period: str = "30d"
    by: str = DIMENSIONS[0]
    """The dimension of segments."""
    trend: str = "90"
    dimensions: tuple[str, ...] = DIMENSIONS
    """Those that customers are told apart by."""

    @property
    def chosen(self) -> Period:
        """The period asked for, in days."""
        return next(period for period in periods(self.as_of) if period.name == self.period)

    @property
    def compared(self) -> int:
        """The as-of day on which the period of that name is the one before the one asked for, and as far on as it."""
        period = self.chosen
        if period.rolling:
            return period.before
        if period.name != period.window:
            return period.last
        before = next(each for each in periods(self.as_of) if each.name == f"previous_{period.window}")
        return min(before.start + self.as_of - period.start, before.last)

    @property
    def days(self) -> list[int]:
        """The as-of days whose reports are needed: the one asked for, the one compared with, the one at start."""
        return [self.as_of, self.compared, self.chosen.before]


class View(msgspec.Struct, frozen=True):
    """What is asked for, with the numbers."""

    asked: Asked
    now: Report
    before: Report
    """As of the day compared with."""
    start: Report
    """As of the day before the period."""
    currency: str
    segment_periods: tuple[str, ...]

    def value(self, name: str, report: Report | None = None, /, **labels: str) -> Number | None:
        """Give the value of a metric, in the period asked for unless another is given; None where there is none."""
        given = {"period": self.asked.period} | labels
        return (report or self.now).values.get(name, {}).get(tuple(given[label] for label in _BY_NAME[name].labels))

    def shown(self, name: str, report: Report | None = None, /, **labels: str) -> str:
        """Give a value as people read it."""
        return self.written(name, self.value(name, report, **labels))

    def written(self, name: str, value: Number | None, *, bare: bool = False) -> str:
        """Write a value of a metric; money without its currency if it is to be bare."""
        unit = "score" if name in TIMES else _BY_NAME[name].unit
        return formatted(value, unit, "" if bare else self.currency)

    def by_label(self, name: str, label: str, **labels: str) -> dict[str, Number]:
        """Give a metric's values by those of one of its labels, the others given or the period asked for."""
        names = _BY_NAME[name].labels
        place, given = names.index(label), {"period": self.asked.period} | labels
        wanted = [(position, given[each]) for position, each in enumerate(names) if each != label]
        return {
            found[place]: value
            for found, value in self.now.values.get(name, {}).items()
            if all(found[position] == has for position, has in wanted)
        }


def unit_of(name: str) -> Unit:
    """Give a metric's unit; ratios that are read as so many times are scores."""
    return "score" if name in TIMES else _BY_NAME[name].unit


def has_period(name: str) -> bool:
    """Say whether a metric is given by period."""
    return "period" in _BY_NAME[name].labels


def defined(title: str, name: str) -> Html:
    """Link a title to the metric's definition."""
    return element("a", title, href=f"/definitions#{name}")
