"""`growthgauge up`."""

from __future__ import annotations

import click

from growthgauge.console import stderr
from growthgauge.local.up import Up
from growthgauge.options import ACCEPTANCE, CONNECTIONS, LOGS, METRICS, PORTS, RULES, TOPICS, Command, with_settings
from growthgauge.settings import Settings


@click.command(
    cls=Command,
    name="up",
    examples=["growthgauge up --demo", "growthgauge up --data-dir ~/growth --time-zone Europe/Berlin"],
)
@click.option("--demo/--no-demo", default=False, help="Fill it with a demo company: two years, then live.  [no demo]")
@with_settings(CONNECTIONS, PORTS, TOPICS, ACCEPTANCE, RULES, METRICS, LOGS)
def command(*, settings: Settings, demo: bool) -> None:
    """Start broker, Redis, worker and exporter together, and end them together.

    All of it runs in the foreground on this machine. The broker keeps its records in memory, so this is for trying
    out; the numbers are kept in the data folder and are there again after a restart.
    """
    Up(settings, stderr, with_demo=demo).run()
