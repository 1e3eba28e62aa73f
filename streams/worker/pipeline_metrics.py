"""What a worker tells of its own work, in Prometheus' metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aggregators.events import TYPES

OUTCOMES = ("accepted", "duplicate", "revised", "conflict", "late", "rejected")
REASONS = ("not_json", "schema", "unknown_type", "too_old", "future", "wrong_partition")


class PipelineMetrics:
    """A worker's metrics, in a registry of their own."""

    def __init__(self, topics: Iterable[str], partitions: int) -> None:
        """Begin with 0 wherever the labels are known."""
        self.registry = CollectorRegistry()
        self._events = Counter(
            "growth_events", "Events by type and what became of them.", ["type", "outcome"], registry=self.registry
        )
        self._rejected = Counter(
            "growth_events_rejected", "Records rejected, by reason.", ["reason"], registry=self.registry
        )
        self._last = Gauge(
            "growth_last_event_timestamp_seconds",
            "The latest occurred_at of an event committed by this worker, by type.",
            ["type"],
            registry=self.registry,
        )
        self._lag = Gauge(
            "growth_consumer_lag",
            "Records of an assigned partition that are not in the tables yet.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self._lost = Counter(
            "growth_records_lost",
            "Records that the broker deleted before they were read.",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.batch_records = Histogram(
            "growth_batch_records",
            "Records in a fetched batch.",
            buckets=(1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000),
            registry=self.registry,
        )
        self.commit_duration = Histogram(
            "growth_commit_duration_seconds",
            "Time that one transaction took, from reading the shard to its commit.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.redis_up = Gauge(
            "growth_redis_up", "1 while the tables answer and take what they are given.", registry=self.registry
        )
        self._failing = Gauge(
            "growth_shard_failing",
            "1 while a batch of an assigned partition cannot be processed, or hangs.",
            ["partition"],
            registry=self.registry,
        )
        self._newest: dict[str, int] = {}
        self._lock = Lock()
        for event_type in TYPES:
            for outcome in OUTCOMES:
                self._events.labels(event_type, outcome)
        self._events.labels("unknown", "rejected")
        for reason in REASONS:
            self._rejected.labels(reason)
        for topic in topics:
            for partition in range(partitions):
                self._lost.labels(topic, partition)

    def committed(
        self, outcomes: Mapping[str, int], rejects: Iterable[tuple[str, str]], newest: Mapping[str, int]
    ) -> None:
        """Count what a commit has made final.

        Args:
            outcomes: events by `type/outcome`.
            rejects: type and reason of each rejected record.
            newest: the latest instant of each type, in milliseconds.
        """
        for name, count in outcomes.items():
            self._events.labels(*name.split("/", 1)).inc(count)
        for event_type, reason in rejects:
            self._events.labels(event_type, "rejected").inc()
            self._rejected.labels(reason).inc()
        with self._lock:
            for event_type, instant in newest.items():
                if instant > self._newest.get(event_type, instant - 1):
                    self._newest[event_type] = instant
                    self._last.labels(event_type).set(instant / 1000)

    def lost(self, topic: str, partition: int, records: int) -> None:
        """Count records that can never be read."""
        self._lost.labels(topic, partition).inc(records)

    def failing(self, partitions: Mapping[int, bool]) -> None:
        """Show of the partitions that this worker has, and of no other, whether each fails."""
        self._failing.clear()
        for partition, fails in partitions.items():
            self._failing.labels(partition).set(fails)

    def lag(self, lags: Mapping[tuple[str, int], int]) -> None:
        """Show the lag of the partitions that this worker has, and of no other."""
        self._lag.clear()
        for (topic, partition), records in lags.items():
            self._lag.labels(topic, partition).set(max(0, records))
