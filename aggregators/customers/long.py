"""A long billing ledger: closed chunks of items, each with the sweep's state at its start, and a head.

An event is worked out from the chunk that it belongs to, and only up to where the sweep is as it was: so one that
comes in time needs the head alone, and a late one the chunks that it changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from xxhash import xxh3_64_intdigest

from aggregators.customers.histories import History, Rewritten, thinned
from aggregators.customers.items import Item, Terms, order
from aggregators.customers.ledger import BillingEvent, Ledger, pruned
from aggregators.customers.timeline import Change, State, Sweep
from aggregators.parts import Index, Read, Shelf, field, read
from aggregators.rules import Rules

FORMAT = 2
CHUNK = 256
"""Items in a chunk that is closed; of twice as many two are made. A ledger up to that size is no long one."""
CHUNKS_AT_ONCE = 32

Key = tuple[int, int, str]
"""What items are ordered by."""
Touched = dict[int, tuple[list[Item], list[Item]]]
"""Items to take out of chunks, and items to put in, by the chunk's place."""
Id = tuple[int, int]
"""Hash of an item's rank and id, and its instant."""


class Chunk(msgspec.Struct, array_like=True):
    """Some items that stand together, and the sweep where it comes to them."""

    state: State
    changes: list[Change]
    """As far as what comes from here on depends on them."""
    terms: list[Terms] = []
    items: list[Item] = []


class Head(msgspec.Struct, array_like=True):
    """What is kept of a long ledger in its own field."""

    format: int
    owner: str
    """The field."""
    open: Chunk
    """The newest items."""
    key: Key
    """From here on."""
    tip: State
    """The sweep after them, nothing later done."""
    passed: list[Change] = []
    """What the sweep added to the open chunk's changes on its way to the tip."""
    tip_rules: int = 0
    """`Rules.tag` of the rules that all states and changes were made by: under others they say nothing."""
    keys: list[Key] = []
    """For each closed chunk, the key from which on its items are; the first one holds all before the second's."""
    numbers: list[int] = []
    """For each closed chunk, its part's number."""
    next: int = 0
    """The number that the next chunk gets."""
    ids: Index = msgspec.field(default_factory=Index)


_heads = msgspec.msgpack.Decoder(Head)
_chunks = msgspec.msgpack.Decoder(Chunk)
_ids = msgspec.msgpack.Decoder(list[Id])
_encode = msgspec.msgpack.encode


def is_long(packed: bytes | None) -> bool:
    """Tell a long ledger's head by its bytes."""
    return packed is not None and packed[1] == FORMAT


def is_to_be_long(ledger: Ledger) -> bool:
    """Tell whether a ledger has grown too long to be one value."""
    return len(ledger.items) > 2 * CHUNK


