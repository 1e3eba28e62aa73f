"""The bytes of users' ledgers, read and rewritten by the column: many ledgers at once, none in a Python loop.

A ledger is a row of little-endian 8-byte numbers:

    header      the format version; where ids are in parts, how many of their bits name one; the number of words
    words...    active days, all of them: a span's number above 46 bits, one a day of the span; ascending, none empty
    ids...      sessions that may come again: 56 bits of the id's hash above the low byte of the session's day

So days cost 8 bytes per 46 days of presence whatever the gaps, a session 8 bytes while it is kept, the header 8.
A heavy user's ledger has no ids: they are kept in parts of their own, see `aggregators.users.heavy`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

VERSION = 1
HEAVY = 2
"""The version of a ledger whose ids are in parts."""
VERSION_BITS = 48
"""A version stands above them."""
DEPTH_BITS = 40
"""The number of bits that name a part stands above them, the number of words below."""
NUMBER = np.dtype("<i8")
SPAN_DAYS = 46
"""Days in a word: with 17 bits of span number above them a word stays positive, which spares unsigned arithmetic."""
SPAN_BITS = 17
SPANS = 1 << SPAN_BITS
SPANS_MASK = SPANS - 1
SPANS_BEFORE_EPOCH = 1 << 14
DAYS_MASK = (1 << SPAN_DAYS) - 1
COUNT_MASK = (1 << DEPTH_BITS) - 1
EMPTY = (VERSION << VERSION_BITS).to_bytes(8, "little")
"""The ledger of a user not seen before."""
FAR = 1 << 40
"""Stands for the day that is not there: -FAR before all days, FAR after them."""


class Ledgers:
    """The ledgers of a batch's users as columns; a user is its index.

    Args:
        blobs: a ledger a user, `EMPTY` where there is none.

    Raises:
        ValueError: a ledger of a format that this version does not know.
    """

    __slots__ = (
        "_bits",
        "_keys",
        "_owners",
        "_positions",
        "counts",
        "data",
        "ends",
        "first",
        "heavy",
        "newest",
        "starts",
    )

    def __init__(self, blobs: Sequence[bytes]) -> None:
        """Parse headers and words; ids stay where they are in `data`."""
        users = len(blobs)
        lengths = np.fromiter(map(len, blobs), np.int64, users) >> 3
        self.data: Column = np.frombuffer(bytearray().join(blobs), NUMBER)
        self.ends: Column = np.cumsum(lengths)
        self.starts: Column = self.ends - lengths
        headers = self.data[self.starts]
        self.counts: Column = headers & COUNT_MASK
        versions = headers >> VERSION_BITS
        self.heavy: Column = np.flatnonzero(versions != VERSION)
        if (versions[self.heavy] != HEAVY).any():
            raise ValueError(
                "a user's ledger was written by another version: use that version, or start on an empty Redis"
            )
        words_before = np.cumsum(self.counts) - self.counts
        total = int(self.counts.sum())
        self._positions: Column = np.arange(total) + np.repeat(self.starts + 1 - words_before, self.counts)
        words = self.data[self._positions]
        owners = np.repeat(np.arange(users), self.counts)
        # Three words of nobody at the end, which indices -1 and -2 meet too, spare every look-up its bounds check.
        self._bits: Column = np.concatenate((words & DAYS_MASK, np.zeros(3, np.int64)))
        self._owners: Column = np.concatenate((owners, np.full(3, users)))
        self._keys: Column = np.concatenate((owners * SPANS + (words >> SPAN_DAYS), np.full(3, users * SPANS)))
        seen = self.counts > 0
        low, high = words_before, words_before + self.counts - 1
        self.first: Column = np.where(seen, self._day(low, lowest(self._bits[low])), FAR)
        self.newest: Column = np.where(seen, self._day(high, highest(self._bits[high])), -FAR)

    def _day(self, word: Column, bit: Column) -> Column:
        return ((self._keys[word] & SPANS_MASK) - SPANS_BEFORE_EPOCH) * SPAN_DAYS + bit

    def _find(self, users: Column, days: Column) -> tuple[Column, Column, Column]:
        """Give the index of each day's word, or of where it belongs, the word's bits or 0, and the day's bit number."""
        spans = days // SPAN_DAYS
        keys = users * SPANS + spans + SPANS_BEFORE_EPOCH
        at = np.searchsorted(self._keys, keys)
        return at, self._bits[at] * (self._keys[at] == keys), days - spans * SPAN_DAYS

    def active(self, users: Column, days: Column) -> Flags:
        """Say for each pair whether the user was active on the day."""
        _, bits, bit = self._find(users, days)
        return (bits >> bit & 1).astype(np.bool_)

    def before(self, users: Column, days: Column) -> tuple[Column, Column]:
        """Give the last active day before each day and the one before that; -FAR where there is none."""
        at, bits, bit = self._find(users, days)
        bits = bits & ((1 << bit) - 1)
        found = []
        for _ in range(2):
            used_up = bits == 0
            at = at - used_up
            bits = bits | self._bits[at] * (used_up & (self._owners[at] == users))
            top = highest(bits)
            found.append(np.where(bits == 0, -FAR, self._day(at, top)))
            bits = bits & ~(1 << top)
        return found[0], found[1]

    def after(self, users: Column, days: Column) -> tuple[Column, Column]:
        """Give the first active day after each day and the one after that; FAR where there is none."""
        at, bits, bit = self._find(users, days)
        # Where the day's span has no word, the next step up must end on the word that stands in its place.
        at = at - (bits == 0)
        bits = bits >> bit + 1 << bit + 1
        found = []
        for _ in range(2):
            used_up = bits == 0
            at = at + used_up
            bits = bits | self._bits[at] * (used_up & (self._owners[at] == users))
            found.append(np.where(bits == 0, FAR, self._day(at, lowest(bits))))
            bits = bits & (bits - 1)
        return found[0], found[1]

    def mark(self, users: Column, days: Column) -> tuple[Column, Column, Column]:
        """Set bits of days in the words that exist; give owners, places in `data` and values of the words that do not.

        Args:
            users: ascending.
            days: ascending for each user, none active before.
        """
        if not len(users):
            return users, users, users
        spans = days // SPAN_DAYS
        keys = users * SPANS + spans + SPANS_BEFORE_EPOCH
        runs = run_starts(keys)
        bits = np.bitwise_or.reduceat(1 << days - spans * SPAN_DAYS, runs)
        keys = keys[runs]
        at = np.searchsorted(self._keys, keys)
        exists = self._keys[at] == keys
        self.data[self._positions[at[exists]]] |= bits[exists]
        owners, at = users[runs][~exists], at[~exists]
        # A word's place is before the first of its user's words that is greater, or else after the user's last.
        greater = self._owners[at] == owners
        places = self.starts[owners] + 1 + self.counts[owners]
        places[greater] = self._positions[at[greater]]
        return owners, places, ((keys[~exists] & SPANS_MASK) << SPAN_DAYS) | bits[~exists]

    def rewrite(
        self,
        words: tuple[Column, Column, Column],
        ids: tuple[Column, Column],
        newest: Column,
        dedupe_days: int,
    ) -> tuple[bytes, Column]:
        """Put in new words and ids, leave out ids that are too old, and give all ledgers in a row and their lengths.

        Args:
            words: owners, places and values, as `mark` gives them.
            ids: owners and values, owners ascending.
            newest: each user's newest day from now on.
            dedupe_days: ids of days before the newest less this are left out.
        """
        owners, places, values = words
        added = np.bincount(owners, minlength=len(self.starts))
        self.data[self.starts] += added
        keep = self._young(newest, dedupe_days)
        lengths = self.ends - self.starts + added + np.bincount(ids[0], minlength=len(self.starts))
        if keep is not None:
            lengths -= np.add.reduceat(~keep, self.starts, dtype=np.int64)
        places = np.concatenate((places, self.ends[ids[0]]))
        values = np.concatenate((values, ids[1]))
        order = np.argsort(places, kind="stable")
        targets = places[order] + np.arange(len(order))
        stay = np.ones(len(self.data) + len(order), np.bool_)
        stay[targets] = False
        out = np.empty(len(stay), NUMBER)
        out[targets] = values[order]
        out[stay] = self.data
        if keep is not None:
            wanted = np.ones(len(out), np.bool_)
            wanted[stay] = keep
            out = out[wanted]
        return out.tobytes(), 8 * lengths

    def _young(self, newest: Column, dedupe_days: int) -> Flags | None:
        """Flag what of `data` stays: all but the ids too old; None if all of it does."""
        moved = newest - self.newest
        if not ((moved > 0) & (self.ends - self.starts > 1 + self.counts)).any():
            return None
        lengths = self.ends - self.starts
        # An id's day is within 256 days of the user's newest day so far, so that its low byte tells the age.
        ages = np.repeat(self.newest.astype(np.uint8), lengths) - self.data.view(np.uint8)[::8]
        keep = ages <= np.repeat(np.clip(dedupe_days - moved, -1, 255).astype(np.int16), lengths)
        keep[self.starts] = True
        keep[self._positions] = True
        return None if keep.all() else keep


