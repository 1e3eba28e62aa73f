"""`growthgauge backfill`."""

from __future__ import annotations

import datetime as dt
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TextIO

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from aggregators.calendar import date_of, day_of
from aggregators.metrics import CATALOGUE, Metric
from aggregators.metrics.reading import Reading
from aggregators.tables.opening import open_tables
from exporters.growth import Growth
from exporters.history import History, steps, write_history
from growthgauge.commands.report import PATIENCE_SECONDS, Day
from growthgauge.console import stderr
from growthgauge.errors import GrowthgaugeError, WrongUsage
from growthgauge.options import LOGS, METRICS, RULES, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.wiring import metric_settings, rules, today

SCRAPED = {"job": "growthgauge-exporter", "instance": "exporter:9108"}
"""The labels that deploy/prometheus/prometheus.yml gives to what it scrapes."""
STANDARD_OUTPUT = "-"
BUFFER = 1 << 20
SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType):
    """A length of time, as 5m."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read seconds."""
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", str(value))
        if found is None:
            self.fail(f"{value!r} is no length of time; write it as 30s, 5m or 1h", param, ctx)
        return int(found[1]) * SECONDS[found[2]]


class Label(click.ParamType):
    """A label of Prometheus, as job=growthgauge-exporter."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Read a name, which no metric has, and a value."""
        name, equals, text = str(value).partition("=")
        if not equals or not re.fullmatch(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*", name):
            self.fail(f"{value!r} is no label; write it as job=growthgauge-exporter", param, ctx)
        if any(name in metric.labels for metric in CATALOGUE):
            self.fail(f"{name!r} is a label that metrics have themselves; give another one", param, ctx)
        return name, text


@click.command(
    cls=Command,
    name="backfill",
    examples=[
        "growthgauge backfill --output history.om",
        "growthgauge backfill --from 2026-01-01 --metric 'growth_mrr*' --metric growth_customers --output history.om",
    ],
)
@click.option("--from", "since", type=Day(), help="The first day; without it the first one with facts.")
@click.option("--to", "until", type=Day(), help="The last day; yesterday without it.")
@click.option("--output", metavar="FILE", help="Where to write; standard output without it, or with `-`.")
@click.option(
    "--metric", "patterns", multiple=True, metavar="NAME", help="Only this metric, or those that fit `growth_mrr*`."
)
@click.option(
    "--label",
    "labels",
    type=Label(),
    multiple=True,
    help="A label of all series, as Prometheus adds it when it scrapes; an empty VALUE takes it away. "
    f"[{', '.join(f'{name}={value}' for name, value in SCRAPED.items())}]",
)
@click.option(
    "--every", type=Duration(), help="Repeat a day's values all through it; without it they stand at its last second."
)
@with_settings(("redis_url", "data_dir", "partitions"), RULES, METRICS, LOGS, beside=True)
def command(
    *,
    settings: Settings,
    since: dt.date | None,
    until: dt.date | None,
    output: str | None,
    patterns: tuple[str, ...],
    labels: tuple[tuple[str, str], ...],
    every: int | None,
) -> None:
    """Write the growth metrics of past days for Prometheus, as OpenMetrics text.

    `promtool tsdb create-blocks-from openmetrics` turns the file into blocks, so that dashboards have a past on their
    first day. A day's answer is what is known now about that day. It needs Redis alone, no broker.
    """
    if output is None and sys.stdout.isatty():
        raise click.UsageError("it is too much text for a terminal: give a file with --output")
    metrics = _chosen(patterns)
    yesterday = today(settings) - 1
    last = yesterday if until is None else day_of(until)
    if last > yesterday:
        raise click.BadParameter(
            f"{until} is not over: Prometheus scrapes it; give {date_of(yesterday)} or an earlier day",
            param_hint="--to",
        )
    growth = Growth(
        open_tables(settings.redis).reader(),
        partitions=settings.partitions,
        settings=metric_settings(settings),
        fingerprint=rules(settings).fingerprint(),
        patience=PATIENCE_SECONDS,
    )
    try:
        with growth.at(last) as reading:
            history = History(
                days=_days(reading, since, last),
                metrics=metrics,
                labels={name: value for name, value in (SCRAPED | dict(labels)).items() if value},
                every=every,
            )
            _write(reading, history, output or STANDARD_OUTPUT)
    finally:
        growth.close()


def _chosen(patterns: Sequence[str]) -> list[Metric]:
    for pattern in patterns:
        if not any(fnmatchcase(metric.name, pattern) for metric in CATALOGUE):
            raise click.BadParameter(
                f"no metric fits {pattern!r}; `growthgauge report` shows their names", param_hint="--metric"
            )
    fits = patterns or ("*",)
    return [metric for metric in CATALOGUE if any(fnmatchcase(metric.name, pattern) for pattern in fits)]


def _days(reading: Reading, since: dt.date | None, last: int) -> range:
    """Give the days to write, none before the first with facts: they have nothing to tell."""
    first = reading.book.first_day
    if first is None:
        raise GrowthgaugeError(
            f"There are no facts up to {date_of(last)}: send events of earlier days first, or give a later --to."
        )
    start = first if since is None else max(first, day_of(since))
    if start > last:
        raise click.BadParameter(
            f"{date_of(start)} is later than the last day, {date_of(last)}: give an earlier day", param_hint="--from"
        )
    return range(start, last + 1)


def _write(reading: Reading, history: History, output: str) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with (
        _opened(output) as out,
        Progress(*columns, *times, console=stderr, transient=True, disable=not stderr.is_terminal) as progress,
    ):
        task = progress.add_task("Writing", total=steps(history))
        written = write_history(reading, history, out, lambda: progress.advance(task))
    first, last = date_of(history.days[0]), date_of(history.days[-1])
    click.echo(f"{written.samples:,} samples of {written.series:,} series, {first} to {last}.", err=True)


@contextmanager
def _opened(output: str) -> Iterator[TextIO]:
    """Write to the file, or to standard output."""
    try:
        with _open(output) as out:
            yield out
    except BrokenPipeError:
        raise
    except OSError as error:
        raise GrowthgaugeError(
            f"{output} could not be written to its end ({error.strerror}): make room there, then run it again."
        ) from None


def _open(output: str) -> TextIO:
    """Open it for text that is the same everywhere."""
    if output == STANDARD_OUTPUT:
        return open(sys.stdout.fileno(), "w", BUFFER, encoding="utf-8", newline="\n", closefd=False)
    try:
        return Path(output).open("w", BUFFER, encoding="utf-8", newline="\n")
    except OSError as error:
        raise WrongUsage(f"{output} cannot be written ({error.strerror}): give another --output.") from None
