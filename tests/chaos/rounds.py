"""One round: a log of its own, faults one after the other while it is sent, and the check."""

from __future__ import annotations

import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tests.chaos import check
from tests.chaos.faults import CLOCK, FAULTS, QUIET
from tests.chaos.world import NotDone, Stuck, World
from tests.integration.test_kills import past
from tests.support.random_logs import SETTINGS, days_after, random_log
from tests.support.servers_kafka import Kafka

CUSTOMERS = 120
DAYS = [date(2024, 2, 29), date(2025, 7, 29)]
PROGRESS_SECONDS = 30
"""How long the next fault waits for something to be committed after the last one."""

TRIES = 2
"""For one fault: some need something to go on just then."""
ENOUGH = 1_000
"""Events that wait to be sent when a fault begins."""

Tell = Callable[[str], None]


class Round(NamedTuple):
    """What came of a round."""

    done: Counter[str]
    """By fault."""
    events: int
    sent: int
    """Records that Kafka acknowledged."""
    covered: int
    """Records that the stored offsets cover at the end."""
    compared: int
    differences: list[str]
    complaints: list[str]
    started: int
    """Workers."""
    killed: Counter[str]
    """Processes ended with SIGKILL, by what they were."""


def run_round(
    number: int, faults: Sequence[str], kafka: Kafka, folder: Path, seed: int, tell: Tell, without: str
) -> Round:
    """Run a round and give what came of it; a round that got stuck has that among its differences.

    Args:
        number: of the round, from 0.
        faults: names, in order.
        kafka: runs already.
        folder: for logs and data.
        seed: of the log, its order, and all that is drawn.
        tell: writes a line.
        without: the safeguard that is taken out of the workers, for a proof; empty for none.
    """
    setting = SETTINGS[number % len(SETTINGS)]
    zone = str(setting["time_zone"])
    log = [event for event in random_log(seed, size=CUSTOMERS, zone=zone) if past(event)]
    days = [*DAYS, *(day for day in days_after(log, zone, seed, 2) if day < date(2026, 6, 1))]
    began = time.monotonic()
    stand_in = f"without_{without}" if without else "clocked" if CLOCK in faults else None
    done: Counter[str] = Counter()
    with World(kafka, folder, log, setting, seed, stand_in) as world:
        tell(f"{len(log)} events of {CUSTOMERS} customers, {len(world.feed.waiting)} with copies; {zone}")
        found = check.Checked(0, [], Counter())
        try:
            for _ in range(2 + number % 2):
                world.start()
            world.budget = 200
            world.until(world.served, "workers share all shards")
            for left, name in zip(range(len(faults), 0, -1), faults, strict=True):
                _do(world, name, left, done, lambda line: tell(f"{time.monotonic() - began:6.1f} s  {line}"))
            check.settle(world)
            found = check.check(world, days)
        except Stuck as error:
            found.differences.append(f"stuck: {error}")
        except Exception as error:  # noqa: BLE001 - the other rounds may still tell something
            found.differences.append(f"broken off: {''.join(traceback.format_exception(error))}")
        complaints = [*world.complaints, *_tracebacks(world)]
        started = len(world.workers) + len(world.ended)
        covered = 0 if found.differences else world.total()
        return Round(done, len(log), world.feed.acknowledged, covered, *found[:2], complaints, started, world.killed)


def _do(world: World, name: str, left: int, done: Counter[str], tell: Tell) -> None:
    """Send a share of what is left to send, wait until something of it is committed, and do a fault."""
    chance = random.Random(f"{world.seed}{left}").random()
    quiet = chance > 0.6 and name in QUIET and not world.sabotaged
    if chance < 0.4 or quiet:
        world.remember()
    world.feed.provide(ENOUGH)
    world.budget += len(world.feed.waiting) // (left + 1)
    before = world.total()
    moved = world.until(lambda: world.total() != before, "something is committed", PROGRESS_SECONDS, patient=True)
    if quiet:
        world.until(lambda: world.feed.flush(1) and not world.behind(), "everything sent so far is processed")
        world.budget = 0
    for _ in range(TRIES):
        try:
            what = FAULTS[name](world)
        except NotDone as error:
            tell(f"{name}: could not be done: {error}")
            world.feed.provide(ENOUGH)
            world.budget += ENOUGH // 2
        else:
            done[name] += 1
            still = ", while nothing came" if quiet else "" if moved else ", before which nothing was committed"
            tell(f"{name}{still}: {what}")
            break
    if quiet:
        world.until(lambda: not world.behind(), "it is made good though nothing new comes")


def _tracebacks(world: World) -> list[str]:
    return [
        f"traceback of worker {worker.process.pid}: {worker.text().partition('Traceback')[2][-1500:]}"
        for worker in (*world.ended, *world.workers)
        if "Traceback" in worker.text()
    ]
