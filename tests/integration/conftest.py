"""Real brokers and a real Redis for integration tests: one of each for a whole session, used by tests one at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.servers import RedisServer, redis_server
from tests.support.servers_kafka import Broker, Kafka, Tansu, missing_for_kafka


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One Redis for all tests that do not harm it."""
    with redis_server() as running:
        yield running


@pytest.fixture
def redis(shared_redis: RedisServer) -> RedisServer:
    """A Redis with nothing in it."""
    shared_redis.client().flushall()
    return shared_redis


@pytest.fixture(scope="session")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The embedded broker, for tests that do not harm it."""
    with Tansu(tmp_path_factory.mktemp("tansu")) as running:
        yield running


@pytest.fixture(scope="session")
def kafka_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the real Apache Kafka keeps its data."""
    return tmp_path_factory.mktemp("kafka")


@pytest.fixture(scope="session")
def kafka(kafka_folder: Path, tell: Callable[[str], None]) -> Iterator[Broker]:
    """A real Apache Kafka; a test that ends it must start it again."""
    lacking = missing_for_kafka()
    if lacking:
        assert not os.environ.get("GROWTHGAUGE_REQUIRE_KAFKA"), f"{lacking}, and is required here"
        pytest.skip(f"{lacking}: this part of the tests was left out")
    with Kafka(kafka_folder) as running:
        tell(f"{running.name} {running.version} at {running.address}")
        yield running


@pytest.fixture(params=["tansu", pytest.param("kafka", marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Every broker there is, in turn."""
    found: Broker = request.getfixturevalue(request.param)
    return found
