"""`growthgauge rebuild`."""

from __future__ import annotations

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aggregators.tables import open_tables
from growthgauge.console import stderr
from growthgauge.options import LOGS, RULES, Command, with_settings
from growthgauge.rebuild import rebuild
from growthgauge.settings import Settings
from growthgauge.wiring import rules


@click.command(cls=Command, name="rebuild", examples=["growthgauge rebuild --lapse-grace-days 14"])
@with_settings(("redis_url", "data_dir", "partitions"), RULES, LOGS, beside=True)
def command(*, settings: Settings) -> None:
    """Fold all ledgers anew, after a setting that changes the numbers, or a new version, asked for it.

    Stop the workers first. Readers see the old facts or the new ones, never a mixture; interrupted, run it again.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("Folding", total=settings.partitions)

        def show(shards: int, ledgers: int) -> None:
            progress.update(task, completed=shards, description=f"{ledgers:,} ledgers folded")

        count = rebuild(open_tables(settings.redis), rules(settings), settings.partitions, show)
    click.echo(f"{count:,} ledgers folded in {settings.partitions} shards.")
