"""Opens the tables at an address, whichever store is behind it."""

from __future__ import annotations

from aggregators.tables.door import Tables
from aggregators.tables.redis.store import RedisTables


def open_tables(url: str) -> Tables:
    """Open the tables in Redis; nothing is connected yet.

    Args:
        url: `redis://`, `rediss://` or `unix://`, of one server or of any node of a Redis Cluster.

    Raises:
        ValueError: it is no such URL.
    """
    return RedisTables(url)
