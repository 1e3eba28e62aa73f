"""Days that are asked for again and again: reports and series, worked out once until the facts change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from time import monotonic, perf_counter
from typing import Any

import msgspec

from aggregators.metrics import Family, Metric, Sample
from aggregators.metrics.identities import unbalanced
from aggregators.metrics.reading import Number, Reading
from aggregators.tables.door import Meta
from exporters.collector import GROUPS
from exporters.growth import Growth

logger = logging.getLogger(__name__)

SLICE = 0.05
"""Seconds for which a series has the book at a time: no scrape waits longer than that and one day's work."""
PAUSE = 0.002
"""Seconds in which whoever waits for the book gets it."""
REPORT_SAMPLES = 200_000
"""Samples of whole reports that are kept, beside those of the newest, some 300 bytes each."""
SERIES_SAMPLES = 400_000
"""Samples of series that are kept, some 200 bytes each."""

Labels = tuple[str, ...]
Samples = tuple[Sample, ...]
Filter = Mapping[str, frozenset[str]]
"""By label, the values wanted; a metric without that label is not filtered by it."""


class Busy(Exception):  # noqa: N818 - reads as the state it names
    """Others are being answered, or the answer took too long; the message says what to do."""


class Report(msgspec.Struct, frozen=True):
    """Every metric of one as-of day."""

    as_of: int
    families: tuple[Family, ...]
    """In the catalogue's order; a metric without samples is left out."""
    seconds: dict[str, float]
    """How long each group of metrics took to work out."""
    failed: tuple[str, ...]
    """Groups left out, since a bug stopped them; the log has it."""
    values: dict[str, dict[Labels, Number]]
    """By a metric's name, and the values of its labels."""

    @property
    def size(self) -> int:
        """How many samples it has."""
        return sum(map(len, self.values.values()))


class State(msgspec.Struct, frozen=True):
    """What the last look at the tables said of them."""

    metas: tuple[Meta, ...]
    """Of the shards, in their order."""
    seconds: float
    """How long that look took."""
    report: Report
    """Of the day asked for, for what the metrics' groups took."""
    unbalanced: tuple[str, ...]
    """What holds between facts on every day, and does not on one of that report's: a bug or a damaged store."""


