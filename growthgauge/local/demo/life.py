"""One demo customer's life: signup, trial, payments, upgrades, failures, refunds, the end and perhaps a return."""

from __future__ import annotations

import calendar
import datetime as dt
from random import Random
from typing import Any

import msgspec

Event = dict[str, Any]

DAY_MS = 86_400_000
HORIZON = dt.timedelta(days=365 * 5)
"""How long a life is told at most."""
TRIAL = dt.timedelta(days=14)
PLANS = ("free", "starter", "team", "business")
PRICES = {"free": 0, "starter": 29, "team": 99, "business": 399}
"""Monthly, in the customer's own currency; a year costs ten months."""
SEATS = {"free": (1, 1), "starter": (1, 2), "team": (2, 6), "business": (5, 14)}
CHURN = {"starter": 0.045, "team": 0.025, "business": 0.012}
"""Chance of leaving each month."""
COUNTRIES = {"US": 34, "DE": 15, "GB": 11, "FR": 9, "NL": 5, "ES": 5, "IN": 8, "BR": 6, "AU": 4, "JP": 3}
EURO = {"DE", "FR", "NL", "ES"}
CHANNELS = {"organic": 32, "search_ads": 24, "referral": 18, "partner": 12, "events": 8, "outbound": 6}
OWNERS = ("amara", "ben", "chiara", "deniz")
REASONS = {"too_expensive": 30, "missing_feature": 22, "switched": 18, "not_needed": 16, "support": 8, "closed": 6}
FAILURE = 0.04
REFUND = 0.012
UPGRADE = 0.022
DOWNGRADE = 0.007
RETURN = 0.12
ADD_ON = 0.12


class Presence(msgspec.Struct, frozen=True):
    """A stretch of time in which a customer uses the product: day numbers, the last one not in it."""

    first: int
    end: int


class Customer(msgspec.Struct, frozen=True):
    """A customer and all that will ever happen with it."""

    id: str
    seats: int
    presences: tuple[Presence, ...]
    events: list[tuple[int, Event]]
    """Instant in milliseconds and event."""


def live(rng: Random, customer_id: str, signup: dt.datetime) -> Customer:
    """Tell a customer's life.

    Args:
        rng: where chance comes from; it belongs to this customer alone.
        customer_id: its id.
        signup: when it begins.
    """
    return _Life(rng, customer_id, signup).tell()


