"""`growthgauge backfill` as a user runs it: what it writes, where, and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aggregators.tables.opening import open_tables
from growthgauge.settings import load
from growthgauge.wiring import rules
from tests.support.servers import RedisServer, redis_server
from tests.support.terminal import COMMAND, Ran, User, environment
from tests.unit.exporter_facts import fill

PARTITIONS = "2"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis with a company of two months, January 30th to March 31st 2026."""
    with redis_server() as server:
        fill(open_tables(server.url), rules(load({"partitions": PARTITIONS})).fingerprint())
        yield server


@pytest.fixture
def backfill(redis: RedisServer, user: User) -> Callable[..., Ran]:
    """Run it on that Redis."""
    where = ("--redis-url", redis.url, "--partitions", PARTITIONS)
    return lambda *arguments, **extra: user.runs("backfill", *where, *arguments, **extra)


def test_the_days_metrics_and_labels_asked_for_are_written(backfill: Callable[..., Ran], user: User):
    """By themselves on standard output, with a word about them on standard error; a file holds the same."""
    chosen = ("--from", "2026-03-30", "--to", "2026-03-31", "--metric", "growth_customer[s]", "--label", "instance=")
    ran = backfill(*chosen)
    assert (ran.status, ran.error) == (0, "2 samples of 1 series, 2026-03-30 to 2026-03-31.\n")
    assert [line for line in ran.output.splitlines() if not line.startswith("# HELP")] == [
        "# TYPE growth_customers gauge",
        'growth_customers{job="growthgauge-exporter"} 2.0 1774915199',
        'growth_customers{job="growthgauge-exporter"} 3.0 1775001599',
        "# EOF",
    ]
    assert backfill(*chosen, "--output", "history.om").output == ""
    assert (user.folder / "history.om").read_text() == ran.output


def test_a_terminal_is_spared(user: User):
    """Without a file it would be flooded; nothing is read before that is said."""
    leader, terminal = os.openpty()
    ran = subprocess.run(
        [COMMAND, "backfill"], cwd=user.folder, env=environment(), stdout=terminal, stderr=subprocess.PIPE, check=False
    )
    os.close(terminal)
    os.close(leader)
    assert ran.returncode == 2
    assert b"--output" in ran.stderr


def test_without_days_all_of_them_are_written(backfill: Callable[..., Ran]):
    """From the first one with facts, however early the day asked for, to yesterday."""
    ran = backfill("--metric", "growth_mrr")
    found = re.fullmatch(r"(\d+) samples of 1 series, 2026-01-30 to (\S+)\.\n", ran.error)
    assert found, ran.error
    early = backfill("--metric", "growth_mrr", "--from", "1999-01-01", "--to", found[2], "--output", "-")
    assert (early.output, early.error) == (ran.output, ran.error)


def test_there_must_be_facts(backfill: Callable[..., Ran]):
    """Days before the first facts, and a first day after the last, are refused."""
    backfill("--to", "2026-01-29").refuses(1, "no facts up to 2026-01-29")
    backfill("--from", "2026-03-02", "--to", "2026-03-01").refuses(2, "2026-03-02", "2026-03-01")


def test_where_it_cannot_be_written(backfill: Callable[..., Ran]):
    """A folder that is not there is wrong usage; a disk that is full is a failure."""
    backfill("--output", "nowhere/history.om").refuses(2, "nowhere/history.om", "No such file")
    if Path("/dev/full").exists():
        backfill("--output", "/dev/full").refuses(1, "/dev/full", "No space left")


def test_tables_of_other_settings_are_refused(backfill: Callable[..., Ran]):
    """As `report` refuses them: what they hold is no function of these settings."""
    backfill(GROWTHGAUGE_LAPSE_GRACE_DAYS="3").refuses(1, "other settings")
