"""What a worker has to know: plain values, given to it by whoever starts it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aggregators.events import Type
from aggregators.rules import Rules


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a worker."""

    broker: str
    """Bootstrap servers, `host:port`, several separated by commas."""
    group: str = "growthgauge"
    topics: Mapping[Type, str]
    """The topic of each type; several types may share one, and any topic may carry any type."""
    dead_letters: str
    """The topic of records that cannot be accepted."""
    partitions: int
    """Of every topic, and the number of shards."""
    rules: Rules
    accept_from: int
    """Milliseconds since the epoch: events before it are rejected."""
    allowed_skew: int = 24 * 3_600_000
    """Milliseconds that an event may lie after its record's timestamp."""
    host: str = "127.0.0.1"
    """Address that the worker's port is bound to."""
    port: int = 9109
    """Of `/metrics`, `/-/healthy` and `/-/ready`; 0 for any."""
    data_dir: str
    """A folder that Faust may use."""
    session_seconds: float = 6.0
    """How long the group waits for a worker that is silent."""
    patience_seconds: float = 60.0
    """How long a worker waits for the broker at its start."""

    @property
    def names(self) -> tuple[str, ...]:
        """The topics to read, each once."""
        return tuple(dict.fromkeys(self.topics.values()))
