"""The Faust app: one agent, which hands every batch to the shards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust

from streams.kafka.transport import Batch, BatchTransport, Positions
from streams.worker.config import WorkerConfig

BUFFERED = 4
"""Batches that wait in memory at most, beside those in work."""
METADATA_SECONDS = 5
"""How old the consumer's knowledge of topics may get: one that was made again is given to nobody before it is seen."""
CONCURRENCY = 4
"""Batches in work at once, of different shards: while one waits for the tables, another is folded."""


class WorkerApp(faust.App):  # type: ignore[misc]  # Faust is not typed
    """A Faust app whose topics come in batches."""

    positions: Positions
    batched_topics: frozenset[str]

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)


def create_app(config: WorkerConfig, process: Callable[[Batch], Awaitable[None]], positions: Positions) -> WorkerApp:
    """Make the app; it reads when it is started.

    Args:
        config: the worker's settings.
        process: brings one batch into the tables; raises nothing.
        positions: decides where partitions are read from.
    """
    app = WorkerApp(
        config.group,
        broker=[f"kafka://{address}" for address in config.broker.split(",")],
        datadir=config.data_dir,
        store="memory://",
        web_enabled=False,
        # Nothing of Faust's own is kept in Kafka: no leader topic, no tables, no topics made on the way.
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        # What is in work when partitions go may end as a latecomer: the tables refuse it, so nobody has to wait.
        stream_wait_empty=False,
        stream_buffer_maxsize=BUFFERED,
        broker_session_timeout=config.session_seconds,
        broker_heartbeat_interval=config.session_seconds / 4,
        broker_rebalance_timeout=max(config.session_seconds, 10.0),
        broker_request_timeout=max(config.session_seconds * 2, 15.0),
        broker_commit_interval=2.0,
        consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
    )
    app.positions = positions
    app.batched_topics = frozenset(config.names)

    @app.agent(  # type: ignore[untyped-decorator]
        app.topic(*config.names, value_serializer="raw"), name="growthgauge.shards", concurrency=CONCURRENCY
    )
    async def shards(batches: Any) -> None:
        async for batch in batches:
            await process(batch)

    return app
