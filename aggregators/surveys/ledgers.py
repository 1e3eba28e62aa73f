"""A customer's surveys as packed bytes: one value of them all, or a head and sorted parts where they are many."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

import msgspec
from xxhash import xxh3_64_intdigest

from aggregators.events import Kind
from aggregators.parts import Index, Read, Row, Shelf, whole

FORMAT, LONG_FORMAT = 1, 2
LONG = 512
"""More answers than this are kept in parts."""


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One survey event in a ledger."""

    at: int
    kind: Kind
    score: int
    user_id: str
    stamp: int
    """Twice the revision, and 1 more if withdrawn."""

    @property
    def withdrawn(self) -> bool:
        """Whether the event was taken back."""
        return bool(self.stamp & 1)

    @property
    def told(self) -> bool:
        """Whether it is an nps answer that stands."""
        return self.kind == "nps" and not self.stamp & 1


class Value(msgspec.Struct, array_like=True):
    """All survey events of one customer, by id."""

    format: int = FORMAT
    answers: dict[str, Answer] = {}


class Head(msgspec.Struct, array_like=True):
    """What is kept of many in the ledger's own field."""

    format: int
    owner: str
    """The field."""
    ids: Index = msgspec.field(default_factory=Index)
    users: Index = msgspec.field(default_factory=Index)
    times: Index = msgspec.field(default_factory=Index)


Named = tuple[int, str, int, Kind, int, str, int]
"""An event's id, after its hash, and its answer."""
ByUser = tuple[str, int, str, int]
"""A standing nps answer: user, instant, id, score."""
ByTime = tuple[int, str, str, int]
"""The same: instant, id, user, score."""

_value = msgspec.msgpack.Decoder(Value)
_head = msgspec.msgpack.Decoder(Head)
_named = msgspec.msgpack.Decoder(list[Named])
_by_user = msgspec.msgpack.Decoder(list[ByUser])
_by_time = msgspec.msgpack.Decoder(list[ByTime])
_encode = msgspec.msgpack.encode


class Short:
    """Answers in one value."""

    def __init__(self, owner: str, packed: bytes | None, reading: Read) -> None:
        """Read it; a new one for None."""
        self._owner, self._reading = owner, reading
        self._value = Value() if packed is None else _value.decode(packed)

    @cached_property
    def users(self) -> Shelf[ByUser]:
        """Standing nps answers by user."""
        return self._shelf(_by_user, map(_user_row, self._told()), 3)

    @cached_property
    def times(self) -> Shelf[ByTime]:
        """Standing nps answers in order."""
        return self._shelf(_by_time, map(_time_row, self._told()), 2)

    def known(self, names: Collection[str]) -> dict[str, Answer]:
        """Give those of the answers with these ids that there are."""
        answers = self._value.answers
        return {name: answers[name] for name in names if name in answers}

    def put(self, changes: Mapping[str, tuple[Answer | None, Answer]]) -> None:
        """Put in answers by id."""
        self._value.answers.update({name: answer for name, (_, answer) in changes.items()})
        self.__dict__.pop("users", None)
        self.__dict__.pop("times", None)

    def everything(self) -> dict[str, Answer]:
        """Give all answers by id."""
        return self._value.answers

    def packed(self) -> dict[str, bytes]:
        """Give the field, or those of a long ledger if there are too many answers for one."""
        if len(self._value.answers) <= LONG:
            return {self._owner: _encode(self._value)}
        long = Long(Head(LONG_FORMAT, self._owner), self._reading)
        long.fill(self._value.answers)
        return long.packed()

    def _told(self) -> Iterator[tuple[str, Answer]]:
        return ((name, answer) for name, answer in self._value.answers.items() if answer.told)

    @staticmethod
    def _shelf(decoder: msgspec.msgpack.Decoder[list[Row]], rows: Iterable[Row], width: int) -> Shelf[Row]:
        shelf = Shelf("", "", Index(), whole, decoder, width)
        shelf.fill(rows)
        return shelf


class Long:
    """Answers in parts: all by the hash of their ids, and those of nps that stand by user and by time, too."""

    def __init__(self, head: Head, reading: Read) -> None:
        """Read no part yet."""
        self._head = head
        self._ids: Shelf[Named] = Shelf(head.owner, "i", head.ids, reading, _named, width=2)
        self.users: Shelf[ByUser] = Shelf(head.owner, "u", head.users, reading, _by_user, width=3)
        self.times: Shelf[ByTime] = Shelf(head.owner, "t", head.times, reading, _by_time, width=2)

    @classmethod
    def unpack(cls, packed: bytes, reading: Read) -> Long:
        """Read a head."""
        return cls(_head.decode(packed), reading)

    def fill(self, answers: Mapping[str, Answer]) -> None:
        """Put answers into an empty ledger."""
        told = [(name, answer) for name, answer in answers.items() if answer.told]
        self._ids.fill(itertools.starmap(_named_row, answers.items()))
        self.users.fill(map(_user_row, told))
        self.times.fill(map(_time_row, told))

    def known(self, names: Collection[str]) -> dict[str, Answer]:
        """Give those of the answers with these ids that there are."""
        keys = [(_hash(name), name) for name in names]
        self._ids.want(keys)
        return {row[1]: Answer(*row[2:]) for key in keys for row in self._ids.starting(key)}

    def put(self, changes: Mapping[str, tuple[Answer | None, Answer]]) -> None:
        """Put in answers by id."""
        for name, (old, new) in changes.items():
            if old is not None:
                self._ids.remove(_named_row(name, old))
                if old.told:
                    self.users.remove(_user_row((name, old)))
                    self.times.remove(_time_row((name, old)))
            self._ids.add(_named_row(name, new))
            if new.told:
                self.users.add(_user_row((name, new)))
                self.times.add(_time_row((name, new)))

    def everything(self) -> dict[str, Answer]:
        """Give all answers by id."""
        return {row[1]: Answer(*row[2:]) for row in self._ids}

    def packed(self) -> dict[str, bytes]:
        """Give the fields that changed."""
        parts = self._ids.changes() | self.users.changes() | self.times.changes()
        return {self._head.owner: _encode(self._head)} | parts


def open_ledger(owner: str, packed: bytes | None, reading: Read) -> Short | Long:
    """Read what a ledger's own field holds."""
    if packed is not None and packed[1] == LONG_FORMAT:
        return Long.unpack(packed, reading)
    return Short(owner, packed, reading)


def _hash(name: str) -> int:
    return xxh3_64_intdigest(name.encode())


def _named_row(name: str, answer: Answer) -> Named:
    return _hash(name), name, *msgspec.structs.astuple(answer)


def _user_row(named: tuple[str, Answer]) -> ByUser:
    name, answer = named
    return answer.user_id, answer.at, name, answer.score


def _time_row(named: tuple[str, Answer]) -> ByTime:
    name, answer = named
    return answer.at, name, answer.user_id, answer.score
