"""Who is told about a rebalance, where kafka-python keeps it."""

from abc import ABC, abstractmethod
from collections.abc import Set as AbstractSet

from ottla.types import TopicPartition

__all__ = ["AsyncConsumerRebalanceListener", "ConsumerRebalanceListener"]


class ConsumerRebalanceListener(ABC):
    """Called inside `poll` and `close`, on the thread that calls these."""

    @abstractmethod
    def on_partitions_revoked(self, revoked: AbstractSet[TopicPartition]) -> None:
        """These go to others after this: the last moment to commit what was processed."""

    @abstractmethod
    def on_partitions_assigned(self, assigned: AbstractSet[TopicPartition]) -> None:
        """These came."""

    def on_partitions_lost(self, lost: AbstractSet[TopicPartition]) -> None:
        """These are others' already; nothing can be committed. By default as if they were revoked."""
        self.on_partitions_revoked(lost)


class AsyncConsumerRebalanceListener(ABC):
    """As the other; awaited on the client's thread, where nothing may block."""

    @abstractmethod
    async def on_partitions_revoked(self, revoked: AbstractSet[TopicPartition]) -> None: ...

    @abstractmethod
    async def on_partitions_assigned(self, assigned: AbstractSet[TopicPartition]) -> None: ...

    async def on_partitions_lost(self, lost: AbstractSet[TopicPartition]) -> None:
        await self.on_partitions_revoked(lost)
