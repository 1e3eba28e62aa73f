"""`python -m benchmarks.backlog`: how much memory a worker takes at most while it reads a backlog of any kind."""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from typing import NamedTuple

import psutil
from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.load import DAY_MS, PARTITIONS, session
from growthgauge.sending.topics import make_topics
from streams.decoding.partition import partitions_of
from streams.kafka import topics
from tests.support.servers_kafka import missing_for_kafka

CUSTOMERS, USERS, DAYS = 5_000, 100_000, 40
FIRST_DAY = 20_400
LARGEST = 990_000
"""Bytes of a record that brokers take with their defaults."""
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 3 * 3600


class Backlog(NamedTuple):
    """One topic's worth of sessions that wait."""

    topic: str
    title: str
    events: int
    padding: int = 0
    """Bytes in a field that nobody reads."""
    compression: str = "none"


class Peak(NamedTuple):
    """What one worker took."""

    backlog: Backlog
    sent_bytes: int
    idle_bytes: int
    """Resident when it is about to read."""
    half_bytes: int
    """The most until half of the records were in the tables."""
    peak_bytes: int
    seconds: float
    cpu_seconds: float


def fill(broker: str, backlog: Backlog) -> tuple[list[int], int]:
    """Make the topic and send the sessions; give each partition's end, and the bytes."""
    topics.create(broker, [backlog.topic], PARTITIONS)
    producer = Producer(
        {
            "bootstrap.servers": broker,
            "linger.ms": 50,
            "batch.size": 1 << 20,
            "compression.type": backlog.compression,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 1 << 18,
        }
    )
    names = [f"customer-{number:06}" for number in range(CUSTOMERS)]
    partitions = partitions_of(names, PARTITIONS).tolist()
    ends, size = [0] * PARTITIONS, 0
    for customer, value in _events(backlog):
        partition = partitions[customer]
        while True:
            try:
                producer.produce(backlog.topic, value, names[customer], partition)
                break
            except BufferError:
                producer.poll(1)
        ends[partition] += 1
        size += len(value)
    if producer.flush(600):
        raise RuntimeError(f"The broker at {broker} did not take the whole backlog.")
    return ends, size


def _events(backlog: Backlog) -> Iterator[tuple[int, bytes]]:
    dice = random.Random(backlog.topic)
    step = DAYS * DAY_MS / backlog.events
    noise = dice.randbytes(LARGEST).hex().encode()
    for number in range(backlog.events):
        user = dice.randrange(USERS)
        customer = user * CUSTOMERS // USERS
        value = session(number, customer, user, FIRST_DAY * DAY_MS + int(number * step))
        if backlog.padding:
            begin = dice.randrange(LARGEST)
            padding = (
                b" " * backlog.padding if backlog.compression != "none" else noise[begin : begin + backlog.padding]
            )
            value = value[:-1] + b',"note":"' + padding + b'"}'
        yield customer, value


def measure(servers: parts.Servers, backlog: Backlog) -> Peak:
    """Let one worker read a backlog, and watch its memory."""
    ends, size = fill(servers.kafka.address, backlog)
    with servers.redis.client() as client:
        client.flushall()
    settings = servers.settings(topic_sessions=backlog.topic, group=backlog.topic)
    make_topics(settings)
    stored = parts.Stored(settings)
    halves = [end // 2 for end in ends]
    with parts.command("worker", settings) as worker:
        parts.wait_for(lambda: stored.placed(list(settings.topics.values())), POLL_SECONDS)
        started, cpu = time.perf_counter(), parts.cpu_seconds(worker.pid)
        idle = peak = _resident(worker)
        half = 0
        while not stored.cover(backlog.topic, ends):
            if time.perf_counter() - started > PATIENCE_SECONDS:
                raise TimeoutError("The worker did not get through the backlog.")
            peak = max(peak, _resident(worker))
            if not half and stored.cover(backlog.topic, halves):
                half = peak
            time.sleep(POLL_SECONDS)
        seconds, used = time.perf_counter() - started, parts.cpu_seconds(worker.pid) - cpu
    stored.close()
    return Peak(backlog, size, idle, half or peak, peak, seconds, used)


def _resident(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=__doc__)
    parser.add_argument("--events", type=int, default=500_000, help="small sessions (%(default)s)")
    parser.add_argument("--megabytes", type=int, default=500, help="of largest records (%(default)s)")
    options = parser.parse_args()
    lacking = missing_for_kafka()
    if lacking:
        parser.error(lacking)
    console = Console(width=120)
    large = options.megabytes * 1_000_000
    backlogs = [
        Backlog("bench.small", f"{options.events:,} records of 165 bytes", options.events),
        Backlog("bench.large", f"{large // LARGEST:,} records of {LARGEST:,} bytes", large // LARGEST, LARGEST - 200),
        Backlog("bench.packed", f"{large // 20_000:,} records of 20 kB, gzip", large // 20_000, 20_000, "gzip"),
    ]
    table = Table("backlog", "MB", "idle MiB", "half MiB", "peak MiB", "s", "CPU s", title="Memory of one worker")
    for column in table.columns[1:]:
        column.justify = "right"
    for backlog in backlogs:
        with parts.servers() as servers:
            console.print(f"{backlog.title} ...")
            peak = measure(servers, backlog)
        sizes = (f"{size / 2**20:,.0f}" for size in peak[2:5])
        table.add_row(
            backlog.title,
            f"{peak.sent_bytes / 1e6:,.0f}",
            *sizes,
            f"{peak.seconds:,.1f}",
            f"{peak.cpu_seconds:,.1f}",
        )
    console.print(table)
    console.print("Half: the most until half of the records were in the tables. Memory that is bounded stays there.")


if __name__ == "__main__":
    main()
