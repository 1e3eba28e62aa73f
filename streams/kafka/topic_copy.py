"""Records of topics copied to others, where they may fall into other partitions: Kafka itself moves none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka import topics
from streams.kafka.producer import Producer, TooLarge
from streams.kafka.topics import BrokerUnavailable

HEADER = "growthgauge.copied-from"
"""Says of a copy which record it is of: the topic's id, partition and offset."""
POLL_MS = 1_000
SILENT_POLLS = 20
"""After so many polls without a record the broker counts as dead."""

Place = tuple[str, int]
"""Topic and partition."""
Way = tuple[str, int, str, int]
"""Id of the topic copied and its partition, topic and partition copied to."""
Route = Callable[[bytes], tuple[str, int]]


class Copied(msgspec.Struct):
    """What came of it."""

    records: int = 0
    before: int = 0
    """Records that an earlier run has copied."""
    too_large: list[str] = []
    """Records that are larger than what is sent, as topic-partition:offset."""


async def copy(
    broker: str,
    sources: Sequence[str],
    targets: Sequence[str],
    route: Route,
    progress: Callable[[int, int], None],
    patience: float = 20,
) -> Copied:
    """Copy all records that topics have now: keys, values, headers and timestamps as they are.

    What was copied before is not copied again, so it can be interrupted at any point, and run again for what has come
    since: copies say what they are of, and those of one partition in another stand in their order.

    Args:
        broker: bootstrap servers.
        sources: the topics to copy.
        targets: the topics that `route` may name.
        route: gives the topic and partition for a record's value.
        progress: called with the number of records looked at and of all.
        patience: seconds that the broker may be silent.

    Raises:
        BrokerUnavailable: the broker does not answer.
    """
    there = topics.describe(broker, [*sources, *targets])
    identities = {name: there[name].identity for name in sources}
    from_, to = (_places(there, names) for names in (sources, targets))
    starts = topics.earliest(broker, [*from_, *to])
    ends = topics.ends(broker, [*from_, *to])
    total = sum(ends[place] - starts[place] for place in (*from_, *to))
    reached: dict[Way, int] = {}
    result, seen = Copied(too_large=[]), 0
    async for record in _records(broker, to, starts, ends):
        way, offset = _copied_way(record)
        if way is not None:
            reached[way] = max(offset, reached.get(way, -1))
        seen += 1
        if not seen % 1000:
            progress(seen, total)
    async with Producer(broker, patience) as producer:
        async for record in _records(broker, from_, starts, ends):
            topic, partition = route(record.value or b"")
            identity = identities[record.topic]
            if record.offset <= reached.get((identity, record.partition, topic, partition), -1):
                result.before += 1
            else:
                mark = (HEADER, f"{identity}/{record.partition}/{record.offset}".encode())
                headers = [*(header for header in record.headers if header[0] != HEADER), mark]
                try:
                    await producer.send(
                        topic, partition, record.key, record.value, timestamp=record.timestamp, headers=headers
                    )
                except TooLarge:
                    result.too_large.append(f"{record.topic}-{record.partition}:{record.offset}")
            seen += 1
            if not seen % 1000:
                progress(seen, total)
        await producer.flush()
        result.records = producer.acknowledged.records
    progress(total, total)
    return result


def _places(there: Mapping[str, topics.Topic], names: Iterable[str]) -> list[Place]:
    return [(name, number) for name in dict.fromkeys(names) for number in range(there[name].partitions)]


def _copied_way(record: Any) -> tuple[Way | None, int]:
    """Tell which way a copy came, and the offset of what it is of; no way if it is no copy."""
    for name, value in record.headers:
        if name == HEADER and value is not None:
            identity, partition, offset = value.decode().rsplit("/", 2)
            return (identity, int(partition), record.topic, record.partition), int(offset)
    return None, -1


async def _records(
    broker: str, places: Sequence[Place], starts: Mapping[Place, int], ends: Mapping[Place, int]
) -> AsyncIterator[Any]:
    """Give the records of partitions from one offset to another at least, each partition's in order."""
    left = {TopicPartition(*place): ends[place] for place in places if starts[place] < ends[place]}
    if not left:
        return
    consumer = AIOKafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await consumer.start()
        consumer.assign(list(left))
        for tp in left:
            consumer.seek(tp, starts[tp.topic, tp.partition])
        silent = 0
        while left:
            batches = await consumer.getmany(timeout_ms=POLL_MS)
            silent = 0 if batches else silent + 1
            if silent > SILENT_POLLS:
                raise BrokerUnavailable(f"The broker at {broker} has fallen silent: start it, and run this again.")
            for tp, records in batches.items():
                if tp in left:
                    for record in records:
                        yield record
            # What a transaction or a deletion left out has no record, only a position that is past it.
            for tp in [tp for tp, end in left.items() if await consumer.position(tp) >= end]:
                del left[tp]
                consumer.pause(tp)
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"The broker at {broker} does not answer as it should ({type(error).__name__}): start it, and run this "
            "again."
        ) from error
    finally:
        await consumer.stop()
