"""DescribeQuorum: who keeps the metadata log. It is this node alone, so its end is what is told.

Source: KIP-595, KIP-836 (times), KIP-853 (directories and listeners).
"""

from typing import Final, final

from ottla.core.effect import METADATA_PARTITION, Effect, Reply
from ottla.core.metadata.image import Current, Image
from ottla.core.metadata.local import LocalMetadataLog
from ottla.errors import ErrorCode
from ottla.wire.message.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
    DescribeQuorumResponsePartitionData,
    DescribeQuorumResponseTopicData,
    Listener,
    Node,
    ReplicaState,
)
from ottla.wire.server import Call

API_KEY: Final = 55
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = (
    "the listeners told are the broker's own: there is no controller listener",
)

_TELLS_NODES_SINCE: Final = 2


@final
class HandleDescribeQuorum:
    __slots__ = ("current", "log", "node_id")

    def __init__(self, *, current: Current, log: LocalMetadataLog, node_id: int) -> None:
        self.current = current
        self.log = log
        self.node_id = node_id

    def __call__(self, now_ms: int, call: Call, request: DescribeQuorumRequest) -> list[Effect]:
        if not _asks_for_the_log(request):
            topics = [_unknown(topic) for topic in request.topics]
            return [Reply(call, DescribeQuorumResponse(error_message=None, topics=topics))]
        image = self.current.image
        voter = ReplicaState(
            replica_id=self.node_id,
            log_end_offset=self.log.end_offset,
            last_fetch_timestamp=now_ms,
            last_caught_up_timestamp=now_ms,
        )
        partition = DescribeQuorumResponsePartitionData(
            partition_index=METADATA_PARTITION.partition,
            error_message=None,
            leader_id=self.node_id,
            leader_epoch=self.log.epoch,
            high_watermark=image.offset,
            current_voters=[voter],
        )
        response = DescribeQuorumResponse(
            error_message=None,
            topics=[DescribeQuorumResponseTopicData(METADATA_PARTITION.topic, [partition])],
        )
        if call.version >= _TELLS_NODES_SINCE:
            voter.replica_directory_id = self.log.voter_directory_id
            response.nodes = [self._node(image)]
        return [Reply(call, response)]

    def _node(self, image: Image) -> Node:
        points = image.brokers[self.node_id].endpoints
        return Node(self.node_id, [Listener(one.listener, one.host, one.port) for one in points])


def _asks_for_the_log(request: DescribeQuorumRequest) -> bool:
    """Exactly its one partition, as Kafka wants it: beside any other, it is unknown too."""
    if len(request.topics) != 1:
        return False
    topic = request.topics[0]
    return topic.topic_name == METADATA_PARTITION.topic and [
        one.partition_index for one in topic.partitions
    ] == [METADATA_PARTITION.partition]


def _unknown(topic: DescribeQuorumRequestTopicData) -> DescribeQuorumResponseTopicData:
    return DescribeQuorumResponseTopicData(
        topic.topic_name,
        [
            DescribeQuorumResponsePartitionData(
                partition_index=one.partition_index,
                error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                error_message="This server does not host this topic-partition.",
            )
            for one in topic.partitions
        ],
    )
