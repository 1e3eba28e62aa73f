"""What may happen to Kafka: killed, a topic made again, records deleted that nobody has read."""

from __future__ import annotations

import contextlib

from kafka import KafkaAdminClient, TopicPartition

from streams import topics
from tests.chaos.worker_faults import pids
from tests.chaos.world import NotDone, World
from tests.kills import PARTITIONS

EVERYTHING = 1 << 62


def kafka_killed(world: World) -> str:
    """SIGKILL Kafka, and start it again on its data."""
    assert world.kafka.process is not None
    old = world.kafka.process.pid
    world.strike()
    world.kill_kafka()
    world.wait(world.rng.uniform(0, 2))
    world.kafka.start()
    return f"pid {old} killed, pid {world.kafka.process.pid} started"


def topic_made_again(world: World) -> str:
    """Delete a topic and make it again: the producer sends its events again, and ids keep the count right."""
    topic = world.topics[world.rng.choice(("signup", "payment", "cancellation", "session", "survey"))]
    world.feed.flush(60)
    stored = world.stored()
    old = _identity(world, topic)
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=world.kafka.address)) as admin:
        admin.delete_topics([topic])
    world.until(lambda: _identity(world, topic) != old, "the topic is gone")
    world.init()
    new = _identity(world, topic)
    unread: list[int] = []
    for number in range(PARTITIONS):
        unread += world.feed.deleted(topic, number, EVERYTHING, stored[topic, number])
    world.feed.again(unread)
    if world.rng.random() < 0.5:
        world.feed.went_back()
    world.until(
        lambda: all(topic in meta.offsets and meta.offsets[topic].identity == new for meta in world.metas()),
        f"workers read the new topic {topic}",
    )
    return f"{topic} has the id {new} and had {old}"


def records_deleted(world: World) -> str:
    """Delete records that no worker has read, with all of them gone; the next ones must report so many as lost."""
    world.until(world.served, "workers share all shards")
    killed = [world.kill(worker) for worker in list(world.workers)]
    world.feed.burst(400)
    world.feed.flush(60)
    stored, ends = world.stored(), world.ends()
    unread = sorted(place for place in ends if ends[place] > stored[place])
    if not unread:
        raise NotDone("nothing was unread")
    chosen = world.rng.sample(unread, min(3, len(unread)))
    before = {place: world.rng.randint(stored[place] + 1, ends[place]) for place in chosen}
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=world.kafka.address)) as admin:
        admin.delete_records({TopicPartition(*place): offset for place, offset in before.items()})
    lost: list[int] = []
    for place, offset in before.items():
        lost += world.feed.deleted(*place, offset, stored[place])
    # A producer whose answers were lost has sent copies that nobody knows of: then what is missing cannot be told.
    for_good = world.rng.random() < 0.5 and not world.feed.refused
    if for_good:
        world.feed.lost += lost
    else:
        world.feed.again(lost)
    for _ in killed:
        world.start()
    expected = {place: offset - stored[place] for place, offset in before.items()}

    def reported() -> dict[tuple[str, int], float]:
        samples = {
            place: f'growth_records_lost_total{{partition="{place[1]}",topic="{place[0]}"}}' for place in expected
        }
        return {place: sum(worker.metric(name) for worker in world.workers) for place, name in samples.items()}

    if not world.until(lambda: reported() == expected, "lost records are reported", 60, patient=True):
        world.complaints.append(f"lost records: {expected}, reported: {reported()}")
    what = "for good" if for_good else "and sent again"
    told = f"{sum(expected.values())} unread records deleted {what}, all reported as lost"
    return f"{told}; pids {killed} killed, pids {pids(world.workers)} started"


def _identity(world: World, topic: str) -> str | None:
    found = topics.describe(world.kafka.address, [topic])
    return found[topic].identity if found else None
