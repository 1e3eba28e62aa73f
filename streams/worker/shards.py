"""One shard's records to its transactions: trim what is there, decode, fold, dead letters, commit."""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aggregators import batch as batches
from aggregators.batch import Folded
from aggregators.events import Event, Sessions
from aggregators.facts import Facts
from aggregators.tables.agreement import disagreement
from aggregators.tables.door import COMMIT_BYTES, COMMIT_LEDGERS, SPACES, Commit, Meta, Offset, Shard, Space, Superseded
from streams.decoding.decode import Decoded, decode
from streams.kafka.dead_letters import DeadLetter, DeadLetters
from streams.kafka.transport import Batch, Record
from streams.worker.config import WorkerConfig
from streams.worker.pipeline_metrics import PipelineMetrics

log = logging.getLogger("growthgauge.worker")

FIRST_PIECE = 8_000
LARGEST_PIECE = 20_000
"""Records: larger transactions are no faster."""


class WrongTables(Exception):  # noqa: N818 - reads as the state it names
    """The tables were made with other settings; the message says what to do, and going on would make them wrong."""


class Misplaced(Exception):  # noqa: N818 - an outcome, not an error
    """A batch begins after what the tables cover: reading has to go back to where they end."""


class Span(NamedTuple):
    """Where a partition is read from, and why there."""

    start: int
    lost: int = 0
    """Records before it that the broker has deleted unread."""
    remade: bool = False
    """The topic is another one than before, or its broker has lost records: all of it is read again."""


