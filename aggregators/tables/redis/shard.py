"""A shard in Redis, for a worker: what a batch reads and commits, fenced by WATCH and the token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from aggregators.tables import commits
from aggregators.tables.door import SPACES, Commit, Meta, Space, Superseded, TablesUnavailable
from aggregators.tables.redis.connection import Command, Link
from aggregators.tables.redis.layout import (
    BUCKETS,
    Bucketed,
    by_bucket,
    date_bytes,
    pack_facts,
    pack_meta,
    pairs,
    unpack_facts,
    unpack_meta,
)
from aggregators.tables.redis.wire import Packed, append, beginning, with_lengths, with_values

_BUCKETS_AT_ONCE = 16


class RedisShard:
    """A shard in Redis, opened for writing by one thread at a time."""

    def __init__(self, link: Link) -> None:
        """Take a link of its own: EXEC drops every WATCH of a connection."""
        self._link = link
        self._keys = link.keys
        self._begun: str | None = None
        self._read: dict[Space, tuple[list[str], Bucketed, list[bytes]]] = {}
        """What was read last of each table, sorted: what is written after it needs no sorting again."""
        self._hmget, self._hset = (
            {
                space: [beginning(name, self._keys.bucket(space, number)) for number in range(BUCKETS)]
                for space in SPACES
            }
            for name in ("HMGET", "HSET")
        )

    def begin(self) -> Meta:
        """Read the shard's meta; what is read until `commit` is fenced by its token."""
        meta_key = self._keys.meta
        # The last one fails here where `days` is no hash, and not in the middle of a transaction.
        probe = ("HSTRLEN", self._keys.days, "")
        *_, flat, _ = self._link.call(("UNWATCH",), ("WATCH", meta_key), ("HGETALL", meta_key), probe)
        meta = unpack_meta(flat)
        self._begun = meta.token
        return meta

    def read(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read ledgers, None where there is none, in the order of the fields."""
        if self._begun is None:
            raise Superseded
        if not fields:
            return []
        bucketed = by_bucket(fields)
        parts = with_lengths(bucketed.names)
        self._read[space] = list(fields), bucketed, parts
        reads: list[bytes] = []
        for number, start, end in bucketed.buckets:
            append(reads, self._hmget[space][number], parts[2 * start : 2 * end])
        replies = self._link.call(Packed(len(bucketed.buckets), reads), resume=True)
        found: list[bytes | None] = [None] * len(fields)
        for place, ledger in zip(bucketed.places, chain.from_iterable(replies), strict=True):
            found[place] = ledger
        return found

    def commit(self, commit: Commit) -> Meta:
        """Write a transaction and give the new meta; the next one needs another `begin`."""
        begun, self._begun = self._begun, None
        if begun != commit.based_on.token:
            raise Superseded
        meta = commits.committed(commit)
        writes = [*self._fact_writes(commit, commits.stamp(meta)), *self._ledger_writes(commit)]
        transact(self._link, meta, writes)
        return meta

    def ledgers(self, space: Space) -> Iterator[tuple[str, bytes]]:
        """Iterate over all ledgers of one table, in no order, a few buckets at a time."""
        for first in range(0, BUCKETS, _BUCKETS_AT_ONCE):
            numbers = range(first, first + _BUCKETS_AT_ONCE)
            for flat in self._link.call(*(("HGETALL", self._keys.bucket(space, number)) for number in numbers)):
                for field, ledger in pairs(flat):
                    yield field.decode(), ledger

    def close(self) -> None:
        """Let go of the connection."""
        self._begun = None
        self._link.close()

    def _fact_writes(self, commit: Commit, stamp: str) -> list[Command]:
        """Read the groups of the days that change, add, and give what is to be written."""
        days = commits.by_group(commit.facts)
        if not days:
            return []
        names = [self._keys.day(day) for day in days]
        reads = [("HMGET", name, *groups) for name, groups in zip(names, days.values(), strict=True)]
        stamps = (item for day in days for item in (date_bytes(day), stamp))
        writes: list[Command] = [("HSET", self._keys.days, *stamps)]
        for name, groups, packed in zip(names, days.values(), self._link.call(*reads, resume=True), strict=True):
            changed: list[str | bytes] = []
            emptied: list[str] = []
            for (group, delta), stored in zip(groups.items(), packed, strict=True):
                facts = unpack_facts((stored,))
                commits.add(facts, delta)
                if facts:
                    changed += (group, pack_facts(facts))
                elif stored is not None:
                    emptied.append(group)
            # Redis drops a hash with its last field; the day's stamp stays, so that readers notice.
            if changed:
                writes.append(("HSET", name, *changed))
            if emptied:
                writes.append(("HDEL", name, *emptied))
        return writes

    def _ledger_writes(self, commit: Commit) -> Iterator[Command]:
        for space, changed in commit.ledgers.items():
            removed = [field for field, ledger in changed.items() if not ledger]
            if removed:
                gone = by_bucket(removed)
                for number, start, end in gone.buckets:
                    yield ("HDEL", self._keys.bucket(space, number), *gone.names[start:end])
            ledgers = {field: ledger for field, ledger in changed.items() if ledger} if removed else changed
            if not ledgers:
                continue
            fields = list(ledgers)
            read, bucketed, names = self._read.get(space, ((), None, []))
            # Most often what was read is what is written.
            if bucketed is None or read != fields:
                bucketed = by_bucket(fields)
                names = with_lengths(bucketed.names)
            values = list(ledgers.values())
            parts = with_values(names, [values[place] for place in bucketed.places])
            sets: list[bytes] = []
            for number, start, end in bucketed.buckets:
                append(sets, self._hset[space][number], parts[4 * start : 4 * end])
            yield Packed(len(bucketed.buckets), sets)


def transact(link: Link, meta: Meta, writes: Sequence[Command]) -> None:
    """Write a shard's new meta and all else in one transaction, if nothing that is watched has changed.

    Raises:
        Superseded: something has; nothing was written.
        TablesUnavailable: Redis refused it whole, or the answer was lost on the way.
    """
    write_meta = ("HSET", link.keys.meta, *pack_meta(meta))
    replies = link.call(("MULTI",), write_meta, *writes, ("EXEC",), resume=True)[-1]
    expected = 1 + sum(write.number if isinstance(write, Packed) else 1 for write in writes)
    if replies is None:
        raise Superseded
    failure = next((reply for reply in replies if isinstance(reply, Exception)), None)
    if failure is not None or len(replies) != expected:
        # Redis does not roll back. Every key's kind was known, so this takes someone else's hand.
        raise TablesUnavailable(
            f"Redis at {link.server.address} has written only a part of a transaction ({failure}), because something "
            "else changes keys named growth:*: restore a snapshot, or start the workers on an empty Redis, where they "
            "read again all that Kafka still has."
        )
