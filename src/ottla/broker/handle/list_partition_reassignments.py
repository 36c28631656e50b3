"""ListPartitionReassignments: which partitions are on their way to other brokers.

On one node none ever is, but in a directory that comes from an Apache Kafka cluster some may be.

Source: KIP-455. Elsewhere: how one is ended, see `core/controller/reassignment.py`.
"""

from collections.abc import Iterator
from typing import Final, final

from ottla.core.controller.reassignment import is_under_way
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.wire.message.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)
from ottla.wire.server import Call

API_KEY: Final = 46
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleListPartitionReassignments:
    __slots__ = ("current",)

    def __init__(self, *, current: Current) -> None:
        self.current = current

    def __call__(
        self, now_ms: int, call: Call, request: ListPartitionReassignmentsRequest
    ) -> list[Effect]:
        topics = []
        for name, numbers in self._asked(request):
            partitions = self._under_way(name, numbers)
            if partitions:
                topics.append(OngoingTopicReassignment(name=name, partitions=partitions))
        return [Reply(call, ListPartitionReassignmentsResponse(error_message=None, topics=topics))]

    def _asked(self, request: ListPartitionReassignmentsRequest) -> Iterator[tuple[str, list[int]]]:
        topics = self.current.image.topics
        if request.topics is None:
            for name, topic in topics.items():
                yield name, list(range(len(topic.partitions)))
        else:
            for asked in request.topics:
                yield asked.name, list(dict.fromkeys(asked.partition_indexes))

    def _under_way(self, name: str, numbers: list[int]) -> list[OngoingPartitionReassignment]:
        topic = self.current.image.topics.get(name)
        if topic is None:
            return []
        partitions = topic.partitions
        return [
            OngoingPartitionReassignment(
                partition_index=number,
                replicas=partitions[number].replicas,
                adding_replicas=partitions[number].adding,
                removing_replicas=partitions[number].removing,
            )
            for number in numbers
            if topic.has(number) and is_under_way(partitions[number])
        ]
