"""A heavy user's ids, kept in parts by their hash: a batch reads and writes those alone that its own ids belong to.

A ledger of more than `LIGHT` ids becomes a head, which keeps the days and says how many of an id's bits name its part.
A part of more than `PART` ids is split by the next bit, and the head then counts it too; the other parts follow when
they are next written. So a part that is not there under its name is still one with its twin, under a shorter name.

A part is a row of numbers like a ledger, with a header that holds the user's newest day when the part was written.
That day tells the days of the part's ids, and so which of them are too old by now: they are left out when it is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np

from aggregators.facts import ESCAPE, SEPARATOR
from aggregators.parts import Read, lost
from aggregators.users.ledgers import (
    COUNT_MASK,
    DEPTH_BITS,
    EMPTY,
    FAR,
    HEAVY,
    NUMBER,
    VERSION,
    VERSION_BITS,
    Column,
    Flags,
    Ledgers,
)

LIGHT = 4096
"""Ids in a ledger that is one value; of more it becomes a head and parts."""
PART = 1024
"""Ids in a part; one of more is split."""
DEEPEST = 16
"""Bits that may name a part: beyond 67 million ids parts grow instead."""

_MARK = ESCAPE + "p"
"""Stands between a head's field and a part's name. What follows an escape in a user's id is never a letter."""
_PART_VERSION = 3
_HASH_AT = 32
"""The lowest of the bits that name a part: others than those by which a batch sorts out what is no duplicate."""
_DAY_MASK = (1 << VERSION_BITS) - 1
_DAY_BIAS = FAR


class Place(NamedTuple):
    """Which part of whose ledger."""

    user: int
    """Its index in the batch."""
    depth: int
    """How many bits name the part."""
    slot: int
    """Those bits."""

    @property
    def name(self) -> str:
        """The part's name."""
        return f"{self.depth}-{self.slot}"

    @property
    def wider(self) -> Place:
        """The part that this one was split from."""
        return Place(self.user, self.depth - 1, self.slot & ((1 << self.depth - 1) - 1))


class Parts(NamedTuple):
    """The parts that a batch needs."""

    places: list[Place]
    users: Column
    """Of each place."""
    ids: list[bytes]
    """Each part as the ledger of a user without days."""


NONE = Parts([], np.zeros(0, np.int64), [])


def field(owner: str, name: str) -> str:
    """Name the field of a part; `owner` is the field of its head."""
    return owner + _MARK + name


def is_part(name: str) -> bool:
    """Tell a part by its field."""
    return _MARK in name.rpartition(SEPARATOR)[2]


def any_to_be(lengths: Column) -> bool:
    """Tell whether a ledger may have grown heavy; the lengths are in bytes."""
    return bool(lengths.max() > 8 * (LIGHT + 1))


def read(
    names: Sequence[str], state: Ledgers, users: Column, ids: Column, dedupe_days: int, reading: Read
) -> tuple[Parts, Column]:
    """Read the parts in which a batch's ids are or would be.

    Args:
        names: the users' fields.
        state: their ledgers.
        users: of each session.
        ids: of each session.
        dedupe_days: how long ids are kept.
        reading: reads parts.

    Returns:
        The parts, and for each session who holds its id: its user, or a part, counted on from the users.

    Raises:
        TablesUnavailable: a part is missing.
    """
    depths = np.zeros(len(names), np.int64)
    depths[state.heavy] = (state.data[state.starts[state.heavy]] >> DEPTH_BITS) & 0xFF
    is_heavy = np.zeros(len(names), np.bool_)
    is_heavy[state.heavy] = True
    rows = np.flatnonzero(is_heavy[users])
    slots = _slots(ids[rows], depths[users[rows]])
    keys, inverse = np.unique(users[rows] << _HASH_AT | slots, return_inverse=True)
    owners = keys >> _HASH_AT
    sought = list(map(Place, owners.tolist(), depths[owners].tolist(), (keys & ((1 << _HASH_AT) - 1)).tolist()))
    found, stands = _find(names, sought, reading)
    places = list(found)
    numbers = {place: number for number, place in enumerate(places, len(names))}
    holders = users.copy()
    holders[rows] = np.array([numbers[place] for place in stands], np.int64)[inverse]
    of = np.array([place.user for place in places], np.int64)
    newest = state.newest[of].tolist()
    return Parts(places, of, [_young(*each, dedupe_days) for each in zip(found.values(), newest, strict=True)]), holders


def written(
    names: Sequence[str], parts: Parts, pieces: Sequence[bytes], changed: Flags, newest: Column
) -> dict[str, bytes]:
    """Give what to write of a batch's ledgers and parts: those that changed, after those too large have been split.

    Args:
        names: the users' fields.
        parts: as `read` gave them.
        pieces: the users' ledgers, and after them the parts, as they are now.
        changed: which of them have changed.
        newest: the newest day of each.
    """
    fields = dict(zip(compress(names, changed.tolist()), compress(pieces, changed.tolist()), strict=False))
    leaves: dict[int, list[tuple[Place, Column]]] = defaultdict(list)
    for place, piece, has_changed in zip(
        parts.places, pieces[len(names) :], changed[len(names) :].tolist(), strict=True
    ):
        if has_changed:
            leaves[place.user].append((place, np.frombuffer(piece, NUMBER)[1:]))
    for user in (user for user, piece in enumerate(pieces[: len(names)]) if len(piece) > 8 * (LIGHT + 1)):
        ids = np.frombuffer(pieces[user], NUMBER)[1 + _header(pieces[user])[2] :]
        if len(ids) > LIGHT:
            leaves[user].append((Place(user, 0, 0), ids))
    for user, its in leaves.items():
        version, depth, words = _header(pieces[user])
        deeper = max(_needed(place, ids, depth) for place, ids in its)
        if version == VERSION or deeper > depth:
            header = HEAVY << VERSION_BITS | deeper << DEPTH_BITS | words
            fields[names[user]] = header.to_bytes(8, "little") + pieces[user][8 : 8 * (1 + words)]
        for place, ids in its:
            if place.depth < deeper and version == HEAVY:
                fields[field(names[user], place.name)] = b""
            for split, some in _split(place, ids, deeper):
                fields[field(names[user], split.name)] = _packed(some, int(newest[user]))
    return fields


