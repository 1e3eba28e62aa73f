"""The product's numbers are the reference's, on random logs shuffled, doubled and split at will."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest

from aggregators import expenses, parts
from aggregators.activity import digest, health
from aggregators.calendar import DAY_MS, Zone
from aggregators.customers import long, timeline, voids
from aggregators.events import Expense
from aggregators.facts import Facts
from aggregators.metrics import contracts, segments
from aggregators.metrics.grouping import names_within
from aggregators.metrics.reading import Reading
from aggregators.metrics.vector import Vector
from aggregators.rules import Rules
from aggregators.surveys import ledgers, nps
from aggregators.users import flows, heavy
from tests.support.differential import COMPARED, SHOWN, compare
from tests.support.random_logs import SETTINGS, as_of_days, doubled, random_log

LOGS = int(os.environ.get("GROWTHGAUGE_LOGS", "14"))
"""How many random logs to compare; seeds count from 0."""


def run(seed: int) -> tuple[int, Counter[str], list[str]]:
    """Compare one seed's log, every event at least once, many twice or three times."""
    settings = SETTINGS[seed % len(SETTINGS)] | SHOWN[seed % len(SHOWN)]
    log = doubled(random_log(seed, size=14, zone=str(settings["time_zone"])), seed)
    compared, told = compare(log, settings, as_of_days(seed), seed)
    return len(log), compared, told


@pytest.mark.parametrize("kept", ["whole", "in parts"])
def test_random_logs_give_the_references_numbers(
    kept: str, record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sample of every as-of day of every log is equal, whatever time zone, grace and rates are set.

    So they are with every ledger of more than two items, or sessions, kept in parts of one or two.
    """
    logs = LOGS
    if kept == "in parts":
        logs = LOGS // 2
        for module, size, number in (
            (long, "CHUNK", 1),
            (ledgers, "LONG", 1),
            (parts, "ROWS", 2),
            (heavy, "LIGHT", 1),
            (heavy, "PART", 2),
        ):
            monkeypatch.setattr(module, size, number)
    events = 0
    counts: Counter[str] = Counter()
    differing: dict[int, list[str]] = {}
    for seed in range(logs):
        size, compared, told = run(seed)
        events += size
        counts += compared
        if told:
            differing[seed] = told[:5]
    samples = counts.total()
    zones = {str(settings["time_zone"]) for settings in SETTINGS}
    print(
        f"\n{logs} random logs {kept} (seeds 0 to {logs - 1}, {len(zones)} time zones), {events} events, "
        f"{samples} samples compared, {len(differing)} logs differ"
    )
    # Those are ticked that have come, and came out alike in every sample.
    wrong = {line.split()[1].partition("{")[0] for told in differing.values() for line in told}
    for name in sorted(COMPARED):
        print(f"  [{'x' if counts[name] and name not in wrong else ' '}] {name} {counts[name]:,}")
    record_property("samples", samples)
    assert not differing
    assert counts.keys() == COMPARED
    assert samples > logs * 3000


AFTER_GRACE = timeline.Sweep._after_grace
ANSWER_SECTIONS = digest.answer_sections
EXPENSE = expenses._count


def a_day_later(sweep: timeline.Sweep, instant: int) -> int:
    """Let what falls due do so a day late."""
    return AFTER_GRACE(sweep, instant) + DAY_MS


def never_taken_back(rules: Rules, event: Expense, facts: Facts, sign: int) -> None:
    """Count an expense though it was withdrawn."""
    EXPENSE(rules, msgspec.structs.replace(event, withdrawn=False), facts, sign)


def known_at_once(r: Reading, measure: str, outcomes: tuple[str, ...]) -> Vector:
    """Take what was decided in a period for what fell due in it."""
    return r.where("flow", measure, outcome=outcomes) if outcomes else r.flow(measure)


def first_of_day(zone: Zone, answers: Iterable[tuple[int, str, int]]) -> dict[int, list[int]]:
    """Keep the first of each day's nps answers, and not the last."""
    first_of = {zone.day(answer[0]): answer for answer in sorted(answers, reverse=True)}
    return ANSWER_SECTIONS(zone, first_of.values())


BROKEN: dict[str, tuple[Any, str, Any]] = {
    "customers: a subscription lapses a day late": (timeline.Sweep, "_after_grace", a_day_later),
    "customers: two days are never compared": (voids, "emit", lambda *_: None),
    "users: the window of repeat users is a day longer": (flows, "REPEAT_WINDOW", 31),
    "surveys: an earlier answer counts beside the last": (nps, "ROLLING_WINDOWS", {}),
    "expenses: a withdrawn one counts": (expenses, "_count", never_taken_back),
    "activity: an answer counts a day longer": (health, "ANSWER_DAYS", 91),
    "activity: the first answer of a day counts": (digest, "answer_sections", first_of_day),
    "contracts: a decision counts on its own day": (contracts, "_decided", known_at_once),
    "segments: the limit is one more": (
        segments,
        "names_within",
        lambda limit, counts: names_within(limit + 1, counts),
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_rule_is_caught(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one rule broken the comparison fails on some log: it is able to."""
    monkeypatch.setattr(*BROKEN[broken])
    for seed in range(LOGS):
        _, _, told = run(seed)
        if told:
            print(f"\n{broken}: caught by log {seed}: {told[0]}")
            return
    pytest.fail("no log noticed")
