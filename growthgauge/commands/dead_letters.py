"""`growthgauge dead-letters list` and `growthgauge dead-letters replay`."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import click
import msgspec
from rich.cells import cell_len, set_cell_size
from rich.progress import Progress, SpinnerColumn, TextColumn

from aggregators.calendar import Zone, day_of
from aggregators.events import TYPES
from aggregators.tables.opening import open_tables
from growthgauge.console import stderr
from growthgauge.errors import GrowthgaugeError
from growthgauge.options import CONNECTIONS, LOGS, TOPICS, Command, with_settings
from growthgauge.sending.dead_letter_replay import (
    Replayed,
    Wanted,
    choose,
    chosen_letters,
    plain,
    reader,
    replay,
    type_of,
)
from growthgauge.sending.send import became
from growthgauge.settings import Settings
from streams.decoding.fields import shown_instant
from streams.decoding.times import instant
from streams.kafka.dead_letter_reader import Letter, Place
from streams.worker.pipeline_metrics import REASONS

Form = Literal["table", "json", "ndjson"]


class Moment(click.ParamType):
    """A calendar date in the reporting time zone, or an instant."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date | int:
        """Read a date, or an instant as milliseconds."""
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(value)
        with contextlib.suppress(ValueError):
            return instant(value)
        return self.fail(
            f"{value!r} is no time; write a day as 2026-03-31 or a time as 2026-03-31T09:30:00Z", param, ctx
        )


class At(click.ParamType):
    """Where a record is: TOPIC-PARTITION@OFFSET."""

    name = "PLACE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        """Read a place."""
        try:
            return Place.parse(value)
        except ValueError:
            self.fail(f"{value!r} is no place; write it as growth.payments-3@120, as the list does", param, ctx)


_FILTERS = (
    click.option(
        "--reason", "reasons", multiple=True, type=click.Choice(REASONS), help="Only rejected for this reason."
    ),
    click.option("--type", "types", multiple=True, type=click.Choice([*TYPES, "unknown"]), help="Only of this type."),
    click.option("--topic", "origins", multiple=True, metavar="TOPIC", help="Only records from this topic."),
    click.option("--at", "places", multiple=True, type=At(), help="Only this record: TOPIC-PARTITION@OFFSET."),
    click.option("--since", type=Moment(), help="Only rejected on this day or at this time, or later."),
    click.option("--until", type=Moment(), help="Only rejected on this day or earlier, or before this time."),
    click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="Only the newest so many."),
)
"""All but the last three can be given more than once."""


def with_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the settings and the filters, which it gets as `wanted`."""

    @functools.wraps(command)
    def run(  # noqa: PLR0913 - a parameter for each filter
        *,
        settings: Settings,
        reasons: Sequence[str],
        types: Sequence[str],
        origins: Sequence[str],
        places: Sequence[Place],
        since: dt.date | int | None,
        until: dt.date | int | None,
        limit: int | None,
        **arguments: Any,
    ) -> Any:
        zone = Zone(settings.time_zone)
        first = zone.start_of(day_of(since)) if isinstance(since, dt.date) else since
        end = zone.start_of(day_of(until) + 1) if isinstance(until, dt.date) else until
        if first is not None and end is not None and first >= end:
            raise click.BadParameter("the time is not after that of --since", param_hint="--until")
        wanted = Wanted(frozenset(reasons), frozenset(types), frozenset(origins), frozenset(places), first, end, limit)
        return command(settings=settings, wanted=wanted, **arguments)

    decorated: Callable[..., Any] = with_settings(CONNECTIONS, TOPICS, ("time_zone",), LOGS, beside=True)(run)
    for option in reversed(_FILTERS):
        decorated = option(decorated)
    return decorated


@click.group(name="dead-letters")
def command() -> None:
    """List the records that could not be accepted, and send them again."""


@command.command(
    cls=Command,
    name="list",
    examples=[
        "growthgauge dead-letters list --reason schema --since 2026-03-31",
        "growthgauge dead-letters list --format ndjson > rejected.ndjson",
    ],
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "ndjson"]),
    default="table",
    show_default=True,
    help="For people, for programs, or the records alone, a line each, to mend and to send.",
)
@with_filters
def list_(*, settings: Settings, wanted: Wanted, form: Form) -> None:
    """List the records that could not be accepted, and what is wrong with each.

    The dead-letter topic is read up to the end that it has now. A record that was sent again and was rejected again is
    listed once, as it came last.
    """
    asyncio.run(_list(settings, wanted, form))


