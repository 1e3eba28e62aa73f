"""The batch transport on real brokers: what it hands over is what was sent, however it was sent."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import aiokafka.consumer.fetcher
import confluent_kafka
import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from aggregators.calendar import Zone
from aggregators.rules import Rules
from streams.kafka import transport
from streams.kafka.transport import Batch, Record
from streams.worker.app import create_app
from streams.worker.config import WorkerConfig
from streams.worker.positions import Positions
from streams.worker.shards import Span
from tests.support.pipelines import until
from tests.support.servers_kafka import Broker

MIDNIGHT = 1_760_000_000_000


class Reader:
    """A Faust app on a thread of its own, which keeps the batches that it is given."""

    def __init__(self, broker: Broker, topic: str, folder: Path, start: int | None) -> None:
        """Prepare to read from `start`, or from the first record."""
        self.batches: list[Batch] = []
        self.out_of_range: list[int] = []
        self._start = start
        self._config = WorkerConfig(
            broker=broker.address,
            group=topic,
            topics={"signup": topic},
            dead_letters="none",
            partitions=1,
            rules=Rules(zone=Zone("UTC")),
            accept_from=0,
            data_dir=str(folder),
        )

    @property
    def records(self) -> list[Record]:
        """All records, in the order of reading."""
        return [record for batch in self.batches for record in batch.records]

    def run(self, stop: threading.Event) -> None:
        """Read until told to stop."""
        asyncio.run(self._run(stop))

    async def _run(self, stop: threading.Event) -> None:
        async def place(_tp: TP, _identity: str, earliest: int, out_of_range: int | None) -> Span:
            if out_of_range is not None:
                self.out_of_range.append(out_of_range)
                return Span(earliest)
            return Span(earliest if self._start is None else self._start)

        async def process(batch: Batch) -> None:
            self.batches.append(batch)

        async def seek(starts: Mapping[TP, int]) -> None:
            await app.consumer.go_to(starts)

        positions = Positions(self._config.broker, place, seek, lambda _tp, _lost: None)
        app = create_app(self._config, process, positions)
        placing = asyncio.create_task(positions.run())
        await app.start()
        while not stop.is_set():  # noqa: ASYNC110 - the event is another thread's
            await asyncio.sleep(0.05)
        placing.cancel()
        await app.stop()


@contextmanager
def reading(broker: Broker, topic: str, folder: Path, start: int | None = None) -> Iterator[Reader]:
    """Read a topic meanwhile."""
    reader, stop = Reader(broker, topic, folder, start), threading.Event()
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    try:
        yield reader
    finally:
        stop.set()
        thread.join(20)


def make(broker: Broker, **configs: str) -> str:
    """Make a topic with one partition."""
    name = uuid4().hex[:8]
    admin = KafkaAdminClient(bootstrap_servers=broker.address)
    admin.create_topics([NewTopic(name=name, num_partitions=1, replication_factor=1, topic_configs=configs)])
    admin.wait_for_topics([name])
    admin.close()
    return name


def produce(broker: Broker, topic: str, records: list[tuple], **settings: object) -> None:
    """Send records (timestamp, key, value, headers) as one batch."""

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=broker.address, max_batch_size=1 << 20, **settings) as producer:
            batch = producer.create_batch()
            for timestamp, key, value, headers in records:
                assert batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
            await (await producer.send_batch(batch, topic, partition=0))

    asyncio.run(send())


def transact(broker: Broker, topic: str, values: list[str], end: Callable[[confluent_kafka.Producer], None]) -> None:
    """Send values in one transaction and end it."""
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.address, "transactional.id": uuid4().hex})
    producer.init_transactions(30)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value)
    producer.flush(10)
    end(producer)


def check_gapless(batches: list[Batch]) -> None:
    """Every batch begins where the one before it ended."""
    for before, after in pairwise(batches):
        assert after.start == before.next


def test_records_arrive_as_they_were_sent(broker: Broker, tmp_path: Path) -> None:
    """Timestamps, keys, values, headers and offsets are the record's own, under every compression."""
    topic = make(broker)
    records = [
        (MIDNIGHT + n, [b"key", None][n % 2], [b"value" * n, None][n % 7 == 6], [("h", b"\xff"), ("", None)][: n % 3])
        for n in range(200)
    ]
    kinds = [None, "gzip", "snappy", "lz4", "zstd"]
    for kind in kinds:
        produce(broker, topic, records, compression_type=kind)
    with reading(broker, topic, tmp_path) as reader:
        until(lambda: len(reader.records) >= len(kinds) * len(records))
    found = [(record.timestamp, record.key, record.value, record.headers) for record in reader.records]
    assert found == records * len(kinds)
    assert [record.offset for record in reader.records] == list(range(len(kinds) * len(records)))
    assert (reader.batches[0].start, reader.batches[-1].next) == (0, 1_000)
    assert len(reader.batches) < 10, "a batch is more than a record"
    check_gapless(reader.batches)


