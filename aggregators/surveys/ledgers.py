"""A customer's surveys as packed bytes: one value of them all, or a head and sorted parts where they are many."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from xxhash import xxh3_64_intdigest

from aggregators.events import Kind
from aggregators.parts import Index, Read, Shelf

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


Told = tuple[int, str, int]
"""A standing nps answer: instant, id, score."""
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

    def told(self) -> list[Told]:
        """Give all standing nps answers, in order."""
        return sorted((answer.at, name, answer.score) for name, answer in self._value.answers.items() if answer.told)

    def since(self, instant: int) -> list[ByTime]:
        """Give standing nps answers from an instant on, in order."""
        answers = self._value.answers.items()
        return sorted((a.at, name, a.user_id, a.score) for name, a in answers if a.told and a.at >= instant)

    def of_user(self, user_id: str, instant: int) -> tuple[Told | None, list[Told]]:
        """Give a user's last standing nps answer before an instant, and those from it on, in order."""
        answers = self._value.answers.items()
        told = sorted((a.at, name, a.score) for name, a in answers if a.user_id == user_id and a.told)
        place = bisect_left(told, (instant,))
        return told[place - 1] if place else None, told[place:]

    def expect(self, keys: Iterable[tuple[str, int]]) -> None:
        """Do nothing: all is here."""

    def known(self, names: Collection[str]) -> dict[str, Answer]:
        """Give those of the answers with these ids that there are."""
        answers = self._value.answers
        return {name: answers[name] for name in names if name in answers}

    def put(self, changes: Mapping[str, tuple[Answer | None, Answer]]) -> None:
        """Put in answers by id."""
        self._value.answers.update({name: answer for name, (_, answer) in changes.items()})

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


class Long:
    """Answers in parts: all by the hash of their ids, and those of nps that stand by user and by time, too."""

    def __init__(self, head: Head, reading: Read) -> None:
        """Read no part yet."""
        self._head = head
        self._ids: Shelf[Named] = Shelf(head.owner, "i", head.ids, reading, _named, width=2)
        self._users: Shelf[ByUser] = Shelf(head.owner, "u", head.users, reading, _by_user, width=3)
        self._times: Shelf[ByTime] = Shelf(head.owner, "t", head.times, reading, _by_time, width=2)

    @classmethod
    def unpack(cls, packed: bytes, reading: Read) -> Long:
        """Read a head."""
        return cls(_head.decode(packed), reading)

    def last(self, instant: int) -> Told | None:
        """Give the last standing nps answer before an instant."""
        row = self._times.before((instant,))
        return None if row is None else (row[0], row[1], row[3])

    def since(self, instant: int) -> Iterator[ByTime]:
        """Give standing nps answers from an instant on, in order."""
        return self._times.since((instant,))

    def of_user(self, user_id: str, instant: int) -> tuple[Told | None, Iterator[Told]]:
        """Give a user's last standing nps answer before an instant, and those from it on, in order."""
        before = self._users.before((user_id, instant))
        rows = itertools.takewhile(lambda row: row[0] == user_id, self._users.since((user_id, instant)))
        return before[1:] if before is not None and before[0] == user_id else None, (row[1:] for row in rows)

    def expect(self, keys: Iterable[tuple[str, int]]) -> None:
        """Read at once what `of_user` will be asked for."""
        self._users.want(keys)

    def fill(self, answers: Mapping[str, Answer]) -> None:
        """Put answers into an empty ledger."""
        told = [(name, answer) for name, answer in answers.items() if answer.told]
        self._ids.fill(itertools.starmap(_named_row, answers.items()))
        self._users.fill(map(_user_row, told))
        self._times.fill(map(_time_row, told))

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
                    self._users.remove(_user_row((name, old)))
                    self._times.remove(_time_row((name, old)))
            self._ids.add(_named_row(name, new))
            if new.told:
                self._users.add(_user_row((name, new)))
                self._times.add(_time_row((name, new)))

    def everything(self) -> dict[str, Answer]:
        """Give all answers by id."""
        return {row[1]: Answer(*row[2:]) for row in self._ids}

    def packed(self) -> dict[str, bytes]:
        """Give the fields that changed."""
        parts = self._ids.changes() | self._users.changes() | self._times.changes()
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
