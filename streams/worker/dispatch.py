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


class _Lane:
    """One shard's own thread, and how its batches get on."""

    def __init__(self, number: int, processor: ShardProcessor) -> None:
        """Begin with nothing to do."""
        self.processor = processor
        # One thread a shard: a task that nobody waits for any more still ends before the next one begins.
        self.executor = ThreadPoolExecutor(1, thread_name_prefix=f"shard-{number}")
        self.in_work = 0
        self.moved = time.monotonic()
        """When something last got done, or failed for a reason that is known."""
        self.failing = set[int]()
        """Batches in work, by `id`, whose last attempt failed, for whatever reason."""
        self.stuck = set[int]()
        """Those of them that failed for a reason that nobody thought of."""
        self.wrong = Outage(f"A batch of partition {number} could not be processed")

    def advance(self) -> None:
        """Note progress, unless a batch is stuck: what another topic of the shard gets done is none of that batch."""
        if not self.stuck:
            self.moved = time.monotonic()

    def free(self, batch: int) -> None:
        """Note that a batch is not stuck; the outage is over when none is."""
        self.stuck.discard(batch)
        if not self.stuck:
            self.wrong.end()


class Work:
    """Processes batches on threads, so that the event loop is always free; keeps trying while something is down."""

    def __init__(
        self, config: WorkerConfig, tables: Tables, metrics: PipelineMetrics, on_wrong_tables: Callable[[str], None]
    ) -> None:
        """Take what it works with; `on_wrong_tables` is told, with a sentence, why the worker must end."""
        self._config, self._tables, self._metrics = config, tables, metrics
        self._on_wrong_tables = on_wrong_tables
        self._dead_letters = DeadLetters(config.broker, config.dead_letters)
        self._lanes: dict[int, _Lane] = {}
        self.tables_outage = Outage("The tables do not take the events")
        self._letters_outage = Outage("Dead letters cannot be sent")
        self._refused = set[int]()
        """Batches in work, by `id`, that the tables did not take at the last attempt."""
        self._unsent = set[int]()
        """Batches in work, by `id`, whose dead letters could not be sent at the last attempt."""
        self._excused = time.monotonic()

    @property
    def in_work(self) -> int:
        """The number of batches in work."""
        return sum(lane.in_work for lane in self._lanes.values())

    def at_work(self) -> set[int]:
        """Return the shards that have a batch in work."""
        return {number for number, lane in self._lanes.items() if lane.in_work}

    def failing(self) -> set[int]:
        """Return the shards whose batch failed at the last attempt."""
        return {number for number, lane in self._lanes.items() if lane.failing}

    def moved(self, number: int | None = None) -> float:
        """Return when a shard (None: any of them) last got something done, or failed for a reason that is known.

        It is a reading of the monotonic clock, in seconds.
        """
        if number is None:
            return max((self._excused, *(lane.moved for lane in self._lanes.values())))
        lane = self._lanes.get(number)
        if lane is not None and lane.in_work:
            return lane.moved
        return max(self._excused, lane.moved) if lane else self._excused

    def excuse(self) -> None:
        """Count waiting for something to read as progress, of the shards that have nothing in work."""
        self._excused = time.monotonic()

    def covered(self, tp: TP) -> int | None:
        """Give the next offset that the tables had at the last look."""
        lane = self._lanes.get(tp.partition)
        return lane.processor.covered.get(tp.topic) if lane else None

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
            self._lane(tp.partition).advance()
            self._metrics.redis_up.set(0)
            raise
        self._lane(tp.partition).advance()
        self.answered()
        return span

    async def process(self, batch: Batch, positions: Positions) -> None:
        """Bring a batch into the tables, however long that takes, unless its partition goes away meanwhile."""
        tp = TP(batch.topic, batch.partition)
        waits = iter(RETRY_SECONDS)
        lane, me = self._lane(batch.partition), id(batch)
        if not lane.in_work:
            lane.moved = time.monotonic()
        lane.in_work += 1
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
                    lane.free(me)
                    lane.advance()
                    self._refused.add(me)
                    self._metrics.redis_up.set(0)
                    self.tables_outage.begin(str(error))
                except DeadLettersUnavailable as error:
                    lane.free(me)
                    lane.advance()
                    self._refused.discard(me)
                    self._unsent.add(me)
                    self._letters_outage.begin(str(error))
                except Exception as error:  # it must not pass for a processed batch
                    if not lane.wrong.on:
                        log.exception("A batch of %s-%d could not be processed.", *tp, extra={"action": "batch_failed"})
                    lane.stuck.add(me)
                    lane.wrong.begin(f"{type(error).__name__}: {error}")
                else:
                    lane.free(me)
                    lane.advance()
                    self._settled(me)
                    return
                lane.failing.add(me)
                await asyncio.sleep(next(waits, RETRY_SECONDS[-1]))
        finally:
            lane.in_work -= 1
            lane.failing.discard(me)
            lane.free(me)
            self._refused.discard(me)
            self._unsent.discard(me)

    async def close(self) -> None:
        """Let go of everything; threads that are still at work are not waited for."""
        for lane in self._lanes.values():
            lane.executor.submit(lane.processor.close)
            lane.executor.shutdown(wait=False)
        self._lanes.clear()
        await self._dead_letters.close()

    async def _run(self, number: int, task: Callable[[ShardProcessor], T]) -> T:
        lane = self._lane(number)
        return await asyncio.get_running_loop().run_in_executor(lane.executor, task, lane.processor)

    def _lane(self, number: int) -> _Lane:
        if number not in self._lanes:
            shard = self._tables.shard(number)
            processor = ShardProcessor(self._config, number, shard, self._dead_letters, self._metrics)
            self._lanes[number] = _Lane(number, processor)
        return self._lanes[number]

    def answered(self) -> None:
        """Note that the tables answer; they are not back while there is a batch that they do not take."""
        if not self._refused:
            self._metrics.redis_up.set(1)
            self.tables_outage.end()

    def _settled(self, batch: int) -> None:
        """Note that a batch is in the tables: an outage is over when no batch of any shard waits for its end."""
        self._refused.discard(batch)
        self._unsent.discard(batch)
        self.answered()
        if not self._unsent:
            self._letters_outage.end()
