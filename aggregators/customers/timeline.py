"""The sweep over a customer's items: what each event and each date that falls due does to its state.

The state is resumable: a sweep can stop at any item, be copied and go on in two ways, so that the effect of one event
is worked out from its own place on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from aggregators.calendar import DAY_MS, Interval, Zone, add_interval
from aggregators.money import monthly_millionths
from aggregators.rules import Rules

if TYPE_CHECKING:
    from aggregators.customers.ledger import CancellationTerms, Item, PaymentTerms, Terms

NEVER = 1 << 62
"""An instant after all others."""

_LEAST_DAYS = {"day": 1, "week": 7, "month": 28, "quarter": 89, "year": 365}
_MARGIN_DAYS = 2
"""More than any zone ever moved its clocks."""

Mrr = tuple[tuple[str, int], ...]
"""Monthly millionths by currency, sorted, without zeros."""


class Subscription(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A subscription with MRR."""

    monthly: int
    """Millionths a month, above 0."""
    currency: str
    paid_at: int
    interval: Interval
    interval_count: int
    covers_until: int | None
    due_from: int
    """Its lapse is not before this instant: so it need not be worked out until then."""
    failed: bool = False
    """Whether a recurring payment failed since the last that succeeded."""


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A day whose end-of-day state differs from the day before."""

    day: int
    present: bool
    mrr: Mrr
    left_by: str
    """Reason of the last ending that made the customer absent."""
    lost_by: str
    """Reason of the last ending that took its last MRR."""


class State(msgspec.Struct, array_like=True):
    """What the sweep knows of a customer at one place in its items."""

    day: int = -NEVER
    """Day of the last item or due that did something."""
    present: bool = False
    ever: bool = False
    """Whether it was present at any instant so far."""
    subscriptions: dict[str, Subscription] = {}
    """Those with MRR, by `subscription_id`."""
    trial_due: int = NEVER
    """End of the latest signup's trial with its grace, while that trial has not converted."""
    inactive_due: int = NEVER
    left_by: str = ""
    lost_by: str = ""
    next_due: int = NEVER
    """Nothing falls due before this instant."""

    def copy(self) -> State:
        """Give a state that can go another way."""
        return State(
            self.day,
            self.present,
            self.ever,
            dict(self.subscriptions),
            self.trial_due,
            self.inactive_due,
            self.left_by,
            self.lost_by,
            self.next_due,
        )

    def mrr(self) -> Mrr:
        """Sum the monthly millionths by currency."""
        subscriptions = self.subscriptions
        if not subscriptions:
            return ()
        if len(subscriptions) == 1:
            (one,) = subscriptions.values()
            return ((one.currency, one.monthly),)
        sums: dict[str, int] = {}
        for subscription in subscriptions.values():
            sums[subscription.currency] = sums.get(subscription.currency, 0) + subscription.monthly
        return tuple(sorted(sums.items()))


