"""Facts of a customer's end-of-day states: presence, subscribers and the movements of MRR."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from aggregators.customers.timeline import Change, Mrr
from aggregators.facts import Facts, key

_key = lru_cache(maxsize=4096)(key)

NOTHING = Change(day=-(1 << 62), present=False, mrr=(), left_by="", lost_by="")
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


def emit(changes: Sequence[Change], start: int, facts: Facts, sign: int) -> None:
    """Add the facts of the changes from index `start` on, or take them away with `sign=-1`."""
    before = changes[start - 1] if start else NOTHING
    was_present = was_subscriber = False
    for change in changes[:start]:
        was_present = was_present or change.present
        was_subscriber = was_subscriber or bool(change.mrr)
    for change in changes[start:]:
        day = change.day
        if change.present != before.present:
            if not change.present:
                facts.add(day, _key("churned", change.left_by), sign)
            else:
                facts.add(day, "returned" if was_present else "new", sign)
                was_present = True
        if change.mrr != before.mrr:
            if not before.mrr:
                facts.add(day, "subscribers_came", sign)
            elif not change.mrr:
                facts.add(day, "subscribers_left", sign)
            kinds = set()
            for currency, amount in differences(before.mrr, change.mrr):
                kind = movement(amount, before.mrr, change.mrr, had_mrr_ever=was_subscriber)
                kinds.add(kind)
                reason = change.lost_by if kind == "churn" else ""
                facts.add(day, _key("mrr", kind, currency, reason), sign * amount)
            for kind in kinds:
                facts.add(day, _key("movers", kind), sign)
            was_subscriber = was_subscriber or bool(change.mrr)
        before = change
