"""Workers killed with SIGKILL on a real Apache Kafka: the reports of one clean run, and of the reference."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support import reference
from tests.support.differential import COMPARED, Numbers, differences
from tests.support.kills import PARTITIONS, Run, Worker, kill_on_the_way
from tests.support.pipelines import until
from tests.support.random_logs import SETTINGS, random_log, shuffled
from tests.support.servers_kafka import Broker

pytestmark = pytest.mark.kafka

KILLS = int(os.environ.get("GROWTHGAUGE_KILLS", "3"))
"""How often a worker is killed; the long form has ten."""
KILLS_IN_TURN = max(2, KILLS // 2)
SETTING = SETTINGS[5]
"""Cairo, whose clocks spring forward at midnight; grace and lapses after purchases; three currencies, two rates."""
DAYS = [date(2023, 12, 31), date(2024, 2, 29), date(2025, 7, 29)]
NEW_YEAR_2026 = 1_767_225_600_000


class Clean(NamedTuple):
    """What one run of a log without any trouble gave, and the log."""

    log: list[dict]
    reports: list[str]
    facts: list[dict[int, dict[str, int]]]


def past(event: dict) -> bool:
    """Say whether an event of a random log, whose loyal customers pay on for years, is of 2025 or before."""
    at = event["occurred_at"]
    return at < NEW_YEAR_2026 if isinstance(at, int) else at < "2026"


def numbers(report: str) -> Numbers:
    """Give the samples of a report under the reference's names."""
    return {
        (metric["name"], tuple(sorted(sample["labels"].items()))): sample["value"]
        for metric in json.loads(report)["metrics"]
        for sample in metric["samples"]
    }


@pytest.fixture
def run(kafka: Broker, tmp_path: Path) -> Iterator[Run]:
    """A run on fresh topics and tables."""
    with Run(kafka, tmp_path / "run", SETTING) as made:
        yield made


@pytest.fixture(scope="module")
def clean(kafka: Broker, tmp_path_factory: pytest.TempPathFactory, tell: Callable[[str], None]) -> Clean:
    """The log sent once to one worker, on topics and tables of its own; its reports are the reference's."""
    # Every type, with its own copies, revisions and conflicts; no session is old enough to be late.
    log = [event for event in random_log(20, size=450, zone=str(SETTING["time_zone"])) if past(event)]
    with Run(kafka, tmp_path_factory.mktemp("clean") / "run", SETTING) as made:
        worker = made.worker()
        made.begin()
        sent = made.finish([json.dumps(event) + "\n" for event in log])
        assert (sent["sent"], sent["late"], sent["rejected"]) == (len(log), 0, 0), worker.text()
        found = Clean(log, [made.report(day) for day in DAYS], made.facts())
    expected = reference.Reference(log, reference.Settings(**SETTING))
    compared, names = 0, set[str]()
    for day, report in zip(DAYS, found.reports, strict=True):
        theirs = expected.metrics(day)
        assert differences(numbers(report), theirs) == []
        compared += sum(name in COMPARED for name, _ in theirs)
        names |= {name for name, _ in theirs}
    tell(f"{compared} samples of {len(DAYS)} reports of the clean run are the reference's")
    assert names >= COMPARED
    return found


@pytest.fixture(scope="module")
def lines(clean: Clean) -> list[str]:
    """The log twice, in another order."""
    return [json.dumps(event) + "\n" for event in shuffled([*clean.log, *clean.log], 21)]


def check(run: Run, clean: Clean, covered: list[int], outcomes: dict[str, int]) -> None:
    """Make sure that every kill was on the way, that every record was counted once, and that nothing else differs."""
    total = 2 * len(clean.log)
    assert sorted({0, *covered, total}) == [0, *covered, total], "every kill is strictly between the ends"
    assert run.stored() == outcomes["sent"] == total
    assert outcomes["accepted"] == len({(event["customer_id"], event["type"], event["id"]) for event in clean.log})
    assert sum(outcomes[name] for name in ("accepted", "duplicate", "revised", "conflict")) == total
    assert run.facts() == clean.facts
    assert [run.report(day) for day in DAYS] == clean.reports
    assert not [worker.text() for worker in run.workers if "Traceback" in worker.text()]


def test_a_killed_worker_changes_nothing(run: Run, clean: Clean, lines: list[str], tell: Callable[[str], None]) -> None:
    """Everything sent twice in any order, the only worker killed again and again, changes no report."""
    run.begin()
    covered = kill_on_the_way(run, lines, KILLS, lambda _: run.worker(), tell)
    run.worker()
    check(run, clean, covered, run.finish(lines))


def test_two_workers_killed_in_turn_change_nothing(
    run: Run, clean: Clean, lines: list[str], tell: Callable[[str], None]
) -> None:
    """Of two that share the shards one is killed while both work, and a new one comes; the last one takes over all."""
    pair = [run.worker(), run.worker()]

    def victim(number: int) -> Worker:
        if number:
            pair[(number - 1) % 2] = run.worker()
        halves = [PARTITIONS // 2, PARTITIONS // 2]
        until(lambda: [len(worker.shards()) for worker in pair] == halves, 60, why=run.logs)
        return pair[number % 2]

    run.begin()
    covered = kill_on_the_way(run, lines, KILLS_IN_TURN, victim, tell)
    outcomes = run.finish(lines)
    assert pair[KILLS_IN_TURN % 2].shards() == set(range(PARTITIONS))
    check(run, clean, covered, outcomes)