def check(name: str, packed: bytes) -> None:
    """Look at a part's bytes.

    Raises:
        ValueError: they are none.
    """
    _place_of(name)
    if len(packed) % 8 or _header(packed)[0] != _PART_VERSION:
        raise ValueError("it is no part of a user's ledger of this version")


class Covered:
    """Whether the heavy users of a table have all their parts."""

    __slots__ = ("_heads", "_parts")

    def __init__(self) -> None:
        """Know of nobody."""
        self._heads: dict[str, int] = {}
        self._parts: dict[str, set[tuple[int, int]]] = defaultdict(set)

    def take(self, name: str, packed: bytes) -> None:
        """Note a ledger or a part of one, which was found to be sound."""
        if is_part(name):
            owner, depth, slot = _place_of(name)
            self._parts[owner].add((depth, slot))
        elif (header := _header(packed))[0] == HEAVY:
            self._heads[name] = header[1]

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Give the users, by field, whose parts are not those that their heads speak of, and why."""
        for owner in self._heads.keys() | self._parts.keys():
            deepest = self._heads.get(owner)
            parts = self._parts.get(owner, set())
            if deepest is None:
                yield owner, "there are parts of it, but no head"
            elif (
                any(depth > deepest for depth, _ in parts)
                or sum(1 << deepest - depth for depth, _ in parts) != 1 << deepest
            ):
                yield owner, "its parts are not those that its head speaks of"


def _header(packed: bytes) -> tuple[int, int, int]:
    """Give a header's version, number of bits that name a part, and number of words."""
    number = int.from_bytes(packed[:8], "little")
    return number >> VERSION_BITS, number >> DEPTH_BITS & 0xFF, number & COUNT_MASK


def _place_of(name: str) -> tuple[str, int, int]:
    """Read a part's field: its head's, how many bits name it, and those bits; ValueError if it is none."""
    owner, _, last = name.rpartition(_MARK)
    depth, _, slot = last.partition("-")
    if field(owner, f"{int(depth)}-{int(slot)}") != name or not 0 <= int(slot) < 1 << int(depth):
        raise ValueError("no part is named so")
    return owner, int(depth), int(slot)


def _slots(ids: Column, depth: Column | int) -> Column:
    """Give the bits of ids that name their parts."""
    slots: Column = ids >> _HASH_AT & (1 << depth) - 1
    return slots


def _find(names: Sequence[str], sought: Sequence[Place], reading: Read) -> tuple[dict[Place, bytes], list[Place]]:
    """Read the parts that places are in, and say for each place which that is.

    Raises:
        TablesUnavailable: there is none.
    """
    found: dict[Place, bytes] = {}
    stands = list(sought)
    missing = list(range(len(stands)))
    while missing:
        asked = list(dict.fromkeys(stands[each] for each in missing))
        parts = reading([field(names[place.user], place.name) for place in asked])
        found |= {place: part for place, part in zip(asked, parts, strict=True) if part is not None}
        missing = [each for each in missing if stands[each] not in found]
        for each in missing:
            if not stands[each].depth:
                raise lost(" ".join(names[stands[each].user].split(SEPARATOR)))
            stands[each] = stands[each].wider
    return found, stands


def _young(packed: bytes, newest: int, dedupe_days: int) -> bytes:
    """Give a part without the ids that its user's newest day by now has made too old, as a ledger without days."""
    written_on = (int.from_bytes(packed[:8], "little") & _DAY_MASK) - _DAY_BIAS
    if newest == written_on:
        return EMPTY + packed[8:]
    ids = np.frombuffer(packed, NUMBER)[1:]
    return EMPTY + ids[(written_on - ids & 0xFF) <= dedupe_days - (newest - written_on)].tobytes()


def _packed(ids: Column, newest: int) -> bytes:
    return (_PART_VERSION << VERSION_BITS | newest + _DAY_BIAS).to_bytes(8, "little") + ids.tobytes()


def _needed(place: Place, ids: Column, depth: int) -> int:
    """Give how many bits it takes to name parts that are small enough, at least `depth`."""
    while len(ids) > PART and depth < DEEPEST:
        if np.bincount(_slots(ids, depth) >> place.depth).max() <= PART:
            break
        depth += 1
    return depth


def _split(place: Place, ids: Column, depth: int) -> Iterator[tuple[Place, Column]]:
    """Split a part into all those that more bits name."""
    if place.depth == depth:
        yield place, ids
        return
    which = _slots(ids, depth) >> place.depth
    order = np.argsort(which, kind="stable")
    number = 1 << depth - place.depth
    pieces = np.split(ids[order], np.searchsorted(which[order], np.arange(1, number)))
    for each, piece in enumerate(pieces):
        yield Place(place.user, depth, place.slot | each << place.depth), piece