class Long:
    """One long ledger, of which the parts are read that are needed.

    Args:
        rules: the settings that the sweep reads.
        head: is kept up to date.
        reading: reads parts.
    """

    __slots__ = ("_chunks", "_dirty", "_gone", "_histories", "_ids", "_reading", "_rules", "head")

    def __init__(self, rules: Rules, head: Head, reading: Read) -> None:
        """Read no part yet."""
        self.head = head
        self._rules, self._reading = rules, reading
        self._ids: Shelf[Id] = Shelf(head.owner, "i", head.ids, reading, _ids, width=2)
        self._chunks: dict[int, Chunk] = {}
        self._dirty: set[int] = set()
        self._gone: set[int] = set()
        self._histories: dict[int, History] = {}

    @classmethod
    def unpack(cls, rules: Rules, packed: bytes, reading: Read) -> Long:
        """Read a head."""
        return cls(rules, _heads.decode(packed), reading)

    @classmethod
    def of(cls, rules: Rules, owner: str, ledger: Ledger, reading: Read) -> Long:
        """Make a long ledger of one that has grown too long."""
        chunk = Chunk(State(), [], ledger.terms, ledger.items)
        self = cls(rules, Head(FORMAT, owner, chunk, order(ledger.items[0]), State()), reading)
        self._ids.fill(map(_id, ledger.items))
        self.renew()
        return self

    def packed(self) -> dict[str, bytes]:
        """Give the fields that changed."""
        head = self.head
        changed = {field(head.owner, f"c{number}"): self._encoded(self._chunks[number]) for number in self._dirty}
        changed |= {field(head.owner, f"c{number}"): b"" for number in self._gone}
        changed |= self._ids.changes()
        try:
            return changed | {head.owner: _encode(head)}
        except OverflowError:
            bare = Chunk(State(), [], head.open.terms, head.open.items)
            head = msgspec.structs.replace(head, open=bare, tip=State(), passed=[], tip_rules=0)
            return changed | {head.owner: _encode(head)}

    def known(self, events: Iterable[BillingEvent]) -> Ledger:
        """Give a ledger of those items alone that have an id of the events."""
        found = Ledger()
        # Their hash may be another's, too: what stands at the instant tells.
        asked = {(item.rank, item.id): _hash(item) for item in map(Ledger().item, events)}
        self._ids.want((hashed,) for hashed in asked.values())
        keys = [(at, *name) for name, hashed in asked.items() for _, at in self._ids.starting((hashed,))]
        places = [self._place(key) for key in keys]
        self._load(places)
        for key, place in zip(keys, places, strict=True):
            chunk = self._chunk(place)
            index = bisect_left(chunk.items, key, key=order)
            if index < len(chunk.items) and order(item := chunk.items[index]) == key:
                found.insert(msgspec.structs.replace(item, terms=found.note(chunk.terms[item.terms])))
        return found

    def merge(
        self, removed: Sequence[Item], added: Sequence[Item], terms: Sequence[Terms]
    ) -> tuple[Sweep, Sweep, Rewritten]:
        """Take out items and put in others, of which there is at least one, and sweep over what that changes.

        Args:
            removed: items that are there.
            added: items that are not.
            terms: theirs.

        Returns:
            The sweeps over the items as they were and as they are, and the two histories.
        """
        for item in removed:
            self._ids.remove(_id(item))
        for item in added:
            self._ids.add(_id(item))
        self._histories.clear()
        first = min((*removed, *added), key=order)
        since = self._rules.zone.day(first.at)
        if self._in_time(removed, added, first):
            old, new = self._append(added, terms)
            return old, new, Rewritten(old.finish(), new.finish(), since, elsewhere=self.history)
        touched: Touched = {}
        for which, items in enumerate((removed, added)):
            for item in items:
                touched.setdefault(self._place(order(item)), ([], []))[which].append(item)
        old, new, until = self._walk(min(touched), touched, terms)
        if until is None:
            return old, new, Rewritten(old.finish(), new.finish(), since, elsewhere=self.history)
        return old, new, Rewritten(old.changes, new.changes, since, until, self.history)

    def renew(self) -> None:
        """Sweep over everything."""
        self._walk(0, {}, ())

    def history(self, day: int) -> History:
        """Give a history that tells of a day."""
        if not self._valid():
            return self.whole()
        days = self._rules.zone.day
        place = max(bisect_right([*self.head.keys, self.head.key], day, key=lambda key: days(key[0])) - 1, 0)
        if place not in self._histories:
            head, chunk = self.head, self._chunk(place)
            if chunk is head.open:
                sweep = Sweep(self._rules, head.tip.copy(), chunk.changes + head.passed)
            else:
                # What items of later chunks do comes after the day.
                sweep = Sweep(self._rules, chunk.state.copy(), chunk.changes)
                sweep.run(chunk.items, chunk.terms)
            self._histories[place] = sweep.finish()
        return self._histories[place]

    def whole(self) -> History:
        """Give the whole history."""
        sweep = Sweep(self._rules)
        for chunk in self.chunks():
            sweep.run(chunk.items, chunk.terms)
        return sweep.finish()

    def chunks(self) -> Iterator[Chunk]:
        """Read all chunks, the open one last."""
        for place, _ in enumerate(self.head.numbers):
            if not place % CHUNKS_AT_ONCE:
                self._load(range(place, min(place + CHUNKS_AT_ONCE, len(self.head.numbers))))
            yield self._chunk(place)
        yield self.head.open

    def _encoded(self, chunk: Chunk) -> bytes:
        try:
            return _encode(chunk)
        except OverflowError:
            # A monthly amount beyond 64 bits: all is swept anew each time, for what was sent is kept.
            self.head.tip_rules = 0
            return _encode(Chunk(State(), [], chunk.terms, chunk.items))

    def _valid(self) -> bool:
        return self.head.tip_rules == self._rules.tag

    def _in_time(self, removed: Sequence[Item], added: Sequence[Item], first: Item) -> bool:
        """Tell whether all that changes comes after all there is, and goes into the open chunk."""
        items = self.head.open.items
        newest = order(items[-1]) if items else self.head.key
        return self._valid() and not removed and order(first) > newest and len(items) + len(added) <= 2 * CHUNK

    def _append(self, added: Sequence[Item], terms: Sequence[Terms]) -> tuple[Sweep, Sweep]:
        """Put items after all others."""
        head = self.head
        known = len(head.open.changes)
        old = Sweep(self._rules, head.tip, head.open.changes + head.passed)
        new = old.fork()
        edited = Ledger(terms=head.open.terms, items=head.open.items)
        place = len(edited.items)
        _put(edited, added, terms)
        new.run(edited.items[place:], edited.terms)
        head.tip, head.passed = new.state.copy(), new.changes[known:]
        return old, new

    def _walk(self, begin: int, touched: Touched, terms: Sequence[Terms]) -> tuple[Sweep, Sweep, int | None]:
        """Sweep twice from a chunk on, with its items as they were and as they are, until the two do not differ.

        Returns:
            The sweeps, and the day from which on they would say the same; None if they have come to the end.
        """
        head, valid = self.head, self._valid()
        begin = begin if valid else 0
        keys, numbers = [*head.keys, head.key], [*head.numbers, -1]
        del head.keys[begin:], head.numbers[begin:]
        chunk = self._get(numbers[begin])
        old = Sweep(self._rules, chunk.state.copy(), chunk.changes) if valid else Sweep(self._rules)
        new = old.fork()
        last = max(touched, default=-1)
        for place in range(begin, len(keys)):
            chunk = self._get(numbers[place])
            if valid and begin <= last < place and _meet(old, new):
                head.keys += keys[place:-1]
                head.numbers += numbers[place:-1]
                return old, new, new.state.day
            old.run(chunk.items, chunk.terms)
            items = chunk.items
            if place in touched:
                removed, added = touched[place]
                edited = Ledger(terms=chunk.terms.copy(), items=chunk.items.copy())
                for item in removed:
                    edited.remove(item)
                _put(edited, added, terms)
                chunk = Chunk(chunk.state, chunk.changes, *pruned(edited.terms, edited.items))
            self._put_back(chunk, keys[place], numbers[place], new, edited=chunk.items is not items)
        head.tip_rules = self._rules.tag
        return old, new, None

    def _put_back(self, chunk: Chunk, key: Key, number: int, sweep: Sweep, *, edited: bool) -> None:
        """Sweep over a chunk, and put it behind those that the head has; of one too long several are made."""
        head, items = self.head, chunk.items
        is_open = number < 0
        if not items and not is_open:
            self._gone.add(number)
            return
        size = CHUNK if len(items) > 2 * CHUNK else max(len(items), 1)
        for start in range(0, max(len(items), 1), size):
            piece = items[start : start + size]
            key = order(piece[0]) if start else key
            state, changes = sweep.state.copy(), thinned(sweep.changes, self._rules.zone.day(key[0]))
            passed = len(sweep.changes)
            sweep.run(piece, chunk.terms)
            swept = Chunk(state, changes, chunk.terms, piece)
            if size < len(items):
                swept = Chunk(state, changes, *pruned(chunk.terms, piece))
            if is_open and start + size >= len(items):
                head.open, head.key = swept, key
                head.tip, head.passed = sweep.state.copy(), sweep.changes[passed:]
                return
            name = number
            if is_open or start:
                name, head.next = head.next, head.next + 1
            if edited or name != number or size < len(items) or (state, changes) != (chunk.state, chunk.changes):
                self._chunks[name] = swept
                self._dirty.add(name)
            head.keys.append(key)
            head.numbers.append(name)

    def _place(self, key: Key) -> int:
        """Give the place of the chunk that an item is in, or would be."""
        if key >= self.head.key:
            return len(self.head.keys)
        return max(bisect_right(self.head.keys, key) - 1, 0)

    def _chunk(self, place: int) -> Chunk:
        return self._get(self.head.numbers[place] if place < len(self.head.numbers) else -1)

    def _get(self, number: int) -> Chunk:
        if number < 0:
            return self.head.open
        if number not in self._chunks:
            self._read([number])
        return self._chunks[number]

    def _load(self, places: Iterable[int]) -> None:
        closed = (self.head.numbers[place] for place in set(places) if place < len(self.head.numbers))
        self._read([number for number in closed if number not in self._chunks])

    def _read(self, numbers: Sequence[int]) -> None:
        found = read(self._reading, self.head.owner, [f"c{number}" for number in numbers])
        self._chunks |= dict(zip(numbers, map(_chunks.decode, found), strict=True))


def _meet(old: Sweep, new: Sweep) -> bool:
    """Tell whether two sweeps would say the same from here on, and so would all windows."""
    if old.state != new.state:
        return False
    # What falls due comes on the state's day or later, however far away the next item is.
    day = new.state.day
    return thinned(old.changes, day) == thinned(new.changes, day)


def _put(ledger: Ledger, added: Iterable[Item], terms: Sequence[Terms]) -> None:
    for item in sorted(added, key=order):
        ledger.insert(msgspec.structs.replace(item, terms=ledger.note(terms[item.terms])))


def _hash(item: Item) -> int:
    return xxh3_64_intdigest(f"{item.rank}{item.id}".encode())


def _id(item: Item) -> Id:
    return _hash(item), item.at
