"""The whole fold of one customer's activity: what `growthgauge rebuild` writes and `verify` compares."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from aggregators.activity.digest import AFTER_ALL, ANSWER_DAYS
from aggregators.activity.health import (
    BANDS,
    FREQUENCY_GAIN,
    INACTIVE_DAYS,
    QUIET_DAYS,
    RECENCY_LOSS,
    RECENCY_STEP,
    TENURE_DAYS,
)
from aggregators.activity.ledgers import Entries, Ledgers
from aggregators.facts import Facts, key
from aggregators.rules import HEALTH_PARTS, Rules
from aggregators.users.ledgers import SPAN_DAYS, SPANS_BEFORE_EPOCH, SPANS_MASK
from aggregators.users.seen import WINDOW, days_in


class Dated(NamedTuple):
    """Days, ascending, and the values that hold from each on."""

    days: list[int]
    values: list[int]

    def last(self, day: int) -> int | None:
        """Give the last of the days up to one."""
        upto = bisect_right(self.days, day)
        return self.days[upto - 1] if upto else None

    def value(self, day: int) -> int:
        """Give the value that holds on a day after the first."""
        return self.values[bisect_right(self.days, day) - 1]


class Known(NamedTuple):
    """All that one ledger says, as plain values."""

    active: list[int]
    features: list[tuple[int, int]]
    users: Dated
    """Active in the window."""
    presence: Dated
    payment: Dated
    answers: Dated


def fold(rules: Rules, packed: bytes) -> Facts:
    """Give all facts of one ledger.

    It asks for a customer's whole standing on every day on which that may change, so that comparing it with the hot
    path's differences proves something.
    """
    facts, known = Facts(), _known(packed)
    shown: set[str] = set()
    for day in _turns(known):
        now = _facts_at(rules, known, day)
        for gone in shown - now:
            facts.add(day, gone, -1)
        for come in now - shown:
            facts.add(day, come, 1)
        shown = now
    if known.active and known.presence.days:
        first = known.active[0]
        facts.add(first, key("time_to_value", "session"), 1)
        facts.add(first, key("time_to_value_days", "session"), max(first - known.presence.days[0], 0))
    return facts


def _known(packed: bytes) -> Known:
    state = Ledgers([packed]).state(np.zeros(1, np.int64))
    active = []
    for word, bits in zip(*(column.tolist() for column in state.words), strict=True):
        begin = ((word & SPANS_MASK) - SPANS_BEFORE_EPOCH) * SPAN_DAYS
        active += [begin + bit for bit in range(SPAN_DAYS) if bits >> bit & 1]
    features = list(zip(state.features.starts.tolist(), state.features.ends.tolist(), strict=True))
    steps = _dated(state.steps)
    users = Dated(steps.days, list(accumulate(steps.values)))
    return Known(active, features, users, _dated(state.presence), _dated(state.payment), _dated(state.answers))


def _dated(entries: Entries) -> Dated:
    return Dated(days_in(entries[0]).tolist(), entries[1].tolist())


def _turns(known: Known) -> list[int]:
    """Give the days on which anything may change."""
    days: set[int] = set()
    for day, following in pairwise([*known.active, AFTER_ALL]):
        days.update((day, day + WINDOW), [day + quiet for quiet in QUIET_DAYS if day + quiet < following])
    days.update(day for stretch in known.features for day in stretch)
    days.update(known.users.days, known.presence.days, known.payment.days)
    days.update(day + after for day in known.presence.days for after in TENURE_DAYS)
    days.update(day + after for day in known.answers.days for after in (0, ANSWER_DAYS))
    return sorted(days)


def _facts_at(rules: Rules, known: Known, day: int) -> set[str]:
    """Name the levels that the customer stands in at the end of a day."""
    since = known.presence.last(day)
    if since is None or not known.presence.value(day):
        return set()
    parts = {"tenure": 50 * sum(day - since >= days for days in TENURE_DAYS)}
    names: set[str] = set()
    active = bisect_right(known.active, day)
    if active:
        quiet = day - known.active[active - 1]
        names.update(key("customers_inactive", str(days)) for days in INACTIVE_DAYS if quiet >= days)
        features = sum(start <= day < end for start, end in known.features)
        parts["recency"] = max(100 - RECENCY_LOSS * (quiet // RECENCY_STEP), 0)
        parts["frequency"] = min(FREQUENCY_GAIN * (active - bisect_right(known.active, day - WINDOW)), 100)
        parts["breadth"] = min(100 * known.users.value(day) // rules.health_users, 100)
        parts["adoption"] = min(100 * features // rules.health_features, 100)
    if known.payment.last(day) is not None:
        parts["payment"] = known.payment.value(day)
    answered = known.answers.last(day)
    if answered is not None and day < answered + ANSWER_DAYS:
        parts["sentiment"] = 10 * known.answers.value(day)
    weights = dict(zip(HEALTH_PARTS, rules.health_weights, strict=True))
    total = sum(weights[part] * parts[part] for part in parts)
    weight = sum(weights[part] for part in parts)
    if weight:
        names.add(key("customer_health", next(band for band, least in BANDS.items() if total >= least * weight)))
    return names
