"""What a worker knows of itself: how far behind it is, whether the tables answer, and what its probes say."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from aggregators.tables.door import Tables, TablesUnavailable
from streams.kafka import topics
from streams.worker.app import WorkerApp
from streams.worker.config import WorkerConfig
from streams.worker.dispatch import Work
from streams.worker.outages import Outage
from streams.worker.pipeline_metrics import PipelineMetrics
from streams.worker.positions import Positions

log = logging.getLogger("growthgauge.worker")

LOOK_SECONDS = 1.0
"""How often lag is looked at."""
PING_SECONDS = 5.0
"""How often tables, and a broker that is silent, are."""
STALL_SECONDS = 120.0
"""Work to do and nothing done for so long is not healthy."""
COLLECT_SECONDS = 60.0
"""How often the garbage collector looks for cycles: aiokafka's answers hang in them, and where little comes
the collector's own count of objects is not reached for long."""


class Reading(NamedTuple):
    """A Faust app and what decides where it reads from."""

    app: WorkerApp
    positions: Positions


class Watch:
    """Looks at one worker from time to time."""

    def __init__(self, config: WorkerConfig, tables: Tables, work: Work, metrics: PipelineMetrics) -> None:
        """Take what there is to look at; `run` looks."""
        self._config, self._tables, self._work, self._metrics = config, tables, work, metrics
        self._broker_outage = Outage("There is nothing to read")
        self._failure = Outage("The worker could not look after itself")
        self._busy_since: dict[int, float] = {}
        """The shards that have something to do, and since when."""
        self.reading: Reading | None = None
        """What is being read; None before, between and after."""

    async def run(self) -> None:
        """Look for ever."""
        async with asyncio.TaskGroup() as looks:
            looks.create_task(self._repeat(self._look_at_lag, LOOK_SECONDS))
            looks.create_task(self._repeat(self._collect, COLLECT_SECONDS))
            for look in (self._look_at_tables, self._look_for_the_past, self._look_for_the_broker):
                looks.create_task(self._repeat(look, PING_SECONDS))

    def healthy(self) -> tuple[bool, dict[str, Any]]:
        """Say whether starting the worker again would not help.

        Healthy is a worker of which every shard gets on, has nothing to do, or waits for others.
        """
        stalled = self._stalled(STALL_SECONDS)
        healthy = not self._hangs(STALL_SECONDS)
        return healthy, {
            "healthy": healthy,
            "seconds_since_progress": round(self._idle(), 1),
            "busy": bool(self._busy_since or not self._reads()),
            "stalled_partitions": stalled,
        }

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Say whether it can do its work."""
        positions = self.reading.positions if self.reading else None
        tables = not self._work.tables_outage.on
        ready = positions is not None and positions.settled and tables
        return ready, {"ready": ready, "assigned": positions.placed if positions else {}, "tables": tables}

    def _idle(self) -> float:
        return time.monotonic() - self._work.moved()

    def _reads(self) -> bool:
        """Whether it reads what it was assigned; until then there is something to do."""
        return self.reading is not None and self.reading.positions.settled

    def _hangs(self, seconds: float) -> bool:
        """Whether a shard, or getting something to read, has made no progress for so long."""
        return bool(self._stalled(seconds)) or (not self._reads() and self._idle() > seconds)

    def _stalled(self, seconds: float) -> list[int]:
        """Return the shards that have had something to do for so long, and have got nothing done."""
        now = time.monotonic()
        return sorted(
            number for number, since in self._busy_since.items() if now - max(since, self._work.moved(number)) > seconds
        )

    async def _repeat(self, look: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            try:
                await look()
            except Exception as error:  # whatever it is, the probes must go on to tell the truth
                if not self._failure.on:
                    log.exception("The worker could not look after itself.", extra={"action": "watch_failed"})
                self._failure.begin(f"{type(error).__name__}: {error}")
            await asyncio.sleep(seconds)

    async def _look_at_lag(self) -> None:
        lags = self._lags()
        self._metrics.lag(lags)
        now = time.monotonic()
        busy = self._work.at_work() | {partition for (_, partition), records in lags.items() if records}
        self._busy_since = {number: self._busy_since.get(number, now) for number in busy}
        failing = self._work.failing().union(self._stalled(STALL_SECONDS))
        assigned = {partition for _, partition in lags}
        self._metrics.failing({partition: partition in failing for partition in sorted(assigned | failing)})

    async def _collect(self) -> None:
        gc.collect()

    async def _look_at_tables(self) -> None:
        try:
            await asyncio.to_thread(self._tables.ping)
        except TablesUnavailable as error:
            self._metrics.redis_up.set(0)
            self._work.tables_outage.begin(str(error))
        else:
            self._work.answered()

    async def _look_for_the_past(self) -> None:
        """Notice a store that went back in time, also where no batch comes that would show it."""
        if self.reading is None:
            return
        positions = self.reading.positions
        try:
            found = await self._work.gone_back(positions.placed)
        except TablesUnavailable:
            return
        for tp in found:
            positions.lost(tp)
        if found:
            log.warning(
                "Redis holds an older state than this worker last saw (a restored snapshot, a failover, a flush): "
                "%d partitions are read again from the offsets stored there.",
                len(found),
                extra={"action": "gone_back"},
            )

    async def _look_for_the_broker(self) -> None:
        """While Kafka does not answer, count waiting as progress: starting the worker again would not help."""
        if not self._broker_outage.on and not self._hangs(STALL_SECONDS / 2):
            return
        try:
            await asyncio.to_thread(topics.describe, self._config.broker, self._config.names)
        except topics.BrokerUnavailable as error:
            self._work.excuse()
            self._broker_outage.begin(str(error))
        else:
            self._broker_outage.end()

    def _lags(self) -> dict[tuple[str, int], int]:
        if self.reading is None:
            return {}
        lags = {}
        for topic, partitions in self.reading.positions.placed.items():
            for partition in partitions:
                tp = TP(topic, partition)
                try:
                    end = self.reading.app.consumer.highwater(tp)
                except (IllegalStateError, ConsumerNotStarted):  # revoked since, or about to stop
                    continue
                lags[topic, partition] = max(0, (end or 0) - (self._work.covered(tp) or 0))
        return lags
