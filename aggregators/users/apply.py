"""A batch of sessions put into their users' ledgers: what is new, what came twice, what came too late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from io import BytesIO
from itertools import compress, repeat

import numpy as np
from xxhash import xxh3_64_digest

from aggregators.calendar import DAY_MS, Zone
from aggregators.events import Sessions
from aggregators.facts import Facts
from aggregators.parts import Read, whole
from aggregators.rules import Rules
from aggregators.tables.door import Space
from aggregators.users import heavy
from aggregators.users.flows import insert
from aggregators.users.ledgers import EMPTY, Column, Flags, Ledgers, run_starts
from aggregators.users.seen import Seen, days_in, marks, owners_of

SPACE: Space = "users"

_ID_MASK = ~0xFF
_TABLES_END_MS = 16_725_225_600_000
"""2500-01-01: until then a column of instants becomes days at once."""


def fields(sessions: Sessions) -> list[str]:
    """Give the ledger fields of the users in a batch, each once."""
    return list(sessions.users[0])


def apply(
    rules: Rules,
    sessions: Sessions,
    ledgers: Mapping[str, bytes],
    facts: Facts,
    outcomes: Counter[str],
    seen: Seen | None = None,
    reading: Read = whole,
) -> dict[str, bytes]:
    """Put a batch of sessions into the ledgers, and give those that changed, and parts of them.

    A session is a duplicate if its id is kept in the ledger, or came earlier in the batch; it changes nothing then,
    whatever it holds. It is late if its day is so far before the newest day of the ledger *before the batch* that the
    ledger cannot tell whether it has been counted: so no session is late that could be counted exactly, and which
    ones are does not depend on their order within a batch. A late session only marks its day.

    Args:
        rules: `zone` and `dedupe_days` are read.
        sessions: the batch, in the order of arrival.
        ledgers: by field, of the users that have one.
        facts: is added to.
        outcomes: is added to: `session/accepted`, `session/duplicate`, `session/late`.
        seen: is filled with what the batch says of its customers.
        reading: reads parts of heavy users' ledgers.

    Raises:
        TablesUnavailable: a part is missing.
        ValueError: a ledger of an unknown format.
    """
    if not len(sessions):
        return {}
    names, users = sessions.users
    days = _days(rules.zone, sessions.occurred_at)
    ids = np.frombuffer(b"".join(map(xxh3_64_digest, map(str.encode, sessions.ids))), ">i8").astype(np.int64) & _ID_MASK
    blobs = list(map(ledgers.get, names, repeat(EMPTY)))
    state = Ledgers(blobs)
    # Ids are looked for and kept in rows after those of the users where they are in parts.
    holders, parts = users, heavy.NONE
    if len(state.heavy):
        parts, holders = heavy.read(names, state, users, ids, rules.dedupe_days, reading)
        state = Ledgers(blobs + parts.ids)
        state.newest[len(names) :] = state.newest[parts.users]

    late = days < state.newest[users] - rules.dedupe_days
    duplicate = _known(state, holders, ids) | _repeated(users, ids, late)
    accepted = ~(late | duplicate)
    late &= ~duplicate
    for outcome, flags in (("accepted", accepted), ("duplicate", duplicate), ("late", late)):
        if number := int(np.count_nonzero(flags)):
            outcomes[f"session/{outcome}"] += number
    _count(sessions, days, accepted, facts)

    keys = marks(users, days)
    keys = np.sort(keys[~duplicate] if duplicate.any() else keys)
    keys = keys[run_starts(keys)]
    new_users, new_days = owners_of(keys), days_in(keys)
    fresh = ~state.active(new_users, new_days)
    new_users, new_days = new_users[fresh], new_days[fresh]
    neighbours = insert(state, new_users, new_days, facts)
    if seen is not None:
        seen.take(sessions, days, ~duplicate, (new_users, new_days), neighbours)

    newest = state.newest.copy()
    np.maximum.at(newest, new_users, new_days)
    newest[len(names) :] = newest[parts.users]
    rows = np.flatnonzero(accepted & (days >= newest[users] - rules.dedupe_days))
    rows = rows[np.argsort(holders[rows], kind="stable")]
    data, lengths = state.rewrite(
        state.mark(new_users, new_days), (holders[rows], ids[rows] | (days[rows] & 0xFF)), newest, rules.dedupe_days
    )
    changed = np.zeros(len(newest), np.bool_)
    changed[new_users] = True
    changed[holders[rows]] = True
    # To read on is the fastest way to cut bytes into pieces, faster than slices by a factor of three.
    pieces = list(map(BytesIO(data).read, lengths.tolist()))
    if len(parts.ids) or heavy.any_to_be(lengths):
        return heavy.written(names, parts, pieces, changed, newest)
    picks = changed.tolist()
    return dict(zip(compress(names, picks), compress(pieces, picks), strict=True))


@lru_cache(maxsize=8)
def _tables(zone: Zone) -> tuple[Column, Column]:
    changes, offsets = zone.day_tables()
    return np.array(changes, np.int64), np.array(offsets, np.int64)


def _days(zone: Zone, instants: Column) -> Column:
    """Give the days that instants lie on."""
    changes, offsets = _tables(zone)
    earliest, latest = int(instants.min()), int(instants.max())
    if latest >= _TABLES_END_MS:
        return np.fromiter(map(zone.day, instants.tolist()), np.int64, len(instants))
    low, high = map(int, np.searchsorted(changes, (earliest, latest), side="right"))
    shifts = offsets[low] if low == high else offsets[np.searchsorted(changes, instants, side="right")]
    days: Column = (instants + shifts) // DAY_MS
    return days


def _known(ledgers: Ledgers, holders: Column, ids: Column) -> Flags:
    """Flag the sessions whose ids are held where they would be."""
    data = ledgers.data
    known = np.zeros(len(ids), np.bool_)
    # A coarse set of the batch's ids sorts out nearly all of what is stored; the rest is compared in full.
    bits = min(len(ids).bit_length() + 6, 24)
    coarse = np.zeros(1 << bits, np.bool_)
    coarse[ids >> 8 & (1 << bits) - 1] = True
    places = np.flatnonzero(coarse[data >> 8 & (1 << bits) - 1])
    distinct = np.sort(ids)
    rank = np.searchsorted(distinct, data[places] & _ID_MASK)
    found = distinct[np.minimum(rank, len(ids) - 1)] == data[places] & _ID_MASK
    places, rank = places[found], rank[found]
    owners = np.searchsorted(ledgers.starts, places, side="right") - 1
    is_id = places > ledgers.starts[owners] + ledgers.counts[owners]
    if is_id.any():
        pairs = np.sort(owners[is_id] * len(ids) + rank[is_id])
        wanted = holders * len(ids) + np.searchsorted(distinct, ids)
        known[pairs[np.minimum(np.searchsorted(pairs, wanted), len(pairs) - 1)] == wanted] = True
    return known


def _repeated(users: Column, ids: Column, late: Flags) -> Flags:
    """Flag the sessions whose ids came earlier in the batch, from the same user and not late.

    The id of a late session is not kept, in a ledger as in a batch.
    """
    repeated = np.zeros(len(ids), np.bool_)
    distinct = np.sort(ids)
    twice = distinct[1:][distinct[1:] == distinct[:-1]]
    if not len(twice):
        return repeated
    rows = np.flatnonzero(twice[np.minimum(np.searchsorted(twice, ids), len(twice) - 1)] == ids)
    rows = rows[np.lexsort((ids[rows], users[rows]))]
    begins = np.concatenate(([True], (ids[rows[1:]] != ids[rows[:-1]]) | (users[rows[1:]] != users[rows[:-1]])))
    runs = np.flatnonzero(begins)
    places = np.arange(len(rows))
    first = np.minimum.reduceat(np.where(late[rows], len(rows), places), runs)
    repeated[rows] = places > np.repeat(first, np.diff(np.append(runs, len(rows))))
    return repeated


def _count(sessions: Sessions, days: Column, accepted: Flags, facts: Facts) -> None:
    """Add the sessions that count to their days: their number, duration and reactions."""
    rows = np.flatnonzero(accepted)
    if not len(rows):
        return
    rows = rows[np.argsort(days[rows], kind="stable")]
    of_row = days[rows]
    runs = np.flatnonzero(np.concatenate(([True], of_row[1:] != of_row[:-1])))
    numbers = np.diff(np.append(runs, len(rows))).tolist()
    milliseconds = np.add.reduceat(sessions.durations[rows], runs).tolist()
    reactions = np.add.reduceat(sessions.reactions[rows], runs).tolist()
    for day, number, duration, reacted in zip(of_row[runs].tolist(), numbers, milliseconds, reactions, strict=True):
        facts.add(day, "sessions", number)
        facts.add(day, "session_milliseconds", duration)
        facts.add(day, "session_reactions", reacted)
