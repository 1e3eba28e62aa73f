"""What a change of activity changes in the facts: two versions compared on the days on which one of them may change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aggregators.activity.digest import AFTER_ALL, ANSWER_DAYS
from aggregators.activity.health import (
    BANDS,
    INACTIVE_DAYS,
    QUIET_DAYS,
    TENURE_DAYS,
    Contract,
    Standing,
    Usage,
    band_of,
    contract_at,
    silence_of,
    usage_at,
)
from aggregators.activity.ledgers import State
from aggregators.facts import Facts, key
from aggregators.rules import Rules
from aggregators.users.flows import Tally
from aggregators.users.ledgers import (
    SPAN_BITS,
    SPAN_DAYS,
    SPANS_BEFORE_EPOCH,
    SPANS_MASK,
    Column,
    Flags,
    lowest,
    run_starts,
)
from aggregators.users.seen import WINDOW, days_in, marks, owners_of

_KEYS = (
    *(key("customer_health", band) for band in BANDS),
    *(key("customers_inactive", str(days)) for days in INACTIVE_DAYS),
)
_BAND_MEASURES = np.array([*range(len(BANDS)), len(_KEYS)])
"""By band; none has a measure after all others."""
_SILENCE_MEASURES = range(len(BANDS), len(_KEYS))
_REACHED, _TAKEN = key("time_to_value", "session"), key("time_to_value_days", "session")


class Reach:
    """For each owner the first day on which a change of its activity shows, and the first on which no more."""

    __slots__ = ("start", "stop")

    def __init__(self, owners: int) -> None:
        """Start without any change."""
        self.start: Column = np.full(owners, AFTER_ALL)
        self.stop: Column = np.full(owners, -AFTER_ALL)

    def widen(self, owners: Column, start: Column, stop: Column) -> None:
        """Take in changes, each of an owner, from one day to before another."""
        np.minimum.at(self.start, owners, start)
        np.maximum.at(self.stop, owners, stop)

    def owners(self) -> Column:
        """Give the owners that change."""
        return np.flatnonzero(self.stop > -AFTER_ALL)


def first_sessions(before: State, after: State, reach: Reach, facts: Facts) -> None:
    """Write how long customers took to their first session, and let the reach of one that moved begin there.

    The parts of a customer's health that need a session are there from the first one on, not only for a while.
    """
    size = len(reach.start)
    old, new = (_firsts(size, *_first_days(state)) for state in (before, after))
    old_since, new_since = (
        _firsts(size, owners_of(state.presence[0]), days_in(state.presence[0])) for state in (before, after)
    )
    moved = np.flatnonzero(old != new)
    reach.widen(moved, new[moved], old[moved])
    changed = np.flatnonzero((old != new) | (old_since != new_since))
    for sign, firsts, since in ((-1, old, old_since), (1, new, new_since)):
        for day, begun in zip(firsts[changed].tolist(), since[changed].tolist(), strict=True):
            if day < AFTER_ALL and begun < AFTER_ALL:
                facts.add(day, _REACHED, sign)
                facts.add(day, _TAKEN, sign * max(day - begun, 0))


def _first_days(state: State) -> tuple[Column, Column]:
    """Give owners and the first day in each of their words."""
    keys, bits = state.words
    return keys >> SPAN_BITS, ((keys & SPANS_MASK) - SPANS_BEFORE_EPOCH) * SPAN_DAYS + lowest(bits)


def _firsts(size: int, owners: Column, days: Column) -> Column:
    """Give each owner's first day, of days that ascend by owner; one after all where there is none."""
    firsts = np.full(size, AFTER_ALL)
    runs = run_starts(owners)
    firsts[owners[runs]] = days[runs]
    return firsts


