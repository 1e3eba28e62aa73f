"""What `growthgauge check` looks at: settings, broker, topics, Redis and what is in it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aggregators.tables.agreement import disagreement
from aggregators.tables.door import Health, Tables, TablesUnavailable
from growthgauge.settings import Settings
from growthgauge.upkeep.catch_up import metas
from growthgauge.wiring import metric_settings, rules
from streams.kafka import topics


class Finding(msgspec.Struct, frozen=True):
    """One line of the answer."""

    subject: str
    good: bool
    text: str
    """What was found, and where that is not good, what to do."""


def findings(settings: Settings, tables: Tables) -> Iterator[Finding]:
    """Look at one thing after the other.

    Raises:
        WrongUsage: a file that the settings name cannot be used.
    """
    metric_settings(settings)
    its_rules = rules(settings)
    yield Finding("settings", True, f"valid: {settings.partitions} partitions, days in {settings.time_zone}")
    yield from _broker(settings)
    try:
        health = tables.health()
    except TablesUnavailable as error:
        yield Finding("redis", False, str(error))
        return
    yield Finding("redis", True, f"{health.server} at {health.address} answers")
    yield from _redis(health)
    yield from _shards(settings, tables, its_rules.fingerprint())


def _broker(settings: Settings) -> Iterator[Finding]:
    names = settings.all_topics
    try:
        found = topics.describe(settings.broker, names)
    except topics.BrokerUnavailable as error:
        yield Finding("broker", False, str(error))
        return
    yield Finding("broker", True, f"{settings.broker} answers")
    problems = topics.problems(found, settings.topics.values(), settings.partitions)
    if settings.topic_dead_letters not in found:
        problems += topics.problems(found, [settings.topic_dead_letters], settings.partitions)
    for problem in problems:
        yield Finding("topics", False, problem)
    if not problems:
        yield Finding("topics", True, f"all {len(names)} there, with {settings.partitions} partitions")


def _redis(health: Health) -> Iterator[Finding]:
    if health.eviction is None:
        yield Finding("eviction", True, "not told by this Redis: make sure that it is noeviction")
    elif health.eviction != "noeviction":
        advice = "set maxmemory-policy to noeviction, or ledgers may vanish"
        yield Finding("eviction", False, f"maxmemory-policy is {health.eviction}: {advice}")
    else:
        yield Finding("eviction", True, "maxmemory-policy is noeviction")
    if health.append_only is None:
        yield Finding("durability", True, "not told by this Redis: make sure that it has an append-only file")
    elif not health.append_only:
        advice = "set appendonly to yes; until then a crash of Redis costs a replay from Kafka"
        yield Finding("durability", False, f"appendonly is no: {advice}")
    else:
        yield Finding("durability", True, f"appendonly is yes, appendfsync is {health.append_fsync or 'not told'}")


def _shards(settings: Settings, tables: Tables, fingerprint: str) -> Iterator[Finding]:
    try:
        found = metas(tables, settings.partitions)
    except TablesUnavailable as error:
        yield Finding("tables", False, str(error))
        return
    sentence = next(filter(None, (disagreement(meta, fingerprint, settings.partitions) for meta in found)), None)
    if sentence is not None:
        yield Finding("tables", False, sentence)
    else:
        events = sum(sum(meta.outcomes.values()) for meta in found)
        yield Finding("tables", True, f"{events:,} events processed so far" if events else "empty so far")
