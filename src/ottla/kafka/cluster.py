"""The cluster as a partitioner of one's own sees it: topics, partitions, leaders, brokers."""

from typing import final

from ottla.client.metadata import ClusterView, TopicView
from ottla.kafka.structs import BrokerMetadata, TopicPartition
from ottla.types import NO_LEADER


@final
class ClusterMetadata:
    """A picture; what is asked later may differ."""

    __slots__ = ("_view",)

    def __init__(self, view: ClusterView) -> None:
        self._view = view

    def topics(self, exclude_internal_topics: bool = True) -> set[str]:
        return {
            topic.name
            for topic in self._view.topics.values()
            if not (exclude_internal_topics and topic.is_internal)
        }

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """None: nothing is known of it."""
        view = self._view.topic(topic)
        return None if view is None else {part.partition for part in view.partitions}

    def available_partitions_for_topic(self, topic: str) -> set[int] | None:
        """Those that have a leader."""
        view = self._view.topic(topic)
        return None if view is None else set(view.led)

    def leader_for_partition(self, partition: TopicPartition) -> int | None:
        return self._view.leader_of(partition.topic, partition.partition)

    def leader_epoch_for_partition(self, partition: TopicPartition) -> int | None:
        view: TopicView | None = self._view.topic(partition.topic)
        if view is None or partition.partition >= len(view.partitions):
            return None
        return view.partitions[partition.partition].leader_epoch

    def partitions_for_broker(self, broker_id: int) -> set[TopicPartition]:
        return {
            TopicPartition(topic.name, part.partition)
            for topic in self._view.topics.values()
            for part in topic.partitions
            if part.leader_id == broker_id != NO_LEADER
        }

    def brokers(self) -> set[BrokerMetadata]:
        return {
            BrokerMetadata(broker_id, address.host, address.port, None)
            for broker_id, address in self._view.brokers.items()
        }

    def broker_metadata(self, broker_id: int) -> BrokerMetadata | None:
        address = self._view.brokers.get(broker_id)
        return None if address is None else BrokerMetadata(broker_id, *address, None)
