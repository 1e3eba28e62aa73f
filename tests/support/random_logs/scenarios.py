"""Rare coincidences that no dense log is sure to meet, made on purpose."""

from datetime import timedelta

from .instants import DAY, HOUR, instant, wall_at
from .maker import GRACES, PURCHASE_LAPSE_DAYS, Maker


def scenario(maker: Maker, name: str) -> list[dict]:
    """The events of one customer to whom one of the coincidences happens."""
    makers = [two_lapses, trial_and_inactivity, last_quarter, *([clock_change] * 3 if maker.transitions else [])]
    return maker.rng.choice(makers)(maker, name)


def _paid(maker: Maker, name: str, at: int, **fields) -> dict:
    plain = {"amount": 10, "currency": "USD", "interval": "week", "interval_count": 1, "status": "succeeded"}
    unset = {"recurring_amount": None, "covers_until": None, "subscription_id": None}
    return maker.event("payment", name, at, **{**plain, **unset, **fields})


def _somewhere(maker: Maker) -> int:
    return maker.start + maker.rng.randrange(maker.length - 60 * DAY)


def two_lapses(maker: Maker, name: str) -> list[dict]:
    """Two subscriptions lapse at one instant, one of them for a failed payment: the last reason prevails."""
    at = _somewhere(maker)
    failed = maker.rng.choice(("a", "b"))
    log = [_paid(maker, name, at, subscription_id=subscription) for subscription in maker.rng.sample(("a", "b"), 2)]
    return [*log, _paid(maker, name, at + 2 * DAY, subscription_id=failed, status="failed")]


def trial_and_inactivity(maker: Maker, name: str) -> list[dict]:
    """A trial and the time after a purchase run out at one instant, for one of the graces."""
    at = _somewhere(maker)
    wall = wall_at(at, maker.zone)
    ends = instant(wall + timedelta(days=PURCHASE_LAPSE_DAYS - maker.rng.choice(GRACES[:2])), maker.zone)
    bought = _paid(maker, name, at, interval="one_time")
    return [bought, maker.event("signup", name, at + 3 * DAY, trial_ends_at=maker.stamp(ends))]


def last_quarter(maker: Maker, name: str) -> list[dict]:
    """A payment replaces another at the first instant of its last quarter, or just before."""
    at = _somewhere(maker)
    again = at + (instant(wall_at(at, maker.zone) + timedelta(days=7), maker.zone) - at) * 3 // 4
    return [_paid(maker, name, at), _paid(maker, name, again - maker.rng.choice((0, 0, 1)))]


def clock_change(maker: Maker, name: str) -> list[dict]:
    """A coverage or a grace ends at a local time that is skipped or repeated, and a payment fails just then."""
    rng = maker.rng
    change = rng.choice(maker.transitions)
    shift = wall_at(change, maker.zone) - wall_at(change - 1, maker.zone) - timedelta(milliseconds=1)
    half = abs(shift) // timedelta(milliseconds=2)
    odd = wall_at(change - 1, maker.zone) + timedelta(milliseconds=1 + half)
    if shift < timedelta(0):
        odd -= timedelta(milliseconds=2 * half)
    failed = _paid(maker, name, change, status=rng.choice(("failed", "failed", "succeeded")))
    if rng.random() < 0.25:
        start = change - 5 * DAY
        covered = maker.stamp(change + half)
        return [_paid(maker, name, start, covers_until=covered), failed]
    paid = instant(odd - timedelta(days=7 + rng.choice(GRACES)), maker.zone)
    return [
        _paid(maker, name, paid),
        failed,
        *([maker.event("signup", name, paid - HOUR)] if rng.random() < 0.3 else []),
    ]
