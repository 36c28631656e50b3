"""A program's rebalance listener, as the consumer below calls it: on the thread that polls."""

import inspect
from collections.abc import Callable, Collection
from typing import final

from ottla.kafka.consumer.subscription_state import (
    AsyncConsumerRebalanceListener,
    ConsumerRebalanceListener,
)
from ottla.kafka.handoff import Handoff
from ottla.types import TopicPartition

Listener = ConsumerRebalanceListener | AsyncConsumerRebalanceListener


@final
class ToldOnPoll:
    """Any object with `on_partitions_revoked` and `on_partitions_assigned` will do."""

    def __init__(self, listener: Listener, handoff: Handoff) -> None:
        for name in ("on_partitions_revoked", "on_partitions_assigned"):
            if not callable(getattr(listener, name, None)):
                raise TypeError(f"listener {listener!r} has no {name}: a ConsumerRebalanceListener")
        self._listener = listener
        self._handoff = handoff

    async def revoked(self, partitions: Collection[TopicPartition]) -> None:
        await self._call(self._listener.on_partitions_revoked, partitions)

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        await self._call(self._listener.on_partitions_assigned, partitions)

    async def lost(self, partitions: Collection[TopicPartition]) -> None:
        # A listener of 2.x knows no third case.
        lost = getattr(self._listener, "on_partitions_lost", self._listener.on_partitions_revoked)
        await self._call(lost, partitions)

    async def _call(
        self, told: Callable[[set[TopicPartition]], object], partitions: Collection[TopicPartition]
    ) -> None:
        given = set(partitions)
        if inspect.iscoroutinefunction(told):
            await told(given)
        else:
            await self._handoff.call(lambda: told(given))
