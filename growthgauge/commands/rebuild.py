"""`growthgauge rebuild`."""

from __future__ import annotations

import sys

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aggregators.tables.opening import open_tables
from growthgauge.console import stderr
from growthgauge.errors import WrongUsage
from growthgauge.options import CONNECTIONS, LOGS, RULES, TOPICS, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.upkeep import rebuild_from_kafka
from growthgauge.upkeep.rebuild import rebuild
from growthgauge.wiring import rules


@click.command(
    cls=Command,
    name="rebuild",
    examples=[
        "growthgauge rebuild --lapse-grace-days 14",
        "growthgauge rebuild --from-kafka --time-zone Europe/Berlin",
    ],
)
@click.option(
    "--from-kafka", is_flag=True, help="Empty the tables, so that workers read all events anew; it asks before it does."
)
@click.option("--yes", is_flag=True, help="With --from-kafka: do not ask.")
@with_settings(CONNECTIONS, TOPICS, RULES, LOGS, beside=True)
def command(*, settings: Settings, from_kafka: bool, yes: bool) -> None:
    """Fold all ledgers anew, after a setting that changes the numbers, or a new version, asked for it.

    Stop the workers first. Readers see the old facts or the new ones, never a mixture; interrupted, run it again.

    Another time zone or number of partitions needs the events themselves: with --from-kafka the tables are emptied,
    and workers that start with the new settings begin at the first record of every topic.
    """
    if from_kafka:
        _from_kafka(settings, yes=yes)
        return
    if yes:
        raise WrongUsage("--yes goes with --from-kafka: a rebuild from ledgers does not ask.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("Folding", total=settings.partitions)

        def show(shards: int, ledgers: int) -> None:
            progress.update(task, completed=shards, description=f"{ledgers:,} ledgers folded")

        count = rebuild(open_tables(settings.redis), rules(settings), settings.partitions, show)
    click.echo(f"{count:,} ledgers folded in {settings.partitions} shards.")


def _from_kafka(settings: Settings, *, yes: bool) -> None:
    tables = open_tables(settings.redis)
    plan = rebuild_from_kafka.plan(tables, settings.broker, list(settings.topics.values()), settings.partitions)
    for line in rebuild_from_kafka.outlook(plan):
        click.echo(line, err=True)
    if not yes:
        if not sys.stdin.isatty():
            raise WrongUsage("Nothing was emptied, because nobody can be asked here: add --yes if you want it.")
        click.confirm("Empty the tables?", abort=True, err=True)
    columns = (TextColumn("Emptying"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("", total=plan.shards)
        rebuild_from_kafka.empty(
            tables,
            rules(settings),
            settings.partitions,
            plan.shards,
            lambda shards: progress.update(task, completed=shards),
        )
    tables.close()
    click.echo(
        f"{plan.shards} shards emptied: workers with these settings ({settings.partitions} partitions, days in "
        f"{settings.time_zone}) now read all events from the first record."
    )
