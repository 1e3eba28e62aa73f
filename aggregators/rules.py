"""The rules of one deployment: every setting that a fold reads, and their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from math import gcd, lcm

import msgspec

from aggregators.calendar import Zone

DIMENSIONS = ("plan", "country", "channel", "owner")
HEALTH_PARTS = ("recency", "frequency", "breadth", "adoption", "payment", "sentiment", "tenure")
BOUNDS: dict[str, tuple[int, int]] = {
    "lapse_grace_days": (0, 3650),
    "purchase_lapse_days": (1, 36_500),
    # An id keeps the low byte of its day: days further apart than that look alike.
    "dedupe_days": (1, 255),
    "health_users": (1, 1_000_000),
    "health_features": (1, 1000),
}
"""The least and the greatest value of every rule that is a whole number: what each fold can work with."""
FOLD_VERSION = 2
"""One more whenever a fold gives other facts for the same ledger."""


class Rules(msgspec.Struct, frozen=True):
    """What the folds need to know beside the events."""

    zone: Zone
    lapse_grace_days: int = 30
    purchase_lapse_days: int | None = None
    dedupe_days: int = 100
    dimensions: tuple[str, ...] = DIMENSIONS
    """The dimensions that customers are told apart by."""
    health_weights: tuple[int, ...] = (3, 2, 1, 1, 2, 2, 1)
    """Of `HEALTH_PARTS`; only how they compare counts: `whole_weights` makes them of any numbers."""
    health_users: int = 3
    """Users active in 28 days who make a customer's breadth full."""
    health_features: int = 5
    """Features used in 28 days that make its adoption full."""
    tag: int = 0
    """The fingerprint's first 48 bits, for what is stored with a ledger; worked out, not given."""

    def __post_init__(self) -> None:
        """Check the bounds, and work out the tag.

        Raises:
            ValueError: a rule lies outside of its `BOUNDS`.
        """
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is {value}: set it to at least {least} and at most {most}")
        msgspec.structs.force_setattr(self, "tag", int(self.fingerprint()[:12], 16))

    def fingerprint(self) -> str:
        """Give a short text that differs whenever a fold could give other facts (SPEC, section 6).

        It ends with the time zone's name, since days of another zone cannot be folded anew from ledgers.
        """
        settings = (
            FOLD_VERSION,
            self.zone.name,
            self.zone.digest,
            self.lapse_grace_days,
            self.purchase_lapse_days,
            self.dedupe_days,
            self.dimensions,
            self.health_weights,
            self.health_users,
            self.health_features,
        )
        return f"{hashlib.blake2b(msgspec.json.encode(settings), digest_size=12).hexdigest()}/{self.zone.name}"


def whole_weights(weights: Mapping[str, int | float | str | Decimal]) -> tuple[int, ...]:
    """Give the smallest whole numbers that compare as the weights of `HEALTH_PARTS` do; a float is what it is shown as.

    Raises:
        KeyError: a part has no weight.
        ValueError: a weight is no number, below 0, or too fine beside the others.
    """
    exact = [Fraction(str(weights[part])) for part in HEALTH_PARTS]
    scale = lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * scale) for weight in exact]
    common = gcd(*whole) or 1
    if min(whole) < 0 or max(whole) // common >= 1 << 40:
        raise ValueError("weights of the health score must be 0 or more, with few digits")
    return tuple(weight // common for weight in whole)
