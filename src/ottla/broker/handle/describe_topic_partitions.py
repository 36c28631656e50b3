"""DescribeTopicPartitions: topics in pages, for administrators of many partitions.

Topics come in the order of their names; a page ends after so many partitions, and its cursor names
the partition that comes next, be it in the middle of a topic.

Source: KIP-966. Elsewhere: addresses and dead replicas, see `core/metadata/reach.py`.
"""

from typing import Final, final

from ottla.core.controller.topic_name import name_problem
from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current, Image, PartitionImage
from ottla.core.metadata.partition import INTERNAL_TOPICS
from ottla.core.metadata.reach import TOPIC_OPERATIONS, offline_replicas
from ottla.errors import ErrorCode
from ottla.types import NO_LEADER
from ottla.wire.message.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from ottla.wire.server import Call

API_KEY: Final = 75
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleDescribeTopicPartitions:
    """`partitions_max`: of one page, whatever the client asks for."""

    __slots__ = ("current", "partitions_max")

    def __init__(self, *, current: Current, partitions_max: int) -> None:
        self.current = current
        self.partitions_max = partitions_max

    def __call__(
        self, now_ms: int, call: Call, request: DescribeTopicPartitionsRequest
    ) -> list[Effect]:
        cursor = request.cursor
        named = {topic.name for topic in request.topics}
        if cursor is not None:
            if cursor.partition_index < 0 or (named and cursor.topic_name not in named):
                return [Reply(call, _malformed(request))]
        image = self.current.image
        start = "" if cursor is None else cursor.topic_name
        names = sorted(name for name in (named or image.topics) if name >= start)
        room = max(min(self.partitions_max, request.response_partition_limit), 1)
        response = DescribeTopicPartitionsResponse()
        topics: list[DescribeTopicPartitionsResponseTopic] = []
        for name in names:
            if room == 0:
                response.next_cursor = Cursor(name, 0)
                break
            first = cursor.partition_index if cursor is not None and name == start else 0
            page = _page(image, call, name, first, room)
            topics.append(page)
            room -= len(page.partitions)
            end = first + len(page.partitions)
            topic = image.topics.get(name)
            if topic is not None and end < len(topic.partitions):
                response.next_cursor = Cursor(name, end)
                break
        response.topics = topics
        return [Reply(call, response)]


def _malformed(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
    """A cursor that points nowhere: every topic asked for is told so."""
    names = [topic.name for topic in request.topics]
    if not names and request.cursor is not None:
        names = [request.cursor.topic_name]
    return DescribeTopicPartitionsResponse(
        topics=[
            DescribeTopicPartitionsResponseTopic(error_code=ErrorCode.INVALID_REQUEST, name=name)
            for name in names
        ]
    )


def _page(
    image: Image, call: Call, name: str, first: int, room: int
) -> DescribeTopicPartitionsResponseTopic:
    topic = image.topics.get(name)
    if topic is None:
        error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if name_problem(name) is not None:
            error = ErrorCode.INVALID_TOPIC_EXCEPTION
        return DescribeTopicPartitionsResponseTopic(
            error_code=error,
            name=name,
            is_internal=name in INTERNAL_TOPICS,
            topic_authorized_operations=TOPIC_OPERATIONS,
        )
    part = topic.partitions[first : first + room]
    return DescribeTopicPartitionsResponseTopic(
        name=name,
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=[
            _partition(image, call, number, partition)
            for number, partition in enumerate(part, first)
        ],
        topic_authorized_operations=TOPIC_OPERATIONS,
    )


def _partition(
    image: Image, call: Call, number: int, partition: PartitionImage
) -> DescribeTopicPartitionsResponsePartition:
    listener = call.origin.listener
    broker = image.brokers.get(partition.leader)
    leads = broker is not None and broker.endpoint(listener) is not None
    return DescribeTopicPartitionsResponsePartition(
        partition_index=number,
        leader_id=partition.leader if leads else NO_LEADER,
        leader_epoch=partition.leader_epoch,
        replica_nodes=partition.replicas,
        isr_nodes=partition.isr,
        eligible_leader_replicas=partition.elr,
        last_known_elr=partition.last_known_elr,
        offline_replicas=offline_replicas(image, partition, listener),
    )
