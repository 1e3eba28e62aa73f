"""`growthgauge send`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from aggregators.tables.opening import open_tables
from growthgauge.console import stderr
from growthgauge.errors import GrowthgaugeError
from growthgauge.options import CONNECTIONS, LOGS, TOPICS, Command, with_settings
from growthgauge.sending.lines import STANDARD_INPUT
from growthgauge.sending.send import Result, became, check_files, send_files
from growthgauge.settings import Settings


@click.command(
    cls=Command,
    name="send",
    examples=["growthgauge send events.ndjson.gz --wait", "cat events.ndjson | growthgauge send -"],
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--wait", is_flag=True, help="Wait until the numbers include what was sent, and say what became of it.")
@with_settings(CONNECTIONS, TOPICS, LOGS, beside=True)
def command(*, settings: Settings, files: tuple[str, ...], wait: bool) -> None:
    """Send events from files: one JSON object a line, gzip too; `-` is standard input.

    Missing topics are made. Lines that are no events are sent as they are, so that the worker puts them among the
    dead letters with the reason. Sending a file again is safe: an event counts once.
    """
    check_files(files)
    tables = open_tables(settings.redis) if wait else None
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        sizes = [Path(name).stat().st_size for name in files if name != STANDARD_INPUT]
        total = sum(sizes) if len(sizes) == len(files) else None
        task = progress.add_task("Sending", total=total)

        def show(read: int, sent: int) -> None:
            progress.update(task, completed=read, description=f"{sent:,} sent")

        result = asyncio.run(send_files(settings, files, tables, show))
    _tell(result, click.echo)


def _tell(result: Result, say: Callable[[str], object]) -> None:
    if not result.acknowledged and not result.too_large:
        stderr.print("There was nothing to send: a file of events has one JSON object a line.", soft_wrap=True)
    say(f"{result.acknowledged:,} sent{became(result)}.")
    if result.too_large:
        shown = ", ".join(result.too_large[:5]) + (", ..." if len(result.too_large) > 5 else "")
        raise GrowthgaugeError(
            f"{len(result.too_large):,} lines are larger than the 1 MB that brokers take and were not sent ({shown}): "
            "split them or leave them out."
        )
