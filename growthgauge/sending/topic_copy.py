"""Copying topics that have another number of partitions, or other names: what `init --copy-from` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from growthgauge.errors import GrowthgaugeError, WrongUsage
from growthgauge.sending.send import PATIENCE_SECONDS, Router
from growthgauge.settings import Settings
from streams.kafka import topics
from streams.kafka.topic_copy import Copied, copy


def check_sources(settings: Settings, sources: Sequence[str]) -> None:
    """Make sure that topics can be copied, before anything is made.

    Raises:
        WrongUsage: a topic would be copied to itself.
        GrowthgaugeError: one of them is not there.
        BrokerUnavailable: the broker does not answer.
    """
    same = sorted({*sources} & {*settings.topics.values()})
    if same:
        raise WrongUsage(
            f"{', '.join(same)} cannot be copied to itself: give the topics other names (--topic-signups NAME, ...)."
        )
    missing = sorted({*sources} - topics.describe(settings.broker, sources).keys())
    if missing:
        raise GrowthgaugeError(f"The broker has no topic {', '.join(missing)} to copy from: check the name.")


def copy_topics(settings: Settings, sources: Sequence[str], progress: Callable[[int, int], None]) -> Copied:
    """Copy all records of topics to those of the settings: each event to its type's topic and its customer's partition.

    Raises:
        GrowthgaugeError: a record was not copied.
        BrokerUnavailable: the broker does not answer.
    """
    targets = list(dict.fromkeys(settings.topics.values()))
    router = Router(settings.topics, settings.partitions)

    def route(value: bytes) -> tuple[str, int]:
        topic, partition, _ = router(value)
        return topic, partition

    copied = asyncio.run(
        copy(settings.broker, list(dict.fromkeys(sources)), targets, route, progress, PATIENCE_SECONDS)
    )
    if copied.too_large:
        shown = ", ".join(copied.too_large[:5]) + (", ..." if len(copied.too_large) > 5 else "")
        raise GrowthgaugeError(
            f"{copied.records:,} records were copied, and {len(copied.too_large):,} were not, because they are larger "
            f"than 1 MB ({shown}): no event is so large, so look what they are."
        )
    return copied
