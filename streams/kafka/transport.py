"""A Faust transport that hands over a whole fetched batch of one partition as one message.

A message costs Faust more than an event is worth, so one carries thousands of records: aiokafka's own record objects,
whose keys and headers are only looked at where a record is rejected. Written against faust-streaming 0.15.3 and
aiokafka 0.14.0, whose private parts it reads: it replaces nothing in either, and a topic that is not batched (Faust's
own, if there are any) passes as it always does.
"""

# ruff: noqa: SLF001 - there is no public way in

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, cast

import aiokafka
from aiokafka.consumer.fetcher import READ_COMMITTED, Fetcher, FetchResult, PartitionRecords
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.kafka.assignor import ShardAssignor

log = logging.getLogger("growthgauge.worker")

FETCH_WAIT_MS = 20
"""How long the broker waits for more to send; Faust's fixed 1,500 ms costs most of the rate where fetches are large."""
FETCH_BYTES = 16 << 20
"""What one answer of a broker holds at most, all partitions together."""
PARTITION_FETCH_BYTES = 4 << 20
FULL_SECONDS = 0.02
"""How long to wait for others while there are records that Faust had no room for."""
BATCH_RECORDS = 20_000
"""A batch ends with the producer's batch that reaches this many records,"""
BATCH_BYTES = 4 << 20
"""or this many bytes of values: a fetch is bounded as it was sent, and what is compressed may be much larger."""
COLLECT_BYTES = 32 << 20


class Record(Protocol):
    """One record as aiokafka parses it."""

    offset: int
    timestamp: int | None
    """Milliseconds since the epoch."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Batch(NamedTuple):
    """All records of one partition between two offsets, without gaps in what was read."""

    topic: str
    partition: int
    start: int
    """The offset that reading began at: every record from here on is in the batch."""
    next: int
    """The offset that reading goes on at; records of other kinds (transaction markers) may stand before it."""
    records: list[Record]
    identity: str
    """The topic's, when the batch was fetched."""
    size: int = 0
    """Bytes of the values."""


class Positions(Protocol):
    """Who decides where partitions are read from; called from the consumer's own thread."""

    def identity(self, tp: TP) -> str | None:
        """Give the identity of the topic whose partition is read; None while it is not being read from the right place.

        Only what is read from the right place is handed over.
        """

    def lost(self, tp: TP, out_of_range: int | None) -> None:
        """Take note that the partition has no position, or that the broker does not have the one it had."""

    def revoked(self) -> None:
        """Forget all partitions; called from Faust's loop, as is the next one."""

    def reassigned(self, assigned: set[TP]) -> None:
        """Begin anew with these partitions."""


class BatchThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]  # Faust is not typed
    """The thread with aiokafka's consumer in it."""

    def _create_worker_consumer(self, transport: BatchTransport) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[ShardAssignor],
            enable_auto_commit=False,
            # Where to begin is the tables' to say: a position that the broker does not have is an event, not a default.
            auto_offset_reset="none",
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            fetch_max_bytes=FETCH_BYTES,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            isolation_level="read_committed",
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: Container[TP] | None,
        timeout: float | None = None,  # noqa: ASYNC109 - Faust calls it so
        max_records: int | None = None,
    ) -> Mapping[TP, list[Any]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            return await fetched(fetcher, self.transport, active_partitions, timeout or 0, max_records)

    def highwater(self, tp: TP) -> int | None:
        """Give the end of what can be read: records of open transactions cannot."""
        consumer = self._ensure_consumer()
        stable: int | None = consumer.last_stable_offset(tp)
        end: int | None = consumer.highwater(tp)
        return end if stable is None or stable < 0 else stable

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # Kafka's committed offsets only feed lag tools: that one was not taken is no reason to end.
        assigned = self.assignment()
        consumer = self._ensure_consumer()
        try:
            await consumer.commit({tp: offset for tp, offset in offsets.items() if tp in assigned})
        except KafkaError as error:
            log.debug("Kafka did not take the committed offsets: %s", error, extra={"action": "commit_refused"})
            return False
        return True


class BatchConsumer(driver.Consumer):  # type: ignore[misc]  # Faust is not typed
    """Faust's consumer, with batches for messages."""

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Batch):
            return super()._to_message(tp, record)
        return ConsumerMessage(
            topic=record.topic,
            partition=record.partition,
            offset=record.next - 1,
            timestamp=0.0,
            timestamp_type=0,
            headers=[],
            key=None,
            value=record,
            checksum=None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Read nothing until the group has agreed again."""
        self.transport.positions.revoked()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take note of an empty assignment, for which Faust never seeks."""
        if not assigned:
            self.transport.positions.reassigned(set())
        await super().on_partitions_assigned(assigned, generation_id)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Do not seek: `Positions` places every assigned partition."""
        assigned = self.assignment()
        self.transport.positions.reassigned({tp for tp in assigned if self.transport.batched(tp.topic)})
        return {}

    async def go_to(self, starts: Mapping[TP, int]) -> None:
        """Read partitions from these offsets on; IllegalStateError if one is not assigned any more."""
        await self.seek_wait(starts)
        for tp in starts:  # what was committed to Kafka may lie further on
            self._committed_offset.pop(tp, None)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self.transport.batched(tp.topic):
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if not self.transport.batched(tp.topic):
            return cast("int | None", super()._new_offset(tp))
        acked = self._acked[tp]
        if not acked:
            return None
        # A batch lost between fetching and processing shows as a gap in the tables, which is where it is made good.
        last: int = max(acked)
        acked.clear()
        self._acked_index[tp].clear()
        return last + 1

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Leave it to the worker's own health check, which knows when waiting is right."""


class BatchTransport(driver.Transport):  # type: ignore[misc]  # Faust is not typed
    """The transport of an app whose `positions` is a `Positions` and `batched_topics` a set of names."""

    Consumer = BatchConsumer
    _uncollected = 0

    def came(self, size: int) -> None:
        """Let the garbage collector look for cycles after so many bytes: it counts objects, and large records are few.

        What a broker has answered hangs in cycles of aiokafka's, so that a backlog of largest records would stay.
        """
        self._uncollected += size
        if self._uncollected >= COLLECT_BYTES:
            self._uncollected = 0
            gc.collect(1)

    def batched(self, topic: str) -> bool:
        """Whether a topic's records come as batches."""
        return topic in self.app.batched_topics

    @property
    def positions(self) -> Positions:
        """Who decides where partitions are read from."""
        return cast("Positions", self.app.positions)


async def fetched(
    fetcher: Fetcher, transport: BatchTransport, partitions: Container[TP] | None, seconds: float, limit: int | None
) -> dict[TP, list[Any]]:
    """Take what a fetcher has received, as `Fetcher.fetched_records` does, but as one batch a partition.

    Args:
        fetcher: aiokafka's, in its own thread.
        transport: knows the topics and positions.
        partitions: whose records are wanted; None for all.
        seconds: how long to wait for something.
        limit: the most records of a topic that is not batched.
    """
    deadline = time.monotonic() + seconds
    while True:
        if fetcher._subscriptions.reassignment_in_progress:
            await fetcher._subscriptions.wait_for_assignment()
        taken = dict(_take(fetcher, transport, partitions, limit))
        left = deadline - time.monotonic()
        if taken or left <= 0:
            transport.came(sum(batch.size for some in taken.values() for batch in some if isinstance(batch, Batch)))
            return taken
        if partitions and any(tp not in partitions for tp in fetcher._records):
            # Faust's buffers were full when it asked. That they no longer are it only says by asking again.
            left = min(left, FULL_SECONDS)
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=left)
        if not done or fetcher._closed:
            waiter.cancel()
            return {}
        waiter.result()  # raises what the coordinator found, such as a missing authorization


