"""The topics that the settings name: made where they are missing, and told apart from earlier ones of that name."""

from __future__ import annotations

from growthgauge.errors import GrowthgaugeError
from growthgauge.settings import Settings
from streams.kafka import topics


def make_topics(settings: Settings) -> list[str]:
    """Make the topics that are missing and name them.

    Raises:
        BrokerUnavailable: the broker does not answer or does not make one of them.
    """
    return topics.create(
        settings.broker, settings.all_topics, settings.partitions, dead_letters=settings.topic_dead_letters
    )


def identities(settings: Settings) -> dict[str, str]:
    """Give the ids of the topics that carry events.

    Raises:
        BrokerUnavailable: the broker does not answer.
        GrowthgaugeError: one of them is missing or has another number of partitions.
    """
    names = set(settings.topics.values())
    found = topics.describe(settings.broker, names)
    for problem in topics.problems(found, names, settings.partitions):
        raise GrowthgaugeError(problem)
    return {name: topic.identity for name, topic in found.items()}
