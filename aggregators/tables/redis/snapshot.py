"""A whole shard in Redis as of one commit, ledgers and facts, read while workers go on."""

from __future__ import annotations

from typing import Any

from aggregators.tables.door import SPACES, Busy, Changes, Sink, Space
from aggregators.tables.redis.connection import Link, Server
from aggregators.tables.redis.layout import BUCKETS, pairs
from aggregators.tables.redis.reader import RedisReader, Seen, look_command, looked

_BUCKETS_AT_ONCE = 16
_ATTEMPTS = 3
"""How often it is tried in small steps, which block Redis for no time worth mentioning."""
AT_ONCE_BYTES = 64 * 2**20
"""Ledgers of a shard that somebody commits to all the time are read in one transaction as long as they are no larger:
some 50 ms in which Redis answers nobody else."""
_NO_LIMIT = 10**9


def take(server: Server, number: int, sink: Sink) -> Changes:
    """Give the facts and, to the sink, the ledgers of one version of a shard; see `Tables.snapshot`."""
    link, reader = Link(server, number), RedisReader(server)
    facts: dict[int, dict[str, int]] = {}
    seen: Any = {}
    try:
        for _ in range(_ATTEMPTS):
            changes, seen = reader.changes(number, seen)
            facts |= changes.days
            size = _in_steps(link, sink)
            # Every commit has a token of its own: with the same one there was none since the facts were read.
            if (link.call(("HGET", link.keys.meta, "token"))[0] or b"").decode() == changes.meta.token:
                return Changes(changes.meta, facts)
        if size > AT_ONCE_BYTES:
            raise Busy
        return _at_once(link, sink, facts, seen)
    finally:
        link.close()
        reader.close()


def _in_steps(link: Link, sink: Sink) -> int:
    """Give all ledgers to the sink, a few buckets at a time, and their size in bytes."""
    sink.start()
    size = 0
    buckets = [(space, link.keys.bucket(space, number)) for space in SPACES for number in range(BUCKETS)]
    for first in range(0, len(buckets), _BUCKETS_AT_ONCE):
        chunk = buckets[first : first + _BUCKETS_AT_ONCE]
        for (space, _), flat in zip(chunk, link.call(*(("HGETALL", key) for _, key in chunk)), strict=True):
            size += sum(map(len, flat))
            _hand_over(sink, space, flat)
    return size


def _at_once(link: Link, sink: Sink, facts: dict[int, dict[str, int]], seen: Seen) -> Changes:
    """Give all ledgers and what has changed of the facts, in one transaction."""
    buckets = [(space, link.keys.bucket(space, number)) for space in SPACES for number in range(BUCKETS)]
    look = look_command(link.keys, "", seen.version, _NO_LIMIT)
    replies = link.call(("MULTI",), look, *(("HGETALL", key) for _, key in buckets), ("EXEC",))[-1]
    failure = next((reply for reply in replies if isinstance(reply, Exception)), None)
    if failure is not None:
        raise link.server.unavailable(failure)
    meta, stamps, days = looked(replies[0])
    stamps = stamps or {}
    facts = {day: facts[day] for day in facts.keys() & stamps.keys()} | days
    if any(seen.get(day) != stamp and day not in days for day, stamp in stamps.items()):
        raise Busy  # it has gone back in time just now
    sink.start()
    for (space, _), flat in zip(buckets, replies[1:], strict=True):
        _hand_over(sink, space, flat)
    return Changes(meta, facts)


def _hand_over(sink: Sink, space: Space, flat: list[bytes]) -> None:
    if flat:
        sink.take(space, ((field.decode(errors="replace"), ledger) for field, ledger in pairs(flat)))
