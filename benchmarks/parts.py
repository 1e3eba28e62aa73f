"""The parts that are measured: real servers, and growthgauge's own commands as processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
import psutil

from aggregators.tables.door import Tables
from aggregators.tables.opening import open_tables
from benchmarks.load import PARTITIONS
from growthgauge.settings import Settings, load
from tests.support.servers import RedisServer, free_port, redis_server
from tests.support.servers_kafka import Kafka

T = TypeVar("T", bound=msgspec.Struct)
PATIENCE_SECONDS = 120


class Servers(NamedTuple):
    """One Kafka and one Redis for all measurements."""

    kafka: Kafka
    redis: RedisServer
    folder: Path

    def settings(self, **changes: object) -> Settings:
        """Give the settings of a worker and an exporter on these servers."""
        given = {
            "broker": self.kafka.address,
            "redis_url": self.redis.url,
            "data_dir": self.folder,
            "partitions": PARTITIONS,
            "worker_port": free_port(),
            "exporter_port": free_port(),
        }
        return load(given | changes)


@contextlib.contextmanager
def servers() -> Iterator[Servers]:
    """Run Kafka and Redis for a while."""
    with (
        tempfile.TemporaryDirectory(prefix="growthgauge-bench-") as name,
        redis_server() as redis,
        Kafka(Path(name) / "kafka") as kafka,
    ):
        yield Servers(kafka, redis, Path(name))


@contextlib.contextmanager
def command(name: str, settings: Settings) -> Iterator[psutil.Process]:
    """Run `growthgauge NAME` for a while; what it logs is shown if it ends by itself."""
    log = Path(settings.data_dir) / f"{name}.log"
    with log.open("wb") as file:
        process = psutil.Popen(
            [sys.executable, "-P", "-m", "growthgauge", name], env=os.environ | settings.environment(), stderr=file
        )
    try:
        yield process
        if process.poll() is not None:
            raise RuntimeError(f"growthgauge {name} has ended: {log.read_text()[-2000:]}")
    finally:
        process.terminate()
        try:
            process.wait(20)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()


def run(module: str, task: msgspec.Struct, result: type[T]) -> T:
    """Run a yardstick in a process of its own and give its result."""
    child = subprocess.run(
        [sys.executable, "-m", module, msgspec.json.encode(task).decode()],
        check=True,
        stdout=subprocess.PIPE,
        timeout=PATIENCE_SECONDS,
    )
    return msgspec.json.decode(child.stdout, type=result)


def cpu_seconds(pid: int) -> float:
    """Give the seconds of CPU that a process has used so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def wait_for(condition: Callable[[], bool], pause: float) -> None:
    """Ask again and again until it is so.

    Raises:
        TimeoutError: it did not become so in two minutes.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Nothing came of it in {PATIENCE_SECONDS} s.")
        time.sleep(pause)


class Stored:
    """The offsets in the tables, read as a worker reads them."""

    def __init__(self, settings: Settings) -> None:
        """Open every shard once."""
        tables: Tables = open_tables(settings.redis)
        self._shards = [tables.shard(number) for number in range(settings.partitions)]

    def placed(self, names: Sequence[str]) -> bool:
        """Say whether the tables know where each partition of these topics begins."""
        return all(set(names) <= shard.begin().offsets.keys() for shard in self._shards)

    def cover(self, topic: str, ends: Sequence[int]) -> bool:
        """Say whether they cover a topic up to these offsets."""
        return all(
            topic in (offsets := shard.begin().offsets) and offsets[topic].next >= end
            for shard, end in zip(self._shards, ends, strict=True)
        )

    def close(self) -> None:
        """Let go of the connections."""
        for shard in self._shards:
            shard.close()
