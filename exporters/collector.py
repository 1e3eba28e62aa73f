"""The Prometheus collector: every scrape reads the tables and makes fresh metric families."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import groupby
from time import perf_counter
from typing import TypeVar

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Exposed
from prometheus_client.registry import Collector

from aggregators.metrics import CATALOGUE, Family, Metric
from aggregators.metrics.identities import unbalanced
from aggregators.metrics.reading import Reading
from aggregators.tables.door import TablesUnavailable
from exporters.growth import Growth, TablesMismatch

T = TypeVar("T")
logger = logging.getLogger(__name__)


def _group(metric: Metric) -> str:
    return metric.read.__module__.rpartition(".")[2]


GROUPS: dict[str, tuple[Metric, ...]] = {group: tuple(metrics) for group, metrics in groupby(CATALOGUE, key=_group)}
"""The growth metrics by the module that defines them: one group's bug takes only that group down."""
_WITHOUT_FACTS = {"info"}
"""Groups that settings and day alone determine: served even while the tables cannot be read."""


def exposable(families: Iterable[Family]) -> Iterator[Exposed]:
    """Turn the growth metrics into prometheus_client's own, in the same order."""
    for family in families:
        # The client adds the suffix of an info itself.
        exposed = Exposed(family.name.removesuffix("_info"), family.help, family.type)
        for sample in family.samples:
            exposed.add_sample(family.name, dict(zip(family.labels, sample.labels, strict=True)), float(sample.value))
        yield exposed


def _read(metrics: Iterable[Metric], reading: Reading) -> list[Family]:
    return [metric.family(reading) for metric in metrics]


def _unbalanced(reading: Reading) -> GaugeMetricFamily:
    """Compare the facts with each other, up to the ends of all periods and of the days before them."""
    family = GaugeMetricFamily(
        "growth_facts_unbalanced",
        "1 if facts contradict each other, which is a bug or a damaged Redis: run `growthgauge verify`.",
        labels=["identity"],
    )
    days = sorted({*reading.last_days, *reading.days_before})
    for name, wrong in unbalanced(reading.book, days, reading.settings.dimensions).items():
        family.add_metric([name], float(bool(wrong)))
    return family


class GrowthCollector(Collector):
    """Reads the tables at scrape time.

    While they cannot be read the metrics that need them are left out, never repeated from memory: a graph shows a
    gap rather than a number that is no longer known to be true.

    Args:
        growth: the book to bring up to date.
        today: gives today's day number in the reporting zone.
    """

    def __init__(self, growth: Growth, today: Callable[[], int]) -> None:
        """Nothing is read before the first scrape."""
        self._growth = growth
        self._today = today

    def describe(self) -> Iterable[Exposed]:
        """Describe nothing, so that registering does not read the tables."""
        return ()

    def collect(self) -> Iterator[Exposed]:
        """Give the growth metrics of today and how the reading went; never raises."""
        scrape, today = _Scrape(), self._today()
        families: list[Family] = []
        balance: GaugeMetricFamily | None = None
        with ExitStack() as stack:
            reading = scrape.run("tables", lambda: stack.enter_context(self._growth.at(today)))
            if reading is not None:
                balance = scrape.run("balance", partial(_unbalanced, reading))
            for group, metrics in GROUPS.items():
                source = self._growth.without_facts(today) if group in _WITHOUT_FACTS else reading
                if source is not None:
                    # Whole or not at all: half a group would look like metrics that have no samples today.
                    families += scrape.run(group, partial(_read, metrics, source)) or ()
        yield from scrape.families()
        if balance is not None:
            yield balance
        yield from exposable(family for family in families if family.samples)


class _Scrape:
    """What one scrape says of itself."""

    def __init__(self) -> None:
        self._up = GaugeMetricFamily("growth_redis_up", "1 if Redis answered this scrape.")
        self._success = GaugeMetricFamily(
            "growth_collector_success", "1 if this part of the scrape succeeded.", labels=["collector"]
        )
        self._duration = GaugeMetricFamily(
            "growth_collector_duration_seconds", "How long this part of the scrape took.", labels=["collector"]
        )
        self._redis_up = True

    def run(self, name: str, step: Callable[[], T]) -> T | None:
        """Run one part, note how it went, and give its result, None if it failed."""
        started = perf_counter()
        result = None
        try:
            result = step()
        except (TablesUnavailable, TablesMismatch) as error:
            self._redis_up = not isinstance(error, TablesUnavailable)
            logger.warning("%s", error, extra={"action": "scrape_failed", "collector": name})
        except Exception:
            logger.exception("The collector %s failed.", name, extra={"action": "scrape_failed", "collector": name})
        self._success.add_metric([name], float(result is not None))
        self._duration.add_metric([name], perf_counter() - started)
        return result

    def families(self) -> Iterator[Exposed]:
        """Give the families about the scrape."""
        self._up.add_metric([], float(self._redis_up))
        yield self._up
        yield self._success
        yield self._duration


def make_registry(growth: Growth, today: Callable[[], int]) -> CollectorRegistry:
    """Make the exporter's own registry: the growth metrics, and this process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(GrowthCollector(growth, today))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry
