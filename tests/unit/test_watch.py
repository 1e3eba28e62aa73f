"""A worker's probes: who waits for others is not to be started again, and who hangs is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from aggregators.tables import memory
from aggregators.tables.door import TablesUnavailable
from streams.kafka import topics
from streams.worker import health
from streams.worker.health import Reading, Watch
from streams.worker.outages import Outage
from streams.worker.pipeline_metrics import PipelineMetrics
from tests.unit.test_shards import CONFIG


class Consumer:
    """Knows the end of every partition."""

    end = 5

    def highwater(self, _: TP) -> int:
        """Give it."""
        return self.end


class App:
    """A Faust app as far as it is looked at."""

    consumer = Consumer()


class Positions:
    """Partition 0 of sessions, read from the right place."""

    def __init__(self) -> None:
        """Begin settled."""
        self.settled = True
        self.placed: Mapping[str, Sequence[int]] = {"sessions": [0]}
        self.gone: list[TP] = []

    def lost(self, tp: TP) -> None:
        """Keep what is to be placed again."""
        self.gone.append(tp)


class Work:
    """What the shards do, told by a test."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Have covered all there is."""
        self.clock = clock
        self.tables_outage = Outage("The tables do not take the events")
        self.busy, self.fails = set[int](), set[int]()
        self.reached: dict[int, int] = {}
        self.progress: dict[int, float] = {}
        self.excused = 0.0
        self.back: list[TP] = []

    def at_work(self) -> set[int]:
        """Name the shards with a batch in work."""
        return self.busy

    def failing(self) -> set[int]:
        """Name the shards whose batch failed."""
        return self.fails

    def moved(self, number: int | None = None) -> float:
        """Give when a shard, or any, last got on."""
        return max(self.excused, *self.progress.values()) if number is None else self.progress.get(number, self.excused)

    def excuse(self) -> None:
        """Take waiting for progress."""
        self.excused = self.clock()

    def covered(self, tp: TP) -> int:
        """Give it."""
        return self.reached.get(tp.partition, 5)

    def answered(self) -> None:
        """End the outage."""
        self.tables_outage.end()

    async def gone_back(self, _: Any) -> list[TP]:
        """Give it."""
        return self.back


class Moving(dict[int, float]):
    """Shard 0 gets on all the time, shard 1 never."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin now."""
        super().__init__({1: clock()})
        self.clock = clock

    def get(self, number: int, default: Any = None) -> Any:
        """Give when a shard last got on."""
        return self.clock() if number == 0 else super().get(number, default)


class Cycle:
    """Something that holds itself."""

    itself: Any


