"""Two days compared: what the ordinary flows of a window say less what the states at its two ends say.

A void is 0 unless a customer changed twice within one window, so only chains of changes closer than the window are
walked. The window that ends with day D starts at the end of the day before its first; a rolling window's void is a
level over D, a calendar period's a flow inside the period.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from aggregators.calendar import period_number
from aggregators.customers.levels import NOTHING, differences
from aggregators.customers.timeline import NEVER, Change
from aggregators.facts import ROLLING_WINDOWS, Facts, key
from aggregators.rules import Rules

Amounts = dict[tuple[str, ...], int]
"""Amounts by measure and labels, the window left out."""

_CUSTOMERS = ("void_customers",)
_SUBSCRIBERS = ("void_subscribers",)
REACH_DAYS = 366
"""No window, and no calendar period, is longer."""
_LONGEST = {"week": 7, "month": 31, "quarter": 92, "year": 366}
"""Days of the longest period of each calendar kind."""


@lru_cache(maxsize=4096)
def _key(window: str, what: tuple[str, ...]) -> str:
    return key(what[0], window, *what[1:])


def _flows(dimensions: Sequence[str], before: Change, after: Change) -> Amounts:
    """Give what the ordinary flows say of one day's change."""
    flows: Amounts = {}
    if before.present and not after.present:
        flows[_CUSTOMERS] = 1
        for dimension, segment in zip(dimensions, before.segment, strict=True):
            flows["void_segment_churned", dimension, segment] = 1
    if before.mrr and not after.mrr:
        flows[_SUBSCRIBERS] = 1
    for currency, amount in differences(before.mrr, after.mrr):
        if amount < 0:
            flows["void_mrr_gross", currency] = -amount
        elif not before.mrr:
            flows["void_mrr_net", currency] = amount
    return flows


def _less(dimensions: Sequence[str], flows: Amounts, start: Change, end: Change) -> Amounts:
    """Give flows less what the states at a window's two ends say: what one change between the two would."""
    void = dict(flows)
    for what, amount in _flows(dimensions, start, end).items():
        void[what] = void.get(what, 0) - amount
    return void


def emit(rules: Rules, changes: Sequence[Change], since: int, facts: Facts, sign: int) -> None:
    """Add the voids of changes, or take them away with `sign=-1`.

    To compare two histories that agree before a day, give that day: what windows that end before it say is left out
    as far as it is easily told, and is the same in both.
    """
    first = _reach(changes, since, REACH_DAYS)
    states = [changes[first - 1] if first else NOTHING, *changes[first:]]
    if len(states) < 3:
        return
    closest = min(after.day - before.day for before, after in pairwise(states[1:]))
    if closest >= REACH_DAYS:
        return
    dimensions = rules.dimensions
    flows = [_flows(dimensions, before, after) for before, after in pairwise(states)]
    # What a rolling window says at the end of the day before is taken back where it changes next.
    for windows, steps, more in ((ROLLING_WINDOWS, _rolling, 1), (_LONGEST, _calendar, 0)):
        for window, longest in windows.items():
            if closest < longest:
                begin = _reach(changes, since, longest + more) - first
                for day, last, void in steps(dimensions, states[begin:], flows[begin:], window):
                    _step(window, day, last, void, facts, sign)


def _reach(changes: Sequence[Change], day: int, length: int) -> int:
    """Give the index of the first change that a window of some days can hold which holds a day or a later one."""
    return bisect_right(changes, day - length, key=lambda change: change.day)


def _step(window: str, day: int, last: Amounts, void: Amounts, facts: Facts, sign: int) -> None:
    for what in last.keys() | void.keys():
        step = void.get(what, 0) - last.get(what, 0)
        if step:
            facts.add(day, _key(window, what), sign * step)


def _rolling(
    dimensions: Sequence[str], states: Sequence[Change], flows: Sequence[Amounts], window: str
) -> Iterator[tuple[int, Amounts, Amounts]]:
    """Yield each day on which the void of a rolling window may change, its value until then and from then on.

    `states[0]` is the one before the first change; `flows[i]` leads from `states[i]` to `states[i + 1]`.
    """
    count, length = len(flows), ROLLING_WINDOWS[window]
    low = high = 0  # flows[low:high] lie within the window
    inside: Amounts = {}
    void: Amounts = {}
    while high < count or high - low > 1:
        day = states[high + 1].day if high < count else NEVER
        if low < high and states[low + 1].day + length <= day:
            day = states[low + 1].day + length
            inside = _sum(inside, flows[low], -1)
            low += 1
        if high < count and states[high + 1].day == day:
            inside = _sum(inside, flows[high], 1)
            high += 1
        last, void = void, _less(dimensions, inside, states[low], states[high]) if high - low > 1 else {}
        if last or void:
            yield day, last, void


def _calendar(
    dimensions: Sequence[str], states: Sequence[Change], flows: Sequence[Amounts], window: str
) -> Iterator[tuple[int, Amounts, Amounts]]:
    """Yield each change's day, and the void of its calendar period until then and from then on.

    A period's void is a flow inside the period: the next one begins at nothing.
    """
    period: int | None = None
    begin = 0
    inside: Amounts = {}
    void: Amounts = {}
    for index, flow in enumerate(flows):
        day = states[index + 1].day
        if period_number(window, day) != period:
            period, begin, inside, void = period_number(window, day), index, {}, {}
        inside = _sum(inside, flow, 1)
        last, void = void, _less(dimensions, inside, states[begin], states[index + 1]) if index > begin else {}
        if last or void:
            yield day, last, void


def _sum(amounts: Amounts, other: Amounts, sign: int) -> Amounts:
    total = dict(amounts)
    for what, amount in other.items():
        total[what] = total.get(what, 0) + sign * amount
    return total
