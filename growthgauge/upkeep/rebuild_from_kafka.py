"""Reading everything anew: the tables are emptied, so that workers begin at the first record that Kafka has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from aggregators.rules import Rules
from aggregators.tables.door import EMPTYING, Meta, Superseded, Tables
from growthgauge.errors import GrowthgaugeError
from growthgauge.upkeep.catch_up import metas
from streams.kafka import topics
from streams.kafka.topics import Topic


class Found(msgspec.Struct):
    """One topic that is to be read anew, or that the tables have read."""

    name: str
    records: int = 0
    """That the broker has of it."""
    gone: int = 0
    """That the tables have read and the broker has no more."""
    remade: bool = False
    """Whether it is another topic than the one that was read under this name."""
    read: bool = True
    """Whether it will be read anew: it is among the settings."""


class Plan(msgspec.Struct):
    """What will be emptied, and what can be read in its place."""

    shards: int
    """The shards to empty: those that there are, and those to come."""
    partitions: int | None
    """What the tables were made for."""
    events: int
    """Records that the tables have counted: events and rejects."""
    interrupted: bool
    """Whether this goes on with an emptying that has begun: then the counts above are of what is left."""
    topics: list[Found]

    @property
    def lost(self) -> int:
        """Count the records that were read and cannot be read again."""
        return sum(found.gone for found in self.topics)


def plan(tables: Tables, broker: str, names: Sequence[str], partitions: int) -> Plan:
    """Look at tables and topics, and say what emptying the tables would do; changes nothing.

    Args:
        tables: that may be emptied.
        broker: bootstrap servers.
        names: the topics that carry events, by the settings.
        partitions: of these topics.

    Raises:
        GrowthgaugeError: a topic is missing, or has another number of partitions.
        BrokerUnavailable: the broker does not answer.
        TablesUnavailable: the store does not answer.
    """
    found = metas(tables, partitions)
    before = max((meta.partitions for meta in found if meta.partitions is not None), default=None)
    shards = max(partitions, before or 0)
    found = metas(tables, shards)
    names = list(dict.fromkeys(names))
    others = sorted({name for meta in found for name in meta.offsets} - {*names})
    there = topics.describe(broker, [*names, *others])
    for problem in topics.problems(there, names, partitions):
        raise GrowthgaugeError(problem)
    return Plan(
        shards=shards,
        partitions=before,
        events=sum(sum(meta.outcomes.values()) for meta in found),
        interrupted=any((meta.fingerprint or "").startswith(EMPTYING) for meta in found),
        topics=list(_compared(found, names, there, broker)),
    )


def _compared(found: Sequence[Meta], names: Sequence[str], there: Mapping[str, Topic], broker: str) -> Iterator[Found]:
    """Compare what the tables have read of each topic with what the broker still has of it."""
    places = [(name, number) for name, topic in there.items() for number in range(topic.partitions)]
    first, end = topics.earliest(broker, places), topics.ends(broker, places)
    told: dict[str, Found] = {name: Found(name, read=name in names) for name in there}
    for place in places:
        told[place[0]].records += max(0, end[place] - first[place])
    for number, meta in enumerate(found):
        for name, offset in meta.offsets.items():
            topic = told.setdefault(name, Found(name, read=False))
            if name not in there or there[name].identity != offset.identity:
                topic.remade = topic.remade or name in there
                topic.gone += offset.next
            else:
                topic.gone += min(offset.next, first.get((name, number), 0))
    return iter(sorted(told.values(), key=lambda topic: (not topic.read, topic.name)))


def empty(tables: Tables, rules: Rules, partitions: int, shards: int, progress: Callable[[int], None]) -> None:
    """Empty all shards, and leave them to workers with these rules and this number of partitions.

    All are marked before the first is emptied, so that nobody takes what is left of them for the whole; interrupted at
    any point, it can run again. Those beyond the number of partitions come first: while they are there, the others
    still tell of them.

    Args:
        tables: to empty.
        rules: of the workers to come.
        partitions: of the workers to come.
        shards: how many shards there are to empty.
        progress: called with the number of shards emptied.

    Raises:
        GrowthgaugeError: somebody else does the same.
        TablesUnavailable: the store does not answer.
    """
    marked = {number: tables.start_emptying(number) for number in range(shards)}
    made_for = rules.fingerprint(), partitions
    for done, number in enumerate(reversed(range(shards)), 1):
        try:
            tables.empty(number, marked[number], made_for if number < partitions else None)
        except Superseded:
            raise GrowthgaugeError(
                "Another `growthgauge rebuild` runs on the same tables: let one of them end, then run this again."
            ) from None
        progress(done)


def outlook(found: Plan) -> Iterator[str]:
    """Say in sentences what a plan means."""
    what = "what is left of them" if found.interrupted else f"{found.events:,} records counted"
    made = "" if found.partitions is None else f", made for {found.partitions} partitions"
    yield f"The tables ({what}{made}) will be emptied. Workers then read from the first record of every topic:"
    for topic in found.topics:
        if topic.read:
            yield f"  {topic.name}: {topic.records:,} records"
    for topic in found.topics:
        if topic.gone and topic.remade:
            yield f"  {topic.name} is not the topic that was read before: {topic.gone:,} records of that one are lost."
        elif topic.gone:
            yield f"  {topic.name}: {topic.gone:,} records that were read are not in Kafka any more, and are lost."
        if not topic.read and topic.records:
            yield (
                f"  {topic.name} was read before ({topic.records:,} records) and is not among the topics now: unless "
                f"its events are in them, copy them first, with `growthgauge init --copy-from {topic.name}`."
            )
    if found.lost:
        yield "What is lost stays lost, unless its events are sent again from where they came from."