class ShardProcessor:
    """Writes one shard; one thread at a time."""

    def __init__(
        self, config: WorkerConfig, number: int, shard: Shard, dead_letters: DeadLetters, metrics: PipelineMetrics
    ) -> None:
        """Take what it works with; nothing is connected yet."""
        self._config = config
        self._number = number
        self._shard = shard
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._fingerprint = config.rules.fingerprint()
        self._sizes: dict[str, int] = {}
        self.covered: dict[str, int] = {}
        """By topic, the next offset at the last look."""

    def place(self, topic: str, identity: str, earliest: int, out_of_range: int | None = None) -> Span:
        """Say where to read a topic's partition from, and store it where that is not what is stored.

        Args:
            topic: its name.
            identity: its id, now.
            earliest: the first offset that the broker has.
            out_of_range: an offset that the broker says it does not have.

        Raises:
            WrongTables: they were made with other settings.
            TablesUnavailable: the store did not answer.
        """
        while True:
            meta = self._begin()
            stored = meta.offsets.get(topic)
            same = stored is not None and stored.identity == identity
            if stored is not None and same and stored.next >= earliest and stored.next != out_of_range:
                self.covered[topic] = stored.next
                return Span(stored.next)
            # Event ids keep the count right, so whatever is in doubt is read again from the beginning.
            try:
                self._commit(meta, topic, Offset(identity, earliest))
            except Superseded:
                continue
            lost = earliest - stored.next if stored is not None and same else 0
            return Span(earliest, max(0, lost), remade=stored is not None and lost <= 0)

    def process(self, batch: Batch, identity: str) -> None:
        """Bring a batch into the tables: when this returns they cover it, and its dead letters are sent.

        Raises:
            Misplaced: the tables end before the batch begins, or know another topic of this name.
            WrongTables: they were made with other settings.
            TablesUnavailable: the store did not answer; try again.
            DeadLettersUnavailable: the broker did not take the dead letters; try again.
        """
        self._metrics.batch_records.observe(len(batch.records))
        reached = -1
        while reached < batch.next:
            try:
                reached = self._advance(batch, identity)
            except Superseded:
                log.debug("Shard %d was written by another worker: reading it again.", self._number)

    def gone_back(self) -> list[str]:
        """Name the topics of which the tables cover less than at the last look: they have gone back in time.

        Raises:
            TablesUnavailable: the store did not answer.
        """
        offsets = self._shard.begin().offsets
        return [topic for topic, known in self.covered.items() if topic not in offsets or offsets[topic].next < known]

    def close(self) -> None:
        """Let go of the shard's connection."""
        self._shard.close()

    def _begin(self) -> Meta:
        meta = self._shard.begin()
        sentence = disagreement(meta, self._fingerprint, self._config.partitions)
        if sentence is not None:
            raise WrongTables(sentence)
        return meta

    def _advance(self, batch: Batch, identity: str) -> int:
        """Commit one piece of a batch and give the next offset that the tables then have."""
        started = time.perf_counter()
        meta = self._begin()
        stored = meta.offsets.get(batch.topic)
        if stored is None or stored.identity != identity or stored.next < batch.start:
            raise Misplaced
        self.covered[batch.topic] = stored.next
        if stored.next >= batch.next:
            return stored.next
        first = bisect_left(batch.records, stored.next, key=_offset)
        records, decoded, folded = self._piece(batch, first)
        letters = [
            DeadLetter(records[reject.index], batch.topic, batch.partition, reject.reason, reject.message)
            for reject in decoded.rejects
        ]
        if letters:
            self._dead_letters.send(letters)
        after = records[-1].offset + 1 if first + len(records) < len(batch.records) else batch.next
        rejects = [(reject.type, reject.reason) for reject in decoded.rejects]
        outcomes = dict(folded.outcomes)
        for _, reason in rejects:
            outcomes[f"rejected/{reason}"] = outcomes.get(f"rejected/{reason}", 0) + 1
        self._commit(meta, batch.topic, Offset(identity, after), folded.ledgers, folded.facts, outcomes)
        self._metrics.committed(folded.outcomes, rejects, dict(_newest(decoded.sessions, decoded.events)))
        self._metrics.commit_duration.observe(time.perf_counter() - started)
        return after

    def _piece(self, batch: Batch, first: int) -> tuple[Sequence[Record], Decoded, Folded]:
        """Take as many records as one commit may hold, and fold them into the ledgers that they touch."""
        size = self._sizes.get(batch.topic, FIRST_PIECE)
        while True:
            records = batch.records[first : first + size]
            decoded = decode(
                [record.value for record in records],
                [-1 if record.timestamp is None else record.timestamp for record in records],
                partition=batch.partition,
                partitions=self._config.partitions,
                accept_from=self._config.accept_from,
                allowed_skew_ms=self._config.allowed_skew,
            )
            fields = batches.touched(decoded.sessions, decoded.events)
            # Together: a customer's ledger is written once for all the users of a piece, who may be the more for that.
            excess = sum(map(len, fields.values())) / (len(SPACES) * COMMIT_LEDGERS)
            if excess <= 1 or len(records) <= 1:
                ledgers = {space: self._read(space, names) for space, names in fields.items()}
                held = sum(sum(map(len, found.values())) for found in ledgers.values())
                excess = max(excess, held / COMMIT_BYTES)
                if excess <= 1 or len(records) <= 1:
                    rules, further = self._config.rules, _Further(self._shard)
                    folded = batches.fold_batch(rules, decoded.sessions, decoded.events, ledgers, further)
                    # Long ledgers show only now how much of them the events needed.
                    excess = max(excess, (held + further.held) / COMMIT_BYTES)
                    if excess <= 1 or len(records) <= 1:
                        if excess < 0.5 and len(records) == size:
                            self._sizes[batch.topic] = min(2 * size, LARGEST_PIECE)
                        return records, decoded, folded
            # Often the next piece is like this one: so the size is kept.
            size = self._sizes[batch.topic] = max(1, int(0.97 * len(records) / excess))

    def _read(self, space: Space, fields: Sequence[str]) -> dict[str, bytes]:
        if not fields:
            return {}
        found = zip(fields, self._shard.read(space, fields), strict=True)
        return {field: ledger for field, ledger in found if ledger is not None}

    def _commit(
        self,
        meta: Meta,
        topic: str,
        offset: Offset,
        ledgers: dict[Space, dict[str, bytes]] | None = None,
        facts: Facts | None = None,
        outcomes: dict[str, int] | None = None,
    ) -> None:
        self._shard.commit(
            Commit(
                based_on=meta,
                fingerprint=self._fingerprint,
                partitions=self._config.partitions,
                ledgers=ledgers or {},
                facts=facts or Facts(),
                offsets={topic: offset},
                outcomes=outcomes or {},
            )
        )
        self.covered[topic] = offset.next


class _Further:
    """Reads on in a shard while a batch is folded."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self.held = 0
        """Bytes read."""

    def __call__(self, space: Space, fields: Sequence[str]) -> list[bytes | None]:
        """Read some fields, None where there is nothing, in their order."""
        found = self._shard.read(space, fields)
        self.held += sum(map(len, filter(None, found)))
        return found


def _offset(record: Record) -> int:
    return record.offset


def _newest(sessions: Sessions, events: Sequence[Event]) -> Iterator[tuple[str, int]]:
    """Give the latest instant of each type, in milliseconds."""
    if len(sessions):
        yield "session", int(sessions.occurred_at.max())
    newest: dict[str, int] = {}
    for event in events:
        newest[event.type] = max(event.occurred_at, newest.get(event.type, event.occurred_at))
    yield from newest.items()
