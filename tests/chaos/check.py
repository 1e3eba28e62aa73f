"""After a round: all is processed, the reports are the reference's, and the product says that its books balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from growthgauge.upkeep.catch_up import outcomes
from tests.chaos.world import World
from tests.integration.test_kills import numbers
from tests.support import reference
from tests.support.differential import COMPARED, differences


class Checked(NamedTuple):
    """What came out."""

    compared: int
    """Samples."""
    differences: list[str]
    """Samples, counts and facts that are not what they should be."""
    outcomes: Counter[str]


def settle(world: World) -> None:
    """Let everything be sent and processed.

    Raises:
        Stuck: it does not come to an end.
    """
    world.budget = 1 << 30
    world.until(lambda: not world.feed.waiting and world.feed.flush(1), "everything is sent")
    # What was refused last waits again.
    world.until(lambda: not world.feed.waiting and world.feed.flush(1), "everything is sent")
    world.until(lambda: not world.behind(), "everything is processed")


def check(world: World, days: Sequence[date]) -> Checked:
    """Compare the reports of days with the reference, and let the product compare its facts with its ledgers."""
    told: list[str] = []
    events = world.feed.counted()
    expected = reference.Reference(events, reference.Settings(**world.shown))
    compared = 0
    for day in days:
        ran = world.user.runs("report", "--as-of", str(day), "--format", "json", **world.settings())
        if ran.status != 0:
            told.append(f"{day}: no report: {ran.error}")
            continue
        theirs = expected.metrics(day)
        compared += sum(name in COMPARED for name, _ in theirs)
        told += [f"{day} {line}" for line in differences(numbers(ran.output), theirs)]
    counts = outcomes(world.metas())
    accepted = sum(number for name, number in counts.items() if name.endswith("/accepted"))
    distinct = len({(event["customer_id"], event["type"], event["id"]) for event in events})
    if accepted != distinct:
        told.append(f"{accepted} events are accepted, and there are {distinct}")
    late = sum(number for name, number in counts.items() if name.endswith("/late"))
    if late:
        told.append(f"{late} sessions are late, and none should be")
    books = world.user.runs("verify", **world.settings())
    if books.status != 0:
        told.append(f"verify: {books.output or books.error}")
    return Checked(compared, told, counts)