def _take(  # noqa: C901, PLR0912 - mirrors aiokafka's, case by case
    fetcher: Fetcher, transport: BatchTransport, partitions: Container[TP] | None, limit: int | None
) -> Iterator[tuple[TP, list[Any]]]:
    positions = transport.positions
    for tp in list(fetcher._records):
        if partitions and tp not in partitions:
            if not fetcher._subscriptions.is_assigned(tp):
                del fetcher._records[tp]
            continue
        batched = transport.batched(tp.topic)
        identity = positions.identity(tp) if batched else None
        if batched and identity is None:
            continue  # the seek that places it clears what has been fetched until then
        result = fetcher._records[tp]
        records: list[Any] = []
        try:
            if not isinstance(result, FetchResult):
                result.check_raise()
            elif identity is not None:
                records = _batches(result, identity)
            else:
                records = result.getall(limit)
        except OffsetOutOfRangeError as error:
            positions.lost(tp, error.args[0].get(tp))
        except (NoOffsetForPartitionError, CorruptRecordException) as error:
            log.debug("Reading %s-%s goes back: %r", *tp, error, extra={"action": "read_again"})
            positions.lost(tp, None)
        except (UnicodeDecodeError, UnsupportedCodecError) as error:
            log.error(  # noqa: TRY400 - the sentence says it all
                "%s-%d cannot be read from offset %d on (%s): reading waits there. Delete the records up to what is "
                "broken (kafka-delete-records), and the worker goes on.",
                *(*tp, result._partition_records.next_fetch_offset, error),
                extra={"action": "unreadable"},
            )
            positions.lost(tp, None)
        finally:
            if not (records and result.has_more()):
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
        if records:
            yield tp, records


def _batches(result: FetchResult, identity: str) -> list[Batch]:
    """Take records from a fetched part of one partition: what `FetchResult.getall` does, without an object a record."""
    tp = result._topic_partition
    if not result.check_assignment(tp) or not result.has_more():
        return []
    partition: PartitionRecords = result._partition_records
    start = partition.next_fetch_offset
    records: list[Record] = []
    size = 0
    while partition._records.has_next() and len(records) < BATCH_RECORDS and size < BATCH_BYTES:
        begin = len(records)
        batch = partition._records.next_batch()
        if partition._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {tp}")
        if not _passed_over(partition, batch):
            position = partition.next_fetch_offset
            if getattr(batch, "base_offset", -1) >= position:
                records.extend(batch)
            else:  # a fetch answers with whole batches: this one may begin before the position
                records.extend(record for record in batch if record.offset >= position)
            size += sum([len(record.value) for record in records[begin:] if record.value])
        partition.next_fetch_offset = batch.next_offset
    result._update_position()
    if not partition._records.has_next():
        result._partition_records = None
    reached = partition.next_fetch_offset
    return [Batch(tp.topic, tp.partition, start, reached, records, identity, size)] if reached > start else []


def _passed_over(partition: PartitionRecords, batch: Any) -> bool:
    """Whether a batch is a transaction's marker, or belongs to a transaction that was aborted."""
    if partition._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        partition._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if partition._contains_abort_marker(batch):
                partition._aborted_producers.discard(batch.producer_id)
            return True
        return batch.is_transactional and batch.producer_id in partition._aborted_producers
    return bool(batch.is_control_batch)
