"""A worker from start to end: checks, the Faust app, the port, and a clean way out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from faust.types import TP

from aggregators.tables.door import Tables
from streams.kafka import topics
from streams.kafka.transport import Batch
from streams.worker.app import WorkerApp, create_app
from streams.worker.config import WorkerConfig
from streams.worker.dispatch import Work
from streams.worker.health import Reading, Watch
from streams.worker.library_logs import quieten
from streams.worker.outages import Outage
from streams.worker.pipeline_metrics import PipelineMetrics
from streams.worker.positions import Positions
from streams.worker.server import PortTaken, serve

log = logging.getLogger("growthgauge.worker")

LOOK_SECONDS = 1.0
"""How often the app's state is looked at."""
FINISH_SECONDS = 4.0
"""How long batches in work may take to end once the worker is told to."""
LEAVE_SECONDS = 5.0
"""How long leaving the group may take; the broker may be gone."""
DEADLINE_SECONDS = 12.0
"""After this the process ends, whatever still hangs."""
RESTART_SECONDS = 3.0
COLLECT_AFTER = 100_000
"""Objects made until the garbage collector looks for cycles: records come by the thousand and are in none, and at its
default of 700 the collector takes longer than the reading of them."""


class Failed(Exception):  # noqa: N818 - reads as the state it names
    """The worker cannot go on; the message is one sentence that says what to do."""


class Worker:
    """One worker in one event loop."""

    def __init__(self, config: WorkerConfig, tables: Tables) -> None:
        """Prepare; `run` does everything."""
        self._config, self._tables = config, tables
        self.metrics = PipelineMetrics(config.names, config.partitions)
        self._work = Work(config, tables, self.metrics, self._fail)
        self._watch = Watch(config, tables, self._work, self.metrics)
        self._stop = asyncio.Event()
        self._failure: str | None = None
        self.port: int | None = None

    def stop(self) -> None:
        """Ask the worker to finish what it is at and leave."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop` is called.

        Raises:
            Failed: the worker cannot go on.
        """
        self._make_folder()
        try:
            runner = await serve(
                self._config.host, self._config.port, self.metrics.registry, self._watch.healthy, self._watch.ready
            )
        except PortTaken as error:
            raise Failed(str(error)) from error
        self.port = runner.addresses[0][1]
        watching = asyncio.create_task(self._watch.run())
        try:
            await self._check_topics()
            while not self._stop.is_set():
                await self._read()
        finally:
            watching.cancel()
            await self._work.close()
            await runner.cleanup()
        if self._failure:
            raise Failed(self._failure)

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why
        self._stop.set()

    def _make_folder(self) -> None:
        """Make the folder that Faust wants, and those it lies in: Faust would make the last one alone."""
        try:
            Path(self._config.data_dir).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failed(
                f"The worker cannot make its folder {self._config.data_dir} ({error.strerror}): "
                "give it another data folder (--data-dir, GROWTHGAUGE_DATA_DIR)."
            ) from error

    async def _check_topics(self) -> None:
        """Wait for the broker, and see that the topics are what the settings say."""
        deadline = time.monotonic() + self._config.patience_seconds
        outage = Outage("The worker waits for the broker")
        wanted = {*self._config.names, self._config.dead_letters}
        while not self._stop.is_set():
            try:
                found = await asyncio.to_thread(topics.describe, self._config.broker, wanted, 5.0)
            except topics.BrokerUnavailable as error:
                if time.monotonic() > deadline:
                    raise Failed(str(error)) from error
                outage.begin(str(error))
                await self._sleep(1.0)
                continue
            outage.end()
            wrong = topics.problems(found, self._config.names, self._config.partitions)
            if self._config.dead_letters not in found:
                wrong += topics.problems(found, [self._config.dead_letters], self._config.partitions)
            if wrong:
                raise Failed(" ".join(wrong))
            return

    async def _read(self) -> None:
        """Run a Faust app until the worker is to stop or the app has crashed."""
        reading = self._watch.reading = self._new_reading()
        app = reading.app
        placing = asyncio.create_task(reading.positions.run())
        try:
            await app.start()
            log.info("The worker has joined the group %s.", self._config.group, extra={"action": "started"})
            while not (self._stop.is_set() or app.crashed or app.should_stop or placing.done()):
                await self._sleep(LOOK_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever Faust cannot stand, a new app may
            log.warning("Reading has stopped: %s", error, extra={"action": "app_failed"})
        finally:
            placing.cancel()
            await self._leave(app)
            self._watch.reading = None
        if not self._stop.is_set():
            log.warning("Reading starts again in %.0f s.", RESTART_SECONDS, extra={"action": "restart"})
            await self._sleep(RESTART_SECONDS)

    def _new_reading(self) -> Reading:
        async def seek(starts: Mapping[TP, int]) -> None:
            await app.consumer.go_to(starts)

        async def process(batch: Batch) -> None:
            await self._work.process(batch, positions)

        def lost(tp: TP, records: int) -> None:
            self.metrics.lost(tp.topic, tp.partition, records)

        positions = Positions(self._config.broker, self._work.place, seek, lost)
        app = create_app(self._config, process, positions)
        return Reading(app, positions)

    async def _leave(self, app: WorkerApp) -> None:
        """Take no more batches, finish those in work, leave the group."""
        with contextlib.suppress(Exception):
            app.consumer.stop_flow()
            app.flow_control.suspend()
            app.flow_control.clear()
        deadline = time.monotonic() + FINISH_SECONDS
        while self._work.in_work and not self._work.tables_outage.on and time.monotonic() < deadline:  # noqa: ASYNC110 - not worth an event
            await asyncio.sleep(0.02)
        try:
            await asyncio.wait_for(app.stop(), LEAVE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the group will notice by itself
            log.warning("Leaving the group did not end well: %r", error, extra={"action": "leave_failed"})

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)


def run_worker(config: WorkerConfig, tables: Tables) -> int:
    """Work until SIGTERM or SIGINT; the process must be the worker's own, and end after this.

    Returns:
        The exit status: 0 after a signal, 1 if the worker could not go on, for which a sentence is logged.
    """
    quieten()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)

    async def main() -> int:
        worker = Worker(config, tables)
        loop = asyncio.get_running_loop()

        def stop() -> None:
            # Whatever hangs in a library then (a dead broker is enough), the process ends: all that counts is stored.
            deadline = threading.Timer(DEADLINE_SECONDS, os._exit, (0,))
            deadline.daemon = True
            deadline.start()
            worker.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        try:
            await worker.run()
        except Failed as error:
            log.error("%s", error, extra={"action": "failed"})  # noqa: TRY400 - the sentence says it all
            return 1
        log.info("The worker has left.", extra={"action": "stopped"})
        return 0

    return asyncio.run(main())
