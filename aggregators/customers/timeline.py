"""The sweep over a customer's items: what each event and each date that falls due does to its state.

The state is resumable: a sweep can stop at any item, be copied and go on in two ways, so that the effect of one event
is worked out from its own place on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from aggregators.calendar import DAY_MS, Zone, add_interval
from aggregators.customers.items import CancellationTerms, Item, PaymentTerms, SignupTerms, Terms
from aggregators.facts import key
from aggregators.money import monthly_millionths
from aggregators.rules import Rules

NEVER = 1 << 62
"""An instant after all others."""

NO_PAYMENT = -1
UNKNOWN = "unknown"
"""The segment of a customer of whom nothing was said."""

Mrr = tuple[tuple[str, int], ...]
"""Monthly millionths by currency, sorted, without zeros."""
Plans = tuple[tuple[str, str, int], ...]
"""Plan, currency and monthly millionths of each subscription, sorted."""
Segment = tuple[str, ...]
"""What a customer is in each of the rules' dimensions."""


_PAYERS = ("payers", "repeat_payers")
_RECOVERED, _UNRECOVERED = key("recoveries", "recovered"), key("recoveries", "unrecovered")
_DUE_KEYS = {"renewals": "renewals_due", "trials": "trials_ended"}


@lru_cache(maxsize=1024)
def _decided_key(what: str, outcome: str, later: int) -> str:
    return key(f"{what}_decided", outcome, str(later))


