"""Facts of a customer's end-of-day states: presence, MRR and its movements, plans, cohorts and segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from aggregators.calendar import civil
from aggregators.customers.timeline import Change, Mrr
from aggregators.facts import Facts, key
from aggregators.rules import Rules

_key = lru_cache(maxsize=16_384)(key)

NOTHING = Change(day=-(1 << 62), present=False, mrr=(), left_by="", lost_by="", plans=(), segment=())
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


def emit(rules: Rules, changes: Sequence[Change], start: int, facts: Facts, sign: int) -> None:
    """Add the facts of the changes from index `start` on, or take them away with `sign=-1`."""
    before = changes[start - 1] if start else NOTHING
    first_present = next((change.day for change in changes[:start] if change.present), None)
    had_mrr = any(change.mrr for change in changes[:start])
    for change in changes[start:]:
        day = change.day
        comes, goes = change.present and not before.present, before.present and not change.present
        if comes:
            facts.add(day, "new" if first_present is None else "returned", sign)
        elif goes:
            facts.add(day, _key("churned", change.left_by), sign)
        is_new = comes and first_present is None
        if is_new:
            first_present = day
        moves = differences(before.mrr, change.mrr)
        named = [(movement(n, before.mrr, change.mrr, had_mrr_ever=had_mrr), currency, n) for currency, n in moves]
        if named:
            _money(before, change, named, facts, sign)
        if first_present is not None:
            cohort = _cohort(first_present)
            if comes or goes:
                facts.add(day, _key("cohort_customers", cohort), sign if comes else -sign)
            for currency, amount in moves:
                facts.add(day, _key("cohort_mrr", cohort, currency), sign * amount)
            if change.mrr and not had_mrr:
                facts.add(day, _key("time_to_value", "payment"), sign)
                facts.add(day, _key("time_to_value_days", "payment"), sign * (day - first_present))
        if before.plans != change.plans:
            for plans, way in ((before.plans, -sign), (change.plans, sign)):
                for plan, currency, amount in plans:
                    facts.add(day, _key("plan_subscriptions", plan), way)
                    facts.add(day, _key("plan_mrr", plan, currency), way * amount)
        for place, dimension in enumerate(rules.dimensions):
            _segment(dimension, place, before, change, facts, sign)
            if is_new:
                facts.add(day, _key("segment_new", dimension, change.segment[place]), sign)
        if named:
            _segment_money(rules.dimensions, before, change, named, facts, sign)
        elif before.mrr and before.segment != change.segment:
            _segment_money(rules.dimensions, before, change, (), facts, sign)
        had_mrr = had_mrr or bool(change.mrr)
        before = change


@lru_cache(maxsize=16_384)
def _cohort(day: int) -> str:
    year, month, _ = civil(day)
    return f"{year:04}-{month:02}"


def _money(before: Change, after: Change, named: Sequence[tuple[str, str, int]], facts: Facts, sign: int) -> None:
    """Add the movements of MRR, and who came and left as a subscriber."""
    day = after.day
    if not before.mrr:
        facts.add(day, "subscribers_came", sign)
    elif not after.mrr:
        facts.add(day, "subscribers_left", sign)
    for kind, currency, amount in named:
        facts.add(day, _key("mrr", kind, currency, after.lost_by if kind == "churn" else ""), sign * amount)
    for kind in {kind for kind, _, _ in named}:
        facts.add(day, _key("movers", kind), sign)


def _segment(dimension: str, place: int, before: Change, after: Change, facts: Facts, sign: int) -> None:
    """Add the levels of one dimension's segments."""
    day = after.day
    old = before.segment[place] if before.segment else ""
    new = after.segment[place]
    moved = old != new
    if before.present and (moved or not after.present):
        facts.add(day, _key("segment_customers", dimension, old), -sign)
        if not after.present:
            facts.add(day, _key("segment_churned", dimension, old), sign)
    if after.present and (moved or not before.present):
        facts.add(day, _key("segment_customers", dimension, new), sign)
    if before.mrr and (moved or not after.mrr):
        facts.add(day, _key("segment_subscribers", dimension, old), -sign)
    if after.mrr and (moved or not before.mrr):
        facts.add(day, _key("segment_subscribers", dimension, new), sign)


def _segment_money(  # the two states, what moved between them, and where it goes
    dimensions: Iterable[str],
    before: Change,
    after: Change,
    named: Sequence[tuple[str, str, int]],
    facts: Facts,
    sign: int,
) -> None:
    """Add the movements of MRR by segment: who has MRR on both days and changes segment leaves one and enters the other."""
    day = after.day
    for place, dimension in enumerate(dimensions):
        old = before.segment[place] if before.segment else ""
        new = after.segment[place]
        if old != new and before.mrr and after.mrr:
            for currency, amount in before.mrr:
                facts.add(day, _key("segment_mrr", dimension, old, "left", currency), -sign * amount)
                facts.add(day, _key("segment_mrr", dimension, new, "entered", currency), sign * amount)
        for kind, currency, amount in named:
            segment = old if kind == "churn" else new
            facts.add(day, _key("segment_mrr", dimension, segment, kind, currency), sign * amount)
