"""The growth metrics of one day as text: a table for people, JSON for programs, exposition for Prometheus."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from aggregators.calendar import date_of
from aggregators.metrics.family import Family, Unit
from aggregators.metrics.reading import Number
from aggregators.money import MILLION
from exporters.collector import exposable

_VALUE = "value"
_ANY_WIDTH = 10_000
_PERIODS = {
    "Calendar periods": ("day", "week", "month", "quarter", "year"),
    "Previous periods": tuple(f"previous_{kind}" for kind in ("day", "week", "month", "quarter", "year")),
    "Rolling windows": ("7d", "30d", "90d", "365d"),
}


def as_json(families: Iterable[Family], as_of: int) -> str:
    """Give one JSON object: the day, and every metric with its help and samples, in the exporter's order."""
    metrics = [
        {
            "name": family.name,
            "help": family.help,
            "samples": [
                {"labels": dict(zip(family.labels, sample.labels, strict=True)), "value": _rounded_once(sample.value)}
                for sample in family.samples
            ],
        }
        for family in families
    ]
    document = {"as_of": date_of(as_of).isoformat(), "metrics": metrics}
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def as_exposition(families: Sequence[Family]) -> str:
    """Give exactly the growth metrics that the exporter would show, in Prometheus' text format."""
    return generate_latest(_Fixed(families)).decode()


class _Fixed(Collector):
    """Families that are there already, as prometheus_client wants to be given them."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Give the families."""
        return exposable(self._families)


def write_table(families: Iterable[Family], as_of: int, console: Console) -> None:
    """Write tables for people: what has no period first, then by calendar, previous and rolling periods.

    A terminal that is too narrow for a table's periods gets more and narrower tables; what is no terminal is taken
    to be as wide as the tables are.
    """
    plain, by_period = _rows(families)
    date = date_of(as_of).isoformat()
    if not console.is_terminal:
        console.width = _ANY_WIDTH
    console.print(_table(f"Growth on {date}", (_VALUE,), plain))
    for title, periods in _PERIODS.items():
        rows = {row: values for row, values in by_period.items() if not values.keys().isdisjoint(periods)}
        if rows:
            for table in _fitting(f"{title} as of {date}", periods, rows, console):
                console.print(table)


Rows = dict[tuple[str, str], dict[str, str]]
"""Metric and labels to the value of each period; a blank where there is none."""


def _rows(families: Iterable[Family]) -> tuple[Rows, Rows]:
    plain: Rows = {}
    by_period: Rows = {}
    for family in families:
        for sample in family.samples:
            labels = dict(zip(family.labels, sample.labels, strict=True))
            period = labels.pop("period", None)
            rows = plain if period is None else by_period
            key = family.name.removeprefix("growth_"), ", ".join(f"{name}={value}" for name, value in labels.items())
            rows.setdefault(key, {})[period or _VALUE] = formatted(sample.value, family.unit)
    return plain, by_period


def _table(title: str, columns: Sequence[str], rows: Rows) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("growth_...", overflow="fold")
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right", overflow="fold")
    before = None
    for (name, labels), values in rows.items():
        table.add_row(Text("" if name == before else name), Text(labels), *(values.get(column) for column in columns))
        before = name
    return table


def _fitting(title: str, columns: Sequence[str], rows: Rows, console: Console) -> Iterator[Table]:
    table = _table(title, columns, rows)
    unbounded = console.options.update_width(_ANY_WIDTH)
    if len(columns) == 1 or Measurement.get(console, unbounded, table).maximum <= console.width:
        yield table
        return
    middle = (len(columns) + 1) // 2
    yield from _fitting(title, columns[:middle], rows, console)
    yield from _fitting(title, columns[middle:], rows, console)


def formatted(value: Number, unit: Unit) -> str:
    """Write a value for people, to the millionth at most and rounded half-even: 1,234.5 or, of an instant, a date."""
    if unit == "timestamp":
        return dt.datetime.fromtimestamp(float(value), tz=dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    text = f"{round(Fraction(value) * MILLION) / Decimal(MILLION):,.6f}"
    return text.rstrip("0").rstrip(".")


def _rounded_once(value: Number) -> int | float:
    return float(value) if isinstance(value, Fraction) else value