class Sweep:
    """Takes a customer's items in order and notes the end-of-day states that differ."""

    __slots__ = ("changes", "rules", "state", "zone")

    def __init__(self, rules: Rules, state: State | None = None, changes: Sequence[Change] = ()) -> None:
        """Begin at the first item, or go on from a state, which is then owned by this sweep."""
        self.rules = rules
        self.zone: Zone = rules.zone
        self.state = State() if state is None else state
        self.changes = list(changes)

    def fork(self) -> Sweep:
        """Give a sweep that goes on from here on its own."""
        return Sweep(self.rules, self.state.copy(), self.changes)

    def run(self, items: Sequence[Item], terms: Sequence[Terms]) -> None:
        """Take items, which stand in order and after those taken before."""
        state = self.state
        for item in items:
            if item.stamp & 1:
                continue
            at, rank = item.at, item.rank
            # What falls due at the instant of an item comes before it, unless it is a signup.
            if state.next_due < at or (state.next_due == at and rank):
                self._settle(at if rank else at - 1)
            if rank == 2:
                self._payment(item, terms[item.terms])  # type: ignore[arg-type]
            elif rank == 0:
                self._signup(item)
            else:
                self._cancellation(item, terms[item.terms])  # type: ignore[arg-type]

    def finish(self) -> list[Change]:
        """Let everything fall due that is still to come, and give all changes."""
        self._settle(NEVER - 1)
        self._close_day(NEVER)
        return self.changes

    def _signup(self, item: Item) -> None:
        state = self.state
        self._move_to(item.at)
        state.present = state.ever = True
        ends = item.other
        state.trial_due = NEVER if ends is None else self._after_grace(ends)
        state.next_due = min(state.next_due, state.trial_due)

    def _payment(self, item: Item, terms: PaymentTerms) -> None:
        state = self.state
        if terms.status != "succeeded":
            if terms.status == "failed" and terms.interval != "one_time":
                subscription = state.subscriptions.get(terms.subscription_id)
                if subscription is not None and not subscription.failed:
                    state.subscriptions[terms.subscription_id] = msgspec.structs.replace(subscription, failed=True)
            return
        at, rules = item.at, self.rules
        self._move_to(at)
        if rules.purchase_lapse_days is not None:
            state.inactive_due = self.zone.at(self.zone.local(at) + rules.purchase_lapse_days * DAY_MS)
            state.next_due = min(state.next_due, state.inactive_due)
        if terms.interval == "one_time":
            if not state.ever or rules.purchase_lapse_days is not None:
                state.present = state.ever = True
            return
        state.present = state.ever = True
        monthly = monthly_millionths(terms.recurring_amount, terms.interval, terms.interval_count)
        if monthly:
            state.trial_due = NEVER
            if item.other is None:
                days = _LEAST_DAYS[terms.interval] * terms.interval_count + rules.lapse_grace_days
                due_from = at + max(days - _MARGIN_DAYS, 0) * DAY_MS
            else:
                due_from = self._after_grace(item.other)
            state.subscriptions[terms.subscription_id] = Subscription(
                monthly, terms.currency, at, terms.interval, terms.interval_count, item.other, due_from
            )
            state.next_due = min(state.next_due, due_from)
        elif state.subscriptions.pop(terms.subscription_id, None) is not None and not state.subscriptions:
            state.lost_by = "downgrade"

    def _cancellation(self, item: Item, terms: CancellationTerms) -> None:
        state = self.state
        if not state.ever:
            return
        self._move_to(item.at)
        if terms.subscription_id is None:
            had = bool(state.subscriptions)
            state.subscriptions.clear()
        else:
            had = state.subscriptions.pop(terms.subscription_id, None) is not None
        if not state.subscriptions:
            self._leave(terms.reason, had_mrr=had)

    def _leave(self, reason: str, *, had_mrr: bool) -> None:
        state = self.state
        if had_mrr:
            state.lost_by = reason
        if state.present:
            state.present = False
            state.left_by = reason

    def _settle(self, until: int) -> None:
        """Let fall due what is due up to an instant, that one included, in order."""
        state = self.state
        while state.next_due <= until:
            first: tuple[int, int, str] | None = None
            later = NEVER
            for name, subscription in state.subscriptions.items():
                if subscription.due_from <= until:
                    lapse = (self._lapse(subscription), 0, name)
                    if first is None or lapse < first:
                        first = lapse
                else:
                    later = min(later, subscription.due_from)
            for due in ((state.trial_due, 1, ""), (state.inactive_due, 2, "")):
                if due[0] < NEVER and (first is None or due < first):
                    first = due
            if first is None or first[0] > until:
                state.next_due = later if first is None else min(later, first[0])
                return
            self._fall_due(*first)
            state.next_due = min(
                state.trial_due, state.inactive_due, *(s.due_from for s in state.subscriptions.values()), NEVER
            )

    def _fall_due(self, at: int, kind: int, name: str) -> None:
        state = self.state
        self._move_to(at)
        if kind == 0:
            subscription = state.subscriptions.pop(name)
            if not state.subscriptions:
                self._leave("payment_failed" if subscription.failed else "lapsed", had_mrr=True)
        elif kind == 1:
            state.trial_due = NEVER
            if not state.subscriptions:
                self._leave("trial_ended", had_mrr=False)
        else:
            state.inactive_due = NEVER
            if not state.subscriptions:
                self._leave("inactive", had_mrr=False)

    def _lapse(self, subscription: Subscription) -> int:
        end = subscription.covers_until
        if end is None:
            local = self.zone.local(subscription.paid_at)
            end = self.zone.at(add_interval(local, subscription.interval, subscription.interval_count))
        return self._after_grace(end)

    def _after_grace(self, instant: int) -> int:
        grace = self.rules.lapse_grace_days
        return self.zone.at(self.zone.local(instant) + grace * DAY_MS) if grace else instant

    def _move_to(self, instant: int) -> None:
        day = self.zone.day(instant)
        if day != self.state.day:
            self._close_day(day)

    def _close_day(self, following: int) -> None:
        """Note the end of the state's day, if it differs from the one before."""
        state, changes = self.state, self.changes
        mrr = state.mrr()
        if changes:
            last = changes[-1]
            differs = state.present != last.present or mrr != last.mrr
        else:
            differs = state.present or bool(mrr)
        if differs:
            changes.append(Change(state.day, state.present, mrr, state.left_by, state.lost_by))
        state.day = following
