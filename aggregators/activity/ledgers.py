"""The bytes of customers' activity ledgers, read and written by the column: many at once, none in a Python loop.

A ledger is little-endian: a header of eight 4-byte numbers (the format version, the lengths of the six sections, 0),
and the sections, each ascending:

    days        8-byte words of the days on which any user was active: a span's number above 46 bits, one a day
    features    16 bytes for each stretch of days in which a feature counts as used: hash; start above 32 bits of end
    steps       4-byte entries: by how many more the users active in 28 days change on a day
    presence    4-byte entries: the days at whose end the customer is present (1) or absent (0) and was not before
    payment     4-byte entries: the days at whose end the payment part changes, and to what
    answers     4-byte entries: the days with nps answers, and the day's last score

An entry is a day above 10 bits of value. The whole is padded to 8 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np

from aggregators.users.ledgers import DAYS_MASK, SPAN_BITS, SPAN_DAYS, SPANS_MASK, Column, Flags
from aggregators.users.seen import days_in, marks, owners_of

VERSION = 1
SECTIONS = ("days", "features", "steps", "presence", "payment", "answers")
DAYS, FEATURES, STEPS, PRESENCE, PAYMENT, ANSWERS = range(6)
_HALF, _WHOLE = np.dtype("<u4"), np.dtype("<i8")
_HEADER = 8
"""Numbers of 4 bytes."""
_HALVES = np.array([2, 4, 1, 1, 1, 1])
"""Numbers of 4 bytes in one item of each section."""
EMPTY = VERSION.to_bytes(4, "little") + bytes(28)
"""The ledger of a customer of whom nothing is known."""

VALUE_BITS = 10
ENTRY_BIAS = 1 << 20
_END_BITS = 32
_END_MASK = (1 << _END_BITS) - 1
_VALUE_MASK = (1 << VALUE_BITS) - 1
_MIDDLE = 1 << VALUE_BITS - 1
"""Added to a step's amount, which is less than this; a greater one is several entries."""

Entries = tuple[Column, Column]
"""Marks of owner and day, ascending, and values."""


class Stretches(NamedTuple):
    """The days in which features count as used: from each start to before the end; by owner, hash and start."""

    owners: Column
    hashes: Column
    starts: Column
    ends: Column

    def at(self, rows: Column | Flags) -> Stretches:
        """Give some of them, by index or flag."""
        return Stretches(*(column[rows] for column in self))


class State(NamedTuple):
    """The ledgers of some owners as columns."""

    words: tuple[Column, Column]
    """Owner above 17 bits of span, ascending, and the span's days as bits."""
    features: Stretches
    steps: Entries
    presence: Entries
    payment: Entries
    answers: Entries


class Ledgers:
    """The ledgers of a batch's customers; an owner is its index.

    Args:
        blobs: a ledger an owner, `EMPTY` where there is none.

    Raises:
        ValueError: a ledger of a format that this version does not know.
    """

    __slots__ = ("_begins", "_counts", "_halves", "_wholes")

    def __init__(self, blobs: Sequence[bytes]) -> None:
        """Read the headers; sections are read when they are asked for."""
        data = bytearray().join(blobs)
        self._halves: Column = np.frombuffer(data, _HALF)
        self._wholes: Column = np.frombuffer(data, _WHOLE)
        lengths = np.fromiter(map(len, blobs), np.int64, len(blobs)) >> 2
        starts = np.cumsum(lengths) - lengths
        headers = self._halves[starts[:, None] + np.arange(_HEADER - 1)].astype(np.int64)
        if (headers[:, 0] != VERSION).any():
            raise ValueError(
                "a customer's activity was written by another version: use that version, or start on an empty Redis"
            )
        self._counts: Column = headers[:, 1:]
        sizes = self._counts * _HALVES
        self._begins: Column = (starts + _HEADER)[:, None] + np.cumsum(sizes, axis=1) - sizes

    def _places(self, section: int, owners: Column) -> tuple[Column, Column]:
        """Give for each item of owners' sections the owner and where it begins, in 4-byte numbers."""
        counts = self._counts[owners, section]
        before = np.cumsum(counts) - counts
        size = int(_HALVES[section])
        origins = self._begins[owners, section] - size * before
        return np.repeat(owners, counts), np.arange(int(counts.sum())) * size + np.repeat(origins, counts)

    def words(self, owners: Column) -> tuple[Column, Column]:
        """Give the words of owners, which ascend; as in `State`."""
        of, places = self._places(DAYS, owners)
        words = self._wholes[places >> 1]
        return (of << SPAN_BITS) + (words >> SPAN_DAYS), words & DAYS_MASK

    def features(self, owners: Column) -> Stretches:
        """Give the stretches of owners, which ascend."""
        of, places = self._places(FEATURES, owners)
        stretches = self._wholes[(places >> 1) + 1]
        starts, ends = (stretches >> _END_BITS) - ENTRY_BIAS, (stretches & _END_MASK) - ENTRY_BIAS
        return Stretches(of, self._wholes[places >> 1], starts, ends)

    def entries(self, section: int, owners: Column) -> Entries:
        """Give the entries of one section of owners, which ascend."""
        of, places = self._places(section, owners)
        entries = self._halves[places].astype(np.int64)
        values = entries & _VALUE_MASK
        return marks(of, (entries >> VALUE_BITS) - ENTRY_BIAS), values - _MIDDLE if section == STEPS else values

    def listed(self, section: int, owner: int) -> list[int]:
        """Give the entries of one section of one owner as they are stored."""
        begin = int(self._begins[owner, section])
        entries: list[int] = self._halves[begin : begin + int(self._counts[owner, section])].tolist()
        return entries

    def state(self, owners: Column) -> State:
        """Give everything about owners, which ascend."""
        return State(
            self.words(owners),
            self.features(owners),
            *(self.entries(section, owners) for section in (STEPS, PRESENCE, PAYMENT, ANSWERS)),
        )


