"""What activity keeps of a customer's billing and of its surveys, and from when to when two versions differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
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
Span = tuple[int, int]
"""From one day to before another."""


class Digest(NamedTuple):
    """What of a customer's billing its health and its first days depend on."""

    presence: Sequence[tuple[int, bool]]
    """Days at whose end the customer is present and was not before, or the reverse."""
    payment: Sequence[tuple[int, int]]
    """Days at whose end the payment part of its health changes, and to what; before the first there is none."""

    def sections(self, absent: int | None = 0) -> dict[int, Section]:
        """Give the entries of the sections that hold it; `absent=None` if it does not begin at the beginning."""
        return {PRESENCE: _entries(self.presence, unless=absent), PAYMENT: _entries(self.payment, unless=None)}


class Excerpts(NamedTuple):
    """Of customers whose digest or answers do not tell of all days: the spans that they tell of."""

    digests: Mapping[str, Sequence[Span]]
    answers: Mapping[str, Sequence[Span]]


def answer_sections(zone: Zone, answers: Iterable[tuple[int, str, int]]) -> dict[int, Section]:
    """Give the ledger's section that holds nps answers, given as (instant, id, score)."""
    last_of_day = {zone.day(at): score for at, _, score in sorted(answers)}
    return {ANSWERS: [_entry(day, score) for day, score in last_of_day.items() if day <= LAST_DAY]}


def spliced(stored: Section, told: Section, spans: Sequence[Span]) -> Section:
    """Put what is told of the days in some spans in place of what a section holds of them."""
    new = stored
    for span in spans:
        low, high = (_entry(day, 0) for day in span)
        inside = told[bisect_left(told, low) : bisect_left(told, high)]
        new = [*new[: bisect_left(new, low)], *inside, *new[bisect_left(new, high) :]]
    return new


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
