"""`python -m benchmarks.limits`: what one customer or user with very many events costs, and many values of a label."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from aggregators.batch import fold_batch, touched
from aggregators.calendar import DAY_MS
from aggregators.events import Cancellation, Event, Payment, Session, Sessions, Signup, Survey
from aggregators.metrics import Book, MetricSettings, samples
from aggregators.rules import Rules
from aggregators.tables.door import Commit, Shard, Space
from aggregators.tables.opening import open_tables
from growthgauge.settings import load
from growthgauge.wiring import metric_settings, rules
from tests.support.servers import redis_server

FIRST_DAY = 16_000
DAYS = 4_000
SINGLES = 100
"""Commits of one event each that a median is made of."""
BATCH = 500
SESSIONS_BATCH = 5_000


class Cost(NamedTuple):
    """What one event takes, committed alone; medians."""

    cpu_ms: float
    """Of the worker: reading, folding, writing."""
    held: int
    """Bytes of ledgers read."""


class Bench:
    """One shard, written as a worker writes it."""

    def __init__(self, url: str) -> None:
        """Open it."""
        self.settings = load({"redis_url": url, "partitions": 1})
        self.rules: Rules = rules(self.settings)
        self.tables = open_tables(url)
        self.shard: Shard = self.tables.shard(0)

    def commit(self, events: Sequence[Event], rows: Sequence[Session] = ()) -> Cost:
        """Do with events what a worker does with a batch."""
        began, held = time.process_time(), 0
        sessions = Sessions.of(list(rows))
        meta = self.shard.begin()

        def read(space: Space, fields: Sequence[str]) -> list[bytes | None]:
            nonlocal held
            found = self.shard.read(space, fields)
            held += sum(map(len, filter(None, found)))
            return found

        ledgers = {
            space: {name: ledger for name, ledger in zip(names, read(space, names), strict=True) if ledger is not None}
            for space, names in touched(sessions, events).items()
        }
        folded = fold_batch(self.rules, sessions, events, ledgers, read)
        self.shard.commit(
            Commit(
                based_on=meta,
                fingerprint=self.rules.fingerprint(),
                partitions=1,
                ledgers=folded.ledgers,
                facts=folded.facts,
                offsets={},
                outcomes=dict(folded.outcomes),
            )
        )
        return Cost(1000 * (time.process_time() - began), held)

    def singles(self, events: Sequence[Event]) -> Cost:
        """Commit events one by one."""
        costs = [self.commit([event]) for event in events]
        return Cost(statistics.median(cost.cpu_ms for cost in costs), max(cost.held for cost in costs))

    def single_sessions(self, rows: Sequence[Session]) -> Cost:
        """Commit sessions one by one."""
        costs = [self.commit([], [row]) for row in rows]
        return Cost(statistics.median(cost.cpu_ms for cost in costs), max(cost.held for cost in costs))

    def largest(self, space: Space = "customers") -> tuple[int, int]:
        """Give the bytes of the largest ledger or part, and of all of them."""
        sizes = [len(packed) for _, packed in self.shard.ledgers(space)]
        return max(sizes), sum(sizes)


Kind = Callable[[int, int], Event]
"""Makes an event of a number and an instant."""


def _payment(number: int, at: int) -> Payment:
    amount = str(10 + number % 7)
    return Payment(
        id=f"pay-{number:08}-4a5e-8f00-{number % 9973:012}",
        customer_id="c",
        occurred_at=at,
        amount=amount,
        recurring_amount=amount,
        currency="USD",
        subscription_id=f"s{number % 5}",
        plan=f"plan-{number // 50 % 6}",
    )


def _mixed(number: int, at: int) -> Event:
    """Make mostly payments, and signups and cancellations between them: the customer's segments move, and it leaves."""
    name = f"bill-{number:08}-4a5e-8f00-{number % 9973:012}"
    if number % 40 == 0:
        return Signup(id=name, customer_id="c", occurred_at=at, plan=f"plan-{number % 6}", country="DE")
    if number % 20 == 0:
        return Cancellation(id=name, customer_id="c", occurred_at=at, effective_at=at, reason="price")
    return _payment(number, at)


