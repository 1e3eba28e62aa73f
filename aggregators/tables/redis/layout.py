"""How a shard lies in Redis: the names of its keys, and values as bytes (SPEC, section 6)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash

from aggregators.calendar import date_of, day_of
from aggregators.tables.door import Meta, Offset, Space, TablesUnavailable

LAYOUT = b"1"
"""Of keys, buckets and bytes as this module has them; a shard of another one is refused."""

BUCKETS = 512
"""Hashes that one table of ledgers is spread over: 2 GiB of ledgers in 4 shards before any of them passes 1 MiB, and so
few that a batch finds many fields in each: a command costs worker and Redis more than a field does."""

Hash = dict[bytes, bytes]

_encode = msgspec.msgpack.encode
# Not strict: integers beyond 64 bits are stored as decimal strings, and come back as integers.
_decode = msgspec.msgpack.Decoder(dict[str, int], strict=False).decode


class Keys:
    """The names of one shard's keys; the hash tag keeps them on one node of a cluster."""

    __slots__ = ("_prefix", "day_prefix", "days", "meta", "pattern", "staged", "staged_prefix")

    def __init__(self, shard: int) -> None:
        """Name the keys of a shard."""
        self._prefix = f"growth:{{{shard}}}:"
        self.pattern = f"{self._prefix}*"
        self.meta = f"{self._prefix}meta"
        self.days = f"{self._prefix}days"
        self.day_prefix = f"{self._prefix}day:"
        self.staged = f"{self._prefix}staged"
        self.staged_prefix = f"{self._prefix}staged:"

    def day(self, day: int) -> str:
        """Name the hash of a day's facts."""
        return self.day_prefix + date_of(day).isoformat()

    def staged_day(self, day: int) -> str:
        """Name the hash where a rebuild prepares a day's facts."""
        return self.staged_prefix + date_of(day).isoformat()

    def bucket(self, space: Space, number: int) -> str:
        """Name a hash of ledgers."""
        return f"{self._prefix}{space}:{number}"


class Bucketed(NamedTuple):
    """Fields of ledgers, bucket by bucket."""

    names: list[bytes]
    places: list[int]
    """Where each of them was before."""
    buckets: list[tuple[int, int, int]]
    """The number of each bucket, and where its fields begin and end."""


def by_bucket(fields: Sequence[str]) -> Bucketed:
    """Sort fields, of which there is at least one, by the buckets that hold them."""
    encoded = list(map(str.encode, fields))
    hashes = np.frombuffer(b"".join(map(xxhash.xxh3_64_digest, encoded)), ">u2")
    # Two bytes of each are enough, and sorted fastest.
    numbers = hashes[3::4].astype(np.uint16) & np.uint16(BUCKETS - 1)
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order].astype(np.int64)
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    ends = np.append(starts[1:], len(encoded))
    places = order.tolist()
    buckets = zip(numbers[starts].tolist(), starts.tolist(), ends.tolist(), strict=True)
    return Bucketed([encoded[place] for place in places], places, list(buckets))


def date_bytes(day: int) -> bytes:
    """Write a day as it stands in the hash of days."""
    return date_of(day).isoformat().encode()


def day_from(date: bytes) -> int:
    """Read a day as it stands in the hash of days; ValueError if it is none."""
    return day_of(dt.date.fromisoformat(date.decode()))


def pairs(flat: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Pair the fields and values of a hash as Redis lists them."""
    values = iter(flat)
    return zip(values, values, strict=True)


def pack_facts(facts: Mapping[str, int]) -> bytes:
    """Write a group of a day's facts; there is no limit to the size of an integer."""
    try:
        return _encode(facts)
    except OverflowError:
        return _encode({key: n if -(2**63) <= n < 2**63 else str(n) for key, n in facts.items()})


def unpack_facts(packed: Iterable[bytes | None]) -> dict[str, int]:
    """Read groups of a day's facts into one map.

    Raises:
        TablesUnavailable: they are no such groups.
    """
    facts: dict[str, int] = {}
    try:
        for group in packed:
            if group is not None:
                facts.update(_decode(group))
    except msgspec.MsgspecError as error:
        raise _damaged("a day's facts") from error
    return facts


def unpack_days(flat: list[bytes]) -> dict[int, str]:
    """Read the hash of days: the stamp of each."""
    try:
        return {day_from(date): stamp.decode() for date, stamp in pairs(flat)}
    except ValueError as error:
        raise _damaged("the list of days") from error


def pack_meta(meta: Meta) -> list[str | bytes | int]:
    """Write a shard's meta as the fields and values of its hash."""
    packed: list[str | bytes | int] = ["layout", LAYOUT, "token", meta.token, "version", meta.version]
    if meta.fingerprint is not None:
        packed += ["fingerprint", meta.fingerprint]
    if meta.partitions is not None:
        packed += ["partitions", meta.partitions]
    for topic, offset in meta.offsets.items():
        packed += [f"offset:{topic}", f"{offset.next} {offset.identity}"]
    for name, count in meta.outcomes.items():
        packed += [f"outcome:{name}", count]
    return packed


def unpack_meta(flat: list[bytes]) -> Meta:
    """Read a shard's meta; fields of other names are left alone.

    Raises:
        TablesUnavailable: it was written by a release with another layout, or by something else.
    """
    stored = dict(pairs(flat))
    if not stored:
        return Meta()
    if stored.get(b"layout") != LAYOUT:
        raise TablesUnavailable(
            "The tables in Redis were written by another release of growthgauge, with another layout: use that "
            "release, or start the workers on an empty Redis, where they read again all that Kafka still has."
        )
    offsets: dict[str, Offset] = {}
    outcomes: dict[str, int] = {}
    try:
        for name, value in stored.items():
            kind, _, of = name.decode().partition(":")
            if kind == "offset":
                following, _, identity = value.decode().partition(" ")
                offsets[of] = Offset(identity=identity, next=int(following))
            elif kind == "outcome":
                outcomes[of] = int(value)
        return Meta(
            fingerprint=stored[b"fingerprint"].decode() if b"fingerprint" in stored else None,
            partitions=int(stored[b"partitions"]) if b"partitions" in stored else None,
            token=stored[b"token"].decode(),
            version=int(stored[b"version"]),
            offsets=offsets,
            outcomes=outcomes,
        )
    except (ValueError, KeyError) as error:
        raise _damaged("a shard's meta") from error


def _damaged(what: str) -> TablesUnavailable:
    return TablesUnavailable(
        f"What Redis holds as {what} was not written by growthgauge, or is damaged: restore a snapshot of Redis, "
        "or start the workers on an empty one, where they read again all that Kafka still has."
    )
