"""A customer's health band and its silence at the ends of days (SPEC, section 5), many customers and days at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aggregators.activity.digest import ANSWER_DAYS
from aggregators.activity.ledgers import Entries
from aggregators.rules import Rules
from aggregators.users.ledgers import Column, Flags
from aggregators.users.seen import WINDOW

BANDS = {"healthy": 70, "at_risk": 40, "critical": 0}
"""The least score of each."""
NO_BAND = len(BANDS)
"""A customer absent, or without any part that counts."""
INACTIVE_DAYS = (7, 14, 30, 60, 90)
RECENCY_STEP, RECENCY_LOSS = 7, 25
QUIET_DAYS = sorted({*range(RECENCY_STEP, WINDOW + 1, RECENCY_STEP), *INACTIVE_DAYS})
"""Days after a session on which the customer is another if there was no other."""
FREQUENCY_GAIN = 5
TENURE_DAYS = (90, 365)
"""Days from the presence's first that add 50 to the tenure each."""

_LONG_AGO = 1 << 22
"""More than the days between any two: further back lies another owner's, or nothing."""
_RECENCY = np.maximum(100 - RECENCY_LOSS * (np.arange(WINDOW + 1) // RECENCY_STEP), 0)


class Usage(NamedTuple):
    """What sessions say of customers, as marks of owner and day, each ascending."""

    active: Column
    """Days with a session: those that matter, and the last before them."""
    steps: Entries
    """The flow of users active in the window, in full: an owner's steps add up to 0."""
    begun: Column
    """Days from which a feature counts as used."""
    ended: Column
    """Days from which it does so no more."""


class Contract(NamedTuple):
    """What billing and surveys say of customers, each ascending."""

    presence: Entries
    payment: Entries
    answers: Entries


class Standing(NamedTuple):
    """Part of a score: the sum of weight times part, and the sum of weights."""

    sum: Column
    weight: Column


def usage_at(rules: Rules, at: Column, usage: Usage) -> tuple[Standing, Column]:
    """Give the four parts that need a session, and the days since the last one, at marks of owner and day."""
    recency, frequency, breadth, adoption = rules.health_weights[:4]
    upto = _upto(usage.active, at)
    quiet = _since(usage.active, upto, at)
    seen = quiet < _LONG_AGO
    active = upto - _upto(usage.active, at - WINDOW)
    keys, amounts = usage.steps
    users = np.concatenate((np.zeros(1, np.int64), np.cumsum(amounts)))[_upto(keys, at)]
    features = _upto(usage.begun, at) - _upto(usage.ended, at)
    total = (
        recency * _RECENCY[np.minimum(quiet, WINDOW)]
        + frequency * np.minimum(FREQUENCY_GAIN * active, 100)
        + breadth * np.minimum(100 * users // rules.health_users, 100)
        + adoption * np.minimum(100 * features // rules.health_features, 100)
    )
    return Standing(total * seen, (recency + frequency + breadth + adoption) * seen), np.where(seen, quiet, 0)


def contract_at(rules: Rules, at: Column, contract: Contract) -> tuple[Standing, Flags]:
    """Give the other three parts, and whether the customer is present."""
    payment, sentiment, tenure = rules.health_weights[4:]
    keys, flags = contract.presence
    upto = _upto(keys, at)
    since = _since(keys, upto, at)
    present = (since < _LONG_AGO) & (_latest(flags, upto) == 1)
    total = tenure * 50 * np.searchsorted(TENURE_DAYS, since, side="right")
    weight = np.full(len(at), tenure)
    keys, parts = contract.payment
    upto = _upto(keys, at)
    tried = _since(keys, upto, at) < _LONG_AGO
    total += payment * _latest(parts, upto) * tried
    weight += payment * tried
    keys, scores = contract.answers
    upto = _upto(keys, at)
    answered = _since(keys, upto, at) < ANSWER_DAYS
    total += sentiment * 10 * _latest(scores, upto) * answered
    weight += sentiment * answered
    return Standing(total, weight), present


def band_of(parts: Standing, others: Standing, present: Flags) -> Column:
    """Give the number of the band that parts together come to."""
    total, weight = parts.sum + others.sum, parts.weight + others.weight
    healthy, at_risk, _ = BANDS.values()
    bands = (total < healthy * weight).astype(np.int64) + (total < at_risk * weight)
    return np.where(present & (weight > 0), bands, NO_BAND)


def silence_of(quiet: Column, present: Flags) -> Column:
    """Give the number of those of `INACTIVE_DAYS` that have passed."""
    return np.searchsorted(INACTIVE_DAYS, quiet, side="right") * present


def _upto(keys: Column, at: Column) -> Column:
    """Count the keys up to each mark, of all owners before it too; both ascend."""
    # To merge two ascending columns, as this sort does, is several times as fast as to search one for the other.
    order = np.argsort(np.concatenate((keys, at)), kind="stable")
    return np.flatnonzero(order >= len(keys)) - np.arange(len(at))


def _since(keys: Column, upto: Column, at: Column) -> Column:
    """Give the days since the last key up to each mark; a great number where the owner has none."""
    if not len(keys):
        return np.full(len(at), _LONG_AGO)
    return np.where(upto > 0, np.minimum(at - keys[upto - 1], _LONG_AGO), _LONG_AGO)


def _latest(values: Column, upto: Column) -> Column:
    """Give the value of the last key up to each mark; any where there is none."""
    return values[upto - 1] if len(values) else np.zeros(len(upto), np.int64)
