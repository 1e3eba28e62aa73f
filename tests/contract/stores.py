"""Stores whose whole content can be saved and put back, as an operator does with snapshots."""

from __future__ import annotations

import copy
from typing import Any, Protocol

from aggregators.tables import memory
from aggregators.tables.door import Tables
from aggregators.tables.opening import open_tables
from tests.support.servers import RedisServer


class Store(Protocol):
    """Tables, and a way to save and put back what they hold."""

    tables: Tables

    def save(self) -> Any:
        """Copy all that is stored."""

    def restore(self, saved: Any) -> None:
        """Put a copy in place of what is stored."""

    def empty(self) -> None:
        """Put nothing in place of what is stored."""


class MemoryStore:
    """A store in memory."""

    def __init__(self) -> None:
        """Start empty."""
        self.tables = memory.Tables()

    def save(self) -> Any:
        """Copy all that is stored."""
        return {number: copy.deepcopy(vars(contents)) for number, contents in self.tables._contents.items()}

    def restore(self, saved: Any) -> None:
        """Put a copy in place of what is stored."""
        for number, contents in self.tables._contents.items():
            # In place: shards and readers go on with what they have open, as they do in Redis.
            vars(contents).update(copy.deepcopy(saved.get(number, vars(type(contents)()))))

    def empty(self) -> None:
        """Put nothing in place of what is stored."""
        self.restore({})


class RedisStore:
    """A store in a Redis server, emptied first."""

    def __init__(self, servers: list[RedisServer]) -> None:
        """Take a server, or all nodes of a cluster, and empty them."""
        self._clients = [server.client() for server in servers]
        for client in self._clients:
            client.flushall()
        self.tables = open_tables(servers[0].url)

    def save(self) -> Any:
        """Copy all that is stored."""
        return [{key: client.dump(key) for key in client.scan_iter()} for client in self._clients]

    def restore(self, saved: Any) -> None:
        """Put a copy in place of what is stored."""
        for client, keys in zip(self._clients, saved, strict=True):
            client.flushall()
            for key, dump in keys.items():
                client.restore(key, 0, dump)

    def empty(self) -> None:
        """Put nothing in place of what is stored."""
        for client in self._clients:
            client.flushall()
