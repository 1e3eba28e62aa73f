"""The whole fold of one user's ledger: what `growthgauge rebuild` writes and `verify` compares."""

from __future__ import annotations

from aggregators.facts import Facts, key
from aggregators.rules import Rules
from aggregators.users import heavy
from aggregators.users.flows import REPEAT_WINDOW, WINDOWS
from aggregators.users.ledgers import FAR, days_of

_ACTIVE = [(window, key("users_active", str(window))) for window in WINDOWS]
_RETAINED = {after: key("users_retained", str(after)) for after in WINDOWS}


def fold(rules: Rules, field: str, ledger: bytes) -> Facts:  # noqa: ARG001 - the signature that all folds share
    """Give all facts of a user's ledger but those that no ledger keeps (sessions, their duration and reactions).

    A part of one has no facts.

    It is written day by day, and not as the hot path's differences, so that comparing the two proves something.
    """
    facts = Facts()
    if heavy.is_part(field):
        heavy.check(field, ledger)
        return facts
    days = days_of(ledger)
    last = -FAR
    for day, following in zip(days, [*days[1:], FAR], strict=True):
        # From an active day to the next the last two active days stay the same, and decide every window.
        for window, fact_key in _ACTIVE:
            facts.add(day, fact_key, 1)
            facts.add(min(day + window, following), fact_key, -1)
        if day < last + REPEAT_WINDOW:
            facts.add(day, "users_repeat", 1)
            facts.add(min(last + REPEAT_WINDOW, following), "users_repeat", -1)
        if last == -FAR:
            facts.add(day, "users_new", 1)
        else:
            facts.add(day, "users_returning" if day == last + 1 else "users_resurrected", 1)
        if following != day + 1:
            facts.add(day + 1, "users_dormant", 1)
        retained = _RETAINED.get(day - days[0])
        if retained:
            facts.add(day, retained, 1)
        last = day
    return facts
