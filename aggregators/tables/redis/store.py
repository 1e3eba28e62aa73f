"""The tables in Redis, one server or a Redis Cluster."""

from __future__ import annotations

from typing import Any

from aggregators.facts import Facts
from aggregators.tables.door import EMPTYING, Changes, Health, Meta, Sink, TablesUnavailable
from aggregators.tables.redis import rebuild as redis_rebuild
from aggregators.tables.redis import snapshot as redis_snapshot
from aggregators.tables.redis.connection import Link, Server
from aggregators.tables.redis.reader import RedisReader
from aggregators.tables.redis.shard import RedisShard


class RedisTables:
    """A store in Redis, opened by `aggregators.tables.open_tables`."""

    def __init__(self, url: str) -> None:
        """Take the URL apart; ValueError says what is wrong with it."""
        self._server = Server(url)

    def shard(self, number: int) -> RedisShard:
        """Open a shard for writing, over a connection of its own."""
        return RedisShard(Link(self._server, number))

    def reader(self) -> RedisReader:
        """Open all shards for reading."""
        return RedisReader(self._server)

    def snapshot(self, number: int, sink: Sink) -> Changes:
        """Give one consistent version of a whole shard."""
        return redis_snapshot.take(self._server, number, sink)

    def start_rebuild(self, number: int) -> Meta:
        """Mark a shard as being rebuilt, and give its meta."""
        link = Link(self._server, number)
        try:
            return redis_rebuild.start(link)
        finally:
            link.close()

    def start_emptying(self, number: int) -> Meta:
        """Mark a shard as being emptied, and give its meta."""
        link = Link(self._server, number)
        try:
            return redis_rebuild.start(link, EMPTYING)
        finally:
            link.close()

    def empty(self, number: int, based_on: Meta, made_for: tuple[str, int] | None) -> None:
        """Remove all that a shard holds."""
        link = Link(self._server, number)
        try:
            redis_rebuild.empty(link, based_on, made_for)
        finally:
            link.close()

    def replace_facts(self, number: int, based_on: Meta, fingerprint: str, facts: Facts) -> Meta:
        """Put newly folded facts in place of all that derive from ledgers; kept measures stay."""
        link = Link(self._server, number)
        try:
            return redis_rebuild.replace(link, based_on, fingerprint, facts)
        finally:
            link.close()

    def ping(self) -> None:
        """Return if Redis answers and has its data; TablesUnavailable says why not."""
        link = Link(self._server, 0)
        try:
            link.call(("EXISTS", link.keys.meta))
        finally:
            link.close()

    def health(self) -> Health:
        """Ask Redis about itself; of a cluster, the node that holds shard 0."""
        link = Link(self._server, 0)
        try:
            info = _info(link.call(("EXISTS", link.keys.meta), ("INFO",))[1])
            try:
                fsync = link.call(("CONFIG", "GET", "appendfsync"))[0]
            except TablesUnavailable:
                fsync = []  # hosted ones do not let anyone see it
        finally:
            link.close()
        name = "valkey" if "valkey_version" in info else "redis"
        return Health(
            server=f"{name} {info.get(f'{name}_version', '')}".rstrip(),
            address=self._server.address,
            cluster=info.get("cluster_enabled") == "1",
            used_bytes=_integer(info, "used_memory"),
            max_bytes=_integer(info, "maxmemory"),
            eviction=info.get("maxmemory_policy"),
            append_only=info["aof_enabled"] == "1" if "aof_enabled" in info else None,
            append_fsync=fsync[1].decode() if len(fsync) > 1 else None,
        )

    def close(self) -> None:
        """Let go of what is known of a cluster."""
        self._server.close()


def _info(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode(errors="replace").splitlines())
    return {name: value for name, colon, value in lines if colon}


def _integer(info: dict[str, str], name: str) -> int | None:
    value: Any = info.get(name)
    return int(value) if value is not None and value.isdecimal() else None
