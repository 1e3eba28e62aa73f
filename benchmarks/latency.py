"""How long an event takes from being sent to being visible in the exporter's /metrics."""

from __future__ import annotations

import http.client
import re
import statistics
import threading
import time

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table

from benchmarks import parts
from benchmarks.load import PARTITIONS, Load, customer_of, session
from growthgauge.settings import Settings
from streams.decoding.partition import partition_of

RATE = 2_000
"""Events a second."""
TICK_SECONDS = 0.01
POLL_SECONDS = 0.1
"""Between the beginnings of two scrapes."""
BASE = 1_000
"""A probe of partition p has BASE**p reactions: so one sum tells how many of each partition are visible."""
REACTIONS = re.compile(rb'^growth_session_reactions\{period="365d"\} (\S+)$', re.MULTILINE)


class Sender(threading.Thread):
    """Sends sessions at a steady rate; every so often one that can be told from the others."""

    def __init__(self, broker: str, load: Load, seconds: int) -> None:
        """Prepare; `start` begins to send."""
        super().__init__(daemon=True)
        self._load, self._count = load, RATE * seconds
        self._producer = Producer({"bootstrap.servers": broker, "linger.ms": 5})
        # Fewer probes of a partition than BASE, whatever the partitions' luck.
        self._every = max(10, self._count // (PARTITIONS * BASE // 2))
        self.probes: list[list[float]] = [[] for _ in range(PARTITIONS)]
        """By partition, when each was sent."""
        self.seconds = 0.0

    def run(self) -> None:
        """Send all."""
        started = time.perf_counter()
        sent = 0
        while sent < self._count:
            due = min(self._count, int((time.perf_counter() - started) * RATE))
            for number in range(sent, due):
                self._send(number)
            sent = due
            self._producer.poll(0)
            time.sleep(TICK_SECONDS)
        self._producer.flush(30)
        self.seconds = time.perf_counter() - started

    def _send(self, number: int) -> None:
        user = number * 7_919 % self._load.users
        customer = customer_of(user, self._load)
        name = f"customer-{customer:06}"
        partition = partition_of(name, PARTITIONS)
        watched = number % self._every == 0 and len(self.probes[partition]) < BASE - 1
        event = session(
            self._load.events + number, customer, user, int(time.time() * 1000), BASE**partition if watched else 0
        )
        if watched:
            self.probes[partition].append(time.perf_counter())
        self._producer.produce(self._load.topic, event, name, partition)


def measure(servers: parts.Servers, console: Console, load: Load, seconds: int) -> None:
    """Measure and print the table; the tables go on with a load that is already there."""
    servers.redis.client().flushall()
    settings = servers.settings(topic_sessions=load.topic, group="latency")
    console.print(f"{RATE:,} events/s for {seconds} s, on top of {load.events:,} sessions, {load.title} ...")
    with parts.command("worker", settings) as worker, parts.command("exporter", settings) as exporter:
        page = Page(settings)
        parts.wait_for(lambda: page.sessions() == load.events, 0.2)
        sender = Sender(servers.kafka.address, load, seconds)
        cpu = [parts.cpu_seconds(process.pid) for process in (worker, exporter)]
        latencies, scrapes = _watch(page, sender)
        used = [
            parts.cpu_seconds(process.pid) - before for process, before in zip((worker, exporter), cpu, strict=True)
        ]
    share = [100 * each / sender.seconds for each in used]
    cuts = statistics.quantiles(latencies, n=100)
    table = Table("events/s", "probes", "p50", "p99", "greatest", "scrape", "worker CPU", "exporter CPU")
    table.title = "From sending to visible in /metrics"
    table.add_row(
        f"{RATE * seconds / sender.seconds:,.0f}",
        f"{len(latencies):,}",
        *(f"{1000 * each:.0f} ms" for each in (cuts[49], cuts[98], max(latencies))),
        f"{1000 * statistics.median(scrapes):.0f} ms",
        *(f"{each:.0f} %" for each in share),
    )
    console.print(table)
    console.print(
        f"A scrape every {1000 * POLL_SECONDS:.0f} ms; an event is visible when the answer that has it is complete, so "
        f"the times hold the wait for the next scrape and the scrape itself. Expected: p99 under one second: "
        f"{'met' if cuts[98] < 1 else 'missed'}",
        soft_wrap=True,
    )


class Page:
    """The exporter's /metrics over one connection that stays open."""

    def __init__(self, settings: Settings) -> None:
        """Connect at the first scrape."""
        self._connection = http.client.HTTPConnection(settings.listen, settings.exporter_port, timeout=30)

    def scrape(self) -> bytes:
        """Give the page."""
        self._connection.request("GET", "/metrics")
        return self._connection.getresponse().read()

    def sessions(self) -> int:
        """Give the sessions of a year; -1 while nobody answers."""
        try:
            found = re.search(rb'^growth_sessions\{period="365d"\} (\S+)$', self.scrape(), re.MULTILINE)
        except OSError:
            self._connection.close()
            return -1
        return int(float(found[1])) if found else -1

    def reactions(self) -> int:
        """Give the reactions of a year."""
        found = REACTIONS.search(self.scrape())
        assert found, "The exporter does not show growth_session_reactions."
        return int(float(found[1]))


def _watch(page: Page, sender: Sender) -> tuple[list[float], list[float]]:
    """Scrape until every probe is visible; give the latencies and the scrapes' durations, in seconds."""
    before = page.reactions()
    latencies: list[float] = []
    scrapes: list[float] = []
    seen = [0] * PARTITIONS
    deadline = time.perf_counter() + parts.PATIENCE_SECONDS
    sender.start()
    while sender.is_alive() or any(seen[number] < len(sender.probes[number]) for number in range(PARTITIONS)):
        began = time.perf_counter()
        assert began < deadline, "Some events never became visible."
        value = page.reactions() - before
        now = time.perf_counter()
        scrapes.append(now - began)
        for partition in range(PARTITIONS):
            value, visible = divmod(value, BASE)
            # One partition's events become visible in the order of sending.
            latencies += [now - sent for sent in sender.probes[partition][seen[partition] : visible]]
            seen[partition] = visible
        time.sleep(max(0.0, POLL_SECONDS - (time.perf_counter() - began)))
    return latencies, scrapes