def _survey(number: int, at: int) -> Survey:
    return Survey(
        id=f"ask-{number:08}-4a5e-8f00-{number % 9973:012}",
        customer_id="c",
        occurred_at=at,
        kind="nps",
        score=number % 11,
        user_id=f"user-{number * 7919 % 20_000:06}",
    )


KINDS: dict[str, Kind] = {"payments": _payment, "payments, cancellations, signups": _mixed, "nps answers": _survey}


class Measured(NamedTuple):
    """One kind of events."""

    few: Cost
    """In time, with some hundred events."""
    many: Cost
    """In time, with all."""
    duplicates: Cost
    late: Cost
    """A day late."""
    old: Cost
    """A year late."""
    batch_ms: float
    """CPU an event, in batches, with all."""
    largest: int
    total: int


def customer(kind: Kind, events: int) -> Measured:
    """Let one customer's events come in, some at the beginning and some at the end one by one."""
    step = DAYS * DAY_MS // events

    def made(numbers: range, shift: int = 0) -> list[Event]:
        return [kind(number, FIRST_DAY * DAY_MS + number * step - shift) for number in numbers]

    with redis_server() as redis:
        bench = Bench(redis.url)
        bench.commit(made(range(200)))
        few = bench.singles(made(range(200, 200 + SINGLES)))
        upto = 200 + SINGLES
        costs: list[float] = []
        while upto < events:
            numbers = range(upto, min(upto + BATCH, events))
            costs.append(bench.commit(made(numbers)).cpu_ms / len(numbers))
            upto = numbers.stop
        many = bench.singles(made(range(events, events + SINGLES)))
        duplicates = bench.singles(made(range(0, events, events // SINGLES)))
        late, old = (
            bench.singles(made(range(begin, begin + SINGLES), days * DAY_MS))
            for begin, days in ((events + SINGLES, 1), (events + 2 * SINGLES, 365))
        )
        return Measured(few, many, duplicates, late, old, statistics.median(costs[-20:]), *bench.largest())


class User(NamedTuple):
    """One user with very many sessions a day."""

    few: Cost
    """With some hundred sessions."""
    many: Cost
    """With all."""
    duplicates: Cost
    batches: list[float]
    """CPU ms an event, in batches: the first five, and the last twenty; medians."""
    largest: int
    total: int


def user(sessions: int, days: int) -> User:
    """Let one user's sessions of as many days come in, some at the beginning and some at the end one by one."""
    step = days * DAY_MS // sessions

    def made(numbers: range) -> list[Session]:
        return [
            Session(f"session-{n:08}-4a5e-8f00-{n % 9973:012}", "c", "u", FIRST_DAY * DAY_MS + n * step, 60_000)
            for n in numbers
        ]

    with redis_server() as redis:
        bench = Bench(redis.url)
        bench.commit([], made(range(200)))
        few = bench.single_sessions(made(range(200, 200 + SINGLES)))
        upto = 200 + SINGLES
        costs: list[float] = []
        while upto < sessions:
            numbers = range(upto, min(upto + SESSIONS_BATCH, sessions))
            costs.append(bench.commit([], made(numbers)).cpu_ms / len(numbers))
            upto = numbers.stop
        many = bench.single_sessions(made(range(sessions, sessions + SINGLES)))
        duplicates = bench.single_sessions(made(range(0, sessions, sessions // SINGLES)))
        return User(
            few,
            many,
            duplicates,
            [statistics.median(costs[:5]), statistics.median(costs[-20:])],
            *bench.largest("users"),
        )


class Spread(NamedTuple):
    """What values of labels cost."""

    commit_ms: float
    """CPU an event."""
    scrape_ms: float
    """CPU of all growth metrics of a day, facts already read."""
    series: int


def values(number: int, customers: int) -> Spread:
    """Let customers with so many plans, reasons and features come and go."""
    with redis_server() as redis:
        bench = Bench(redis.url)
        at, costs = 20_000 * DAY_MS, []
        for begin in range(0, customers, 1000):
            events: list[Event] = []
            rows: list[Session] = []
            for each in range(begin, min(begin + 1000, customers)):
                value, name = each % number, f"c{each:06}"
                plan = f"plan-{value}"
                events.append(Signup(id="s", customer_id=name, occurred_at=at, plan=plan, channel=f"channel-{value}"))
                events.append(
                    Payment(
                        id="p",
                        customer_id=name,
                        occurred_at=at,
                        amount="10",
                        recurring_amount="10",
                        currency="USD",
                        plan=plan,
                    )
                )
                if each % 2:
                    gone = at + 5 * DAY_MS
                    events.append(
                        Cancellation(
                            id="x", customer_id=name, occurred_at=gone, effective_at=gone, reason=f"reason-{value}"
                        )
                    )
                rows.append(
                    Session(id="a", customer_id=name, user_id="u", occurred_at=at, features=(f"feature-{value}",))
                )
            costs.append(bench.commit(events, rows).cpu_ms / (len(events) + len(rows)))
        book, reader = Book(), bench.tables.reader()
        changes, _ = reader.changes(0, {})
        book.update(0, changes.days)
        shown: MetricSettings = metric_settings(bench.settings)
        seconds, count = [], 0
        for _ in range(3):
            began = time.process_time()
            count = sum(len(family.samples) for family in samples(book, shown, 20_006))
            seconds.append(time.process_time() - began)
        return Spread(statistics.median(costs), 1000 * min(seconds), count)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000, help="of one customer (%(default)s)")
    parser.add_argument("--sessions", type=int, default=10_000, help="of one user a day (%(default)s)")
    parser.add_argument("--days", type=int, default=100, help="on which that user has so many (%(default)s)")
    parser.add_argument("--values", type=int, default=10_000, help="of each label (%(default)s)")
    options = parser.parse_args()
    console = Console(width=130)
    columns = (
        "few",
        "many",
        "ratio",
        "in batches",
        "duplicate",
        "a day late",
        "a year late",
        "read",
        "largest",
        "all MB",
    )
    table = Table("events", *columns, title=f"One customer with {options.events:,} events: CPU ms an event")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, kind in KINDS.items():
        found = customer(kind, options.events)
        table.add_row(
            name,
            f"{found.few.cpu_ms:.2f}",
            f"{found.many.cpu_ms:.2f}",
            f"{found.many.cpu_ms / found.few.cpu_ms:.1f}",
            f"{found.batch_ms:.2f}",
            f"{found.duplicates.cpu_ms:.2f}",
            f"{found.late.cpu_ms:.2f}",
            f"{found.old.cpu_ms:.2f}",
            f"{found.many.held / 1024:,.0f} KiB",
            f"{found.largest / 1024:,.0f} KiB",
            f"{found.total / 1e6:,.1f}",
        )
    console.print(table)
    console.print(
        f"Medians of {SINGLES} commits of one event each: few with some 200 events of the customer, the rest with all. "
        f"Batches are of {BATCH}. Read: the most that an event in time reads. Largest: of all Redis values.",
        soft_wrap=True,
    )
    table = Table(
        "few",
        "many",
        "ratio",
        "first batches",
        "last batches",
        "duplicate",
        "read",
        "largest",
        "all MB",
        title=f"One user with {options.sessions:,} sessions a day for {options.days} days: CPU ms an event",
    )
    for column in table.columns:
        column.justify = "right"
    one = user(options.sessions * options.days, options.days)
    table.add_row(
        f"{one.few.cpu_ms:.2f}",
        f"{one.many.cpu_ms:.2f}",
        f"{one.many.cpu_ms / one.few.cpu_ms:.1f}",
        *(f"{cost:.4f}" for cost in one.batches),
        f"{one.duplicates.cpu_ms:.2f}",
        f"{one.many.held / 1024:,.1f} KiB",
        f"{one.largest / 1024:,.1f} KiB",
        f"{one.total / 1e6:,.1f}",
    )
    console.print(table)
    console.print(f"As above; batches are of {SESSIONS_BATCH:,} sessions.", soft_wrap=True)
    table = Table("plans, reasons, features", "CPU ms an event", "scrape, CPU ms", "series", title="Values of labels")
    for number in (10, options.values):
        spread = values(number, options.values)
        table.add_row(f"{number:,}", f"{spread.commit_ms:.3f}", f"{spread.scrape_ms:,.0f}", f"{spread.series:,}")
    console.print(table)


if __name__ == "__main__":
    main()
