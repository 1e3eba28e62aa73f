"""What a metric is made of: its definition, and the samples of one reading."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Literal, NamedTuple

import msgspec

from aggregators.metrics.reading import Number, Reading, Samples

Unit = Literal["count", "ratio", "seconds", "days", "timestamp", "money", "score", "target", "info"]
"""What a value is; money is in major units of the reporting currency, unless the metric has a label `currency`."""


_NOTE = re.compile(r"^(Source|Differs|Example): ", re.MULTILINE)


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
    definition: str = ""
    """What the help leaves open: the formula, or what a word in it means."""
    source: str = ""
    """Who defines the notion: titles of SOURCES in square brackets."""
    differs: str = ""
    """Where other tools count something else under that name."""
    example: str = ""
    """Numbers; the worked example that they come from, if there is one, in square brackets."""

    @property
    def type(self) -> Literal["gauge", "info"]:
        """Give what Prometheus calls it."""
        return "info" if self.unit == "info" else "gauge"

    def family(self, reading: Reading) -> Family:
        """Work out the samples of one reading."""
        return Family(self.name, self.help, self.type, self.unit, self.labels, [Sample(*s) for s in self.read(reading)])


def metric(*labels: str, unit: Unit = "count") -> Callable[[Callable[[Reading], Samples]], Metric]:
    """Make a metric of the function that reads it: the function's name is its name, the docstring tells the rest.

    The docstring's first paragraph is the help, the next one the definition, and then come `Source: `, `Differs: ` and
    `Example: `, each on lines of its own.
    """

    def define(read: Callable[[Reading], Samples]) -> Metric:
        told, *rest = _NOTE.split(inspect.cleandoc(read.__doc__ or ""))
        help_, _, definition = told.partition("\n\n")
        notes = {name.lower(): _one_line(text) for name, text in zip(rest[::2], rest[1::2], strict=True)}
        return Metric(read.__name__, _one_line(help_), labels, unit, read, _one_line(definition), **notes)

    return define


def _one_line(text: str) -> str:
    return " ".join(text.split())


def defined_in(*modules: ModuleType) -> tuple[Metric, ...]:
    """Give the metrics that modules define, in the order they stand there."""
    return tuple(found for module in modules for found in vars(module).values() if isinstance(found, Metric))
