"""`growthgauge init`."""

from __future__ import annotations

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from growthgauge.console import stderr
from growthgauge.options import LOGS, TOPICS, Command, with_settings
from growthgauge.sending.topics import identities, make_topics
from growthgauge.settings import Settings


@click.command(
    cls=Command,
    name="init",
    examples=[
        "growthgauge init --broker kafka:9092 --partitions 12",
        "growthgauge init --partitions 24 --topic-sessions growth.sessions.24 --copy-from growth.sessions",
    ],
)
@click.option(
    "--copy-from",
    multiple=True,
    metavar="TOPIC",
    help="Copy all records of this topic to the topics of the settings; may be given several times.",
)
@with_settings(("broker", "data_dir"), TOPICS, LOGS, beside=True)
def command(*, settings: Settings, copy_from: tuple[str, ...]) -> None:
    """Make the topics that are missing, each with the setting PARTITIONS; run it as often as you like.

    Replication is the broker's default. `up` and `send` make missing topics by themselves.

    Kafka cannot move records to other partitions. With --copy-from they are copied from topics of other names: each
    event to its type's topic and its customer's partition, with key, headers and timestamp. What was copied before is
    left out, so run it again after an interruption, or for what has come since.
    """
    if copy_from:
        from growthgauge.sending.topic_copy import check_sources  # noqa: PLC0415 - most often nothing is copied

        check_sources(settings, copy_from)
    made = make_topics(settings)
    for name in settings.all_topics:
        click.echo(f"{name}: {'made' if name in made else 'was there'}")
    identities(settings)
    if copy_from:
        _copy(settings, copy_from)


def _copy(settings: Settings, sources: tuple[str, ...]) -> None:
    from growthgauge.sending.topic_copy import copy_topics  # noqa: PLC0415 - as above

    columns = (TextColumn("Copying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("", total=None)
        copied = copy_topics(settings, sources, lambda seen, total: progress.update(task, completed=seen, total=total))
    before = f", {copied.before:,} were copied before" if copied.before else ""
    click.echo(f"{copied.records:,} records copied{before}.")
