"""A worker as a process of its own: `worker_process.py JSON`, where the JSON is `Options`' fields."""

from __future__ import annotations

import logging
import sys

import msgspec

from aggregators.calendar import Zone
from aggregators.rules import Rules
from aggregators.tables.opening import open_tables
from streams.worker.config import WorkerConfig
from streams.worker.process import run_worker


class Options(msgspec.Struct, kw_only=True):
    """What a test says about a worker."""

    broker: str
    redis: str
    topics: dict[str, str]
    dead_letters: str
    partitions: int
    data_dir: str
    port: int
    group: str = "growthgauge"
    session_seconds: float = 6.0
    patience_seconds: float = 60.0
    lapse_grace_days: int = 30


def config(options: Options) -> WorkerConfig:
    """Turn a test's options into a worker's configuration."""
    return WorkerConfig(
        broker=options.broker,
        group=options.group,
        topics=options.topics,  # type: ignore[arg-type]
        dead_letters=options.dead_letters,
        partitions=options.partitions,
        rules=Rules(zone=Zone("UTC"), lapse_grace_days=options.lapse_grace_days),
        accept_from=631_152_000_000,
        port=options.port,
        data_dir=options.data_dir,
        session_seconds=options.session_seconds,
        patience_seconds=options.patience_seconds,
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.argv[1], type=Options)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.exit(run_worker(config(given), open_tables(given.redis)))
