"""A worker's shards at work: what is told, and what the probes see, while the tables refuse."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest

from aggregators.tables import memory
from aggregators.tables.door import Commit, Meta, TablesUnavailable
from streams.decoding.partition import partition_of
from streams.kafka.transport import TP, Batch
from streams.worker import dispatch
from streams.worker.dispatch import Work
from streams.worker.pipeline_metrics import PipelineMetrics
from tests.unit.test_shards import CONFIG, batch, record


class Shard(memory.MemoryShard):
    """A shard that takes no writes while `full`."""

    full = False

    def commit(self, commit: Commit) -> Meta:
        """Refuse, or write."""
        if self.full:
            raise TablesUnavailable("Redis is full.")
        return super().commit(commit)


class Placed:
    """Positions that never change, of a topic with the identity t1."""

    def identity(self, _: TP) -> str:
        """Give it."""
        return "t1"


def value(metrics: PipelineMetrics) -> float | None:
    """Give what the worker says of the tables."""
    return metrics.registry.get_sample_value("growth_redis_up")


def test_tables_that_only_answer_are_not_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage of writes is told once and lasts until a write succeeds, though the tables answer all the time."""
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.01,))
    caplog.set_level(logging.INFO, "growthgauge.worker")
    tables = memory.Tables()
    metrics = PipelineMetrics(CONFIG.names, CONFIG.partitions)
    monkeypatch.setattr(memory, "MemoryShard", Shard)

    async def run() -> None:
        working = Work(CONFIG, tables, metrics, pytest.fail)
        await working.place(TP("sessions", 0), "t1", 0, None)
        assert value(metrics) == 1
        monkeypatch.setattr(Shard, "full", True)
        processing = asyncio.create_task(working.process(batch(0, 5), Placed()))  # type: ignore[arg-type]
        while not working.tables_outage.on:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        for _ in range(10):
            working.answered()
            await asyncio.sleep(0.01)
            assert (working.tables_outage.on, value(metrics)) == (True, 0)
        monkeypatch.setattr(Shard, "full", False)
        await processing
        assert (working.tables_outage.on, value(metrics)) == (False, 1)
        assert working.covered(TP("sessions", 0)) == 5
        await working.close()

    asyncio.run(run())
    assert [record.action for record in caplog.records] == ["outage", "outage_over"]


class Stuck(memory.MemoryShard):
    """A shard that fails for a reason that nobody thought of, while `broken`."""

    broken = False
    sound: Any = None
    """The contents of the one that works."""

    def commit(self, commit: Commit) -> Meta:
        """Break, or write."""
        if self.broken and self._contents is not self.sound:
            raise RuntimeError("unheard of")
        return super().commit(commit)