def differ(rules: Rules, before: State, after: State, reach: Reach, facts: Facts) -> None:
    """Add the facts of ledgers as they are, and take away those of ledgers as they were."""
    # Who is never present is in no fact.
    ever = np.zeros(len(reach.start), np.bool_)
    for state in (before, after):
        ever[owners_of(state.presence[0])] = True
    if not ever.any():
        return
    starts = marks(np.arange(len(ever)), reach.start)
    stops = marks(np.arange(len(ever)), np.where(ever, reach.stop, -AFTER_ALL))
    begins = starts[starts < stops]
    if not len(begins):
        return
    usages = [_usage(state, reach, ever) for state in (before, after)]
    contracts = [Contract(state.presence, state.payment, state.answers) for state in (before, after)]
    # Sessions leave contracts as they are, the very same columns: one look is enough.
    if all(old is new for old, new in zip(*contracts, strict=True)):
        del contracts[1]
    # Contracts change on few of the days on which usage does.
    turns = _within(starts, stops, [begins, *map(_contract_turns, contracts)])
    at = _within(starts, stops, [turns, *map(_usage_turns, usages)])
    last_turn = np.searchsorted(turns, at, side="right") - 1
    told = [_at(last_turn, *contract_at(rules, turns, contract)) for contract in contracts]
    (old_bands, old_silence), (new_bands, new_silence) = (
        _standing(rules, at, usage, *parts) for usage, parts in zip(usages, (told[0], told[-1]), strict=True)
    )
    of, days = owners_of(at), days_in(at)
    until = np.where(np.append(of[1:] == of[:-1], np.False_), np.append(days[1:], 0), reach.stop[of])
    tally = Tally(_KEYS)
    rows = np.flatnonzero(old_bands != new_bands)
    tally.level(_BAND_MEASURES[new_bands[rows]], days[rows], until[rows])
    tally.level(_BAND_MEASURES[old_bands[rows]], days[rows], until[rows], -1)
    rows = np.flatnonzero(old_silence != new_silence)
    for passed, measure in enumerate(_SILENCE_MEASURES):
        for silence, sign in ((new_silence, 1), (old_silence, -1)):
            longer = rows[silence[rows] > passed]
            tally.level(measure, days[longer], until[longer], sign)
    tally.into(facts)


def _standing(rules: Rules, at: Column, usage: Usage, others: Standing, present: Flags) -> tuple[Column, Column]:
    """Give the numbers of the health band and of the silence at marks, where contracts add their parts."""
    parts, quiet = usage_at(rules, at, usage)
    return band_of(parts, others, present), silence_of(quiet, present)


def _within(starts: Column, stops: Column, turns: Sequence[Column]) -> Column:
    """Give the marks within the reach, ascending, each once."""
    every = np.concatenate(turns)
    of = owners_of(every)
    kept = np.sort(every[(every >= starts[of]) & (every < stops[of])])
    return kept[run_starts(kept)]


def _at(rows: Column, parts: Standing, present: Flags) -> tuple[Standing, Flags]:
    return Standing(parts.sum[rows], parts.weight[rows]), present[rows]


def _usage(state: State, reach: Reach, ever: Flags) -> Usage:
    """Give what sessions say of some owners that matters within the reach: not all days of a long life."""
    keys, bits = state.words
    of, spans = keys >> SPAN_BITS, (keys & SPANS_MASK) - SPANS_BEFORE_EPOCH
    # A word is of use if it or the next one of its owner comes near the reach: so is the last active day before it.
    near = (spans + 1) * SPAN_DAYS > reach.start[of] - WINDOW
    near |= np.append(near[1:] | (of[1:] != of[:-1]), np.True_)[: len(near)]
    near &= (spans * SPAN_DAYS < reach.stop[of]) & ever[of]
    places = np.flatnonzero(np.unpackbits(bits[near].view(np.uint8), bitorder="little"))
    active = (marks(of, spans * SPAN_DAYS)[near])[places >> 6] + (places & 63)
    features = state.features
    owners = features.owners
    features = features.at(
        (features.ends > reach.start[owners]) & (features.starts < reach.stop[owners]) & ever[owners]
    )
    keys, amounts = state.steps
    steps = ever[owners_of(keys)]
    return Usage(
        active,
        (keys[steps], amounts[steps]),
        np.sort(marks(features.owners, features.starts)),
        np.sort(marks(features.owners, features.ends)),
    )


def _usage_turns(usage: Usage) -> Column:
    """Give marks of the days on which what sessions say may make a customer another."""
    active = usage.active
    following = np.append(active[1:], 1 << 62)
    quiet = (active + days for days in QUIET_DAYS)
    return np.concatenate(
        [
            active,
            active + WINDOW,
            *(turns[turns < following] for turns in quiet),
            usage.steps[0],
            usage.begun,
            usage.ended,
        ]
    )


def _contract_turns(contract: Contract) -> Column:
    """Give marks of the days on which billing or surveys may make a customer another."""
    presence, answers = contract.presence[0], contract.answers[0]
    tenure = (presence + days for days in TENURE_DAYS)
    return np.concatenate([presence, *tenure, contract.payment[0], answers, answers + ANSWER_DAYS])
