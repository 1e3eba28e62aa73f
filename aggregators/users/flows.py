"""What active days, put in between others, change in the facts: the fold's difference, worked out by the column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aggregators.facts import Facts, key
from aggregators.users.ledgers import FAR, Column, Ledgers, run_starts

WINDOWS = (1, 7, 30)
"""Days of the windows in which users count as active, and after which they are looked for again."""
REPEAT_WINDOW = 30

_KEYS = (
    *(key("users_active", str(window)) for window in WINDOWS),
    *(key("users_retained", str(after)) for after in WINDOWS),
    "users_repeat",
    "users_new",
    "users_returning",
    "users_resurrected",
    "users_dormant",
)
_ACTIVE, _RETAINED = range(3), range(3, 6)
_REPEAT, _NEW, _RETURNING, _RESURRECTED, _DORMANT, _NOTHING = range(6, 12)
_RETAINED_AFTER = np.full(max(WINDOWS) + 2, _NOTHING)
_RETAINED_AFTER[list(WINDOWS)] = _RETAINED
_DENSE = 1 << 20


class Tally:
    """Plus and minus ones by measure and day, gathered as columns and summed once.

    Rows that change nothing are not picked out, which costs more than to count them: they go to a measure after all
    others, or come and leave on one day.

    Args:
        keys: the measures' facts; a measure is its index.
    """

    __slots__ = ("_keys", "_minus", "_plus")

    def __init__(self, keys: Sequence[str]) -> None:
        """Start from nothing."""
        self._keys = keys
        self._plus: list[tuple[int | Column, Column]] = []
        self._minus: list[tuple[int | Column, Column]] = []

    def plus(self, measure: int | Column, days: Column) -> None:
        """Add one to a measure, or one a row, on each of the days."""
        if len(days):
            self._plus.append((measure, days))

    def minus(self, measure: int | Column, days: Column) -> None:
        """Take one from a measure, or one a row, on each of the days."""
        if len(days):
            self._minus.append((measure, days))

    def level(self, measure: int | Column, come: Column, leave: Column, sign: int = 1) -> None:
        """Raise a level (or with -1 lower it) from one day to another; not at all where the second is not later."""
        up, down = (self.plus, self.minus) if sign > 0 else (self.minus, self.plus)
        up(measure, np.minimum(come, leave))
        down(measure, leave)

    def into(self, facts: Facts) -> None:
        """Add the sums to facts."""
        parts = self._plus + self._minus
        if not parts:
            return
        base = min(int(days.min()) for _, days in parts)
        span = max(int(days.max()) for _, days in parts) - base + 1
        plus, minus = (
            np.concatenate([measure * span + (days - base) for measure, days in side])
            for side in (self._plus, self._minus)
        )
        size = (len(self._keys) + 1) * span
        if size <= _DENSE:
            sums = np.bincount(plus, minlength=size) - np.bincount(minus, minlength=size)
            cells = np.flatnonzero(sums)
            amounts = sums[cells]
        else:
            cells, inverse = np.unique(np.concatenate((plus, minus)), return_inverse=True)
            signs = np.repeat((1, -1), (len(plus), len(minus)))
            # A float is exact here: a batch is far smaller than 2**53.
            amounts = np.bincount(inverse, signs).astype(np.int64)
        measures, days = np.divmod(cells, span)
        for measure, day, amount in zip(measures.tolist(), (days + base).tolist(), amounts.tolist(), strict=True):
            if measure < len(self._keys) and amount:
                facts.add(day, self._keys[measure], amount)


def insert(ledgers: Ledgers, users: Column, days: Column, facts: Facts) -> tuple[Column, Column]:
    """Add to the facts what new active days change.

    The days are put in one after the other, so that each meets neighbours whose days already count.

    Args:
        ledgers: the active days before.
        users: ascending.
        days: ascending for each user, none active before.
        facts: is added to.

    Returns:
        The active day before each and the one after it; far away where there is none.
    """
    if not len(days):
        return days, days
    tally = Tally(_KEYS)
    last, last_but_one = _before(ledgers, users, days)
    # Days come in order as a rule, and then nothing follows them.
    inner = np.flatnonzero(days < ledgers.newest[users])
    following = np.full(len(days), FAR)
    if len(inner):
        following[inner], next_but_one = ledgers.after(users[inner], days[inner])
        _correct(tally, days[inner], last[inner], following[inner], next_but_one)

    for measure, window in zip(_ACTIVE, WINDOWS, strict=True):
        tally.level(measure, np.maximum(days, last + window), np.minimum(days + window, following))
    # Two active days of the window: until the next one these are the new day and the one before it.
    tally.level(
        _REPEAT,
        np.maximum(days, last_but_one + REPEAT_WINDOW),
        np.maximum(days, np.minimum(last + REPEAT_WINDOW, following)),
    )
    joins = last == days - 1
    tally.plus(_RESURRECTED - joins * (_RESURRECTED - _RETURNING) - (last == -FAR) * (_RESURRECTED - _NEW), days)
    tally.plus(_DORMANT, days + 1)
    tally.minus(_NOTHING - joins * (_NOTHING - _DORMANT), days)
    _retain(tally, ledgers, users, days)
    tally.into(facts)
    return last, following


def _before(ledgers: Ledgers, users: Column, days: Column) -> tuple[Column, Column]:
    """Give the two active days before each, where all smaller new days have been put in."""
    last, last_but_one = ledgers.before(users, days)
    if not (users[1:] == users[:-1]).any():
        return last, last_but_one
    one_up, two_up = np.full(len(days), -FAR), np.full(len(days), -FAR)
    one_up[1:] = np.where(users[1:] == users[:-1], days[:-1], -FAR)
    two_up[2:] = np.where(users[2:] == users[:-2], days[:-2], -FAR)
    return np.maximum(last, one_up), np.maximum(np.maximum(last_but_one, two_up), np.minimum(last, one_up))


def _correct(tally: Tally, days: Column, last: Column, following: Column, next_but_one: Column) -> None:
    """Write what a new day changes for the active day that follows it, where there is one."""
    tally.level(_REPEAT, np.maximum(following, last + REPEAT_WINDOW), np.minimum(days + REPEAT_WINDOW, next_but_one))
    begins = last == -FAR
    joined = following == days + 1
    # It was new, or resurrected; now it returns if it is the next day, and is resurrected if not.
    changes = np.flatnonzero(begins | joined)
    was = _RESURRECTED - begins[changes] * (_RESURRECTED - _NEW)
    now = _RESURRECTED - joined[changes] * (_RESURRECTED - _RETURNING)
    tally.minus(was, following[changes])
    tally.plus(now, following[changes])
    tally.minus(_DORMANT, following[joined])


def _retain(tally: Tally, ledgers: Ledgers, users: Column, days: Column) -> None:
    """Write who is active again exactly some days after its first day, which a new day may move."""
    runs = run_starts(users)
    smallest = days if len(runs) == len(days) else np.repeat(days[runs], np.diff(np.append(runs, len(days))))
    old_first = ledgers.first[users]
    since = np.minimum(days - np.minimum(old_first, smallest), len(_RETAINED_AFTER) - 1)
    tally.plus(_RETAINED_AFTER[since], days)
    moved = runs[(days[runs] < old_first[runs]) & (old_first[runs] < FAR)]
    for measure, after in zip(_RETAINED, WINDOWS, strict=True):
        for first, add in ((old_first[moved], tally.minus), (days[moved], tally.plus)):
            again = first + after
            add(measure, again[ledgers.active(users[moved], again)])
