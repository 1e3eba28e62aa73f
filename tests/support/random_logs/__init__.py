"""Random event logs that hit every rule: dense, full of ties, odd hours, copies and corrections; one seed, one log."""

import random
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from .instants import EPOCH
from .maker import PURCHASE_LAPSE_DAYS, Maker
from .scenarios import scenario

FIRST, DAYS = date(2023, 7, 1), 760
# Three currencies: the reporting one, one with steps in its rate, one (CHF) without any rate.
RATES = {"EUR": {"2023-09-01": "1.10", "2024-01-31": "1.05", "2024-07-01": "1.2345678", "2025-01-01": "0.95"}}
COMMON = {"reporting_currency": "USD", "rates": RATES, "targets": {"customer_churn_ratio": 0.03}}
# Cairo's clocks spring forward at midnight, Lord Howe's by half an hour.
SETTINGS = [
    {"time_zone": zone, "lapse_grace_days": grace, "purchase_lapse_days": lapse, **COMMON}
    for zone, grace, lapse in (
        ("UTC", 30, None),
        ("America/New_York", 3, None),
        ("Australia/Lord_Howe", 0, PURCHASE_LAPSE_DAYS),
        ("Asia/Kolkata", 30, PURCHASE_LAPSE_DAYS),
        ("America/New_York", 0, None),
        ("Africa/Cairo", 3, PURCHASE_LAPSE_DAYS),
        ("Australia/Lord_Howe", 30, None),
    )
]


def random_log(
    seed: int, size: int = 30, zone: str = "UTC", first: date = FIRST, days: int = DAYS, events: int = 20
) -> list[dict]:
    """A log of `size` customers with up to `events` events of state each, shuffled, copies included."""
    maker = Maker(seed, zone, first, days)
    log = []
    names = [f"c{n}" if n % 7 else f"k:{n} ü" for n in range(size)]
    for name in names:
        log += maker.customer(name, events) if maker.chance(0.95) else []
        log += maker.sessions(name) if maker.chance(0.7) else []
        log += maker.surveys(name) if maker.chance(0.7) else []
    for n in range(size // 8):
        log += scenario(maker, f"s{n}")
    for centre in ("ads", "support", names[0]):
        log += maker.expenses(centre)
    copied = [copy for event in log for copy in (maker.again(event) if maker.chance(0.15) else [event])]
    return shuffled(copied, seed)


def shuffled(log: list[dict], seed: int) -> list[dict]:
    """The same events in another order."""
    return random.Random(seed).sample(log, len(log))


def doubled(log: list[dict], seed: int) -> list[dict]:
    """Every event at least once, many twice or three times, in another order."""
    return shuffled([event for event in log for _ in range(random.Random(f"{seed}{event}").choice((1, 2, 2, 3)))], seed)


def as_of_days(seed: int = 0, first: date = FIRST, days: int = DAYS) -> list[date]:
    """Days worth asking for: before any data, ends and middles of periods, the leap day, the last, after all."""
    last = first + timedelta(days=days)
    inside = [date(2023, 12, 31), date(2024, 1, 1), date(2024, 2, 29), date(2024, 3, 31), date(2024, 11, 3)]
    rng = random.Random(seed)
    drawn = [first + timedelta(days=rng.randrange(days)) for _ in range(4)]
    fixed = [first - timedelta(days=40), first, last - timedelta(days=1), last + timedelta(days=45)]
    return sorted({*fixed, *drawn, *(day for day in inside if first <= day < last)})


def days_after(log: list[dict], zone: str, seed: int = 0, count: int = 4) -> list[date]:
    """As-of days at the edges of windows: so many days after events drawn from the log."""
    rng = random.Random(seed)
    found = set()
    for event in rng.sample(log, min(count, len(log))):
        at = event["occurred_at"]
        when = EPOCH + timedelta(milliseconds=at) if isinstance(at, int) else datetime.fromisoformat(at[:19] + "Z")
        ahead = rng.choice((0, 1, 6, 7, 20, 27, 28, 29, 30, 31, 33, 60, 61, 89, 90))
        found.add(when.astimezone(ZoneInfo(zone)).date() + timedelta(days=ahead))
    return sorted(found)
