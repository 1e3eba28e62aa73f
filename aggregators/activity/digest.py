"""What activity keeps of a customer's billing and of its surveys, and from when to when two versions differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from aggregators.activity.ledgers import (
    ANSWERS,
    EMPTY,
    ENTRY_BIAS,
    PAYMENT,
    PRESENCE,
    VALUE_BITS,
    Entries,
    Ledgers,
    write,
)
from aggregators.calendar import LAST_DAY, Zone
from aggregators.users.seen import marks, owners_of

ANSWER_DAYS = 90
"""Days for which an nps answer counts."""
AFTER_ALL = LAST_DAY + 1

Section = list[int]
"""Entries as a ledger holds them."""


class Digest(NamedTuple):
    """What of a customer's billing its health and its first days depend on."""

    presence: Sequence[tuple[int, bool]]
    """Days at whose end the customer is present and was not before, or the reverse."""
    payment: Sequence[tuple[int, int]]
    """Days at whose end the payment part of its health changes, and to what; before the first there is none."""

    def sections(self) -> dict[int, Section]:
        """Give the ledger's sections that hold it."""
        return {PRESENCE: _entries(self.presence, unless=0), PAYMENT: _entries(self.payment, unless=None)}


def answer_sections(zone: Zone, answers: Iterable[tuple[int, str, int]]) -> dict[int, Section]:
    """Give the ledger's section that holds nps answers, given as (instant, id, score)."""
    last_of_day = {zone.day(at): score for at, _, score in sorted(answers)}
    return {ANSWERS: [_entry(day, score) for day, score in last_of_day.items() if day <= LAST_DAY]}


def difference(section: int, old: Section, new: Section) -> tuple[int, int] | None:
    """Tell the first day on which two versions of a section differ in effect, and the first on which no more."""
    if old == new:
        return None
    same = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        same += 1
    start = min(section[same] for section in (old, new) if same < len(section))
    again = 0
    for one, other in zip(reversed(old[same:]), reversed(new[same:]), strict=False):
        if one != other:
            break
        again += 1
    if again:
        return _day(start), _day(new[-again])
    if section == ANSWERS:
        return _day(start), _day(max((*old[same:], *new[same:]))) + ANSWER_DAYS
    return _day(start), AFTER_ALL


def replaced(entries: Entries, sections: dict[int, Section]) -> Entries:
    """Put the entries of some owners in place of those that they had."""
    if not sections:
        return entries
    keys, values = entries
    owners = np.array(sorted(sections), np.int64)
    stay = ~np.isin(owners_of(keys), owners)
    of = np.repeat(owners, [len(sections[owner]) for owner in owners.tolist()])
    added = np.array([entry for owner in owners.tolist() for entry in sections[owner]], np.int64)
    keys = np.concatenate((keys[stay], marks(of, (added >> VALUE_BITS) - ENTRY_BIAS)))
    values = np.concatenate((values[stay], added & ((1 << VALUE_BITS) - 1)))
    order = np.argsort(keys, kind="stable")
    return keys[order], values[order]


def renewed(packed: bytes | None, digest: Digest) -> bytes:
    """Give a ledger with another digest: under other rules the same billing has another; empty if nothing is left."""
    owner = np.zeros(1, np.int64)
    state = Ledgers([packed or EMPTY]).state(owner)
    sections = digest.sections()
    presence = replaced(state.presence, {0: sections[PRESENCE]})
    payment = replaced(state.payment, {0: sections[PAYMENT]})
    return write(owner, state._replace(presence=presence, payment=payment))[0]


def _entries(changes: Iterable[tuple[int, int]], *, unless: int | None) -> Section:
    """Give changes as entries, those left out that change nothing, or that nobody lives to see."""
    entries, now = [], unless
    for day, value in changes:
        if value != now and day <= LAST_DAY:
            entries.append(_entry(day, value))
            now = value
    return entries


def _entry(day: int, value: int) -> int:
    return day + ENTRY_BIAS << VALUE_BITS | value


def _day(entry: int) -> int:
    return (entry >> VALUE_BITS) - ENTRY_BIAS
