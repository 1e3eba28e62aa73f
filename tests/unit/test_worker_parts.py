"""The small parts of a worker: who gets which partition, what is logged how often, metrics that begin with 0."""

from __future__ import annotations

import logging

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from streams.kafka.assignor import ShardAssignor
from streams.kafka.topics import Topic, problems
from streams.worker import library_logs, outages
from streams.worker.outages import Outage
from streams.worker.pipeline_metrics import PipelineMetrics


class Cluster(ClusterMetadata):
    """Topics with their numbers of partitions."""

    def __init__(self, **partitions: int) -> None:
        """Know nothing but the numbers."""
        super().__init__()
        self._counts = partitions

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """Number the partitions from 0."""
        return set(range(self._counts[topic])) if topic in self._counts else None


def dealt(cluster: Cluster, members: dict[str, list[str]]) -> dict[str, dict[str, list[int]]]:
    """Assign, as plain values."""
    joined = {name: ConsumerProtocolMemberMetadata(0, topics, b"") for name, topics in members.items()}
    return {name: dict(found.assignment) for name, found in ShardAssignor.assign(cluster, joined).items()}


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6])
def test_a_shard_belongs_to_one_worker(workers: int) -> None:
    """Whoever has partition p of one topic has it of all, and no worker has two more shards than another."""
    names = ["payments", "sessions", "signups"]
    found = dealt(Cluster(**dict.fromkeys(names, 4)), {f"w{n}": names for n in range(workers)})
    shares = []
    for topics in found.values():
        assert len({tuple(numbers) for numbers in topics.values()}) <= 1
        assert len(topics) in {0, 3}
        shares.append(next(iter(topics.values()), []))
    assert sorted(number for share in shares for number in share) == [0, 1, 2, 3]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_topic_goes_to_who_reads_it() -> None:
    """Workers with other topics, or a topic that does not exist, leave nothing unread and break nothing."""
    found = dealt(Cluster(a=2, b=2), {"w1": ["a", "b", "nowhere"], "w2": ["a"]})
    assert found == {"w1": {"a": [0], "b": [0, 1]}, "w2": {"a": [1]}}


def test_an_outage_is_told_once_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many failed attempts the first is logged, then one a minute, and the end."""
    now = [1000.0]
    monkeypatch.setattr(outages.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, "growthgauge.worker")
    outage = Outage("The store is away")
    outage.end()
    for _ in range(150):
        outage.begin("nobody answers")
        now[0] += 1
    assert outage.on
    outage.end()
    assert not outage.on
    assert [record.getMessage() for record in caplog.records] == [
        *["The store is away, trying again: nobody answers"] * 3,
        "The store is away: over after 150 s.",
    ]


def test_an_outage_with_another_reason_is_told_at_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps the store away now is said, but reasons that come in turn do not fill the log."""
    now = [1000.0]
    monkeypatch.setattr(outages.time, "monotonic", lambda: now[0])
    outage = Outage("The store is away")
    for second in range(20):
        outage.begin("it is full" if second < 10 else ("it is busy", "nobody answers")[second % 2])
        now[0] += 1
    reasons = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert reasons == ["it is full", "it is busy", "nobody answers"]


def test_libraries_speak_in_single_lines(caplog: pytest.LogCaptureFixture) -> None:
    """A library's error is one line without its traceback, and the same one does not come again at once."""
    logger = logging.getLogger("some.library")
    logger.propagate = False
    logger.addHandler(library_logs.Digest())
    for _ in range(5):
        try:
            (_ for _ in ()).throw(OSError("gone"))
        except OSError:
            logger.exception("Broken: %s\nmany\nlines", "pipe")
    logger.error("Another %s")
    assert [(record.getMessage(), record.exc_info) for record in caplog.records] == [
        ("some: Broken: pipe", None),
        ("some: Another %s", None),
    ]


def test_metrics_begin_with_zero() -> None:
    """Every known label set is there before the first event; lag is that of assigned partitions, never below 0."""
    metrics = PipelineMetrics(["a"], 2)
    value = metrics.registry.get_sample_value
    assert value("growth_events_total", {"type": "expense", "outcome": "late"}) == 0
    assert value("growth_events_rejected_total", {"reason": "future"}) == 0
    assert value("growth_records_lost_total", {"topic": "a", "partition": "1"}) == 0
    metrics.lag({("a", 0): -3, ("a", 1): 7})
    assert value("growth_consumer_lag", {"topic": "a", "partition": "0"}) == 0
    metrics.lag({("a", 0): 2})
    assert value("growth_consumer_lag", {"topic": "a", "partition": "1"}) is None


def test_the_last_event_only_moves_on() -> None:
    """The time of a type's latest event does not go back with a late one, also before 1970."""
    metrics = PipelineMetrics([], 1)
    value = metrics.registry.get_sample_value
    metrics.committed({}, [], {"signup": -5_000})
    assert value("growth_last_event_timestamp_seconds", {"type": "signup"}) == -5
    metrics.committed({"signup/accepted": 2}, [], {"signup": 9_000})
    metrics.committed({}, [("signup", "future")], {"signup": 4_000})
    assert value("growth_last_event_timestamp_seconds", {"type": "signup"}) == 9
    assert value("growth_events_total", {"type": "signup", "outcome": "accepted"}) == 2
    assert value("growth_events_total", {"type": "signup", "outcome": "rejected"}) == 1


def test_what_is_wrong_with_topics() -> None:
    """Missing topics and other numbers of partitions are named, with what to do."""
    there = {"a": Topic("1", 4), "b": Topic("2", 3)}
    assert problems(there, ["a"], 4) == []
    missing, count = problems(there, ["a", "b", "c", "d"], 4)
    assert "no topic c, d: `growthgauge init`" in missing
    assert "topic b has 3 partitions, the setting partitions says 4" in count
