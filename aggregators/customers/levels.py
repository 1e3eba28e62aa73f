"""Facts of a customer's end-of-day states: presence, MRR and its movements, plans, cohorts and segments."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from aggregators.calendar import civil
from aggregators.customers.timeline import NO_PAYMENT, Change, Mrr
from aggregators.facts import Facts, key
from aggregators.rules import Rules

_key = lru_cache(maxsize=16_384)(key)

NOTHING = Change(day=-(1 << 62), present=False, mrr=(), left_by="", lost_by="", plans=(), segment=(), paying=NO_PAYMENT)
"""The state before a customer's first day."""


def differences(before: Mrr, after: Mrr) -> list[tuple[str, int]]:
    """Give the change of MRR by currency, without zeros."""
    if before == after:
        return []
    if not before:
        return list(after)
    old, new = dict(before), dict(after)
    moved = ((currency, new.get(currency, 0) - old.get(currency, 0)) for currency in sorted({*old, *new}))
    return [(currency, amount) for currency, amount in moved if amount]


def movement(amount: int, before: Mrr, after: Mrr, *, had_mrr_ever: bool) -> str:
    """Name the movement of an amount by which MRR in one currency changed on a day (SPEC, section 3.2)."""
    if amount > 0:
        if before:
            return "expansion"
        return "reactivation" if had_mrr_ever else "new"
    return "contraction" if after else "churn"


class Step(msgspec.Struct, gc=False):
    """One day's change, and what was true before it."""

    before: Change
    after: Change
    first_present: int | None
    """The customer's first day present, the day of this change included."""
    had_mrr: bool
    """Whether it had MRR at the end of any day before."""
    moves: list[tuple[str, str, int]]
    """Movement, currency and amount."""

    @property
    def comes(self) -> bool:
        """Whether the customer is there again, or for the first time."""
        return self.after.present and not self.before.present

    @property
    def goes(self) -> bool:
        """Whether the customer is there no more."""
        return self.before.present and not self.after.present

    @property
    def is_new(self) -> bool:
        """Whether it is there for the first time."""
        return self.first_present == self.after.day


def emit(rules: Rules, changes: Sequence[Change], start: int, facts: Facts, sign: int) -> None:
    """Add the facts of the changes from index `start` on, or take them away with `sign=-1`."""
    before = changes[start - 1] if start else NOTHING
    first_present = next((change.day for change in changes[:start] if change.present), None)
    had_mrr = any(change.mrr for change in changes[:start])
    for change in changes[start:]:
        if first_present is None and change.present:
            first_present = change.day
        moves = [
            (movement(amount, before.mrr, change.mrr, had_mrr_ever=had_mrr), currency, amount)
            for currency, amount in differences(before.mrr, change.mrr)
        ]
        step = Step(before, change, first_present, had_mrr, moves)
        _presence(step, facts, sign)
        if moves:
            _money(step, facts, sign)
        if before.plans != change.plans:
            _plans(step, facts, sign)
        for place, dimension in enumerate(rules.dimensions):
            _segment(step, dimension, place, facts, sign)
        had_mrr = had_mrr or bool(change.mrr)
        before = change


@lru_cache(maxsize=16_384)
def _cohort(day: int) -> str:
    year, month, _ = civil(day)
    return f"{year:04}-{month:02}"


def _presence(step: Step, facts: Facts, sign: int) -> None:
    """Add who came and who left."""
    day = step.after.day
    if step.comes:
        facts.add(day, "new" if step.is_new else "returned", sign)
    elif step.goes:
        facts.add(day, _key("churned", step.after.left_by), sign)
    if step.first_present is not None and step.before.present != step.after.present:
        facts.add(day, _key("cohort_customers", _cohort(step.first_present)), sign if step.comes else -sign)


def _money(step: Step, facts: Facts, sign: int) -> None:
    """Add the movements of MRR, and who came and left as a subscriber."""
    before, after, first = step.before, step.after, step.first_present
    day = after.day
    assert first is not None, "there is no MRR without presence"
    cohort = _cohort(first)
    if not before.mrr:
        facts.add(day, "subscribers_came", sign)
    elif not after.mrr:
        facts.add(day, "subscribers_left", sign)
    for kind, currency, amount in step.moves:
        facts.add(day, _key("mrr", kind, currency, after.lost_by if kind == "churn" else ""), sign * amount)
        facts.add(day, _key("cohort_mrr", cohort, currency), sign * amount)
    for kind in {kind for kind, _, _ in step.moves}:
        facts.add(day, _key("movers", kind), sign)
    if not step.had_mrr:
        facts.add(day, _key("time_to_value", "payment"), sign)
        facts.add(day, _key("time_to_value_days", "payment"), sign * (day - first))


def _plans(step: Step, facts: Facts, sign: int) -> None:
    """Add the subscriptions of the day by plan, in the place of those of the day before."""
    for state, way in ((step.before, -sign), (step.after, sign)):
        for plan, currency, amount in state.plans:
            facts.add(step.after.day, _key("plan_subscriptions", plan), way)
            facts.add(step.after.day, _key("plan_mrr", plan, currency), way * amount)


def _segment(step: Step, dimension: str, place: int, facts: Facts, sign: int) -> None:
    """Add what one dimension's segments gain and lose."""
    before, after = step.before, step.after
    new = after.segment[place]
    old = before.segment[place] if before.segment else new
    if old != new or before.present != after.present:
        if before.present:
            facts.add(after.day, _key("segment_customers", dimension, old), -sign)
        if after.present:
            facts.add(after.day, _key("segment_customers", dimension, new), sign)
        if step.is_new:
            facts.add(after.day, _key("segment_new", dimension, new), sign)
        elif step.goes:
            facts.add(after.day, _key("segment_churned", dimension, old), sign)
    if before.mrr or after.mrr:
        _segment_money(step, dimension, (old, new), facts, sign)


def _segment_money(step: Step, dimension: str, segments: tuple[str, str], facts: Facts, sign: int) -> None:
    """Add what the segments of the day before and of the day gain and lose in subscribers and MRR.

    A customer with MRR on both days who changes segment leaves one with its old MRR and enters the other with the same.
    """
    day, before, after = step.after.day, step.before.mrr, step.after.mrr
    old, new = segments
    moved = old != new
    if before and (moved or not after):
        facts.add(day, _key("segment_subscribers", dimension, old), -sign)
    if after and (moved or not before):
        facts.add(day, _key("segment_subscribers", dimension, new), sign)
    if moved and after:
        for currency, amount in before:
            facts.add(day, _key("segment_mrr", dimension, old, "left", currency), -sign * amount)
            facts.add(day, _key("segment_mrr", dimension, new, "entered", currency), sign * amount)
    for kind, currency, amount in step.moves:
        segment = old if kind == "churn" else new
        facts.add(day, _key("segment_mrr", dimension, segment, kind, currency), sign * amount)