class Subscription(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A subscription with MRR."""

    monthly: int
    """Millionths a month, above 0."""
    currency: str
    paid_at: int
    ends: int
    """The instant at which its coverage ends."""
    lapses: int
    """The end with the grace."""
    plan: str | None
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
    plans: Plans
    segment: Segment
    paying: int
    """How recurring payments of any subscription go: `NO_PAYMENT`, 0 after one that failed, else 100."""


class Trial(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A trial that has neither converted nor ended with its grace."""

    ends: int
    due: int
    left: int | None = None
    """The instant of the first cancellation that made the customer absent."""


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
    plan: str | None = None
    """The latest given by a signup or a succeeded payment."""
    signup_plan: str | None = None
    country: str | None = None
    channel: str | None = None
    owner: str | None = None
    trials: list[Trial] = []
    paid: int = 0
    """Succeeded payments so far, two at the most."""
    paying: int = NO_PAYMENT

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
            self.plan,
            self.signup_plan,
            self.country,
            self.channel,
            self.owner,
            self.trials.copy(),
            self.paid,
            self.paying,
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

    def plans(self) -> Plans:
        """Give the subscriptions by their own plan: that of the payment, else the latest that a signup gave."""
        instead = self.signup_plan or UNKNOWN
        return tuple(sorted((s.plan or instead, s.currency, s.monthly) for s in self.subscriptions.values()))

    def segment(self, dimensions: Sequence[str]) -> Segment:
        """Give what the customer is in each dimension."""
        return tuple(
            (self._plan_segment() if dimension == "plan" else getattr(self, dimension)) or UNKNOWN
            for dimension in dimensions
        )

    def _plan_segment(self) -> str | None:
        """Give the plan of the subscription with the greatest monthly amount; without MRR the latest plan given."""
        if not self.subscriptions:
            return self.plan
        _, greatest = min(self.subscriptions.items(), key=lambda named: (-named[1].monthly, named[0]))
        return greatest.plan or self.signup_plan


class Sweep:
    """Takes a customer's items in order, and notes the end-of-day states that differ and what is decided on the way."""

    __slots__ = ("changes", "decided", "rules", "state", "zone")

    def __init__(self, rules: Rules, state: State | None = None, changes: Sequence[Change] = ()) -> None:
        """Begin at the first item, or go on from a state, which is then owned by this sweep."""
        self.rules = rules
        self.zone: Zone = rules.zone
        self.state = State() if state is None else state
        self.changes = list(changes)
        self.decided: list[tuple[int, str]] = []
        """Days and keys of facts of 1: what came of trials, renewals and failed payments since this sweep began."""

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
                self._signup(item, terms[item.terms])  # type: ignore[arg-type]
            else:
                self._cancellation(item, terms[item.terms])  # type: ignore[arg-type]

    def finish(self) -> list[Change]:
        """Let everything fall due that is still to come, and give all changes."""
        self._settle(NEVER - 1)
        self._close_day(NEVER)
        return self.changes

    def _signup(self, item: Item, terms: SignupTerms) -> None:
        state = self.state
        self._move_to(item.at)
        state.present = state.ever = True
        state.plan = terms.plan or state.plan
        state.signup_plan = terms.plan or state.signup_plan
        state.country = terms.country or state.country
        state.channel = terms.channel or state.channel
        state.owner = terms.owner or state.owner
        ends = item.other
        state.trial_due = NEVER
        if ends is not None:
            self.decided.append((state.day, "trials_started"))
            state.trial_due = self._after_grace(ends)
            state.trials.append(Trial(ends, state.trial_due))
            state.next_due = min(state.next_due, state.trial_due)

    def _payment(self, item: Item, terms: PaymentTerms) -> None:
        state = self.state
        name, recurring = terms.subscription_id, terms.interval != "one_time"
        at, rules = item.at, self.rules
        self._move_to(at)
        if recurring and (terms.status != "refunded" or state.paying == NO_PAYMENT):
            state.paying = 0 if terms.status == "failed" else 100
        if terms.status != "succeeded":
            subscription = state.subscriptions.get(name)
            if terms.status == "failed" and recurring and subscription is not None and not subscription.failed:
                state.subscriptions[name] = msgspec.structs.replace(subscription, failed=True)
            return
        state.plan = terms.plan or state.plan
        if state.paid < len(_PAYERS):
            self.decided.append((state.day, _PAYERS[state.paid]))
            state.paid += 1
        if rules.purchase_lapse_days is not None:
            state.inactive_due = self.zone.at(self.zone.local(at) + rules.purchase_lapse_days * DAY_MS)
            state.next_due = min(state.next_due, state.inactive_due)
        if recurring:
            state.present = state.ever = True
            self._recur(item, terms, at)
        elif not state.ever or rules.purchase_lapse_days is not None:
            state.present = state.ever = True

    def _recur(self, item: Item, terms: PaymentTerms, at: int) -> None:
        """Take a succeeded recurring payment."""
        state, name = self.state, terms.subscription_id
        monthly = monthly_millionths(terms.recurring_amount, terms.interval, terms.interval_count)
        replaced = state.subscriptions.pop(name, None)
        if replaced is not None:
            if replaced.failed:
                self.decided.append((state.day, _RECOVERED))
            # Replaced before its last quarter, a coverage never falls due.
            if 4 * (at - replaced.paid_at) >= 3 * (replaced.ends - replaced.paid_at):
                self._due_decided("renewals", replaced.ends, state.day, "renewed" if monthly else "lost")
        if monthly:
            self._convert_trials()
            ends = item.other
            if ends is None:
                local = add_interval(self.zone.local(at), terms.interval, terms.interval_count)  # type: ignore[arg-type]
                ends = self.zone.at(local)
            lapses = self._after_grace(ends)
            state.subscriptions[name] = Subscription(monthly, terms.currency, at, ends, lapses, terms.plan)
            state.next_due = min(state.next_due, lapses)
        elif replaced is not None and not state.subscriptions:
            state.lost_by = "downgrade"

    def _cancellation(self, item: Item, terms: CancellationTerms) -> None:
        state = self.state
        if not state.ever:
            return
        self._move_to(item.at)
        name = terms.subscription_id
        ended = [name] if name in state.subscriptions else list(state.subscriptions) if name is None else []
        for each in ended:
            self._unsubscribe(each)
        if not state.subscriptions:
            was_present = state.present
            self._leave(terms.reason, had_mrr=bool(ended))
            if was_present:
                state.trials = [
                    msgspec.structs.replace(trial, left=item.at) if trial.left is None else trial
                    for trial in state.trials
                ]

    def _unsubscribe(self, name: str) -> Subscription:
        """End a subscription that is not renewed."""
        subscription = self.state.subscriptions.pop(name)
        self._due_decided("renewals", subscription.ends, self.state.day, "lost")
        if subscription.failed:
            self.decided.append((self.state.day, _UNRECOVERED))
        return subscription

    def _convert_trials(self) -> None:
        state = self.state
        for trial in state.trials:
            self._due_decided("trials", trial.ends, state.day, "converted")
        state.trials = []
        state.trial_due = NEVER

    def _due_decided(self, what: str, due: int, decided: int, outcome: str) -> None:
        """Note what fell due, and what came of it: on the due day, or later on the day of the decision."""
        due_day = self.zone.day(due)
        later = max(decided - due_day, 0)
        self.decided.append((due_day, _DUE_KEYS[what]))
        self.decided.append((due_day + later, _decided_key(what, outcome, later)))

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
            at = state.next_due
            lapsing = sorted(name for name, subscription in state.subscriptions.items() if subscription.lapses == at)
            ended = [trial for trial in state.trials if trial.due == at]
            if lapsing or ended or at in {state.trial_due, state.inactive_due}:
                self._move_to(at)
            for name in lapsing:
                failed = self._unsubscribe(name).failed
                if not state.subscriptions:
                    self._leave("payment_failed" if failed else "lapsed", had_mrr=True)
            for trial in ended:
                self._trial_ended(trial)
            if state.trial_due == at:
                state.trial_due = NEVER
                if not state.subscriptions:
                    self._leave("trial_ended", had_mrr=False)
            if state.inactive_due == at:
                state.inactive_due = NEVER
                if not state.subscriptions:
                    self._leave("inactive", had_mrr=False)
            state.next_due = min(
                state.inactive_due,
                min((trial.due for trial in state.trials), default=NEVER),
                min((subscription.lapses for subscription in state.subscriptions.values()), default=NEVER),
            )

    def _trial_ended(self, trial: Trial) -> None:
        """Note a trial that did not convert: it ended by then, or with the cancellation if that came first."""
        self.state.trials.remove(trial)
        left = trial.due if trial.left is None else trial.left
        self._due_decided("trials", min(trial.ends, left), self.zone.day(left), "lost")

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
        if state.ever:
            now = Change(
                state.day,
                state.present,
                state.mrr(),
                state.left_by,
                state.lost_by,
                state.plans(),
                state.segment(self.rules.dimensions),
                state.paying,
            )
            if not changes or _differs(changes[-1], now):
                changes.append(now)
        state.day = following


def _differs(before: Change, after: Change) -> bool:
    """Tell whether two days' ends differ in what facts show."""
    return (
        before.present != after.present
        or before.mrr != after.mrr
        or before.plans != after.plans
        or before.segment != after.segment
        or before.paying != after.paying
    )
