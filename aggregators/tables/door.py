"""The one door to what is stored: what a batch reads and commits, what a reader gets, whichever store is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, get_args

import msgspec

from aggregators.facts import Facts

Space = Literal["customers", "users"]
"""Which of a shard's two tables of ledgers."""
SPACES: tuple[Space, ...] = get_args(Space)

COMMIT_LEDGERS = 4_000
COMMIT_BYTES = 8 * 2**20
"""About how much one commit may hold, ledgers for each of the two tables and bytes in all, so that it never blocks the
store for long: whoever makes it splits it there."""

REBUILDING = "rebuilding:"
"""The fingerprint of a shard that is being rebuilt begins with this: no worker has such a one."""
EMPTYING = f"{REBUILDING}from-kafka:"
"""That of a shard that is being emptied: what it still holds is only a part, and must not be folded."""


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


class Busy(Exception):  # noqa: N818 - an outcome, not an error
    """A shard could not be read whole: somebody committed during every attempt, and it is too large for one answer."""


class Commit(msgspec.Struct):
    """One transaction of one shard: everything below is written, or nothing."""

    based_on: Meta
    """What `Shard.begin` returned; written is only if its token is still the shard's."""
    fingerprint: str
    partitions: int
    ledgers: dict[Space, dict[str, bytes]]
    """The ledgers that changed, by table and field; empty bytes remove one."""
    facts: Facts
    """What to add to the facts."""
    offsets: dict[str, Offset]
    """New values for the topics named; the others stay."""
    outcomes: dict[str, int]
    """What to add to the counts."""


class Shard(Protocol):
    """One shard, opened for writing by one thread at a time. Every method may raise TablesUnavailable."""

    def begin(self) -> Meta:
        """Read the shard's meta; what is read until `commit` is fenced by its token."""

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields.

        Raises:
            Superseded: there was no `begin`, or the shard has moved to another server since: begin again.
        """

    def commit(self, commit: Commit) -> Meta:
        """Write a transaction and give the new meta; the next one needs another `begin`.

        Raises:
            Superseded: someone else has committed in between; nothing was written.
            TablesUnavailable: the store did not answer; whether the transaction was written shows at the next `begin`.
        """

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table, in no order, without blocking the store for long.

        Not one consistent version: whoever needs that compares the tokens before and after.
        """

    def close(self) -> None:
        """Let go of connections."""


class Changes(msgspec.Struct, frozen=True):
    """What differs between a shard now and a reader's last look at it."""

    meta: Meta
    days: dict[int, dict[str, int]]
    """The facts of every day that changed, whole; an empty map for a day that is gone."""


class Sink(Protocol):
    """Takes the ledgers of a snapshot, a handful at a time, so that they need not fit into memory."""

    def start(self) -> None:
        """Forget what was taken: another attempt begins."""

    def take(self, space: Space, ledgers: Iterable[tuple[str, bytes]]) -> None:
        """Take some ledgers of one table, by field."""


class Reader(Protocol):
    """A reader's view of all shards; it never writes."""

    def changes(self, shard: int, seen: Mapping[int, str]) -> tuple[Changes, Mapping[int, str]]:
        """Give one consistent version of a shard's changed days, and what to pass as `seen` next time.

        `seen` maps each known day to the stamp (version and token) of the commit that last changed it, so that a
        store which went back in time is noticed too. Start with an empty map; hand it back as it was given.
        """

    def close(self) -> None:
        """Let go of connections."""


class Health(msgspec.Struct, frozen=True):
    """What a store says of itself; None for what it does not tell."""

    server: str
    """Kind and version."""
    address: str
    """Without the password."""
    cluster: bool = False
    used_bytes: int | None = None
    max_bytes: int | None = None
    """0 for no limit."""
    eviction: str | None = None
    """Redis' maxmemory-policy: anything but `noeviction` may lose ledgers."""
    append_only: bool | None = None
    """Whether writes survive a crash of the store."""
    append_fsync: str | None = None


class Tables(Protocol):
    """A store: the in-memory one and Redis (one server or a cluster) behave alike."""

    def shard(self, number: int) -> Shard:
        """Open a shard for writing; nothing is connected before the first `begin`."""

    def reader(self) -> Reader:
        """Open all shards for reading."""

    def snapshot(self, number: int, sink: Sink) -> Changes:
        """Give one version of a whole shard, whoever commits meanwhile: its facts, and to the sink its ledgers.

        It only reads; what the sink holds counts once this has returned.

        Raises:
            Busy: there were commits during every attempt, and the shard is too large to be read in one answer.
        """

    def start_rebuild(self, number: int) -> Meta:
        """Mark a shard as being rebuilt, which supersedes every batch under way, and give its meta.

        Comes before the ledgers are read for `replace_facts`. Until that is done the shard's fingerprint is one that
        no worker has; the facts stay as they were. Safe to run again.
        """

    def start_emptying(self, number: int) -> Meta:
        """Mark a shard as being emptied, which supersedes every batch under way, and give its meta.

        Until `empty` is done its fingerprint is one that no worker has and that no rebuild takes. Safe to run again.
        """

    def empty(self, number: int, based_on: Meta, made_for: tuple[str, int] | None) -> None:
        """Remove all that a shard holds: ledgers, facts, counts and offsets, so that it is read anew from Kafka.

        Interrupted, it leaves the mark, and can run again.

        Args:
            number: the shard.
            based_on: what `start_emptying` returned.
            made_for: fingerprint and number of partitions of the workers that may fill it; None leaves no trace.

        Raises:
            Superseded: somebody else has marked it since: start again.
        """

    def replace_facts(self, number: int, based_on: Meta, fingerprint: str, facts: Facts) -> Meta:
        """Put newly folded facts in place of all that derive from ledgers; kept measures stay (SPEC, section 6).

        Readers see the old facts or the new ones, never a mixture; interrupted, it has changed nothing.

        Args:
            number: the shard.
            based_on: what `start_rebuild` returned.
            fingerprint: of the rules that the facts were folded with.
            facts: all facts of the shard but those of kept measures.

        Raises:
            Superseded: someone has committed since `start_rebuild`: nothing was replaced, start again.
        """

    def ping(self) -> None:
        """Return if the store answers and has its data; TablesUnavailable says why not. Any thread may ask."""

    def health(self) -> Health:
        """Ask the store about itself, for a check by a person."""

    def close(self) -> None:
        """Let go of what `ping` and `health` may hold; shards and readers are closed by themselves."""


class TablesUnavailable(Exception):  # noqa: N818 - reads as the state it names
    """The store cannot be reached or cannot take writes now; the message says what to do."""