def test_reading_starts_inside_a_batch(broker: Broker, tmp_path: Path) -> None:
    """A position in the middle of what a producer sent as one batch: the records before it are not handed over."""
    topic = make(broker)
    produce(broker, topic, [(MIDNIGHT, None, b"%d" % n, []) for n in range(100)], compression_type="gzip")
    with reading(broker, topic, tmp_path, start=37) as reader:
        until(lambda: len(reader.records) >= 63)
    assert [record.offset for record in reader.records] == list(range(37, 100))
    assert reader.batches[0].start == 37


@pytest.mark.kafka
def test_transactions(kafka: Broker, tmp_path: Path) -> None:
    """What was committed is read, what was aborted is not, and their markers leave no gap between batches."""
    topic = make(kafka)
    transact(kafka, topic, ["a", "b"], lambda producer: producer.commit_transaction(10))
    transact(kafka, topic, ["no", "no", "no"], lambda producer: producer.abort_transaction(10))
    transact(kafka, topic, ["c"], lambda producer: producer.commit_transaction(10))
    with reading(kafka, topic, tmp_path) as reader:
        until(lambda: reader.batches and reader.batches[-1].next == 9)
        transact(kafka, topic, ["no"], lambda producer: producer.abort_transaction(10))
        until(lambda: reader.batches[-1].next == 11)
    assert [(record.offset, record.value) for record in reader.records] == [(0, b"a"), (1, b"b"), (7, b"c")]
    check_gapless(reader.batches)


@pytest.mark.kafka
def test_the_brokers_own_timestamps(kafka: Broker, tmp_path: Path) -> None:
    """Where the topic says so, a record's timestamp is the broker's, not the producer's."""
    topic = make(kafka, **{"message.timestamp.type": "LogAppendTime"})
    produce(kafka, topic, [(MIDNIGHT, None, b"1", [])])
    with reading(kafka, topic, tmp_path) as reader:
        until(lambda: reader.records)
    (record,) = reader.records
    assert record.timestamp is not None
    assert abs(record.timestamp / 1000 - time.time()) < 600


@pytest.mark.kafka
def test_deleted_records_are_noticed(kafka: Broker, tmp_path: Path) -> None:
    """A position that the broker does not have is reported, and reading goes on where it is told to."""
    topic = make(kafka)
    produce(kafka, topic, [(MIDNIGHT, None, b"%d" % n, []) for n in range(10)])
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.delete_records({TopicPartition(topic, 0): 6})
    admin.close()
    with reading(kafka, topic, tmp_path, start=2) as reader:
        until(lambda: reader.records)
    assert reader.out_of_range == [2]
    assert [record.offset for record in reader.records] == [6, 7, 8, 9]


@pytest.mark.kafka
def test_compacted_topics_have_gaps(kafka: Broker, tmp_path: Path) -> None:
    """Offsets that compaction has taken out are passed, without a gap between batches."""
    topic = make(
        kafka,
        **{
            "cleanup.policy": "compact",
            "segment.ms": "100",
            "min.cleanable.dirty.ratio": "0.01",
            "max.compaction.lag.ms": "100",
        },
    )
    for n in range(5):
        produce(kafka, topic, [(int(time.time() * 1000), b"same", b"%d" % n, [])] * 20)
        time.sleep(0.2)

    def compacted() -> bool:
        produce(kafka, topic, [(int(time.time() * 1000), b"other", b"x", [])])
        consumer = KafkaConsumer(bootstrap_servers=kafka.address)
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        offsets = [record.offset for found in consumer.poll(2000).values() for record in found]
        consumer.close()
        return bool(offsets) and len(offsets) < offsets[-1]

    until(compacted, 60)
    with reading(kafka, topic, tmp_path) as reader:
        until(lambda: reader.records and reader.records[-1].key == b"other")
    offsets = [record.offset for record in reader.records]
    assert offsets == sorted(set(offsets))
    assert len(offsets) < offsets[-1]
    assert reader.batches[0].start == 0
    assert reader.batches[-1].next > offsets[-1]
    check_gapless(reader.batches)


def test_batches_are_bounded(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backlog is handed over in batches that end soon after their limit, each record once."""
    monkeypatch.setattr(transport, "BATCH_RECORDS", 100)
    topic = make(broker)
    for part in range(20):
        produce(broker, topic, [(MIDNIGHT, None, b"%d" % (50 * part + n), []) for n in range(50)])
    with reading(broker, topic, tmp_path) as reader:
        until(lambda: len(reader.records) >= 1_000, why=lambda: str([b[2:4] for b in reader.batches]))
    assert [int(record.value or b"") for record in reader.records] == list(range(1_000))
    assert max(len(batch.records) for batch in reader.batches) <= 150
    check_gapless(reader.batches)


def test_nothing_of_the_libraries_is_replaced() -> None:
    """Other consumers in the process get aiokafka's own fetch results."""
    assert aiokafka.consumer.fetcher.FetchResult.__module__ == "aiokafka.consumer.fetcher"
    assert aiokafka.consumer.fetcher.Fetcher.fetched_records.__module__ == "aiokafka.consumer.fetcher"
