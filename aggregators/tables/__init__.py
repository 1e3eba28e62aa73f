"""The one door to what is stored: what a batch reads and commits, what a reader gets, whichever store is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from aggregators.facts import Facts

Space = Literal["customers", "users"]
"""Which of a shard's two tables of ledgers."""


class Superseded(Exception):  # noqa: N818 - an outcome, not an error
    """Someone else has committed to the shard since it was read: nothing was written, read again."""


class Offset(msgspec.Struct, frozen=True):
    """Where reading goes on in one topic's partition."""

    identity: str
    """The topic's id: a topic made again has another one."""
    next: int
    """The offset of the first record that the tables do not cover."""


class Meta(msgspec.Struct, frozen=True):
    """What a shard says of itself; the state before the first commit has the defaults."""

    fingerprint: str | None = None
    partitions: int | None = None
    token: str = ""
    """Random, another one after every commit."""
    version: int = 0
    """One more after every commit."""
    offsets: Mapping[str, Offset] = {}
    """By topic."""
    outcomes: Mapping[str, int] = {}
    """Events so far by `type/outcome`, and rejects by `rejected/reason`."""


class Commit(msgspec.Struct):
    """One transaction of one shard: everything below is written, or nothing."""

    based_on: Meta
    """What `Shard.begin` returned; written is only if its token is still the shard's."""
    fingerprint: str
    partitions: int
    ledgers: dict[Space, dict[str, bytes]]
    """The ledgers that changed, by table and field."""
    facts: Facts
    """What to add to the facts."""
    offsets: dict[str, Offset]
    """New values for the topics named; the others stay."""
    outcomes: dict[str, int]
    """What to add to the counts."""


class Shard(Protocol):
    """One shard, opened for writing by one thread at a time."""

    def begin(self) -> Meta:
        """Read the shard's meta; what is read until `commit` is fenced by its token."""

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields."""

    def commit(self, commit: Commit) -> Meta:
        """Write a transaction and give the new meta.

        Raises:
            Superseded: someone else has committed in between; nothing was written.
            TablesUnavailable: the store did not answer; whether the transaction was written shows at the next `begin`.
        """

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table, in no order, without blocking the store for long."""

    def close(self) -> None:
        """Let go of connections."""


class Changes(msgspec.Struct, frozen=True):
    """What differs between a shard now and a reader's last look at it."""

    meta: Meta
    days: dict[int, dict[str, int]]
    """The facts of every day that changed, whole; an empty map for a day that is gone."""


class Reader(Protocol):
    """A reader's view of all shards; it never writes."""

    def changes(self, shard: int, seen: Mapping[int, str]) -> tuple[Changes, Mapping[int, str]]:
        """Give one consistent version of a shard's changed days, and what to pass as `seen` next time.

        `seen` maps each known day to the stamp (version and token) of the commit that last changed it, so that a
        store which went back in time is noticed too. Start with an empty map.
        """

    def close(self) -> None:
        """Let go of connections."""


class Tables(Protocol):
    """A store: the in-memory one and Redis (one server or a cluster) behave alike."""

    def shard(self, number: int) -> Shard:
        """Open a shard for writing."""

    def reader(self) -> Reader:
        """Open all shards for reading."""

    def replace_facts(self, number: int, fingerprint: str, facts: Facts) -> None:
        """Put newly folded facts in place of all that derive from ledgers; kept measures stay (SPEC, section 6).

        Safe to interrupt: until it is done the shard's fingerprint is one that no worker has.
        """


class TablesUnavailable(Exception):  # noqa: N818 - reads as the state it names
    """The store cannot be reached or cannot take writes now; the message says what to do."""
