"""Which worker gets which partitions: shard p of every topic to the same one, as evenly as can be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


class ShardAssignor(AbstractPartitionAssignor):  # type: ignore[misc]  # aiokafka is not typed
    """Deals out partition numbers in turn; whoever gets number p gets partition p of every topic.

    Two workers that write to one shard would be correct, too, but get in each other's way at every commit. That a
    partition stays where it was is worth nothing here: a worker holds no state that another would have to load.
    """

    name = "growthgauge"
    version = 0

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Assign the partitions of all topics that members subscribe to."""
        readers: dict[str, list[str]] = defaultdict(list)
        for member in sorted(members):
            for topic in members[member].subscription:
                readers[topic].append(member)
        assigned: dict[str, dict[str, list[int]]] = {member: defaultdict(list) for member in members}
        for topic, candidates in readers.items():
            for number in sorted(cluster.partitions_for_topic(topic) or ()):
                assigned[candidates[number % len(candidates)]][topic].append(number)
        return {
            member: ConsumerProtocolMemberAssignment(cls.version, sorted(topics.items()), b"")
            for member, topics in assigned.items()
        }

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """Give what a member says of itself on joining."""
        return ConsumerProtocolMemberMetadata(cls.version, sorted(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing to keep."""
