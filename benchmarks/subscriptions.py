"""Two years of a subscription business of any size, and tables filled with them by the folds that a worker uses."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count
from random import Random
from typing import NamedTuple

import msgspec

from aggregators.batch import fold_batch, touched
from aggregators.calendar import add_interval
from aggregators.events import Cancellation, Event, Payment, Session, Sessions, Signup, Survey
from aggregators.tables.door import Commit, Shard, Tables
from aggregators.tables.opening import open_tables
from growthgauge.settings import Settings
from growthgauge.wiring import rules
from streams.decoding.partition import partition_of, partitions_of

DAY_MS = 86_400_000
HISTORY_DAYS = 730
TRIAL_DAYS = 14
CUSTOMERS_A_COMMIT = 1_000
"""So that a commit stays within what a worker's may hold."""
REASONS = ("too_expensive", "missing_feature", "switched", "not_needed", "support", "closed")
FEATURES = ("boards", "reports", "export", "api", "mobile", "comments")
CHURN_A_MONTH = 0.03


class Company(NamedTuple):
    """How many customers have come in two years, and by how many values they are told apart."""

    customers: int
    plans: int = 5
    countries: int = 20
    channels: int = 8
    owners: int = 50


class Filled(NamedTuple):
    """What it took to fill the tables."""

    events: Counter[str]
    """By `type/outcome`."""
    facts: int
    seconds: float


class Life(NamedTuple):
    """All that one customer does."""

    events: list[Event]
    sessions: list[Session]


def name_of(number: int) -> str:
    """Give a customer's id."""
    return f"customer-{number:06}"


def live(company: Company, number: int, today: int) -> Life:
    """Tell a customer's life up to the end of the day before today; the same whenever asked.

    Args:
        company: the customer's.
        number: the customer's.
        today: the day (since 1970-01-01) that the history leads up to.
    """
    return _Life(company, number, today).tell()


class _Life:
    def __init__(self, company: Company, number: int, today: int) -> None:
        self.dice = Random(number)
        self.id = name_of(number)
        self.company = company
        self.now = today * DAY_MS
        self.signup = self.now - 1 - int(self.dice.random() * HISTORY_DAYS * DAY_MS)
        self.left = self.now
        self.plan = self.dice.randrange(company.plans)
        self.currency = "USD" if self.dice.random() < 0.7 else "EUR"
        self.yearly = self.dice.random() < 0.2
        self.events: list[Event] = []

    def tell(self) -> Life:
        dice, company = self.dice, self.company
        trial = dice.random() < 0.5
        signup = Signup(
            id="signup",
            customer_id=self.id,
            occurred_at=self.signup,
            plan=f"plan-{self.plan:02}",
            country=f"country-{_skewed(dice, company.countries):02}",
            channel=f"channel-{_skewed(dice, company.channels):02}",
            owner=f"owner-{dice.randrange(company.owners):02}",
            trial_ends_at=self.signup + TRIAL_DAYS * DAY_MS if trial else None,
        )
        self.events.append(signup)
        kind = dice.random()
        if trial and kind < 0.3:
            if kind < 0.1:
                self.leave(self.signup + int(dice.uniform(1, TRIAL_DAYS) * DAY_MS))
            else:
                self.left = self.signup + TRIAL_DAYS * DAY_MS
        elif kind < 0.93:
            self.subscribe(self.signup + int(dice.uniform(0, TRIAL_DAYS if trial else 0.1) * DAY_MS))
        events = [event for event in self.events if event.occurred_at < self.now]
        return Life([*events, *self.answers()], self.sessions())

    def subscribe(self, first: int) -> None:
        """Pay from a first instant on, to today or until the customer leaves; the last few stay for nothing."""
        dice, months, step = self.dice, 0, 12 if self.yearly else 1
        stays = (1 - CHURN_A_MONTH) ** step
        due = first
        while due < self.now:
            if dice.random() < 0.03:
                self.pay(due, "failed")
                due += 3 * DAY_MS
            self.pay(due, "succeeded")
            if dice.random() < 0.01:
                self.pay(due + 2 * DAY_MS, "refunded")
            months += step
            following = add_interval(first, "month", months)
            if dice.random() > stays:
                self.left = following
                if dice.random() < 0.6:
                    self.leave(due + int((following - due) * dice.uniform(0.2, 0.95)), following)
                return
            if dice.random() < 0.02 * step:
                self.plan = dice.randrange(self.company.plans)
            due = following

    def pay(self, at: int, status: str) -> None:
        price = (19 + 10 * self.plan) * (10 if self.yearly else 1)
        self.events.append(
            Payment(
                id=f"p{len(self.events)}",
                customer_id=self.id,
                occurred_at=at,
                amount=str(price),
                recurring_amount=str(price),
                currency=self.currency,
                interval="year" if self.yearly else "month",
                status=status,  # type: ignore[arg-type]
                plan=f"plan-{self.plan:02}",
            )
        )

    def leave(self, at: int, end: int | None = None) -> None:
        self.left = end or at
        reason = self.dice.choice(REASONS)
        self.events.append(
            Cancellation(
                id=f"c{len(self.events)}", customer_id=self.id, occurred_at=at, effective_at=self.left, reason=reason
            )
        )

    def answers(self) -> Iterator[Survey]:
        """A tenth of the customers answer once or twice."""
        for number in range(self.dice.choices((0, 1, 2), (90, 6, 4))[0]):
            at, score = self.some_time(), min(10, int(self.dice.betavariate(4, 1.5) * 11))
            yield Survey(
                id=f"n{number}", customer_id=self.id, occurred_at=at, kind="nps", score=score, user_id=f"u{number}"
            )

    def sessions(self) -> list[Session]:
        """Three in ten customers are seen, twenty times each."""
        dice = self.dice
        if dice.random() > 0.3:
            return []
        return [
            Session(
                id=f"s{number}",
                customer_id=self.id,
                user_id=f"u{dice.randrange(2)}",
                occurred_at=self.some_time(),
                duration=dice.randrange(3_600_000),
                reactions=dice.randrange(3),
                features=(dice.choice(FEATURES),),
            )
            for number in range(20)
        ]

    def some_time(self) -> int:
        return self.signup + int(self.dice.random() * (min(self.left, self.now) - self.signup))