class Bench:
    """A watch on a worker, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Look without waiting."""
        self.now = 1000.0
        self.broker = True
        self.work, self.positions, self.tables = Work(lambda: self.now), Positions(), memory.Tables()
        self.work.progress, self.work.excused = {0: self.now}, self.now
        self.metrics = PipelineMetrics(CONFIG.names, CONFIG.partitions)
        self.watch = Watch(CONFIG, self.tables, self.work, self.metrics)  # type: ignore[arg-type]
        self.watch.reading = Reading(App(), self.positions)  # type: ignore[arg-type]
        # Of the module's own clock only: the event loop goes by the real one.
        monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(health, "LOOK_SECONDS", 0.001)
        monkeypatch.setattr(health, "PING_SECONDS", 0.001)
        monkeypatch.setattr(topics, "describe", self.describe)

    def describe(self, *_: Any) -> dict[str, topics.Topic]:
        """Answer, if the broker does."""
        if not self.broker:
            raise topics.BrokerUnavailable("The broker is gone.")
        return {}

    def after(self, seconds: float, then: Callable[[], Any] = lambda: None) -> bool:
        """Let time pass, look, and say whether the worker is healthy."""

        async def looking() -> None:
            task = asyncio.create_task(self.watch.run())
            for _ in range(int(seconds) // 10):
                self.now += 10
                await asyncio.sleep(0.02)
            task.cancel()

        then()
        asyncio.run(looking())
        return self.watch.healthy()[0]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A worker that has nothing to do."""
    return Bench(monkeypatch)


def test_nothing_to_do_is_healthy(bench: Bench) -> None:
    """A worker that has covered everything may wait for ever, and is ready."""
    assert bench.after(600)
    assert bench.watch.ready() == (True, {"ready": True, "assigned": {"sessions": [0]}, "tables": True})


@pytest.mark.parametrize("what", ["in work", "behind", "not settled", "not reading"])
def test_a_worker_that_hangs_is_not_healthy(bench: Bench, what: str) -> None:
    """With something to do and nothing done for two minutes, it is to be started again, whatever it hangs in."""

    def hang() -> None:
        if what == "in work":
            bench.work.busy = {0}
        elif what == "behind":
            bench.work.reached = {0: 3}
        elif what == "not settled":
            bench.positions.settled = False
        else:
            bench.watch.reading = None

    assert bench.after(110, hang)
    assert not bench.after(30)
    bench.work.progress = {0: bench.now}
    assert bench.after(10)


def test_a_stuck_shard_beside_a_working_one_is_not_healthy(bench: Bench) -> None:
    """What one shard gets done is no progress of another; the metric names the one that fails."""

    def work_and_stick() -> None:
        bench.positions.placed = {"sessions": [0, 1]}
        bench.work.busy = {0, 1}
        bench.work.progress = Moving(lambda: bench.now)

    failing = bench.metrics.registry.get_sample_value
    assert bench.after(110, work_and_stick)
    assert failing("growth_shard_failing", {"partition": "1"}) == 0
    assert not bench.after(40)
    assert bench.watch.healthy()[1]["stalled_partitions"] == [1]
    assert failing("growth_shard_failing", {"partition": "0"}) == 0
    assert failing("growth_shard_failing", {"partition": "1"}) == 1
    bench.work.busy = {0}
    assert bench.after(10)
    assert failing("growth_shard_failing", {"partition": "1"}) == 0


def test_a_shard_that_fails_is_shown_at_once(bench: Bench) -> None:
    """The metric does not wait for the two minutes after which the worker is started again."""
    bench.work.busy = bench.work.fails = {0}
    assert bench.after(10)
    assert bench.metrics.registry.get_sample_value("growth_shard_failing", {"partition": "0"}) == 1


def test_a_shard_that_had_nothing_to_do_has_two_minutes(bench: Bench) -> None:
    """Idle hours before the first record do not count as a stall."""
    assert bench.after(600)
    bench.work.reached = {0: 3}
    assert bench.after(110)
    assert not bench.after(30)


def test_garbage_is_collected_by_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cycles of a worker that gets little to read go with the minute, and do not wait for a count of objects."""
    monkeypatch.setattr(health, "COLLECT_SECONDS", 0.001)
    cycle: list[Any] = [Cycle()]
    cycle[0].itself = cycle
    gone = weakref.ref(cycle[0])
    gc.disable()
    try:
        del cycle
        assert gone() is not None
        bench.after(10)
        assert gone() is None
    finally:
        gc.enable()


def test_a_broker_that_is_gone_is_no_stall(bench: Bench) -> None:
    """While the broker does not answer nothing can be done; when it does there are two minutes from then on."""
    bench.broker = bench.positions.settled = False
    assert bench.after(600)
    bench.broker = True
    assert bench.after(50)
    assert not bench.after(130)


def test_tables_are_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that do not answer make a worker not ready, those that went back are read again from where they end."""

    def unavailable() -> None:
        raise TablesUnavailable("Redis is gone.")

    bench.work.back = [TP("sessions", 0)]
    monkeypatch.setattr(bench.tables, "ping", unavailable)
    bench.after(10)
    assert bench.watch.ready()[1]["tables"] is False
    assert bench.metrics.registry.get_sample_value("growth_redis_up") == 0
    assert bench.positions.gone
    monkeypatch.undo()


def test_looking_goes_on_after_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of does not leave the probes with what they knew before."""

    def broken(_: TP) -> int:
        raise RuntimeError("unheard of")

    monkeypatch.setattr(Consumer, "end", 9)
    monkeypatch.setattr(bench.work, "covered", broken)
    bench.after(10)
    monkeypatch.setattr(bench.work, "covered", lambda _: 3)
    bench.after(10)
    assert bench.watch.healthy()[1]["busy"]
