"""`growthgauge verify`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from aggregators.calendar import date_of
from aggregators.facts import MEASURES, parts
from aggregators.metrics.identities import MEANINGS
from aggregators.tables.opening import open_tables
from growthgauge.console import stderr
from growthgauge.options import LOGS, RULES, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.upkeep.verify import Difference, Verified, verify
from growthgauge.wiring import rules

KEPT = ", ".join(name for name, measure in MEASURES.items() if measure.kept)


@click.command(cls=Command, name="verify", examples=["growthgauge verify", "growthgauge verify --format json"])
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For people, or for programs.",
)
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="How many of what is wrong to show."
)
@with_settings(("redis_url", "data_dir", "partitions"), RULES, LOGS, beside=True)
def command(*, settings: Settings, form: Literal["table", "json"], limit: int) -> int:
    """Compare all facts with the folds of all ledgers: the books must balance. Status 1 if they do not.

    It only reads, while workers go on, and can be interrupted at any time. Facts are also compared with each other,
    and a ledger that cannot be read is named.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        task = progress.add_task("Reading", total=settings.partitions)

        def show(shards: int, ledgers: int) -> None:
            progress.update(task, completed=shards, description=f"{ledgers:,} ledgers folded")

        tables = open_tables(settings.redis)
        found = verify(tables, rules(settings), settings.partitions, limit, show)
        tables.close()
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(_plain(found, limit)), indent=2).decode())
    else:
        for line in _lines(found, limit):
            click.echo(line)
    return 0 if found.balanced else 1


def _lines(found: Verified, limit: int) -> Iterator[str]:
    """Say it to a person."""
    size = f"{found.facts:,} facts and {found.ledgers:,} ledgers in {found.shards} shards"
    yield f"{'The books balance' if found.balanced else 'The books do not balance'}: {size} compared."
    if found.kept:
        yield f"Left out: {found.kept:,} facts of what no ledger keeps ({KEPT})."
    if found.differing:
        counts = ", ".join(f"{measure} {count:,}" for measure, count in found.differing.most_common())
        yield f"\n{found.differing.total():,} facts are not what the ledgers fold to: {counts}."
        yield from map(_difference, found.differences)
        yield from _more(found.differing.total(), len(found.differences))
    if found.unsound:
        yield f"\nDamaged ledgers ({len(found.unsound):,}):"
        for ledger in found.unsound[:limit]:
            yield f"  shard {ledger.shard}  {ledger.space} {_text(ledger.field)}: {ledger.why}"
        yield from _more(len(found.unsound), limit)
    if found.unbalanced:
        yield "\nFacts contradict each other:"
        for each in found.unbalanced:
            days = f"{len(each.days):,} days from {date_of(each.days[0])} on"
            yield f"  shard {each.shard}  {each.identity}: {MEANINGS[each.identity]} (not on {days})"
    if found.busy:
        shards = ", ".join(map(str, found.busy))
        yield (
            f"\nNot compared, because workers kept committing to them: shards {shards}. Try again when fewer events "
            "come, or stop the workers for the time."
        )
    if found.unsound:
        yield "\nRestore a snapshot of Redis, or read everything anew with `growthgauge rebuild --from-kafka`."
    elif found.differing or found.unbalanced:
        yield "\n`growthgauge rebuild` makes the facts follow the ledgers. Report what you see here: it is a bug."


def _difference(difference: Difference) -> str:
    measure, *labels = parts(difference.key)
    names = MEASURES[measure].labels if measure in MEASURES else ()
    shown = ", ".join(f"{name}={_text(label)}" for name, label in zip(names, labels, strict=False))
    place = f"  shard {difference.shard}  {date_of(difference.day)}  {measure}{f'{{{shown}}}' if shown else ''}"
    return f"{place}: stored {difference.stored:,}, folded {difference.folded:,}"


def _more(count: int, shown: int) -> Iterator[str]:
    if count > shown:
        yield f"  ... and {count - shown:,} more"


def _text(text: str) -> str:
    """Show any text on one line."""
    return text if text.isprintable() and text else ascii(text)


def _plain(found: Verified, limit: int) -> dict[str, Any]:
    """Give what a program reads."""
    return {
        "balanced": found.balanced,
        "shards": found.shards,
        "ledgers": found.ledgers,
        "facts": found.facts,
        "facts_left_out": found.kept,
        "differing": dict(found.differing),
        "differences": [
            {
                "shard": each.shard,
                "day": date_of(each.day),
                "measure": parts(each.key)[0],
                "labels": parts(each.key)[1:],
                "stored": each.stored,
                "folded": each.folded,
            }
            for each in found.differences
        ],
        "damaged": len(found.unsound),
        "damaged_ledgers": found.unsound[:limit],
        "unbalanced": [
            {"shard": each.shard, "identity": each.identity, "days": [date_of(day) for day in each.days[:limit]]}
            for each in found.unbalanced
        ],
        "busy_shards": found.busy,
    }
