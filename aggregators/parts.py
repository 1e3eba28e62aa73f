"""Parts: what a ledger that has grown long keeps in fields of its own, so that an event reads and writes only a few.

A ledger's own field, its head, is what a batch reads of everybody. The head of a long one says which parts there are;
a fold asks for those that its events need, when it needs them, through the one function that it is given.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from aggregators.facts import SEPARATOR
from aggregators.tables.door import Space, TablesUnavailable

PREFIX = "p"
"""First letter of a part's field, which is followed by the part's name and the field that it is a part of."""
ROWS = 512
"""A shelf's part with more rows than this becomes two."""

Read = Callable[[Sequence[str]], Sequence[bytes | None]]
"""Reads fields of one table, in the version that the batch is fenced by."""
Further = Callable[[Space, Sequence[str]], Sequence[bytes | None]]
"""The same for any table."""

Row = TypeVar("Row", bound=tuple[Any, ...])
Key = tuple[Any, ...]
"""The beginning of a row, which tells it from the others."""


def whole(fields: Sequence[str]) -> Sequence[bytes | None]:
    """Read where no ledger is in parts."""
    return [None] * len(fields)


def all_whole(_: Space, fields: Sequence[str]) -> Sequence[bytes | None]:
    """Do the same for any table."""
    return whole(fields)


def field(owner: str, name: str) -> str:
    """Name the field of a ledger's part; `owner` is the field of the ledger's head."""
    return PREFIX + name + SEPARATOR + owner


def read(reading: Read, owner: str, names: Sequence[str]) -> list[bytes]:
    """Read parts that a head says there are.

    Raises:
        TablesUnavailable: one of them is missing.
    """
    found: list[bytes] = []
    for part in reading([field(owner, name) for name in names]) if names else ():
        if part is None:
            raise lost(owner[1:])
        found.append(part)
    return found


def lost(whose: str) -> TablesUnavailable:
    """Give the error that a part of somebody's ledger is missing."""
    return TablesUnavailable(
        f"Redis has lost a part of a long ledger ({whose}): restore a snapshot of Redis, or start the "
        "workers on an empty one, where they read again all that Kafka still has."
    )


class Index(msgspec.Struct, array_like=True):
    """What a head keeps of a shelf: of each part its number, and the key from which on its rows are."""

    keys: list[Key] = []
    """Ascending; the first part holds all rows before the second's key."""
    numbers: list[int] = []
    next: int = 0
    """The number that the next part gets."""


class Shelf(Generic[Row]):
    """A sorted list of rows in parts, of which those are read that are asked for.

    Args:
        owner: the field of the ledger's head.
        name: of this shelf among the ledger's.
        index: is kept up to date.
        reading: reads parts.
        decoder: of a part's rows.
        width: how many of a row's first values make it another than all others.
    """

    __slots__ = ("_decoder", "_dirty", "_gone", "_index", "_name", "_owner", "_parts", "_reading", "_width")

    def __init__(
        self,
        owner: str,
        name: str,
        index: Index,
        reading: Read,
        decoder: msgspec.msgpack.Decoder[list[Row]],
        width: int,
    ) -> None:
        """Read nothing yet."""
        self._owner, self._name, self._index = owner, name, index
        self._reading, self._decoder, self._width = reading, decoder, width
        self._parts: dict[int, list[Row]] = {}
        self._dirty: set[int] = set()
        self._gone: set[int] = set()

    def fill(self, rows: Iterable[Row]) -> None:
        """Put rows on an empty shelf."""
        self._index.keys, self._index.numbers = [()], [self._index.next]
        self._parts[self._index.next] = sorted(rows)
        self._index.next += 1
        self._changed(0)

    def want(self, keys: Iterable[Key]) -> None:
        """Read the parts in which keys stand or would, all at once."""
        self._load({self._place(key) for key in keys})

    def starting(self, key: Key) -> list[Row]:
        """Give the rows that begin with a key."""
        found: list[Row] = []
        for row in self.since(key):
            if row[: len(key)] != key:
                break
            found.append(row)
        return found

    def since(self, key: Key) -> Iterator[Row]:
        """Give the rows from a key on, in order."""
        for place in range(self._place(key), len(self._index.numbers)):
            rows = self._rows(place)
            yield from rows[bisect_left(rows, key) :]

    def before(self, key: Key) -> Row | None:
        """Give the last row before a key."""
        for place in range(self._place(key), -1, -1):
            rows = self._rows(place)
            upto = bisect_left(rows, key)
            if upto:
                return rows[upto - 1]
        return None

    def add(self, row: Row) -> None:
        """Put in a row."""
        place = self._place(row)
        rows = self._rows(place)
        rows.insert(bisect_left(rows, row), row)
        self._changed(place)

    def remove(self, row: Row) -> None:
        """Take out a row, which is there."""
        place = self._place(row)
        rows = self._rows(place)
        del rows[bisect_left(rows, row)]
        self._changed(place)

    def __iter__(self) -> Iterator[Row]:
        """Iterate over all rows, in order."""
        return self.since(())

    def changes(self) -> dict[str, bytes]:
        """Give the parts that changed, by field; empty bytes for one that is no more."""
        encode = msgspec.msgpack.encode
        changed = {number: encode(self._parts[number]) for number in self._dirty} | dict.fromkeys(self._gone, b"")
        return {field(self._owner, self._part(number)): packed for number, packed in changed.items()}

    def _part(self, number: int) -> str:
        return f"{self._name}{number}"

    def _place(self, key: Key) -> int:
        return max(bisect_right(self._index.keys, key) - 1, 0)

    def _rows(self, place: int) -> list[Row]:
        self._load((place,))
        return self._parts[self._index.numbers[place]]

    def _load(self, places: Iterable[int]) -> None:
        numbers = [number for place in places if (number := self._index.numbers[place]) not in self._parts]
        found = read(self._reading, self._owner, [self._part(number) for number in numbers])
        for number, packed in zip(numbers, found, strict=True):
            self._parts[number] = self._decoder.decode(packed)

    def _changed(self, place: int) -> None:
        """Note that a part has changed, and make several of one that is too long, none of an empty one."""
        keys, numbers = self._index.keys, self._index.numbers
        number = numbers[place]
        rows = self._parts[number]
        self._dirty.add(number)
        if not rows and len(numbers) > 1:
            del keys[place], numbers[place]
            self._dirty.discard(number)
            self._gone.add(number)
        elif len(rows) > ROWS:
            size = ROWS // 2 + 1
            pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
            fresh = list(range(self._index.next, self._index.next + len(pieces) - 1))
            self._index.next += len(fresh)
            self._parts |= dict(zip((number, *fresh), pieces, strict=True))
            self._dirty.update(fresh)
            keys[place + 1 : place + 1] = [piece[0][: self._width] for piece in pieces[1:]]
            numbers[place + 1 : place + 1] = fresh
