"""`growthgauge report`."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any, Literal

import click
from rich.console import Console

from aggregators.calendar import date_of, day_of
from aggregators.tables.opening import open_tables
from exporters import report
from exporters.growth import Growth
from growthgauge.options import LOGS, METRICS, RULES, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.wiring import metric_settings, rules, today

PATIENCE_SECONDS = 60
"""How long Redis may take to give all facts."""


class Day(click.ParamType):
    """A calendar date, as 2026-03-31."""

    name = "DAY"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Read a date."""
        if isinstance(value, dt.date):
            return value
        try:
            return dt.datetime.strptime(value, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
        except ValueError:
            self.fail(f"{value!r} is no day; write it as 2026-03-31", param, ctx)


@click.command(
    cls=Command, name="report", examples=["growthgauge report", "growthgauge report --as-of 2026-03-31 --format json"]
)
@click.option("--as-of", type=Day(), help="The day asked for; today without it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "prometheus"]),
    default="table",
    show_default=True,
    help="For people, for programs, or exactly as the exporter shows it.",
)
@with_settings(("redis_url", "data_dir", "partitions"), RULES, METRICS, LOGS, beside=True)
def command(*, settings: Settings, as_of: dt.date | None, form: Literal["table", "json", "prometheus"]) -> None:
    """Print the growth metrics of today or of an earlier day. It needs Redis alone, no broker.

    An earlier day's answer is what is known now about that day: events that came late have changed it.
    """
    now = today(settings)
    day = now if as_of is None else day_of(as_of)
    if day > now:
        raise click.BadParameter(
            f"{as_of} is later than today, {date_of(now)}: give today or an earlier day", param_hint="--as-of"
        )
    metrics = metric_settings(settings)
    growth = Growth(
        open_tables(settings.redis).reader(),
        partitions=settings.partitions,
        settings=metrics,
        fingerprint=rules(settings).fingerprint(),
        patience=PATIENCE_SECONDS,
    )
    try:
        families = growth.families(day)
    finally:
        growth.close()
    if form == "json":
        sys.stdout.write(report.as_json(families, day))
    elif form == "prometheus":
        sys.stdout.write(report.as_exposition(families))
    else:
        report.write_table(families, day, Console())
    sys.stdout.flush()
