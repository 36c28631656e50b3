"""Partitioners: the default, and the shape of one's own.

The default is what the client does by itself: murmur2 of the key, and without a key one partition
until a batch is full. A program may give an object with `partition(topic, key, serialized_key, value,
serialized_value, cluster)` (3.x) or a function of the key, all partitions and those with a leader (2.x).
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from ottla.client.produce.partitioner import murmur2, partition_for_key
from ottla.kafka.cluster import ClusterMetadata

__all__ = ["DefaultPartitioner", "Partitioner", "StickyPartitioner", "murmur2"]


class Partitioner(ABC):
    """Decides for every record that names no partition."""

    @abstractmethod
    def partition(
        self,
        topic: str,
        key: object,
        serialized_key: bytes | None,
        value: object,
        serialized_value: bytes | None,
        cluster: ClusterMetadata,
    ) -> int: ...


class DefaultPartitioner(Partitioner):
    """By the key; without one, by chance. To be subclassed, or called as 2.x does."""

    def partition(
        self,
        topic: str,
        key: object,
        serialized_key: bytes | None,
        value: object,
        serialized_value: bytes | None,
        cluster: ClusterMetadata,
    ) -> int:
        every = sorted(cluster.partitions_for_topic(topic) or ())
        available = sorted(cluster.available_partitions_for_topic(topic) or ())
        return self(serialized_key, every, available)

    def __call__(
        self, key: bytes | None, all_partitions: Sequence[int], available: Sequence[int]
    ) -> int:
        if key is not None:
            return all_partitions[partition_for_key(key, len(all_partitions))]
        return random.choice(available or all_partitions)


class StickyPartitioner(DefaultPartitioner):
    """As the default: the client sticks to a partition by itself."""
