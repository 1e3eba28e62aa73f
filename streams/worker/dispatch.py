"""The shards of one worker: each has a thread that processes its batches, one after the other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from faust.types import TP

from aggregators.tables.door import Tables, TablesUnavailable
from streams.kafka.dead_letters import DeadLetters, DeadLettersUnavailable
from streams.kafka.transport import Batch, Positions
from streams.worker.config import WorkerConfig
from streams.worker.outages import Outage
from streams.worker.pipeline_metrics import PipelineMetrics
from streams.worker.shards import Misplaced, ShardProcessor, Span, WrongTables

log = logging.getLogger("growthgauge.worker")

RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
"""The waits after failed attempts; the last one goes on."""

T = TypeVar("T")


class Work:
    """Processes batches on threads, so that the event loop is always free; keeps trying while something is down."""

    def __init__(
        self, config: WorkerConfig, tables: Tables, metrics: PipelineMetrics, on_wrong_tables: Callable[[str], None]
    ) -> None:
        """Take what it works with; `on_wrong_tables` is told, with a sentence, why the worker must end."""
        self._config, self._tables, self._metrics = config, tables, metrics
        self._on_wrong_tables = on_wrong_tables
        self._dead_letters = DeadLetters(config.broker, config.dead_letters)
        self._shards: dict[int, tuple[ShardProcessor, ThreadPoolExecutor]] = {}
        self.tables_outage = Outage("The tables do not take the events")
        self._letters_outage = Outage("Dead letters cannot be sent")
        self._wrong = Outage("A batch could not be processed")
        self.in_work = 0
        self._refused = set[int]()
        """Batches in work, by `id`, that the tables did not take at the last attempt."""
        self.progress = time.monotonic()
        """When something last got done, or failed for a reason that is known."""

    def covered(self, tp: TP) -> int | None:
        """Give the next offset that the tables had at the last look."""
        shard = self._shards.get(tp.partition)
        return shard[0].covered.get(tp.topic) if shard else None

    async def gone_back(self, placed: Mapping[str, Sequence[int]]) -> list[TP]:
        """Give those of some partitions, by topic, of which the tables cover less than they did.

        Raises:
            TablesUnavailable: the store did not answer.
        """
        found = []
        for number in {number for numbers in placed.values() for number in numbers}:
            names = await self._run(number, ShardProcessor.gone_back)
            found += [TP(topic, number) for topic in names if number in placed.get(topic, ())]
        return found

    async def place(self, tp: TP, identity: str, earliest: int, out_of_range: int | None) -> Span:
        """Ask the tables where to read a partition from: `ShardProcessor.place`."""
        try:
            span = await self._run(tp.partition, lambda shard: shard.place(tp.topic, identity, earliest, out_of_range))
        except WrongTables as error:
            self._on_wrong_tables(str(error))
            raise
        except TablesUnavailable:
            self._failed()
            raise
        self._succeeded()
        return span

    async def process(self, batch: Batch, positions: Positions) -> None:
        """Bring a batch into the tables, however long that takes, unless its partition goes away meanwhile."""
        tp = TP(batch.topic, batch.partition)
        waits = iter(RETRY_SECONDS)
        self.in_work += 1
        try:
            while positions.identity(tp) == batch.identity:
                try:
                    await self._run(batch.partition, lambda shard: shard.process(batch, batch.identity))
                except Misplaced:
                    log.debug("%s-%d begins at %d, after the tables' end: reading goes back.", *tp, batch.start)
                    positions.lost(tp, None)
                    return
                except WrongTables as error:
                    self._on_wrong_tables(str(error))
                    return
                except TablesUnavailable as error:
                    self._failed()
                    self._refused.add(id(batch))
                    self.tables_outage.begin(str(error))
                except DeadLettersUnavailable as error:
                    self._refused.discard(id(batch))
                    self._failed(tables=True)
                    self._letters_outage.begin(str(error))
                except Exception as error:  # it must not pass for a processed batch
                    if not self._wrong.on:
                        log.exception("A batch of %s-%d could not be processed.", *tp, extra={"action": "batch_failed"})
                    self._wrong.begin(f"{type(error).__name__}: {error}")
                else:
                    self._refused.discard(id(batch))
                    self._succeeded()
                    self._letters_outage.end()
                    self._wrong.end()
                    return
                await asyncio.sleep(next(waits, RETRY_SECONDS[-1]))
        finally:
            self.in_work -= 1
            self._refused.discard(id(batch))

    async def close(self) -> None:
        """Let go of everything; threads that are still at work are not waited for."""
        for processor, executor in self._shards.values():
            executor.submit(processor.close)
            executor.shutdown(wait=False)
        self._shards.clear()
        await self._dead_letters.close()

    async def _run(self, number: int, task: Callable[[ShardProcessor], T]) -> T:
        if number not in self._shards:
            shard = self._tables.shard(number)
            processor = ShardProcessor(self._config, number, shard, self._dead_letters, self._metrics)
            # One thread a shard: a task that nobody waits for any more still ends before the next one begins.
            self._shards[number] = processor, ThreadPoolExecutor(1, thread_name_prefix=f"shard-{number}")
        processor, executor = self._shards[number]
        return await asyncio.get_running_loop().run_in_executor(executor, task, processor)

    def answered(self) -> None:
        """Note that the tables answer; they are not back while there is a batch that they do not take."""
        if not self._refused:
            self._metrics.redis_up.set(1)
            self.tables_outage.end()

    def _succeeded(self) -> None:
        self.progress = time.monotonic()
        self.answered()

    def _failed(self, *, tables: bool = False) -> None:
        self.progress = time.monotonic()
        if not tables:
            self._metrics.redis_up.set(0)
