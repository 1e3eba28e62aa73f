"""A respondent's nps answers and their facts: the last answer of each day, until a later one supersedes it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import zip_longest

from aggregators.calendar import DAY_MS, Zone, period_number
from aggregators.customers.timeline import Segment
from aggregators.customers.voids import REACH_DAYS
from aggregators.facts import CALENDAR_WINDOWS, ROLLING_WINDOWS, Facts, key
from aggregators.rules import Rules
from aggregators.surveys.ledgers import Long, Short, Told

_key = lru_cache(maxsize=8192)(key)


def nps_outcome(score: int) -> str:
    """Name the group of an nps score, 0 to 10."""
    if score >= 9:
        return "promoter"
    return "passive" if score >= 7 else "detractor"


def book(rules: Rules, told: Sequence[Told], segment_at: Callable[[int], Segment], facts: Facts, sign: int) -> None:
    """Add one respondent's facts: the last answer of each day, and where a later one supersedes it in a window."""
    last_of_day = {rules.zone.day(at): nps_outcome(score) for at, _, score in told}
    days = list(last_of_day)
    for day, following in zip_longest(days, days[1:]):
        outcome = last_of_day[day]
        booked: list[tuple[str, str, tuple[str, ...]]] = [("nps", "void_nps", (outcome,))]
        for dimension, segment in zip(rules.dimensions, segment_at(day), strict=True):
            booked.append(("segment_nps", "void_segment_nps", (dimension, segment, outcome)))
        for flow, void, labels in booked:
            facts.add(day, _key(flow, *labels), sign)
            if following is None:
                continue
            for window, length in ROLLING_WINDOWS.items():
                if following < day + length:
                    facts.add(following, _key(void, window, *labels), sign)
                    facts.add(day + length, _key(void, window, *labels), -sign)
            for window in CALENDAR_WINDOWS:
                if period_number(window, following) == period_number(window, day):
                    facts.add(following, _key(void, window, *labels), sign)


def around(zone: Zone, ledger: Short | Long, user_id: str, first: int, last: int) -> list[Told]:
    """Give a user's standing answers from one day to another, the last one before them and the first one after them."""
    before, since = ledger.of_user(user_id, first_instant(zone, first))
    found = [] if before is None or first - zone.day(before[0]) > REACH_DAYS else [before]
    for told in since:
        found.append(told)
        if zone.day(told[0]) > last:
            break
    return found


@lru_cache(maxsize=8192)
def first_instant(zone: Zone, day: int) -> int:
    """Give the first instant that lies on a day or later; days that a zone has passed over included."""
    begin, end = (day - 3) * DAY_MS, (day + 3) * DAY_MS
    return begin + bisect_left(range(begin, end), day, key=zone.day)
