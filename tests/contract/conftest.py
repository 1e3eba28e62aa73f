"""The stores that the contract holds for: memory, one Redis and a Redis Cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aggregators.tables.door import Tables
from tests.contract.stores import MemoryStore, RedisStore, Store
from tests.support.servers import RedisServer, redis_cluster, redis_server


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """One Redis for all tests that do not harm it."""
    with redis_server() as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[list[RedisServer]]:
    """A Redis Cluster of three nodes."""
    with redis_cluster() as running:
        yield running


@pytest.fixture(params=["memory", "redis", "cluster"])
def store(request: pytest.FixtureRequest) -> Store:
    """Every store there is, empty, in turn."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "redis":
        return RedisStore([request.getfixturevalue("server")])
    return RedisStore(request.getfixturevalue("cluster"))


@pytest.fixture
def tables(store: Store) -> Tables:
    """The tables of every store in turn."""
    return store.tables


@pytest.fixture
def fresh(server: RedisServer) -> RedisServer:
    """The Redis of all tests, empty."""
    with server.client() as client:
        client.flushall()
    return server
