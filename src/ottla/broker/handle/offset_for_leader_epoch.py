"""OffsetForLeaderEpoch, API key 23: where an epoch of a partition's leader ended.

A consumer that finds a smaller end than its own position knows that what it read was truncated.

Source: KIP-101, KIP-279, KIP-320. Elsewhere: the epochs of a log, see `core/log/epoch_history.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.wire.message.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)
from ottla.wire.server import Call

API_KEY: Final = 23
VERSIONS: Final = (0, 4)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleOffsetForLeaderEpoch:
    __slots__ = ("replicas",)

    def __init__(self, replicas: ReplicaTable) -> None:
        self.replicas = replicas

    def __call__(
        self, now_ms: int, call: Call, request: OffsetForLeaderEpochRequest
    ) -> list[Effect]:
        topics = [
            OffsetForLeaderTopicResult(
                topic.topic, [self._end(topic.topic, asked) for asked in topic.partitions]
            )
            for topic in request.topics
        ]
        return [Reply(call, OffsetForLeaderEpochResponse(topics=topics))]

    def _end(self, topic: str, asked: OffsetForLeaderPartition) -> EpochEndOffset:
        leader = self.replicas.leader(topic, asked.partition)
        if isinstance(leader, ErrorCode):
            return EpochEndOffset(leader, asked.partition)
        error = leader.check_epoch(asked.current_leader_epoch)
        if error is not None:
            return EpochEndOffset(error, asked.partition)
        epoch, end_offset = leader.epoch_end(asked.leader_epoch)
        return EpochEndOffset(ErrorCode.NONE, asked.partition, epoch, end_offset)
