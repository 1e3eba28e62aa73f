"""The demo company: who comes when, who uses the product, what they answer; a pure function of seed and first day."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from operator import itemgetter
from random import Random

import numpy as np

from growthgauge.local.demo.life import DAY_MS, Customer, Event, live

HISTORY_DAYS = 730
"""Days from the company's first one to the day on which the demo is started for the first time."""
GROWTH_DAYS = 240
"""Days in which signups grow by a factor of e, until the history ends; from then on they stay."""
SIGNUPS_A_DAY = 7.0
"""At the history's end."""
DENSE_DAYS = 7
"""The history's last days, and all that follow, have every session; days before it one a user, as an import would."""
SESSIONS_A_DAY = 12
"""Of a user who is active, on dense days."""
ACTIVE = 0.4
"""Chance that a user of a middling customer is active on a working day."""
WEEKEND = 0.35
FEATURES = ("boards", "reports", "export", "automation", "api", "mobile", "comments", "templates")
ANSWERS_A_DAY = {"nps": 0.004, "csat": 0.006, "ces": 0.003, "fcr": 0.004}
"""Chance that an active user answers such a survey."""


class Company:
    """All events of the demo, by instant; any stretch of time can be asked for, and gives the same whenever asked.

    Args:
        seed: the one seed of all chance.
        first: the company's first day.
    """

    def __init__(self, seed: int, first: dt.date) -> None:
        """Nothing is generated before it is asked for."""
        self._seed = seed
        self._first = first.toordinal() - dt.date(1970, 1, 1).toordinal()
        self._known = self._first
        self._billing: defaultdict[int, list[tuple[int, Event]]] = defaultdict(list)
        self._customer: list[str] = []
        self._joins: list[int] = []
        self._leaves: list[int] = []
        self._returns: list[int] = []
        self._leaves_again: list[int] = []
        self._keen: list[float] = []
        self._users: dict[int, int] = {}
        """By day: how many users' customers had come by its end."""
        self._days: dict[int, list[tuple[int, Event]]] = {}
        """The two days asked for last."""

    def events(self, since: int, until: int) -> Iterator[Event]:
        """Give the events of a stretch of time in their order.

        Args:
            since: first instant, milliseconds since the epoch.
            until: the instant after the last.
        """
        first = max(since // DAY_MS, self._first)
        for day in range(first, -(-until // DAY_MS)):
            events = self._of_day(day)
            start, end = (bisect_left(events, instant, key=itemgetter(0)) for instant in (since, until))
            for _, event in events[start:end]:
                yield event

    def _of_day(self, day: int) -> list[tuple[int, Event]]:
        if day not in self._days:
            while self._known <= day:
                self._arrivals(self._known)
                self._known += 1
            events = [*self._billing.get(day, ()), *self._usage(day), *self._expenses(day)]
            while len(self._days) > 1:
                del self._days[next(iter(self._days))]
            self._days[day] = sorted(events, key=itemgetter(0))
        return self._days[day]

    def _arrivals(self, day: int) -> None:
        rng = Random(f"{self._seed}/{day}")
        age = day - self._first
        rate = SIGNUPS_A_DAY * math.exp(min(0, age - HISTORY_DAYS) / GROWTH_DAYS)
        for _ in range(_poisson(rng, rate * (0.5 if _is_weekend(day) else 1.2))):
            at = dt.datetime.fromtimestamp(day * 86_400 + rng.uniform(0, 86_399), dt.UTC)
            customer = live(Random(rng.getrandbits(64)), f"cus_{rng.getrandbits(48):012x}", at)
            for instant, event in customer.events:
                self._billing[instant // DAY_MS].append((instant, event))
            self._hire(customer, rng)
        self._users[day] = len(self._customer)

    def _hire(self, customer: Customer, rng: Random) -> None:
        """Give a customer its users: the first at once, the others in its first weeks."""
        present = customer.presences[0]
        again = customer.presences[1] if len(customer.presences) > 1 else None
        mood = rng.betavariate(3, 3) * 2
        for seat in range(customer.seats):
            self._customer.append(customer.id)
            self._joins.append(present.first + 1 + (int(rng.expovariate(1 / 15)) if seat else 0))
            self._leaves.append(present.end)
            self._returns.append(again.first if again else 0)
            self._leaves_again.append(again.end if again else 0)
            self._keen.append(min(0.95, ACTIVE * mood * rng.uniform(0.5, 1.5)))

    def _usage(self, day: int) -> Iterator[tuple[int, Event]]:
        count = self._users[day]
        # One generator a day, and users in the order of their arrival: whoever comes later changes nobody's day.
        rng = np.random.default_rng([self._seed, day])
        joins, leaves = np.array(self._joins[:count]), np.array(self._leaves[:count])
        returns, leaves_again = np.array(self._returns[:count]), np.array(self._leaves_again[:count])
        there = ((joins <= day) & (day < leaves)) | ((returns <= day) & (day < leaves_again))
        chance = np.array(self._keen[:count]) * (WEEKEND if _is_weekend(day) else 1)
        active = np.flatnonzero(there & (rng.random(count) < chance))
        dense = day >= self._first + HISTORY_DAYS - DENSE_DAYS
        sessions = 1 + rng.integers(0, 2 * SESSIONS_A_DAY - 1, len(active)) * dense
        total = int(sessions.sum())
        numbers = np.arange(total) - np.repeat(np.cumsum(sessions) - sessions, sessions)
        at = day * DAY_MS + (rng.random(total) * DAY_MS).astype(np.int64)
        seconds = np.minimum(rng.lognormal(1.6 if dense else 3.2, 0.8, total) * 60, 14_400).round(1)
        bits = rng.integers(0, 1 << 11, total)
        columns = (np.repeat(active, sessions), numbers, at, seconds, bits)
        for user, number, instant, duration, bit in zip(*(column.tolist() for column in columns), strict=True):
            yield instant, self._session(user, f"{day}-{user}-{number}", instant, duration, bit)
        answers = rng.random((len(active), len(ANSWERS_A_DAY))) < list(ANSWERS_A_DAY.values())
        for place, kind in np.argwhere(answers).tolist():
            instant = day * DAY_MS + int(rng.random() * DAY_MS)
            name = tuple(ANSWERS_A_DAY)[kind]
            user = int(active[place])
            yield instant, self._survey(user, name, f"{day}-{user}-{name}", instant, rng.random())

    def _session(self, user: int, event_id: str, at: int, seconds: float, bits: int) -> Event:
        first, second = FEATURES[bits & 7], FEATURES[bits >> 3 & 7]
        return {
            "id": event_id,
            "type": "session",
            "customer_id": self._customer[user],
            "user_id": f"u{user}",
            "occurred_at": at,
            "duration_seconds": seconds,
            "features": [first, second] if bits & 64 and first != second else [first],
            "reactions": bits >> 8 if bits & 128 else 0,
        }

    def _survey(self, user: int, kind: str, event_id: str, at: int, luck: float) -> Event:
        happy = luck + self._keen[user] * 0.6
        score = {
            "nps": max(0, min(10, round(3 + happy * 6.5))),
            "csat": max(1, min(5, round(2 + happy * 2.6))),
            "ces": max(1, min(7, round(3 + happy * 3.3))),
            "fcr": int(happy > 0.35),
        }[kind]
        return {
            "id": event_id,
            "type": "survey",
            "customer_id": self._customer[user],
            "user_id": f"u{user}",
            "occurred_at": at,
            "kind": kind,
            "score": score,
        }

    def _expenses(self, day: int) -> Iterator[tuple[int, Event]]:
        """Every Monday: advertising, and the people who look after customers."""
        if (day + 3) % 7:
            return
        rng = Random(f"{self._seed}/{day}/expenses")
        scale = math.exp(min(0, day - self._first - HISTORY_DAYS) / GROWTH_DAYS)
        weekly = {"ads": ("acquisition", 5200, "USD"), "sales": ("acquisition", 3400, "EUR")}
        weekly |= {"success": ("retention", 2600, "EUR"), "support": ("retention", 1900, "USD")}
        for number, (centre, (category, amount, currency)) in enumerate(weekly.items()):
            at = day * DAY_MS + 9 * 3_600_000 + number * 60_000
            yield (
                at,
                {
                    "id": f"{centre}-{day}",
                    "type": "expense",
                    "customer_id": f"cost_{centre}",
                    "occurred_at": at,
                    "category": category,
                    "amount": f"{amount * scale * rng.uniform(0.8, 1.2):.2f}",
                    "currency": currency,
                },
            )


def _is_weekend(day: int) -> bool:
    return (day + 3) % 7 >= 5


def _poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson number, by Knuth's method: fine for a mean of a few."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
