"""What a metric is made of: its definition, and the samples of one reading."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import msgspec

from aggregators.metrics.reading import Number, Reading, Samples

Unit = Literal["count", "ratio", "seconds", "days", "timestamp", "money", "score", "target", "info"]
"""What a value is; money is in major units of the reporting currency, unless the metric has a label `currency`."""


class Sample(NamedTuple):
    """One value under one combination of labels."""

    labels: tuple[str, ...]
    """The labels' values, in the order of the family's names."""
    value: Number
    """Exact wherever the definition is: a renderer rounds, once."""


class Family(msgspec.Struct, frozen=True):
    """A metric and its samples on one as-of day."""

    name: str
    help: str
    type: Literal["gauge", "info"]
    unit: Unit
    labels: tuple[str, ...]
    samples: list[Sample]


class Metric(msgspec.Struct, frozen=True):
    """A metric's definition."""

    name: str
    help: str
    labels: tuple[str, ...]
    unit: Unit
    read: Callable[[Reading], Samples]

    def family(self, reading: Reading) -> Family:
        """Work out the samples of one reading."""
        kind: Literal["gauge", "info"] = "info" if self.unit == "info" else "gauge"
        return Family(self.name, self.help, kind, self.unit, self.labels, [Sample(*s) for s in self.read(reading)])


def metric(*labels: str, unit: Unit = "count") -> Callable[[Callable[[Reading], Samples]], Metric]:
    """Make a metric of the function that reads it: the function's name is its name, the docstring its help."""

    def define(read: Callable[[Reading], Samples]) -> Metric:
        return Metric(read.__name__, " ".join((read.__doc__ or "").split()), labels, unit, read)

    return define


def defined_in(*modules: ModuleType) -> tuple[Metric, ...]:
    """Give the metrics that modules define, in the order they stand there."""
    return tuple(found for module in modules for found in vars(module).values() if isinstance(found, Metric))
