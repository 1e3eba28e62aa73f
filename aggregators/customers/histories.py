"""A customer's history: the days on which its end-of-day state changes, whole or as far back as an event can reach."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

from aggregators.activity.digest import AFTER_ALL, Digest
from aggregators.customers.timeline import NO_PAYMENT, UNKNOWN, Change, Segment
from aggregators.customers.voids import REACH_DAYS
from aggregators.rules import Rules

History = list[Change]
"""The days on which a customer's end-of-day state changes, those to come included."""
FIRST, END = -AFTER_ALL, AFTER_ALL
"""Days before and after all others."""


def thinned(changes: Sequence[Change], day: int) -> History:
    """Leave out what facts of changes from a day on do not depend on.

    Left are the changes of the days that a window with this day reaches, the one before them, and the first ones with
    presence and with MRR: so cohorts, time to value and movements come out as they do from the whole.
    """
    begin = bisect_right(changes, day - REACH_DAYS, key=_day) - 1
    if begin <= 0:
        return list(changes)
    firsts = {
        next((place for place in range(begin) if changes[place].present), begin),
        next((place for place in range(begin) if changes[place].mrr), begin),
    }
    return [*(changes[place] for place in sorted(firsts - {begin})), *changes[begin:]]


class Rewritten(NamedTuple):
    """A history as it was and as it is."""

    before: History
    after: History
    since: int = FIRST
    """The two are the same on all days before this one; they tell of them only as far as `thinned` leaves it."""
    until: int = END
    """The two are the same from this day on, and do not tell of it."""
    elsewhere: Callable[[int], History] | None = None
    """Gives a history that tells of a day on which the two are the same."""

    def at(self, day: int) -> tuple[History, History]:
        """Give histories that tell of a day, as it was and as it is."""
        if self.elsewhere is None or self.since - REACH_DAYS <= day < self.until:
            return self.before, self.after
        same = self.elsewhere(day)
        return same, same

    def moved(self) -> tuple[int, int]:
        """Give the first day on which the segment is another than it was, and the first on which no more."""
        same = 0
        for old, new in zip(self.before, self.after, strict=False):
            if old != new:
                break
            same += 1
        days = sorted({change.day for changes in (self.before, self.after) for change in changes[same:]})
        differs = [(day, segment_of(self.before, day) != segment_of(self.after, day)) for day in days]
        moved = [place for place, (_, differ) in enumerate(differs) if differ]
        if not moved:
            return END, FIRST
        first, last = moved[0], moved[-1] + 1
        return days[first], days[last] if last < len(days) else self.until

    def digest(self) -> Digest:
        """Give what health needs to know: when the customer was present, and how its payments went."""
        presence: list[tuple[int, bool]] = []
        payment: list[tuple[int, int]] = []
        present, paying = False, NO_PAYMENT
        for change in self.after:
            if change.present != present:
                presence.append((change.day, present := change.present))
            if change.paying != paying:
                payment.append((change.day, paying := change.paying))
        return Digest(presence, payment)


def segment_of(history: History, day: int) -> Segment | None:
    """Give what a customer was in each dimension at the end of a day; None before its first change."""
    place = bisect_right(history, day, key=_day)
    return history[place - 1].segment if place else None


def segment_on(rules: Rules, history: History, day: int) -> Segment:
    """Give what a customer was in each dimension at the end of a day."""
    return segment_of(history, day) or (UNKNOWN,) * len(rules.dimensions)


def _day(change: Change) -> int:
    return change.day
