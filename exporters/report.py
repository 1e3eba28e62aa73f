"""The growth metrics of one day as text: a table for people, JSON for programs, exposition for Prometheus."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from textwrap import wrap
from typing import Any

import msgspec
from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from aggregators.calendar import date_of
from aggregators.metrics.family import Family, Unit
from aggregators.metrics.reading import Number
from aggregators.money import MILLION
from exporters.collector import exposable
from exporters.days import rounded_once

_VALUE = "value"
_HEAD = "growth_..."
_GAP = "  "
_NARROWEST = 16
"""Of the column of labels, however narrow the terminal is."""
_PERIODS = {
    "Calendar periods": ("day", "week", "month", "quarter", "year"),
    "Previous periods": tuple(f"previous_{kind}" for kind in ("day", "week", "month", "quarter", "year")),
    "Rolling windows": ("7d", "30d", "90d", "365d"),
}


def as_json(families: Iterable[Family], as_of: int) -> str:
    """Give one JSON object: the day, and every metric with its help and samples, in the exporter's order."""
    return msgspec.json.format(msgspec.json.encode(document(families, as_of)), indent=2).decode() + "\n"


def document(families: Iterable[Family], as_of: int) -> dict[str, Any]:
    """Give the day, and every metric with its help and samples, as what JSON can hold."""
    metrics = [
        {
            "name": family.name,
            "help": family.help,
            "samples": [
                {"labels": dict(zip(family.labels, sample.labels, strict=True)), "value": rounded_once(sample.value)}
                for sample in family.samples
            ],
        }
        for family in families
    ]
    return {"as_of": date_of(as_of).isoformat(), "metrics": metrics}


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
    width = console.width if console.is_terminal else None
    _write(f"Growth on {date}", (_VALUE,), plain, width, console)
    for title, periods in _PERIODS.items():
        rows = {row: values for row, values in by_period.items() if not values.keys().isdisjoint(periods)}
        if rows:
            _write(f"{title} as of {date}", periods, rows, width, console)


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
            text = ", ".join(f"{name}={value}" for name, value in labels.items())
            # A label is whatever an event said: nothing in it may move a terminal's cursor.
            key = family.name.removeprefix("growth_"), text if text.isprintable() else repr(text)[1:-1]
            rows.setdefault(key, {})[period or _VALUE] = formatted(sample.value, family.unit)
    return plain, by_period


def _write(title: str, columns: Sequence[str], rows: Rows, width: int | None, console: Console) -> None:
    """Write one table, or several with some of its columns each; of labels that are still too long the rest goes below.

    It is laid out here: rich's tables take seconds for some thousand rows.
    """
    heads = [column.replace("_", " ") for column in columns]
    names = max((cell_len(name) for name, _ in rows), default=0)
    labels = max((cell_len(labels) for _, labels in rows), default=0)
    values = [
        max(map(cell_len, (head, *(row.get(column, "") for row in rows.values()))))
        for head, column in zip(heads, columns, strict=True)
    ]
    names = max(names, cell_len(_HEAD))
    others = 1 + names + sum(len(_GAP) + value for value in values) + len(_GAP)
    if width is not None and others + labels > width:
        if len(columns) > 1:
            middle = (len(columns) + 1) // 2
            _write(title, columns[:middle], rows, width, console)
            _write(title, columns[middle:], rows, width, console)
            return
        labels = max(width - others, _NARROWEST)

    def line(name: str, label: str, cells: Iterable[str]) -> str:
        right = (" " * (value - cell_len(cell)) + cell for cell, value in zip(cells, values, strict=True))
        return " " + _GAP.join((set_cell_size(name, names), set_cell_size(label, labels), *right))

    console.out(title, style="italic", highlight=False)
    console.out()
    head = line(_HEAD, "", heads)
    console.out(head, style="bold", highlight=False)
    console.out(" " + "─" * (len(head) - 1), highlight=False)
    before, lines = "", []
    for (name, label), row in rows.items():
        first, *more = [label] if cell_len(label) <= labels else wrap(label, labels)
        lines.append(line("" if name == before else name, first, (row.get(column, "") for column in columns)))
        lines += [line("", rest, [""] * len(values)).rstrip() for rest in more]
        before = name
    console.out("\n".join((*lines, "")), highlight=False)


def formatted(value: Number, unit: Unit) -> str:
    """Write a value for people, to the millionth at most and rounded half-even: 1,234.5 or, of an instant, a date."""
    if unit == "timestamp":
        return dt.datetime.fromtimestamp(float(value), tz=dt.UTC).strftime("%Y-%m-%d %H:%MZ")
    text = f"{round(Fraction(value) * MILLION) / Decimal(MILLION):,.6f}"
    return text.rstrip("0").rstrip(".")
