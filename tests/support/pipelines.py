"""A whole pipeline under test: topics of its own on a broker, tables in a Redis, workers as processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaProducer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from aggregators.tables.door import Meta
from aggregators.tables.opening import open_tables
from streams.kafka import topics
from tests.support.servers import RedisServer, free_port
from tests.support.servers_kafka import Broker
from tests.support.worker_process import Options

SCRIPT = Path(__file__).parent / "worker_process.py"
DAY = 86_400_000


def until(what: Callable[[], Any], seconds: float = 30, *, why: Callable[[], str] = lambda: "") -> Any:
    """Wait until something is true, and give it."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {why()}")
        time.sleep(0.05)


class WorkerProcess:
    """One worker."""

    def __init__(self, options: Options, log: Path) -> None:
        """Start it."""
        self.options, self.log = options, log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, str(SCRIPT), json.dumps(msgspec.to_builtins(options))],
                stdout=out,
                stderr=out,
                cwd=SCRIPT.parent.parent,
                env={"PYTHONPATH": str(SCRIPT.parent.parent), "PATH": "/usr/bin:/bin"},
            )

    def get(self, path: str) -> tuple[int, str]:
        """Ask its port; status 0 if nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.options.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def assigned(self) -> dict[str, list[int]]:
        """The partitions that it reads."""
        status, body = self.get("/-/ready")
        return json.loads(body)["assigned"] if status else {}

    def ready(self) -> bool:
        """Whether it can do its work; an error if it has ended."""
        assert self.process.poll() is None, self.text()
        return self.get("/-/ready")[0] == 200

    def metric(self, sample: str) -> float:
        """The value of one sample, as it stands in the exposition."""
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(f"{sample} "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"no {sample}")

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> tuple[int, float]:
        """SIGTERM; gives the exit status and the seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30), time.monotonic() - started

    def text(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace")


class Pipeline:
    """Topics with names of their own, a Redis, and any number of workers."""

    def __init__(self, broker: Broker, redis: RedisServer, folder: Path, partitions: int = 4) -> None:
        """Make the topics."""
        name = uuid4().hex[:8]
        self.broker, self.redis, self.folder, self.partitions = broker, redis, folder, partitions
        self.topics = {"signup": f"{name}.signups", "session": f"{name}.sessions", "payment": f"{name}.payments"}
        self.dead_letters = f"{name}.dead-letters"
        self.group = name
        self.workers: list[WorkerProcess] = []
        self.make_topics()

    def make_topics(self) -> None:
        """Make the topics that are missing."""
        names = [*self.topics.values(), self.dead_letters]
        topics.create(self.broker.address, names, self.partitions, dead_letters=self.dead_letters)

    def worker(self, **options: Any) -> WorkerProcess:
        """Start a worker."""
        number = len(self.workers)
        given = Options(
            **{
                "broker": self.broker.address,
                "redis": self.redis.url,
                "topics": self.topics,
                "dead_letters": self.dead_letters,
                "partitions": self.partitions,
                "data_dir": str(self.folder / f"data-{number}"),
                "port": free_port(),
                "group": self.group,
                **options,
            }
        )
        worker = WorkerProcess(given, self.folder / f"worker-{number}.log")
        self.workers.append(worker)
        return worker

    def ready_worker(self, **options: Any) -> WorkerProcess:
        """Start a worker and wait until it reads."""
        worker = self.worker(**options)
        until(worker.ready, 40, why=worker.text)
        return worker

    def send(self, events: Iterable[dict[str, Any]], **settings: Any) -> int:
        """Send events to the topics of their types, and wait for the broker; gives their number."""
        producer = KafkaProducer(bootstrap_servers=self.broker.address, linger_ms=50, **settings)
        sent = 0
        for event in events:
            topic = self.topics[event["type"]]
            producer.send(topic, key=event["customer_id"].encode(), value=json.dumps(event).encode())
            sent += 1
        producer.flush(30)
        producer.close()
        return sent

    def send_raw(self, topic: str, partition: int, records: list[tuple[bytes | None, bytes | None, list]]) -> None:
        """Send records as they are: key, value, headers; also what other producers refuse though Kafka allows it."""

        async def send() -> None:
            async with AIOKafkaProducer(bootstrap_servers=self.broker.address, max_batch_size=1 << 20) as producer:
                for key, value, headers in records:
                    batch = producer.create_batch()
                    batch.append(timestamp=int(time.time() * 1000), key=key, value=value, headers=headers)
                    await (await producer.send_batch(batch, topic, partition=partition))

        asyncio.run(send())

    def metas(self) -> list[Meta]:
        """What the shards say of themselves."""
        tables = open_tables(self.redis.url)
        shards = [tables.shard(number) for number in range(self.partitions)]
        found = [shard.begin() for shard in shards]
        for shard in shards:
            shard.close()
        tables.close()
        return found

    def outcomes(self) -> Counter[str]:
        """The counts of all shards."""
        total: Counter[str] = Counter()
        for meta in self.metas():
            total.update(meta.outcomes)
        return total

    def covered(self, kind: str) -> int:
        """How many offsets of a type's topic the tables cover."""
        offsets = [meta.offsets.get(self.topics[kind]) for meta in self.metas()]
        return sum(offset.next for offset in offsets if offset)

    def facts(self) -> dict[int, dict[int, dict[str, int]]]:
        """All facts, by shard and day."""
        tables = open_tables(self.redis.url)
        reader = tables.reader()
        found = {number: dict(reader.changes(number, {})[0].days) for number in range(self.partitions)}
        reader.close()
        tables.close()
        return found

    def total(self, measure: str) -> int:
        """The sum of one measure without labels over all shards and days."""
        return sum(day.get(measure, 0) for days in self.facts().values() for day in days.values())

    def read_dead_letters(self, number: int) -> list[Any]:
        """The dead letters, once there are so many."""
        consumer = KafkaConsumer(bootstrap_servers=self.broker.address, fetch_max_wait_ms=100)
        partitions = [TopicPartition(self.dead_letters, partition) for partition in range(self.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        found: list[Any] = []

        def more() -> bool:
            for records in consumer.poll(timeout_ms=500).values():
                found.extend(records)
            return len(found) >= number

        try:
            until(more, 20, why=lambda: f"{len(found)} dead letters of {number}")
        finally:
            consumer.close()
        return found

    def close(self) -> None:
        """End all workers."""
        for worker in self.workers:
            with contextlib.suppress(OSError):
                worker.kill()


_numbers = count()


def signup(customer: str, at: int, **fields: Any) -> dict[str, Any]:
    """A signup with an id of its own."""
    return {"id": f"e{next(_numbers)}", "type": "signup", "customer_id": customer, "occurred_at": at, **fields}


def session(customer: str, user: str, at: int, **fields: Any) -> dict[str, Any]:
    """A session with an id of its own."""
    return {
        "id": f"e{next(_numbers)}",
        "type": "session",
        "customer_id": customer,
        "user_id": user,
        "occurred_at": at,
        **fields,
    }
