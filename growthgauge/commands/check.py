"""`growthgauge check`."""

from __future__ import annotations

import click

from aggregators.tables.opening import open_tables
from growthgauge.options import CONNECTIONS, LOGS, METRICS, RULES, TOPICS, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.upkeep.check import findings


@click.command(
    cls=Command, name="check", examples=["growthgauge check --broker kafka:9092 --redis-url redis://redis:6379/0"]
)
@with_settings(CONNECTIONS, TOPICS, RULES, METRICS, LOGS, beside=True)
def command(*, settings: Settings) -> int:
    """Look at settings, broker, topics and Redis, and say what is wrong and what to do."""
    wrong = 0
    for finding in findings(settings, open_tables(settings.redis)):
        mark = click.style("ok", fg="green") if finding.good else click.style("problem", fg="red")
        click.echo(f"{finding.subject:<11}{mark}: {finding.text}")
        wrong += not finding.good
    return 1 if wrong else 0