class Days:
    """The days of a book. The past changes seldom: what was worked out stays until a fact of its day or before changes.

    Any thread may ask. One at a time has the book, for a short while: so that of all who wait, scrapes wait for one.

    Args:
        growth: the book.
        patience: seconds that a question may wait for others, and then take.
    """

    def __init__(self, growth: Growth, patience: float = 30.0) -> None:
        """Know nothing yet."""
        self._growth = growth
        self._patience = patience
        self._turn = threading.Lock()
        self._reports: dict[int, Report] = {}
        self._points: dict[tuple[str, frozenset[tuple[str, frozenset[str]]]], dict[int, tuple[Sample, ...]]] = {}
        growth.when_changed(self._forget)

    def reports(self, days: Sequence[int]) -> list[Report]:
        """Give all metrics of one or more as-of days, all from the same facts; raises as `Growth.at` does, and Busy."""
        with self._in_turn(), self._growth.at(max(days)) as reading:
            return [self._report(reading, day) for day in days]

    def state(self, as_of: int) -> State:
        """Look at the tables, and say how that went; raises as `reports` does."""
        with self._in_turn():
            began = perf_counter()
            with self._growth.at(as_of) as reading:
                seconds = perf_counter() - began
                days = sorted({*reading.last_days, *reading.days_before})
                wrong = unbalanced(reading.book, days, reading.settings.dimensions)
                return State(
                    self._growth.metas(),
                    seconds,
                    self._report(reading, as_of),
                    tuple(name for name, found in wrong.items() if found),
                )

    def series(self, metrics: Sequence[Metric], days: Sequence[int], wanted: Filter) -> dict[str, list[Samples]]:
        """Give the samples of metrics over as-of days, in slices between which others have the book.

        Each value is that of its day when it was read: events may come in between two slices.

        Args:
            metrics: what to read.
            days: one or more as-of days, ascending.
            wanted: which labels.

        Returns:
            By the metric's name, the samples of each of the days.

        Raises:
            Busy: it took too long; what was worked out is kept, so that the next attempt gets further.
            TablesUnavailable, TablesMismatch: as `Growth.at` does.
        """
        found: dict[tuple[str, int], Samples] = {}
        # From the newest: only the facts of late days change often.
        missing = list(days)
        deadline = monotonic() + self._patience
        while missing:
            with self._in_turn(), self._growth.at(days[-1]) as newest:
                until = perf_counter() + SLICE
                while missing and perf_counter() < until:
                    day = missing.pop()
                    found |= self._of_day(newest, day, metrics, wanted)
                self._keep_small()
            if missing and monotonic() > deadline:
                raise Busy(
                    f"The series took longer than {self._patience:g} s: ask for fewer metrics or days, or ask again, "
                    "for what was worked out is kept."
                )
        return {metric.name: [found[metric.name, day] for day in days] for metric in metrics}

    def _report(self, reading: Reading, day: int) -> Report:
        report = self._reports.pop(day, None) or _work_out(reading if day == reading.as_of else _at(reading, day))
        self._reports[day] = report
        total = sum(each.size for each in self._reports.values())
        while total > REPORT_SAMPLES and len(self._reports) > 1:
            total -= self._reports.pop(next(iter(self._reports))).size
        return report

    def _of_day(
        self, newest: Reading, day: int, metrics: Sequence[Metric], wanted: Filter
    ) -> dict[tuple[str, int], Samples]:
        reading: Reading | None = None
        found = {}
        for metric in metrics:
            its = {label: values for label, values in wanted.items() if label in metric.labels}
            key = metric.name, frozenset(its.items())
            # The one asked for last comes last.
            points = self._points[key] = self._points.pop(key, {})
            if day not in points:
                reading = reading or _at(newest, day)
                places = {metric.labels.index(label): values for label, values in its.items()}
                points[day] = tuple(
                    Sample(labels, rounded_once(value))
                    for labels, value in metric.read(reading)
                    if all(labels[place] in values for place, values in places.items())
                )
            found[metric.name, day] = points[day]
        return found

    def _keep_small(self) -> None:
        kept = {key: sum(map(len, points.values())) + len(points) for key, points in self._points.items()}
        total = sum(kept.values())
        for key in list(self._points):
            if total <= SERIES_SAMPLES:
                break
            total -= kept[key]
            del self._points[key]

    def _forget(self, first: int) -> None:
        """Let go of all as-of days from one on, whose facts are about to change."""
        kept: list[dict[int, Any]] = [self._reports, *self._points.values()]
        for days in kept:
            for day in [day for day in days if day >= first]:
                del days[day]

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._patience):
            raise Busy(f"Others have been answered for {self._patience:g} s: ask again a little later.")
        try:
            yield
            time.sleep(PAUSE)
        finally:
            self._turn.release()


def rounded_once(value: Number) -> int | float:
    """Give an exact value as what JSON can hold."""
    return float(value) if isinstance(value, Fraction) else value


def _at(reading: Reading, day: int) -> Reading:
    return Reading(reading.book, reading.settings, day)


def _work_out(reading: Reading) -> Report:
    families: list[Family] = []
    seconds: dict[str, float] = {}
    failed: list[str] = []
    for group, metrics in GROUPS.items():
        began = perf_counter()
        try:
            # Whole or not at all, as in a scrape.
            families += [metric.family(reading) for metric in metrics]
        except Exception:
            logger.exception("The metrics of %s failed.", group, extra={"action": "report_failed", "collector": group})
            failed.append(group)
        seconds[group] = perf_counter() - began
    shown = tuple(family for family in families if family.samples)
    values = {family.name: dict[Labels, Number](family.samples) for family in shown}
    return Report(reading.as_of, shown, seconds, tuple(failed), values)
