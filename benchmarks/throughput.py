"""How many events a second the whole path takes, beside a tuned plain loop and a Faust agent that does nothing."""

from __future__ import annotations

import datetime as dt
import statistics
import time
from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from aggregators.calendar import date_of, day_of
from aggregators.tables.opening import open_tables
from benchmarks import idle, loop, parts
from benchmarks.load import Filled, Load, fill
from exporters.growth import Growth
from growthgauge.sending.topics import make_topics
from growthgauge.settings import Settings
from growthgauge.wiring import metric_settings, rules

DAYS = 40
POLL_SECONDS = 0.02

Days = dict[int, tuple[int, int]]
"""Sessions and distinct users, by day."""


class Run(NamedTuple):
    """What one pass over a load took."""

    seconds: float
    cpu_seconds: float
    redis_seconds: float


def loads(events: int) -> list[Load]:
    """Give the two loads: users of few customers, and every user a customer of its own."""
    today = day_of(dt.datetime.now(dt.UTC).date())
    users = max(1, events // 5)
    days = range(today - DAYS, today)
    return [
        Load("bench.users", f"{users:,} users of {users // 20:,} customers", events, users, users // 20, days),
        Load("bench.customers", f"{users:,} users, each a customer of its own", events, users, users, days),
    ]


def measure(servers: parts.Servers, console: Console, events: int, rounds: int) -> list[Filled]:
    """Measure all, print the table, and give the filled topics.

    Raises:
        AssertionError: the loop and the worker do not agree on a day.
    """
    filled = [fill(servers.kafka.address, load) for load in loads(events)]
    console.print(f"Faust agent that does nothing, watched for {idle.SECONDS:.0f} s ...")
    idling = parts.run(
        "benchmarks.idle",
        idle.Task(servers.kafka.address, filled[0].load.topic, events, str(servers.folder / "idle")),
        idle.Result,
    )
    idle_rate = idling.events / idling.seconds
    table = Table("load", "what", "events/s", "of idle agent", "of loop", "CPU s", "Redis CPU s", title="Throughput")
    for column in table.columns[2:]:
        column.justify = "right"
    table.add_row("any", "Faust agent, idle", f"{idle_rate:,.0f}", "1", "", f"{idling.cpu_seconds:.2f} *", "")
    for each in filled:
        console.print(f"{each.load.events:,} sessions of {each.mean_bytes:.0f} bytes, {each.load.title} ...")
        loops, workers = _rounds(servers, each, rounds)
        table.add_section()
        loop_rate = _row(table, each, "confluent-kafka loop", loops, idle_rate, None)
        worker_rate = _row(table, each, "growthgauge worker", workers, idle_rate, loop_rate)
        _judge(console, worker_rate / idle_rate, worker_rate / loop_rate)
    console.print(table)
    console.print(f"The loop's settings: {loop.SETTINGS}; {loop.COMMANDS}.", soft_wrap=True)
    console.print(
        f"Medians of {rounds} rounds, loop and worker in turn. The worker's time runs from when the tables know where "
        f"reading begins, just before it seeks, until the stored offsets cover the topic (looked at every "
        f"{POLL_SECONDS * 1000:.0f} ms); the loop's from its first records at hand to its last transaction's answer. "
        f"Sessions and distinct users of every day were the same in both. (* for {idling.events:,} events)",
        soft_wrap=True,
    )
    return filled


def _rounds(servers: parts.Servers, filled: Filled, rounds: int) -> tuple[list[Run], list[Run]]:
    loops: list[Run] = []
    workers: list[Run] = []
    store = servers.redis.client()
    for number in range(rounds):
        store.flushall()
        task = loop.Task(servers.kafka.address, filled.load.topic, filled.ends, servers.redis.port)
        done = parts.run("benchmarks.loop", task, loop.Result)
        loops.append(Run(done.seconds, done.cpu_seconds, done.redis_seconds))
        expected = loop.days(store)
        store.flushall()
        settings = servers.settings(topic_sessions=filled.load.topic, group=f"{filled.load.topic}-{number}")
        workers.append(_work(servers, settings, filled))
        found = reported(settings, filled.load.days)
        assert found == expected, f"The worker's days differ from the loop's: {_difference(found, expected)}"
        assert sum(sessions for sessions, _ in found.values()) == filled.load.events
    return loops, workers


def _work(servers: parts.Servers, settings: Settings, filled: Filled) -> Run:
    make_topics(settings)
    stored = parts.Stored(settings)
    names = list(settings.topics.values())
    with parts.command("worker", settings) as worker:
        parts.wait_for(lambda: stored.placed(names), POLL_SECONDS)
        started = time.perf_counter()
        cpu, redis = parts.cpu_seconds(worker.pid), parts.cpu_seconds(servers.redis.pid)
        parts.wait_for(lambda: stored.cover(filled.load.topic, filled.ends), POLL_SECONDS)
        run = Run(
            time.perf_counter() - started,
            parts.cpu_seconds(worker.pid) - cpu,
            parts.cpu_seconds(servers.redis.pid) - redis,
        )
    stored.close()
    return run


def reported(settings: Settings, days: Sequence[int]) -> Days:
    """Give what `growthgauge report` says of each day: sessions of the day and daily active users."""
    growth = Growth(
        open_tables(settings.redis).reader(),
        partitions=settings.partitions,
        settings=metric_settings(settings),
        fingerprint=rules(settings).fingerprint(),
    )
    found = {}
    for day in days:
        samples = {family.name: dict(family.samples) for family in growth.families(day)}
        sessions = samples["growth_sessions"]["day",]
        found[day] = int(sessions), int(samples["growth_daily_active_users"][()])
    growth.close()
    return found


def _row(table: Table, filled: Filled, what: str, runs: list[Run], idle_rate: float, loop_rate: float | None) -> float:
    rate = filled.load.events / statistics.median(run.seconds for run in runs)
    table.add_row(
        filled.load.title if loop_rate is None else "",
        what,
        f"{rate:,.0f}",
        f"{rate / idle_rate:,.0f}",
        "1" if loop_rate is None else f"{rate / loop_rate:.2f}",
        f"{statistics.median(run.cpu_seconds for run in runs):.2f}",
        f"{statistics.median(run.redis_seconds for run in runs):.2f}",
    )
    return rate


def _judge(console: Console, of_idle: float, of_loop: float) -> None:
    met = of_idle >= 20 and of_loop >= 0.3
    console.print(
        f"  {of_idle:,.0f} times the idle agent (expected: at least 20), {of_loop:.2f} of the loop (at least 0.3): "
        f"{'met' if met else 'missed'}"
    )


def _difference(found: Days, expected: Days) -> str:
    different = {day: (found.get(day), expected.get(day)) for day in sorted(found.keys() | expected.keys())}
    return "; ".join(f"{date_of(day)}: {mine} and {its}" for day, (mine, its) in different.items() if mine != its)