def days_of(ledger: bytes) -> list[int]:
    """Give the active days of one ledger, ascending; ValueError if it is no ledger of this format."""
    header, *numbers = np.frombuffer(ledger, NUMBER).tolist()
    count = header & COUNT_MASK
    if header >> VERSION_BITS not in (VERSION, HEAVY) or count > len(numbers):
        raise ValueError("it is no user's ledger of this version")
    days = []
    for word in numbers[:count]:
        start = ((word >> SPAN_DAYS) - SPANS_BEFORE_EPOCH) * SPAN_DAYS
        bits = word & DAYS_MASK
        while bits:
            low = bits & -bits
            days.append(start + low.bit_length() - 1)
            bits ^= low
    return days


def highest(bits: Column) -> Column:
    """Give the number of the highest bit set; 0 for none. Words are short enough for a float to hold them exactly."""
    return np.maximum(np.frexp(bits.astype(np.float64))[1].astype(np.int64) - 1, 0)


def lowest(bits: Column) -> Column:
    """Give the number of the lowest bit set; 0 for none."""
    return highest(bits & -bits)


def run_starts(values: Column) -> Column:
    """Give the indices at which a new value begins."""
    changes = np.empty(len(values), np.bool_)
    changes[:1] = True
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return np.flatnonzero(changes)
