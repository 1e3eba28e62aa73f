"""One event of a customer's billing as its ledger holds it: when, of which rank, and what it shares with others."""

from __future__ import annotations

import msgspec

from aggregators.events import Interval, Status


class SignupTerms(msgspec.Struct, frozen=True, array_like=True, tag=0, gc=False):
    """What signups have in common but for id and instants."""

    plan: str | None
    country: str | None
    channel: str | None
    owner: str | None


class PaymentTerms(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """What payments of one plan have in common but for id and instants."""

    amount: str
    currency: str
    interval: Interval
    interval_count: int
    recurring_amount: str
    subscription_id: str
    status: Status
    plan: str | None


class CancellationTerms(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """What cancellations have in common but for id and instants."""

    subscription_id: str | None
    reason: str


Terms = SignupTerms | PaymentTerms | CancellationTerms
RANK = {SignupTerms: 0, PaymentTerms: 2, CancellationTerms: 3}
"""Order of a customer's items at one instant; what falls due stands at 1, between signups and payments."""


class Item(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event in a ledger."""

    at: int
    """The instant that orders it: `effective_at` of a cancellation, else `occurred_at`."""
    rank: int
    id: str
    terms: int
    """Index of its terms in the ledger."""
    other: int | None
    """`trial_ends_at` of a signup, `covers_until` of a payment, `occurred_at` of a cancellation."""
    stamp: int
    """Twice the revision, and 1 more if withdrawn."""

    @property
    def withdrawn(self) -> bool:
        """Whether the event was taken back: it is kept for its revision, and no fold sees it."""
        return bool(self.stamp & 1)


def order(item: Item) -> tuple[int, int, str]:
    """Give what a customer's items are ordered by (SPEC, section 3.2)."""
    return item.at, item.rank, item.id
