"""Random events of every type, dense and full of ties, with their copies and corrections."""

import random
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from .instants import DAY, EPOCH, HOUR, instant, midnight, odd_instants, transitions, wall_at

GRACES, PURCHASE_LAPSE_DAYS = (0, 3, 30), 20
AMOUNTS = (
    *("10", "10.00", 10, 29.99, "29.99", "99.999999", "1200", 600, "2000", "33.333333", "7.0000005", "365"),
    *("0", 0, "0.0", "0.0000001", "0.0000015", "0.0000025", "123456789.12"),
)
PLANS = ("free", "basic", "pro", "team", "", None)


class Maker:
    """Events of one log; keeps the instants at which something falls due, to hit them with later events."""

    def __init__(self, seed: int, zone: str, first: date, days: int) -> None:
        """Draw from `seed`, over `days` days of a zone from `first` on."""
        self.rng = random.Random(seed)
        self.name, self.zone = zone, ZoneInfo(zone)
        self.odd = odd_instants(zone, first, days)
        self.transitions = transitions(zone, first, days)
        self.start = instant(midnight(first), self.zone)
        self.length = days * DAY
        self.cursor = self.start
        self.anchors: list[int] = []
        self.paid_until = self.start
        self.number = 0

    def chance(self, share: float) -> bool:
        """True in a share of cases."""
        return self.rng.random() < share

    def when(self) -> int:
        """The next instant: the same, the same day, where something falls due, an odd one, or some time later."""
        rng, kind = self.rng, self.rng.random()
        if kind < 0.1:
            at = self.cursor
        elif kind < 0.25:
            at = instant(midnight(wall_at(self.cursor, self.zone).date()), self.zone) + rng.randrange(20 * HOUR)
        elif kind < 0.55 and self.anchors:
            at = rng.choice(self.anchors) + rng.choice((-1, 0, 0, 0, 1, -DAY, DAY, 10))
        elif kind < 0.7:
            near = [odd for odd in self.odd if abs(odd - self.cursor) < 40 * DAY] or self.odd
            at = rng.choice(near)
        else:
            at = self.cursor + int(rng.expovariate(1 / (25 * DAY)))
        self.cursor = self.start + (at - self.start) % self.length
        return self.cursor

    def later(self, at: int, shortest: int = 0) -> int:
        """An instant at or after `at`, often where something else happens."""
        ahead = [anchor for anchor in self.anchors if at + shortest <= anchor < at + 400 * DAY]
        if ahead and self.chance(0.3):
            return self.rng.choice(ahead)
        step = self.rng.choice((0, 1, HOUR, DAY, 7 * DAY, 14 * DAY, 30 * DAY, self.rng.randrange(60 * DAY)))
        found = at + max(step, shortest)
        if self.chance(0.2):
            found = max(instant(midnight(wall_at(found, self.zone).date()), self.zone), at + shortest)
        return found

    def due(self, end: int, *graces: int) -> None:
        """Remember where a coverage or a trial ends, with every grace."""
        wall = wall_at(end, self.zone)
        self.anchors += [end, *(instant(wall + timedelta(days=grace), self.zone) for grace in graces if grace)]

    def stamp(self, at: int) -> int | str:
        """One of the ways to write an instant."""
        if self.chance(0.4):
            return at
        offset = self.rng.choice((0, 0, 330, -480, 765, -210))
        wall = EPOCH + timedelta(milliseconds=at, minutes=offset)
        digits = (
            "" if at % 1000 == 0 and self.chance(0.5) else f".{at % 1000:03d}" + self.rng.choice(("", "9", "999999"))
        )
        sign, (hours, minutes) = "-" if offset < 0 else "+", divmod(abs(offset), 60)
        ends = "Z" if offset == 0 and self.chance(0.7) else f"{sign}{hours:02d}:{minutes:02d}"
        return wall.strftime("%Y-%m-%dT%H:%M:%S") + digits + ends

    def event(self, kind: str, customer: str, at: int | None = None, /, **fields) -> dict:
        """An event of a type at an instant, by default the next; `fields` prevail over what is drawn."""
        self.number += 1
        at = self.when() if at is None else at
        # An id names an event within its customer and type only.
        name = f"{self.number % 50}" if self.chance(0.3) and self.number < 50 else f"e{self.number * 7919 % 100003}"
        event = {"id": name, "type": kind, "customer_id": customer, "occurred_at": self.stamp(at)}
        event |= {} if kind in ("session", "survey", "expense") else getattr(self, kind)(at, fields)
        event |= fields
        if self.chance(0.05):
            event["note"] = "no known field"
        return event

    def signup(self, at: int, fields: dict) -> dict:
        """A signup, of which two fifths begin a trial."""
        rng, drawn = self.rng, {}
        if self.chance(0.4) and "trial_ends_at" not in fields:
            ends = self.later(at)
            drawn["trial_ends_at"] = self.stamp(ends)
            self.due(ends, *GRACES)
        choices = {"plan": PLANS, "country": ("DE", "US", "IN"), "channel": ("ads", "web"), "owner": ("ann", "bob", "")}
        return drawn | {name: rng.choice(values) for name, values in choices.items() if self.chance(0.6)}

    def payment(self, at: int, fields: dict) -> dict:
        """A payment of any interval, status and size."""
        rng = self.rng
        status = rng.choices(("succeeded", "failed", "refunded"), (78, 15, 7))[0]
        drawn = {"amount": rng.choice(AMOUNTS), "currency": rng.choices(("USD", "EUR", "CHF"), (60, 30, 10))[0]}
        weights = {"month": 45, "day": 10, "week": 10, "quarter": 10, "year": 10, "one_time": 15}
        interval = fields.get("interval") or rng.choices(list(weights), list(weights.values()))[0]
        count = rng.choice((1, 1, 1, 1, 2, 3, 30 if interval == "day" else 6, 1000 if self.chance(0.1) else 1))
        if interval != "month" or self.chance(0.5):
            drawn["interval"] = interval
        if count > 1 or self.chance(0.3):
            drawn["interval_count"] = count
        if status != "succeeded" or self.chance(0.3):
            drawn["status"] = status
        if self.chance(0.15):
            drawn["recurring_amount"] = rng.choice(AMOUNTS)
        if self.chance(0.5):
            drawn["subscription_id"] = rng.choice(("default", "a", "b", None))
        if self.chance(0.4):
            drawn["plan"] = rng.choice(PLANS)
        end = at + {"day": DAY, "week": 7 * DAY}.get(interval, 30 * DAY) * min(count, 30)
        if interval == "month" and count == 1:
            wall = wall_at(at, self.zone)
            following = (wall.replace(day=1) + timedelta(days=32)).replace(day=1)
            last = ((following + timedelta(days=32)).replace(day=1) - timedelta(days=1)).day
            end = instant(following.replace(day=min(wall.day, last)), self.zone)
        if self.chance(0.15):
            end = self.later(at, shortest=1)
            drawn["covers_until"] = self.stamp(end)
        self.paid_until = end
        self.due(end, *GRACES)
        self.due(at, PURCHASE_LAPSE_DAYS)
        return drawn

    def cancellation(self, at: int, _fields: dict) -> dict:
        """A cancellation of one subscription or all, now or later."""
        rng, drawn = self.rng, {}
        if self.chance(0.5):
            drawn["subscription_id"] = rng.choice(("default", "a", "b", "never-had", None))
        if self.chance(0.4):
            effective = self.later(at)
            drawn["effective_at"] = self.stamp(effective)
            self.anchors.append(effective)
        if self.chance(0.7):
            drawn["reason"] = rng.choice(("price", "moved", "bugs", "lapsed"))
        return drawn

    def customer(self, name: str, events: int) -> list[dict]:
        """The signups, payments and cancellations of one customer of a random kind."""
        rng = self.rng
        self.anchors = []
        self.cursor = self.start + rng.randrange(self.length)
        made, kind = [], rng.choices(("any", "trial", "free", "buyer", "loyal", "dense"), (30, 15, 10, 10, 20, 15))[0]
        if kind in ("trial", "free") or self.chance(0.6):
            made.append(self.event("signup", name, **({"trial_ends_at": None} if kind == "free" else {})))
        weights = {"trial": (10, 3, 1), "free": (3, 0, 2), "buyer": (1, 8, 1), "loyal": (0, 9, 1)}.get(kind, (2, 7, 3))
        if kind == "trial":
            events = rng.randint(1, 3)
        base = self.paid_until = self.cursor
        for _ in range(rng.randint(min(2, events), events)):
            at = base + rng.randrange(12 * DAY) if kind == "dense" and self.chance(0.5) else self.when()
            what = rng.choices(("signup", "payment", "cancellation"), weights)[0]
            fields = {"interval": "one_time"} if kind == "buyer" and what == "payment" and self.chance(0.8) else {}
            if kind == "loyal" and what == "payment" and self.chance(0.6):
                at, fields = self.paid_until + rng.choice((0, 0, -1, 1, -DAY)), {"amount": 50, "currency": "USD"}
            made.append(self.event(what, name, at, **fields))
        return made

    def sessions(self, customer: str) -> list[dict]:
        """Sessions of up to three users, each user's within 80 days so that none is late."""
        made, rng = [], self.rng
        for user in rng.sample(("u1", "u2", customer), rng.randint(0, 3)):
            start = self.start + rng.randrange(self.length)
            for _ in range(rng.randint(1, 12)):
                step = rng.choice((rng.randrange(80), rng.randrange(6), 0, 1, 7, 30)) * DAY
                at = start + step + rng.choice((0, rng.randrange(DAY)))
                fields = {"user_id": user} if user != customer or self.chance(0.5) else {}
                fields |= (
                    {"duration_seconds": rng.choice((0, 1, 12.5, 60.0625, 7.1875, 3600))} if self.chance(0.7) else {}
                )
                fields |= {"reactions": rng.randrange(5)} if self.chance(0.4) else {}
                fields |= (
                    {"features": rng.sample(("map", "chat", "api"), rng.randint(0, 3))} if self.chance(0.4) else {}
                )
                made.append(self.event("session", customer, at, **fields))
        return made

    def surveys(self, customer: str) -> list[dict]:
        """Answers of all kinds, dense enough for several of one respondent in a window or at one instant."""
        made, rng = [], self.rng
        at = self.start + rng.randrange(self.length)
        for _ in range(rng.randint(0, 8)):
            at += rng.choice((0, HOUR, DAY, rng.randrange(40 * DAY)))
            kind, low, high = rng.choice((("nps", 0, 10), ("nps", 6, 9), ("csat", 1, 5), ("ces", 1, 7), ("fcr", 0, 1)))
            fields = {"user_id": rng.choice(("u1", "u2"))} if self.chance(0.5) else {}
            made.append(self.event("survey", customer, at, kind=kind, score=rng.randint(low, high), **fields))
        return made

    def expenses(self, centre: str) -> list[dict]:
        """What was spent by one cost centre, whose name may be a customer's."""
        made = []
        for _ in range(self.rng.randint(0, 8)):
            fields = {"amount": self.rng.choice(AMOUNTS), "currency": self.rng.choice(("USD", "EUR", "CHF"))}
            made.append(self.event("expense", centre, category=self.rng.choice(("retention", "acquisition")), **fields))
        return made

    def again(self, event: dict) -> list[dict]:
        """An event with its copies: exact, spelled otherwise, revised, conflicting, withdrawn, brought back."""
        kind = self.rng.choice(("exact", "spelled", "greater", "lesser", "conflict", "withdrawn", "back", "stale"))
        if event["type"] == "session" or kind == "exact":
            return [event, dict(event)]
        other = {**self.event(event["type"], event["customer_id"], **_kept(event)), "id": event["id"]}
        return {
            "spelled": lambda: [event, {**event, "revision": 0, "withdrawn": None, "another": 1}],
            "greater": lambda: [event, {**other, "revision": self.rng.choice((1, 7))}],
            "lesser": lambda: [{**event, "revision": 10}, {**other, "revision": 9}],
            "conflict": lambda: [event, _conflicting(event)],
            "withdrawn": lambda: [event, {**event, "revision": 1, "withdrawn": True}],
            "back": lambda: [event, {**other, "revision": 2, "withdrawn": True}, {**other, "revision": 3}],
            "stale": lambda: [{**event, "revision": 2}, {**other, "revision": 1, "withdrawn": True}],
        }[kind]()


def _kept(event: dict) -> dict:
    """The fields that a survey or an expense must have."""
    return {name: event[name] for name in ("kind", "score", "category", "amount", "currency") if name in event}


def _conflicting(event: dict) -> dict:
    """Other content at the same revision, in a field that is there: how an absent one compares, SPEC leaves open."""
    scores = (1, 0) if event.get("kind") == "fcr" else (1, 2)
    for name, values in (("amount", (10, "12", "9.5")), ("reason", ("price", "later")), ("score", scores)):
        if name in event:
            return {**event, name: next(value for value in values if value != event[name])}
    return {**event, "owner": "zoe" if event.get("owner") else event.get("owner")}
