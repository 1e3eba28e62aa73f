"""What may happen to Kafka: killed, a topic made again, records deleted that nobody has read."""

from __future__ import annotations

import contextlib

from kafka import KafkaAdminClient, TopicPartition

from streams.kafka import topics
from tests.chaos.proxy import CLEAR, Weather
from tests.chaos.worker_faults import pids
from tests.chaos.world import NotDone, World
from tests.support.kills import PARTITIONS

EVERYTHING = 1 << 62

Places = dict[tuple[str, int], int]
"""Numbers by topic and partition."""


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
    _delete(world, before)
    for _ in killed:
        world.start()
    expected = {place: offset - stored[place] for place, offset in before.items()}
    if not world.until(lambda: _reported(world, before) == expected, "lost records are reported", 60, patient=True):
        world.complaints.append(f"lost records: {expected}, reported: {_reported(world, before)}")
    what = _lost(world, before, expected)
    return f"{what}; pids {killed} killed, pids {pids(world.workers)} started"


def records_deleted_behind(world: World) -> str:
    """Delete records that workers have not stored, while these run on and cannot reach Redis.

    What they have fetched already may still be stored; as many as are then reported must be missing, and no others.
    """
    world.until(world.served, "workers share all shards")
    world.until(lambda: world.feed.flush(1) and not world.behind(), "everything sent so far is processed")
    world.proxy.weather = Weather(closed=True)
    world.feed.burst(400)
    world.feed.flush(60)
    stored, ends = world.stored(), world.ends()
    unread = sorted(place for place in ends if ends[place] > stored[place])
    if not unread:
        world.proxy.weather = CLEAR
        raise NotDone("nothing was unread")
    before = {place: ends[place] for place in world.rng.sample(unread, min(3, len(unread)))}
    known = _reported(world, before)
    world.wait(world.rng.uniform(0, 1))
    _delete(world, before)
    # More behind them, so that there is something to be read.
    world.feed.burst(200)
    world.feed.flush(60)
    world.proxy.weather = CLEAR
    world.until(lambda: not world.behind(), "reading goes on behind the deleted records")
    missing = {place: total - known[place] for place, total in _reported(world, before).items()}
    if any(not 0 <= number <= before[place] - stored[place] for place, number in missing.items()):
        world.complaints.append(f"of records up to {before}, stored up to {stored}, {missing} were reported as lost")
    unstored = sum(before[place] - stored[place] for place in before)
    return f"{unstored} unstored records deleted; {_lost(world, before, missing)}"


def _delete(world: World, before: Places) -> None:
    with contextlib.closing(KafkaAdminClient(bootstrap_servers=world.kafka.address)) as admin:
        admin.delete_records({TopicPartition(*place): offset for place, offset in before.items()})


def _reported(world: World, places: Places) -> Places:
    """Give the numbers of lost records that workers tell of."""
    samples = {place: f'growth_records_lost_total{{partition="{place[1]}",topic="{place[0]}"}}' for place in places}
    return {place: int(sum(worker.metric(name) for worker in world.workers)) for place, name in samples.items()}


def _lost(world: World, before: Places, missing: Places) -> str:
    """Take the last records before an offset, so many as are missing, for lost; send their events again or not."""
    lost: list[int] = []
    for place, offset in before.items():
        lost += world.feed.deleted(*place, offset, offset - missing[place])
    # A producer whose answers were lost has sent copies that nobody knows of: then what is missing cannot be told.
    for_good = world.rng.random() < 0.5 and not world.feed.refused
    if for_good:
        world.feed.lost += lost
    else:
        world.feed.again(lost)
    return f"{sum(missing.values())} reported as lost, {'for good' if for_good else 'and sent again'}"


def _identity(world: World, topic: str) -> str | None:
    found = topics.describe(world.kafka.address, [topic])
    return found[topic].identity if found else None