def test_a_stuck_shard_is_told_once_beside_a_working_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A shard that fails all the time is told once, whatever the others get done, and is over when its batch is in."""
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.001,))
    caplog.set_level(logging.INFO, "growthgauge.worker")
    monkeypatch.setattr(memory, "MemoryShard", Stuck)
    tables = memory.Tables()
    monkeypatch.setattr(Stuck, "sound", tables._contents[0])
    config = msgspec.structs.replace(CONFIG, partitions=2)
    customer = {n: next(f"c{i}" for i in range(99) if partition_of(f"c{i}", 2) == n) for n in (0, 1)}

    def made(number: int, start: int) -> Batch:
        records = [record(start + i, customer_id=customer[number]) for i in range(3)]
        return Batch("sessions", number, start, start + 3, records, "t1")

    async def run() -> None:
        working = Work(config, tables, PipelineMetrics(config.names, config.partitions), pytest.fail)
        for number in (0, 1):
            await working.place(TP("sessions", number), "t1", 0, None)
        began = working.moved(1)
        monkeypatch.setattr(Stuck, "broken", True)
        stuck = asyncio.create_task(working.process(made(1, 0), Placed()))  # type: ignore[arg-type]
        while not working.failing():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        for start in range(0, 60, 3):
            await working.process(made(0, start), Placed())  # type: ignore[arg-type]
            await asyncio.sleep(0.002)
        assert (working.at_work(), working.failing()) == ({1}, {1})
        assert began <= working.moved(1) < working.moved(0)
        excused = working.moved(1)
        working.excuse()
        assert working.moved(1) == excused, "who has a batch in work does not wait for the broker"
        assert working.moved(7) > excused
        monkeypatch.setattr(Stuck, "broken", False)
        await stuck
        assert (working.at_work(), working.failing()) == (set(), set())
        assert working.covered(TP("sessions", 1)) == 3
        await working.close()

    asyncio.run(run())
    told = [(record.action, "partition 1" in record.getMessage()) for record in caplog.records]
    assert told == [("batch_failed", False), ("outage", True), ("outage_over", True)]


class StuckTopic(memory.MemoryShard):
    """A shard that fails for batches of sessions while `broken`, and takes those of other topics."""

    broken = False

    def commit(self, commit: Commit) -> Meta:
        """Break, or write."""
        if self.broken and "sessions" in commit.offsets:
            raise RuntimeError("unheard of")
        return super().commit(commit)


def test_a_stuck_topic_is_told_once_beside_a_working_one_of_its_shard(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What another topic of the same shard gets done neither ends the outage nor is progress of the stuck batch."""
    monkeypatch.setattr(dispatch, "RETRY_SECONDS", (0.001,))
    caplog.set_level(logging.INFO, "growthgauge.worker")
    monkeypatch.setattr(memory, "MemoryShard", StuckTopic)

    async def run() -> None:
        working = Work(CONFIG, memory.Tables(), PipelineMetrics(CONFIG.names, CONFIG.partitions), pytest.fail)
        for topic in ("sessions", "signups"):
            await working.place(TP(topic, 0), "t1", 0, None)
        monkeypatch.setattr(StuckTopic, "broken", True)
        stuck = asyncio.create_task(working.process(batch(0, 3), Placed()))  # type: ignore[arg-type]
        while not working.failing():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.001)
        moved = working.moved(0)
        for start in range(0, 90, 3):
            records = [record(start + place) for place in range(3)]
            others = Batch("signups", 0, start, start + 3, records, "t1")
            await working.process(others, Placed())  # type: ignore[arg-type]
            assert (working.failing(), working.moved(0)) == ({0}, moved)
            await asyncio.sleep(0.001)
        await working.place(TP("signups", 0), "t1", 0, None)
        assert working.moved(0) == moved
        monkeypatch.setattr(StuckTopic, "broken", False)
        await stuck
        assert (working.failing(), working.covered(TP("sessions", 0))) == (set(), 3)
        assert working.moved(0) > moved
        await working.close()

    asyncio.run(run())
    assert [each.action for each in caplog.records] == ["batch_failed", "outage", "outage_over"]


def test_tables_that_went_back_are_noticed() -> None:
    """Of the partitions asked for, those are named of which the tables cover less than at the last look."""
    tables = memory.Tables()

    async def run() -> None:
        working = Work(CONFIG, tables, PipelineMetrics(CONFIG.names, CONFIG.partitions), pytest.fail)
        for topic in ("sessions", "signups"):
            await working.place(TP(topic, 0), "t1", 0, None)
        await working.process(batch(0, 5), Placed())  # type: ignore[arg-type]
        both = {"sessions": [0], "signups": [0]}
        assert await working.gone_back(both) == []
        tables._contents[0].__init__()  # type: ignore[misc] # all of it is lost
        assert sorted(await working.gone_back(both)) == [TP("sessions", 0), TP("signups", 0)]
        assert await working.gone_back({"signups": [0]}) == [TP("signups", 0)]
        await working.place(TP("signups", 0), "t1", 0, None)
        assert await working.gone_back(both) == [TP("sessions", 0)]
        await working.close()

    asyncio.run(run())