def write(owners: Column, state: State) -> list[bytes]:
    """Give the ledgers of owners, which ascend; empty bytes where nothing is known."""
    keys, bits = state.words
    features = state.features
    stretches = features.starts + ENTRY_BIAS << _END_BITS | features.ends + ENTRY_BIAS
    steps = _split(*state.steps)
    sections = [
        (keys >> SPAN_BITS, ((keys & SPANS_MASK) << SPAN_DAYS) | bits),
        (features.owners, np.stack((features.hashes, stretches), axis=1)),
        *(
            (owners_of(marked), (days_in(marked) + ENTRY_BIAS) << VALUE_BITS | values)
            for marked, values in (steps, state.presence, state.payment, state.answers)
        ),
    ]
    size = int(owners[-1]) + 1 if len(owners) else 0
    counts = np.stack([np.bincount(of, minlength=size)[owners] for of, _ in sections], axis=1)
    sizes = counts * _HALVES
    lengths = (_HEADER + sizes.sum(axis=1) + 1) & ~1
    starts = np.cumsum(lengths) - lengths
    halves = np.zeros(int(lengths.sum()), _HALF)
    wholes = halves.view(_WHOLE)
    halves[starts] = VERSION
    halves[starts[:, None] + np.arange(1, _HEADER - 1)] = counts
    begins = starts[:, None] + _HEADER + np.cumsum(sizes, axis=1) - sizes
    for section, (_, values) in enumerate(sections):
        step = int(_HALVES[section])
        own = counts[:, section]
        places = np.arange(len(values)) * step + np.repeat(begins[:, section] - step * (np.cumsum(own) - own), own)
        if section == DAYS:
            wholes[places >> 1] = values
        elif section == FEATURES:
            wholes[(places >> 1)[:, None] + np.arange(2)] = values
        else:
            halves[places] = values
    read = BytesIO(halves.tobytes()).read
    blobs = map(read, (4 * lengths).tolist())
    return [blob if some else b"" for blob, some in zip(blobs, (counts.sum(axis=1) > 0).tolist(), strict=True)]


def _split(keys: Column, amounts: Column) -> Entries:
    """Give steps as they are stored: each amount fits, the great ones are several entries."""
    most = _MIDDLE - 1
    if not len(keys) or int(np.abs(amounts).max()) <= most:
        return keys, amounts + _MIDDLE
    pieces = np.maximum((np.abs(amounts) + most - 1) // most, 1)
    keys, signs = np.repeat(keys, pieces), np.repeat(np.sign(amounts), pieces)
    nth = np.arange(len(keys)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    rest = np.repeat(np.abs(amounts), pieces) - nth * most
    return keys, signs * np.minimum(rest, most) + _MIDDLE
