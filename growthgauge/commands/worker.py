"""`growthgauge worker`."""

from __future__ import annotations

import click

from aggregators.tables.opening import open_tables
from growthgauge import logging
from growthgauge.options import ACCEPTANCE, CONNECTIONS, LOGS, RULES, TOPICS, Command, with_settings
from growthgauge.settings import Settings
from growthgauge.wiring import worker_config


@click.command(
    cls=Command, name="worker", examples=["growthgauge worker --broker kafka:9092 --redis-url redis://redis:6379/0"]
)
@with_settings(CONNECTIONS, ("listen", "worker_port"), TOPICS, ACCEPTANCE, RULES, LOGS)
def command(*, settings: Settings) -> int:
    """Turn events from the broker into facts in Redis, until SIGTERM.

    Any number of workers share the partitions of one consumer group. A worker that is killed loses nothing and counts
    nothing twice: another one, or the same started again, goes on where its last commit was.
    """
    logging.set_up(settings.log_format, settings.log_level)
    from streams.worker.process import run_worker  # noqa: PLC0415 - Faust takes long to import, and settings may be wrong

    return run_worker(worker_config(settings), open_tables(settings.redis))
