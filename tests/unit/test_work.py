"""A worker's shards at work: what is told, and what the probes see, while the tables refuse."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aggregators.tables import memory
from aggregators.tables.door import Commit, Meta, TablesUnavailable
from streams.kafka.transport import TP
from streams.worker import dispatch
from streams.worker.dispatch import Work
from streams.worker.pipeline_metrics import PipelineMetrics
from tests.unit.test_shards import CONFIG, batch


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