class _Life:
    def __init__(self, rng: Random, customer_id: str, signup: dt.datetime) -> None:
        self.rng = rng
        self.id = customer_id
        self.signup = signup
        self.until = signup + HORIZON
        self.country = _pick(rng, COUNTRIES)
        self.currency = "EUR" if self.country in EURO else "USD"
        self.plan = rng.choices(PLANS, (12, 42, 34, 12))[0]
        self.yearly = self.plan != "free" and rng.random() < 0.22
        self.seats = rng.randint(*SEATS[self.plan])
        self.events: list[tuple[int, Event]] = []
        self.presences: list[Presence] = []

    def tell(self) -> Customer:
        trial = self.plan != "free" and self.chance(0.7)
        signup: Event = {"plan": self.plan, "country": self.country, "channel": _pick(self.rng, CHANNELS)}
        if self.plan == "business":
            signup["owner"] = self.rng.choice(OWNERS)
        if trial:
            signup["trial_ends_at"] = _ms(self.signup + TRIAL)
        self.add("signup", self.signup, **signup)
        if self.plan == "free":
            self.free()
        elif trial and not self.chance(0.58):
            self.leave_trial()
        else:
            first = self.signup + self.hours(24 * 6, 24 * 14) if trial else self.signup + self.hours(0, 2)
            left = self.subscribe(first, self.signup)
            if left is not None and self.chance(RETURN):
                again = left + self.hours(24 * 50, 24 * 240)
                self.plan = self.rng.choice(("starter", "team"))
                self.yearly = False
                self.subscribe(again, again)
        return Customer(self.id, self.seats, tuple(self.presences), self.events)

    def free(self) -> None:
        """Stay for nothing, or start to pay one day, or go."""
        chance = self.rng.random()
        if chance < 0.25:
            self.presences.append(Presence(_day(self.signup), _day(self.until)))
            return
        later = self.signup + self.hours(24 * 20, 24 * 200)
        if chance < 0.5:
            self.plan = "starter"
            self.subscribe(later, self.signup)
            return
        self.add("cancellation", later, reason=_pick(self.rng, REASONS))
        self.presences.append(Presence(_day(self.signup), _day(later)))

    def leave_trial(self) -> None:
        """Let the trial run out, or say so before."""
        end = self.signup + TRIAL
        if self.chance(0.35):
            end = self.signup + self.hours(24 * 3, 24 * 13)
            self.add("cancellation", end, reason=_pick(self.rng, REASONS))
        self.presences.append(Presence(_day(self.signup), _day(end)))

    def subscribe(self, first: dt.datetime, since: dt.datetime) -> dt.datetime | None:
        """Pay from a first time on until the customer leaves; gives when that was, None if it has not."""
        left = self.pay_until_left(first)
        self.presences.append(Presence(_day(since), _day(left or self.until)))
        return left

    def pay_until_left(self, first: dt.datetime) -> dt.datetime | None:
        months = 12 if self.yearly else 1
        due, month = first, 0
        add_on = self.chance(ADD_ON)
        while due < self.until:
            paid = self.collect(due)
            if paid is None:
                return due + dt.timedelta(days=20)  # the coverage and its grace run out; nobody says goodbye
            if add_on and not self.yearly:
                self.pay(paid, "49", subscription_id="analytics", plan="analytics")
            month += months
            following = _later(first, month)
            stays = (1 - CHURN[self.plan]) ** (months * (0.7 if self.yearly else 1))
            if not self.chance(stays):
                return self.leave(paid, following)
            if not self.yearly:
                self.change_plan(paid, following)
            due = following
        return None

    def collect(self, due: dt.datetime) -> dt.datetime | None:
        """Try to collect what is due, up to three times; gives when it succeeded."""
        for days in (0, 3, 9):
            at = due + dt.timedelta(days=days) + self.hours(0, 1)
            if not self.chance(FAILURE if days == 0 else 0.3):
                self.pay(at, self.price())
                if self.chance(REFUND):
                    self.pay(at + self.hours(24, 24 * 9), self.price(), status="refunded")
                return at
            self.pay(at, self.price(), status="failed")
        return None

    def change_plan(self, paid: dt.datetime, following: dt.datetime) -> None:
        """Move up or down in the middle of a month, paying the rest of it."""
        place = PLANS.index(self.plan)
        up = self.chance(UPGRADE)
        down = not up and self.chance(DOWNGRADE)
        if not (up and place < 3) and not (down and place > 1):
            return
        self.plan = PLANS[place + (1 if up else -1)]
        at = paid + (following - paid) * self.rng.uniform(0.2, 0.8)
        left = (following - at) / (following - paid)
        self.pay(
            at,
            f"{PRICES[self.plan] * left:.2f}" if up else "0",
            recurring_amount=self.price(),
            covers_until=_ms(following),
        )

    def leave(self, paid: dt.datetime, end: dt.datetime) -> dt.datetime:
        """Cancel for the end of what is paid; gives that end."""
        asked = paid + (end - paid) * self.rng.uniform(0.3, 0.98)
        self.add("cancellation", asked, effective_at=_ms(end), reason=_pick(self.rng, REASONS))
        return end

    def pay(self, at: dt.datetime, amount: str, **fields: Any) -> None:
        interval = {"interval": "year"} if self.yearly else {}
        plan = {"plan": self.plan} | fields
        self.add("payment", at, amount=amount, currency=self.currency, **interval, **plan)

    def price(self) -> str:
        return str(PRICES[self.plan] * (10 if self.yearly else 1))

    def add(self, kind: str, at: dt.datetime, **fields: Any) -> None:
        event = {
            "id": f"{kind[0]}{len(self.events)}",
            "type": kind,
            "customer_id": self.id,
            "occurred_at": _ms(at),
            **fields,
        }
        self.events.append((_ms(at), event))

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def hours(self, low: float, high: float) -> dt.timedelta:
        return dt.timedelta(hours=self.rng.uniform(low, high))


def _pick(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)


def _day(moment: dt.datetime) -> int:
    return _ms(moment) // DAY_MS


def _later(moment: dt.datetime, months: int) -> dt.datetime:
    """Move by months, the 31st cut to the month's last day, as the product counts coverage."""
    years, month0 = divmod(moment.month - 1 + months, 12)
    last = calendar.monthrange(moment.year + years, month0 + 1)[1]
    return moment.replace(year=moment.year + years, month=month0 + 1, day=min(moment.day, last))
