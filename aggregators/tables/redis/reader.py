"""All shards in Redis, for an exporter: one consistent version of a shard's changed days at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aggregators.tables.door import Changes, Meta
from aggregators.tables.redis.connection import Command, Link, Server
from aggregators.tables.redis.layout import Keys, date_bytes, day_from, pairs, unpack_days, unpack_facts, unpack_meta

_AT_ONCE = 64
"""Days that one command may fetch as long as there is hope to catch up in smaller steps."""
_PATIENCE = 4
_UNLIMITED = 10**9

# One atomic look: nothing but the meta if the token (ARGV 2) is still the same; else also the days' stamps, and the
# facts of the days named (from ARGV 5 on) and of all that changed since a version (ARGV 3) unless those are more than
# a limit (ARGV 4). Since every commit has a greater version, no stream of commits can keep a reader from catching up.
_LOOK = """
local meta = redis.call('HGETALL', KEYS[1])
if redis.call('HGET', KEYS[1], 'token') == ARGV[2] then return {meta} end
local stamps = redis.call('HGETALL', KEYS[2])
local since, limit = tonumber(ARGV[3]), tonumber(ARGV[4])
local wanted, count = {}, 0
for i = 5, #ARGV do wanted[ARGV[i]] = true end
for i = 1, #stamps, 2 do
  if tonumber(string.match(stamps[i + 1], '^%d+')) > since then wanted[stamps[i]] = true end
end
for _ in pairs(wanted) do count = count + 1 end
local days = {}
if count <= limit then
  for date in pairs(wanted) do
    days[#days + 1] = date
    days[#days + 1] = redis.call('HVALS', ARGV[1] .. date)
  end
end
return {meta, stamps, days}
"""


class Seen(dict[int, str]):
    """The stamps of the days that a reader knows, and which commit it has seen last."""

    token = ""
    version = 0


class RedisReader:
    """A reader's view of all shards; it never writes. One thread at a time."""

    def __init__(self, server: Server) -> None:
        """Connect later, a link for each shard that is asked for."""
        self._server = server
        self._links: dict[int, Link] = {}

    def changes(self, shard: int, seen: Mapping[int, str]) -> tuple[Changes, Mapping[int, str]]:
        """Give one consistent version of a shard's changed days, and what to pass as `seen` next time."""
        link = self._links.get(shard)
        if link is None:
            link = self._links[shard] = Link(self._server, shard)
        now = Seen(seen)
        if isinstance(seen, Seen):
            now.token, now.version = seen.token, seen.version
        known = now.token
        fetched: dict[int, dict[str, int]] = {}
        wanted: list[int] = []
        steps = 0
        while True:
            limit = _AT_ONCE if steps < _PATIENCE else _UNLIMITED
            [reply] = link.call(look_command(link.keys, known, now.version, limit, wanted))
            meta, stamps, days = looked(reply)
            if stamps is None:
                return Changes(meta, {}), seen
            fetched |= days
            now.update((day, stamps[day]) for day in days if day in stamps)
            for day in now.keys() - stamps.keys():
                fetched[day] = {}
                del now[day]
            now.token, now.version = meta.token, meta.version
            # From here on every look must give stamps.
            known = ""
            wanted = [day for day, stamp in stamps.items() if now.get(day) != stamp]
            if not wanted:
                return Changes(meta, fetched), now
            if len(wanted) > _AT_ONCE and steps < _PATIENCE:
                # What is read here may be newer than its stamp: then the next look tells, for the stamp has changed.
                for first in range(0, len(wanted), _AT_ONCE):
                    chunk = wanted[first : first + _AT_ONCE]
                    values = link.call(*(("HVALS", link.keys.day(day)) for day in chunk))
                    fetched.update(zip(chunk, map(unpack_facts, values), strict=True))
                    now.update((day, stamps[day]) for day in chunk)
                wanted = []
            steps += 1

    def close(self) -> None:
        """Let go of all connections."""
        for link in self._links.values():
            link.close()


def look_command(keys: Keys, token: str, since: int, limit: int, wanted: Sequence[int] = ()) -> Command:
    """Give the command of one atomic look."""
    return ("EVAL", _LOOK, 2, keys.meta, keys.days, keys.day_prefix, token, since, limit, *map(date_bytes, wanted))


def looked(reply: list[Any]) -> tuple[Meta, dict[int, str] | None, dict[int, dict[str, int]]]:
    """Read a look's reply: meta, stamps and facts by day; no stamps where the token is the one given."""
    meta, *more = reply
    if not more:
        return unpack_meta(meta), None, {}
    stamps, days = more
    facts = {day_from(date): unpack_facts(values) for date, values in pairs(days)}
    return unpack_meta(meta), unpack_days(stamps), facts
