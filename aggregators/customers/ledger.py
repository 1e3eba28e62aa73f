"""A customer's billing ledger: its signups, payments and cancellations, deduplicated and in order, as packed bytes."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from functools import cached_property

import msgspec

from aggregators.customers.items import RANK, CancellationTerms, Item, PaymentTerms, SignupTerms, Terms, order
from aggregators.customers.timeline import Change, State
from aggregators.events import Cancellation, Payment, Signup

FORMAT = 1

BillingEvent = Signup | Payment | Cancellation


class Ledger(msgspec.Struct, array_like=True, dict=True):
    """All billing events of one customer, with the sweep's state after the last one."""

    format: int = FORMAT
    tip: State | None = None
    """The sweep's state after all items, nothing later done; None: sweep from the beginning."""
    changes: list[Change] = []
    """End-of-day states that the sweep to the tip has passed."""
    tip_rules: int = 0
    """`Rules.tag` of the rules that tip and changes were made by: under others they say nothing."""
    terms: list[Terms] = []
    items: list[Item] = []

    def positions(self, events: Iterable[BillingEvent]) -> dict[tuple[int, str], int]:
        """Find those of the events' ids that the ledger has: (rank, id) to the item's index."""
        wanted = {event.id for event in events}
        return {(item.rank, item.id): index for index, item in enumerate(self.items) if item.id in wanted}

    def item(self, event: BillingEvent) -> Item:
        """Make an event's item, its terms noted."""
        terms: Terms
        at, other = event.occurred_at, None
        if isinstance(event, Payment):
            terms = PaymentTerms(
                event.amount,
                event.currency,
                event.interval,
                event.interval_count,
                event.recurring_amount,
                event.subscription_id,
                event.status,
                event.plan,
            )
            other = event.covers_until
        elif isinstance(event, Signup):
            terms = SignupTerms(event.plan, event.country, event.channel, event.owner)
            other = event.trial_ends_at
        else:
            terms = CancellationTerms(event.subscription_id, event.reason)
            at, other = event.effective_at, event.occurred_at
        return Item(at, RANK[type(terms)], event.id, self.note(terms), other, 2 * event.revision + event.withdrawn)

    def note(self, terms: Terms) -> int:
        """Give the index of terms, which are noted if they are new."""
        index = self._places.get(terms)
        if index is None:
            index = self._places[terms] = len(self.terms)
            self.terms.append(terms)
        return index

    @cached_property
    def _places(self) -> dict[Terms, int]:
        return {terms: index for index, terms in enumerate(self.terms)}

    def event(self, item: Item, customer_id: str) -> BillingEvent:
        """Give back the event that an item was made of."""
        terms = self.terms[item.terms]
        revision, withdrawn = item.stamp >> 1, item.withdrawn
        if isinstance(terms, PaymentTerms):
            return Payment(
                id=item.id,
                customer_id=customer_id,
                occurred_at=item.at,
                revision=revision,
                withdrawn=withdrawn,
                amount=terms.amount,
                currency=terms.currency,
                interval=terms.interval,
                interval_count=terms.interval_count,
                recurring_amount=terms.recurring_amount,
                covers_until=item.other,
                subscription_id=terms.subscription_id,
                status=terms.status,
                plan=terms.plan,
            )
        if isinstance(terms, SignupTerms):
            return Signup(
                id=item.id,
                customer_id=customer_id,
                occurred_at=item.at,
                revision=revision,
                withdrawn=withdrawn,
                plan=terms.plan,
                country=terms.country,
                channel=terms.channel,
                owner=terms.owner,
                trial_ends_at=item.other,
            )
        assert item.other is not None
        return Cancellation(
            id=item.id,
            customer_id=customer_id,
            occurred_at=item.other,
            revision=revision,
            withdrawn=withdrawn,
            subscription_id=terms.subscription_id,
            effective_at=item.at,
            reason=terms.reason,
        )

    def place(self, item: Item) -> int:
        """Give the index at which an item stands, or would."""
        return bisect_left(self.items, order(item), key=order)

    def insert(self, item: Item) -> None:
        """Put an item in its place."""
        if not self.items or order(self.items[-1]) < order(item):
            self.items.append(item)
        else:
            insort(self.items, item, key=order)

    def remove(self, item: Item) -> None:
        """Take an item out."""
        del self.items[self.place(item)]


_decoder = msgspec.msgpack.Decoder(Ledger)
_encoder = msgspec.msgpack.Encoder()


def unpack(packed: bytes | None) -> Ledger:
    """Read a ledger's bytes; a new one for None."""
    return Ledger() if packed is None else _decoder.decode(packed)


def pack(ledger: Ledger) -> bytes:
    """Write a ledger as bytes, without terms that no item has any more."""
    ledger.terms, ledger.items = pruned(ledger.terms, ledger.items)
    try:
        return _encoder.encode(ledger)
    except OverflowError:
        # A monthly amount beyond 64 bits, such as 10^12 a day: it is swept anew each time, for what was sent is kept.
        return _encoder.encode(msgspec.structs.replace(ledger, tip=None, changes=[]))


def pruned(terms: list[Terms], items: list[Item]) -> tuple[list[Terms], list[Item]]:
    """Leave out terms that no item has."""
    used = {item.terms for item in items}
    if len(used) == len(terms):
        return terms, items
    kept = sorted(used)
    place = {old: new for new, old in enumerate(kept)}
    return [terms[old] for old in kept], [msgspec.structs.replace(item, terms=place[item.terms]) for item in items]
