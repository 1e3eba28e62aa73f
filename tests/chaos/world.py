"""What faults happen to: a Kafka, a Redis behind a proxy, workers, and a feed of events that goes on meanwhile."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from kafka import KafkaAdminClient, TopicPartition

from aggregators.events import TYPES
from aggregators.tables.door import Meta, Tables
from aggregators.tables.opening import open_tables
from growthgauge.upkeep.catch_up import metas
from streams.kafka import topics
from tests.chaos.feed import Feed
from tests.chaos.proxy import Proxy
from tests.support.kills import PARTITIONS, Worker, named
from tests.support.servers import RedisServer
from tests.support.servers_kafka import Kafka
from tests.support.terminal import COMMAND, User, environment

LATEST = -1
PATIENCE_SECONDS = 150
"""How long anything that should happen may take on a busy machine."""
TICK_SECONDS = 0.05
LARGEST_BURST = 250
ALSO_KILLED = 0.15
"""The share of faults in whose midst a worker is killed, too."""
ROOT = Path(__file__).parents[2]


class Stuck(Exception):  # noqa: N818 - reads as the state it names
    """Something that should happen did not."""


class NotDone(Exception):  # noqa: N818 - an outcome, not an error
    """A fault could not be brought about: it counts as planned and not as done."""


class World:
    """One round's topics, group, tables and workers; enter it to start everything."""

    def __init__(
        self,
        kafka: Kafka,
        folder: Path,
        log: Sequence[dict[str, Any]],
        settings: Mapping[str, object],
        seed: int,
        stand_in: str | None = None,
    ) -> None:
        """Name everything.

        Args:
            kafka: runs already.
            folder: of logs and data.
            log: the events.
            settings: those of the reference.
            seed: of everything that is drawn.
            stand_in: a module of this package that runs in the worker's place; None for the installed command.
        """
        folder.mkdir(parents=True)
        self.kafka, self.folder, self.log, self.seed = kafka, folder, log, seed
        self.rng = random.Random(f"world {seed}")
        self.user = User(folder)
        self.clock = folder / "clock"
        self._name, self._stand_in = uuid4().hex[:8], stand_in
        self.shown = dict(settings)
        self.environment = named(kafka.address, folder, self._name, settings)
        self.topics = {kind: f"{self._name}.{kind}s" for kind in TYPES}
        self.workers: list[Worker] = []
        self.ended: list[Worker] = []
        self.complaints: list[str] = []
        """What should not have happened, though the numbers may be right."""
        self.killed: Counter[str] = Counter()
        """Processes ended with SIGKILL, by what they were."""
        self.budget = 0
        """Events that may be sent now."""
        self._next_burst = 0.0
        self._stack = contextlib.ExitStack()
        self.redis: RedisServer
        self.proxy: Proxy
        self.feed: Feed
        self.tables: Tables
        self.snapshot: Path | None = None
        self.remembered = 0
        """Records that the snapshot covers."""

    def __enter__(self) -> Self:
        """Start Redis, make the topics; workers are started by `start`."""
        # Copies of a file that is only appended to are whole at any time: so it is never rewritten.
        self.redis = RedisServer("--auto-aof-rewrite-percentage", "0", append_only=True)
        self._stack.callback(self.redis.remove)
        self.redis.start()
        self.proxy = Proxy(self.redis.port, self.seed)
        self._stack.callback(self.proxy.close)
        self.tables = open_tables(self.redis.url)
        self._stack.callback(self.tables.close)
        self.feed = Feed(self.kafka.address, self.topics, self.log, self.seed)
        self.init()
        return self

    def __exit__(self, *exc: object) -> None:
        """End whatever still runs."""
        for worker in self.workers:
            worker.kill()
        self._stack.close()

    @property
    def sabotaged(self) -> bool:
        """Whether workers lack a safeguard, so that nobody may wait for what it would bring about."""
        return (self._stand_in or "").startswith("without_")

    # Commands

    def settings(self, *, direct: bool = True) -> dict[str, str]:
        """Give the environment of a command: with Redis itself, or through the proxy as workers have it."""
        port = self.redis.port if direct else self.proxy.port
        return self.environment | {"GROWTHGAUGE_REDIS_URL": f"redis://127.0.0.1:{port}/0"}

    def init(self) -> None:
        """Make the topics that are missing."""
        made = self.user.runs("init", **self.settings())
        if made.status != 0:
            raise Stuck(f"init failed: {made.error}")

    def start(self, **changed: str) -> Worker:
        """Start a worker; the caller says whether it is one of the round's."""
        number = len(self.workers) + len(self.ended)
        module = f"tests.chaos.{self._stand_in}"
        command = [COMMAND, "worker"] if self._stand_in is None else [sys.executable, "-m", module, "worker"]
        own = {"PYTHONPATH": str(ROOT), "CHAOS_CLOCK": str(self.clock)} if self._stand_in else {}
        worker = Worker(self.folder, number, self.settings(direct=False) | own | changed, command)
        self.workers.append(worker)
        return worker

    def kill(self, worker: Worker) -> int:
        """SIGKILL a worker, and give its process id."""
        worker.kill()
        self.killed["workers"] += 1
        self.retire(worker)
        return worker.process.pid

    def kill_redis(self) -> None:
        """SIGKILL Redis."""
        self.redis.kill()
        self.killed["Redis"] += 1

    def kill_kafka(self) -> None:
        """SIGKILL Kafka."""
        self.kafka.kill()
        self.killed["Kafka"] += 1

    def terminate(self, worker: Worker) -> int:
        """SIGTERM a worker, wait for its end, and give its process id."""
        worker.process.send_signal(signal.SIGTERM)
        try:
            status = worker.process.wait(40)
        except subprocess.TimeoutExpired:
            self.complaints.append(f"worker {worker.process.pid} did not end within 40 s of SIGTERM")
            return self.kill(worker)
        if status != 0:
            self.complaints.append(f"worker {worker.process.pid} ended with {status} after SIGTERM")
        self.retire(worker)
        return worker.process.pid

    def retire(self, worker: Worker) -> None:
        """Note that a worker has ended."""
        self.workers.remove(worker)
        self.ended.append(worker)

    def popen(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command whose output nobody needs."""
        return subprocess.Popen(
            [COMMAND, *arguments],
            cwd=self.folder,
            env=environment(**self.settings()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    # Looking

    def metas(self) -> list[Meta]:
        """Read what the shards say of themselves, past the proxy."""
        return metas(self.tables, PARTITIONS)

    def stored(self) -> dict[tuple[str, int], int]:
        """Give the stored next offset of every partition."""
        found = self.metas()
        return {
            (topic, number): meta.offsets[topic].next if topic in meta.offsets else 0
            for topic in self.topics.values()
            for number, meta in enumerate(found)
        }

    def total(self) -> int:
        """Count the records that the stored offsets cover."""
        return sum(self.stored().values())

    def ends(self) -> dict[tuple[str, int], int]:
        """Give the offset after the last record of every partition."""
        with contextlib.closing(KafkaAdminClient(bootstrap_servers=self.kafka.address)) as admin:
            wanted = {TopicPartition(t, n): LATEST for t in self.topics.values() for n in range(PARTITIONS)}
            return {(tp.topic, tp.partition): end.offset for tp, end in admin.list_partition_offsets(wanted).items()}

    def behind(self) -> int:
        """Count the records that the tables do not cover, under the topics' present identities."""
        there = topics.describe(self.kafka.address, self.topics.values())
        found = self.metas()
        missing = 0
        for (topic, number), end in self.ends().items():
            offset = found[number].offsets.get(topic)
            reached = offset.next if offset and offset.identity == there[topic].identity else 0
            missing += max(0, end - reached)
        return missing

    def served(self) -> bool:
        """Whether the workers read all partitions of all topics."""
        shards: set[int] = set()
        for worker in self.workers:
            shards |= worker.shards() if worker.process.poll() is None else set()
        return shards == set(range(PARTITIONS))

    def logs(self) -> str:
        """Give the ends of the logs of workers."""
        last = [*self.ended[-2:], *self.workers]
        return "\n".join(f"--- {worker.process.pid}\n{worker.text()[-1500:]}" for worker in last)

    # Time

    def tick(self) -> None:
        """Let a moment pass in which events may be sent and workers may turn out to have ended by themselves."""
        now = time.monotonic()
        if now >= self._next_burst and self.budget > 0:
            self.budget -= self.feed.burst(min(self.budget, self.rng.randrange(1, LARGEST_BURST)))
            self._next_burst = now + self.rng.uniform(0.02, 0.5)
        self.feed.poll()
        for worker in list(self.workers):
            status = worker.process.poll()
            if status is not None:
                # One that starts while a topic is away says so and ends, as it should.
                if "`growthgauge init`" not in worker.text():
                    self.complaints.append(f"worker {worker.process.pid} ended by itself: {worker.text()[-400:]}")
                self.retire(worker)
                self.start()
        time.sleep(TICK_SECONDS)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.tick()

    def until(
        self, what: Callable[[], Any], why: str, seconds: float = PATIENCE_SECONDS, *, patient: bool = False
    ) -> bool:
        """Let time pass until something is true; False where it does not become so and we are `patient` about that.

        Raises:
            Stuck: it did not happen.
        """
        deadline = time.monotonic() + seconds
        while not what():
            if time.monotonic() > deadline:
                if patient:
                    return False
                raise Stuck(f"not within {seconds:.0f} s: {why}\n{self.logs()}")
            self.tick()
        return True

    def strike(self, spare: Worker | None = None) -> None:
        """Send a burst and let a random moment pass, so that the next thing happens in the midst of work.

        Now and then a worker is killed as well, but not the one to `spare`: faults do not wait for each other.
        """
        self.feed.burst(min(self.budget, LARGEST_BURST))
        self.budget = max(0, self.budget - LARGEST_BURST)
        self.feed.poll()
        time.sleep(self.rng.uniform(0, 0.15))
        victims = [worker for worker in self.workers if worker is not spare]
        if len(self.workers) > 1 and self.rng.random() < ALSO_KILLED:
            self.kill(self.rng.choice(victims))
            self.start()

    # Redis' data

    def remember(self) -> None:
        """Copy Redis' append-only file as it is now."""
        self.remembered = self.total()
        self.snapshot = self.folder / "snapshot"
        shutil.rmtree(self.snapshot, ignore_errors=True)
        shutil.copytree(self.redis.folder / "appendonlydir", self.snapshot)

    def restore(self) -> None:
        """Put the copy back in place of what a Redis that has ended left, or nothing if there is none."""
        data = self.redis.folder / "appendonlydir"
        shutil.rmtree(data)
        if self.snapshot is not None:
            shutil.copytree(self.snapshot, data)