def _skewed(dice: Random, size: int) -> int:
    """Draw a number below a size, small ones more often, as with countries."""
    return int(dice.random() ** 2 * size)


class Filler:
    """Folds events into the tables as a worker does, without the broker."""

    def __init__(self, settings: Settings, company: Company, today: int) -> None:
        """Open every shard, and place every customer in one."""
        self._rules = rules(settings)
        self._company, self._today = company, today
        self._minutes = 0
        self._tables: Tables = open_tables(settings.redis)
        self._shards: list[Shard] = [self._tables.shard(number) for number in range(settings.partitions)]
        names = [name_of(number) for number in range(company.customers)]
        self.members: list[list[int]] = [[] for _ in self._shards]
        for number, shard in enumerate(partitions_of(names, settings.partitions).tolist()):
            self.members[shard].append(number)

    def fill(self) -> Filled:
        """Bring in the whole history, a thousand customers a commit."""
        began = time.perf_counter()
        outcomes: Counter[str] = Counter()
        for shard, members in enumerate(self.members):
            for start in range(0, len(members), CUSTOMERS_A_COMMIT):
                lives = [
                    live(self._company, number, self._today) for number in members[start : start + CUSTOMERS_A_COMMIT]
                ]
                events = [event for each in lives for event in each.events]
                outcomes += self._commit(shard, events, [row for each in lives for row in each.sessions])
        seconds = time.perf_counter() - began
        return Filled(outcomes, sum(map(self._facts, range(len(self._shards)))), seconds)

    def minute(self, size: int = 1_000) -> Counter[str]:
        """Bring in one shard's batch of today: sessions, to every tenth of them a payment, to every hundredth a signup.

        Every call brings new ones.
        """
        self._minutes += 1
        at, shard = self._today * DAY_MS, self._minutes % len(self._shards)
        dice = Random(self._minutes)
        events: list[Event] = []
        sessions: list[Session] = []
        for place, number in enumerate(dice.choices(self.members[shard], k=size)):
            event_id = f"today-{self._minutes}-{place}"
            sessions.append(
                Session(id=event_id, customer_id=name_of(number), user_id="u0", occurred_at=at, duration=60_000)
            )
            if place % 10 == 0:
                payer = _Life(self._company, number, self._today)
                payer.pay(at, "succeeded")
                events.append(msgspec.structs.replace(payer.events[0], id=event_id))
            if place % 100 == 0:
                new = next(name for n in count() if partition_of(name := f"{event_id}-{n}", len(self._shards)) == shard)
                events.append(Signup(id=event_id, customer_id=new, occurred_at=at, plan="plan-00"))
        return self._commit(shard, events, sessions)

    def close(self) -> None:
        """Let go of the tables."""
        for shard in self._shards:
            shard.close()
        self._tables.close()

    def _commit(self, number: int, events: Sequence[Event], rows: Sequence[Session]) -> Counter[str]:
        """Do with a shard what a worker does with a batch."""
        shard, sessions = self._shards[number], Sessions.of(rows)
        meta = shard.begin()
        ledgers = {
            space: {
                field: ledger
                for field, ledger in zip(fields, shard.read(space, fields), strict=True)
                if ledger is not None
            }
            for space, fields in touched(sessions, events).items()
        }
        folded = fold_batch(self._rules, sessions, events, ledgers, shard.read)
        shard.commit(
            Commit(
                based_on=meta,
                fingerprint=self._rules.fingerprint(),
                partitions=len(self._shards),
                ledgers=folded.ledgers,
                facts=folded.facts,
                offsets={},
                outcomes=dict(folded.outcomes),
            )
        )
        return folded.outcomes

    def _facts(self, shard: int) -> int:
        """Count a shard's facts."""
        reader = self._tables.reader()
        changes, _ = reader.changes(shard, {})
        reader.close()
        return sum(map(len, changes.days.values()))
