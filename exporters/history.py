"""The growth metrics of many days as OpenMetrics text, of which Prometheus' promtool makes blocks of its storage."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TextIO

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Exposed
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from aggregators.calendar import Zone
from aggregators.metrics import Metric
from aggregators.metrics.reading import Reading
from exporters.collector import GROUPS

END = "# EOF\n"
"""Ends the text: promtool takes none that was cut off."""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written."""

    days: range
    """As-of days, since 1970-01-01, in their order."""
    metrics: Sequence[Metric]
    labels: Mapping[str, str]
    """What Prometheus adds to the series that it scrapes: without the same they would be others."""
    every: int | None = None
    """Seconds between the samples of one day, counted back from its last second; None writes one, at that second."""


class Written(NamedTuple):
    """How much was written."""

    series: int
    samples: int


class _Course(NamedTuple):
    """One series: values, and the positions of their days."""

    positions: array[int]
    values: array[float]


def write_history(last: Reading, history: History, out: TextIO, step: Callable[[], None]) -> Written:
    """Write the metrics of all days, family by family, series by series, each in order of time.

    What is held in memory is one group of metrics: 12 bytes a sample.

    Args:
        last: the book, opened at the last day or later: all days are read from this one state of it.
        history: what to write.
        out: where to.
        step: called for each day of each group, `steps` times in all.

    Raises:
        OSError: it cannot be written.
    """
    times = [_times(last.settings.zone, day, history.every) for day in history.days]
    series = samples = 0
    for metrics in _groups(history.metrics):
        courses: list[dict[tuple[str, ...], _Course]] = [{} for _ in metrics]
        for position, day in enumerate(history.days):
            reading = Reading(last.book, last.settings, day)
            for metric, found in zip(metrics, courses, strict=True):
                for labels, value in metric.read(reading):
                    course = found.get(labels)
                    if course is None:
                        course = found[labels] = _Course(array("i"), array("d"))
                    course.positions.append(position)
                    course.values.append(float(value))
            step()
        for metric, found in zip(metrics, courses, strict=True):
            samples += _write(metric, found, history.labels, times, out)
            series += len(found)
    out.write(END)
    return Written(series, samples)


def steps(history: History) -> int:
    """Give how often `write_history` will call its `step`."""
    return len(_groups(history.metrics)) * len(history.days)


def _groups(metrics: Sequence[Metric]) -> list[list[Metric]]:
    chosen = [[metric for metric in group if metric in metrics] for group in GROUPS.values()]
    return [group for group in chosen if group]


def _times(zone: Zone, day: int, every: int | None) -> list[int]:
    """Give the seconds since the epoch at which a day's values stand: its last one, and others before it."""
    first, end = zone.start_of(day) // 1000, zone.start_of(day + 1) // 1000
    return [end - 1] if every is None else [*range(end - 1, first - 1, -every)][::-1]


def _write(
    metric: Metric,
    courses: Mapping[tuple[str, ...], _Course],
    labels: Mapping[str, str],
    times: Sequence[Sequence[int]],
    out: TextIO,
) -> int:
    """Write one family, and give the number of its samples."""
    if not courses:
        return 0
    head, names = _exposed(metric, courses, labels)
    out.write(head)
    count = 0
    for name, course in zip(names, courses.values(), strict=True):
        out.writelines(
            f"{name} {text} {time}\n"
            for position, text in zip(course.positions, map(floatToGoString, course.values), strict=True)
            for time in times[position]
        )
        count += sum(len(times[position]) for position in course.positions)
    return count


def _exposed(metric: Metric, courses: Iterable[tuple[str, ...]], labels: Mapping[str, str]) -> tuple[str, list[str]]:
    """Give a family's head, and each series as it stands before its values: as prometheus_client writes them."""
    exposed = Exposed(metric.name.removesuffix("_info"), metric.help, metric.type)
    for values in courses:
        exposed.add_sample(metric.name, {**labels, **dict(zip(metric.labels, values, strict=True))}, 0.0)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(exposed))
    text = generate_latest(registry)  # type: ignore[no-untyped-call]
    *lines, _, _ = text.decode().split("\n")
    names = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    return "".join(f"{line}\n" for line in lines if line.startswith("#")), names


class _Fixed(Collector):
    """A family that is there already, as prometheus_client wants to be given it."""

    def __init__(self, family: Exposed) -> None:
        self._family = family

    def collect(self) -> Iterable[Exposed]:
        """Give the family."""
        return (self._family,)