async def _list(settings: Settings, wanted: Wanted, form: Form) -> None:
    reasons: Counter[str] = Counter()
    rows: list[tuple[str, ...]] = []
    empty = 0
    out = sys.stdout.buffer
    async with reader(settings) as opened:
        chosen = await choose(opened, wanted)
        async for letter in chosen_letters(opened, chosen):
            if form == "json":
                line = msgspec.json.encode(plain(letter))
                out.write((b",\n " if reasons else b"[\n ") + line)
            elif form == "table":
                rows.append(_row(letter))
            elif letter.value is not None:
                out.write(_one_line(letter.value))
            reasons[letter.reason] += 1
            empty += letter.value is None
    if form == "json":
        out.write(b"\n]\n" if reasons else b"[]\n")
    out.flush()
    if rows:
        _write_table(sorted(rows))
    told = ", ".join(f"{count:,} {reason or 'unknown'}" for reason, count in sorted(reasons.items()))
    _say(f"{reasons.total():,} dead letters{f': {told}' if told else ''}.")
    if chosen.replaced:
        _say(f"{chosen.replaced:,} earlier letters are left out: their records were sent again and rejected again.")
    if empty and form == "ndjson":
        _say(f"{empty:,} of them have no value, so they are not in the output: --format table says why.")


def _say(text: str) -> None:
    stderr.print(text, highlight=False, markup=False, soft_wrap=True)


def _row(letter: Letter) -> tuple[str, ...]:
    again = f"(replays: {len(letter.marks)}) " if letter.marks else ""
    texts = (
        shown_instant(letter.time),
        letter.reason or "unknown",
        type_of(letter),
        str(letter.origin or letter.place),
        again + letter.message,
    )
    # A message repeats what an event said: nothing in it may move a terminal's cursor.
    return tuple(text if text.isprintable() else repr(text)[1:-1] for text in texts)


def _write_table(rows: Sequence[tuple[str, ...]]) -> None:
    """Write rows, oldest first; what is wrong comes last and may be long."""
    heads = ("rejected at", "reason", "type", "record", "what is wrong")
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)][:-1]
    for row in (heads, *rows):
        cells = [set_cell_size(cell, width) for cell, width in zip(row[:-1], widths, strict=True)]
        click.echo("  ".join((*cells, row[-1])))


def _one_line(value: bytes) -> bytes:
    """Give a record as one line: in JSON a line break stands between what belongs apart anyway."""
    return value.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


@command.command(
    cls=Command,
    name="replay",
    examples=[
        "growthgauge dead-letters replay --reason wrong_partition --wait",
        "growthgauge dead-letters replay --at growth.payments-3@120 --dry-run",
    ],
)
@click.option("--dry-run", "dry", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--wait", is_flag=True, help="Wait until the numbers include what was sent, and say what became of it.")
@with_filters
def replay_(*, settings: Settings, wanted: Wanted, dry: bool, wait: bool) -> None:
    """Send the records of dead letters again, unchanged: all of them, or those that the filters name.

    Each goes to the topic of its type and the partition of its customer, with its own headers and the time of sending
    as its timestamp. Do so when what was wrong is not in the record: a producer's partitioner, a setting, a version.
    Replaying twice is safe: an event counts once.
    """
    tables = open_tables(settings.redis) if wait and not dry else None
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("Reading dead letters", total=None)

        def show(sent: int) -> None:
            progress.update(task, description=f"{sent:,} sent")

        done = asyncio.run(replay(settings, wanted, tables, show, dry=dry))
    _tell(done, dry=dry)


def _tell(done: Replayed, *, dry: bool) -> None:
    by_topic = ", ".join(f"{count:,} to {topic}" for topic, count in sorted(done.by_topic.items()))
    if dry:
        click.echo(f"{done.by_topic.total():,} would be sent{f': {by_topic}' if by_topic else ''}.")
    else:
        click.echo(f"{done.result.acknowledged:,} sent{became(done.result)}.")
    if done.tombstones:
        _say(f"{done.tombstones:,} have never had a value, so there is nothing to send.")
    missing = done.without_value + done.result.too_large
    if missing:
        shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise GrowthgaugeError(
            f"{len(missing):,} records are too large to be kept as dead letters or to be sent: read them where they "
            f"are ({shown}), as long as that topic keeps them, and send them in smaller pieces."
        )
