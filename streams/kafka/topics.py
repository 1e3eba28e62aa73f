"""Questions to the broker about topics: which there are, with what identity, where they begin; and making them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

SECONDS = 8.0
"""How long the broker may take for one answer."""
DEAD_LETTER_BYTES = 64 << 10
"""What a dead letter may be larger than the record it holds: room for the headers that say what was wrong."""
BROKER_MESSAGE_BYTES = 1_048_588
"""Apache Kafka's default for the largest message."""
_EARLIEST, _LATEST = -2, -1
"""The wire's numbers for a partition's first offset and for the one after its last."""

# A client tells of every failed attempt to connect; callers get one exception instead.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


class BrokerUnavailable(Exception):  # noqa: N818 - reads as the state it names
    """The broker does not answer or does not do what was asked; the message is one sentence that says what to do."""


class Topic(msgspec.Struct, frozen=True):
    """One topic as the broker has it now."""

    identity: str
    """Its id: a topic made again under the same name has another one."""
    partitions: int


def describe(broker: str, names: Iterable[str], seconds: float = SECONDS) -> dict[str, Topic]:
    """Describe topics by name; those that do not exist are left out.

    Raises:
        BrokerUnavailable: there is no answer in time.
    """
    with _admin(broker, seconds) as admin:
        return _described(admin, names)


def earliest(
    broker: str, partitions: Iterable[tuple[str, int]], seconds: float = SECONDS
) -> dict[tuple[str, int], int]:
    """Give the first offset that the broker still has of every partition, by topic and partition number.

    Raises:
        BrokerUnavailable: there is no answer in time, or no such partition.
    """
    return _offsets(broker, partitions, _EARLIEST, seconds)


def ends(broker: str, partitions: Iterable[tuple[str, int]], seconds: float = SECONDS) -> dict[tuple[str, int], int]:
    """Give the offset after the last record of every partition; Tansu may leave out a part of the last batch.

    Raises:
        BrokerUnavailable: there is no answer in time, or no such partition.
    """
    return _offsets(broker, partitions, _LATEST, seconds)


def _offsets(
    broker: str, partitions: Iterable[tuple[str, int]], which: int, seconds: float
) -> dict[tuple[str, int], int]:
    asked = {TopicPartition(*partition): which for partition in partitions}
    if not asked:
        return {}
    with _admin(broker, seconds) as admin:
        found = admin.list_partition_offsets(asked, timeout_ms=int(seconds * 1000))
    return {(partition.topic, partition.partition): answer.offset for partition, answer in found.items()}


def create(
    broker: str, names: Iterable[str], partitions: int, *, dead_letters: str | None = None, seconds: float = SECONDS
) -> list[str]:
    """Make the topics that do not exist, with the broker's default replication, and name those made.

    Returns once the broker describes them all: a new topic may take a moment to be known.

    Args:
        broker: bootstrap servers, `host:port`, several separated by commas.
        names: the topics that should exist.
        partitions: how many partitions a new topic gets.
        dead_letters: the one of them that holds dead letters: its messages may be a little larger.
        seconds: how long the broker may take for one answer.

    Raises:
        BrokerUnavailable: the broker does not answer or does not make one of them.
    """
    wanted = set(names)
    made = []
    deadline = time.monotonic() + seconds
    with _admin(broker, seconds) as admin:
        for name in sorted(wanted - _described(admin, wanted).keys()):
            room = {"max.message.bytes": str(BROKER_MESSAGE_BYTES + DEAD_LETTER_BYTES)} if name == dead_letters else {}
            topic = NewTopic(name=name, num_partitions=partitions, replication_factor=-1, topic_configs=room)
            if _made(admin, topic, deadline):
                made.append(name)
        while made and not wanted <= _described(admin, wanted).keys():
            if time.monotonic() > deadline:
                raise BrokerUnavailable(f"The broker at {broker} does not show the topics it has made: try again.")
            time.sleep(0.05)
    return made


def problems(there: Mapping[str, Topic], names: Iterable[str], partitions: int) -> list[str]:
    """Say in a sentence each what is wrong with the topics, which should exist and have that many partitions."""
    found = []
    missing = sorted({name for name in names if name not in there})
    if missing:
        found.append(f"The broker has no topic {', '.join(missing)}: `growthgauge init` makes what is missing.")
    for name in sorted(set(names) & there.keys()):
        count = there[name].partitions
        if count != partitions:
            found.append(
                f"The topic {name} has {count} partitions, the setting partitions says {partitions}: "
                "all topics need the same number, so correct the setting, or give the topic another name and copy its "
                f"records there with `growthgauge init --copy-from {name}`."
            )
    return found


def _made(admin: KafkaAdminClient, topic: NewTopic, deadline: float) -> bool:
    """Make a topic; False if somebody else has just done so."""
    while True:
        try:
            admin.create_topics([topic], timeout_ms=max(1_000, int((deadline - time.monotonic()) * 1000)))
        except TopicAlreadyExistsError:
            return False
        except InvalidReplicationFactorError:  # a broker that has just started may not count itself yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return True


def _described(admin: KafkaAdminClient, names: Iterable[str]) -> dict[str, Topic]:
    return {
        topic["name"]: Topic(str(topic["topic_id"]), len(topic["partitions"]))
        for topic in admin.describe_topics(sorted(set(names)))
        if not topic["error_code"] and topic["partitions"]
    }


@contextmanager
def _admin(broker: str, seconds: float) -> Iterator[KafkaAdminClient]:
    """Open a client for a few questions: one kept open would go on knocking at a dead broker's door."""
    admin = None
    milliseconds = int(seconds * 1000)
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=broker.split(","), bootstrap_timeout_ms=milliseconds, request_timeout_ms=milliseconds
        )
        yield admin
    except (KafkaError, OSError) as error:
        raise BrokerUnavailable(
            f"The broker at {broker} does not answer as it should ({_brief(error)}): "
            "start it, or correct the setting broker (--broker, GROWTHGAUGE_BROKER)."
        ) from error
    finally:
        if admin is not None:
            admin.close()


def _brief(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0].rstrip(".")
    return text if text.startswith(type(error).__name__) else f"{type(error).__name__}: {text}".rstrip(": ")
