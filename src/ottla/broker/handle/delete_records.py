"""DeleteRecords, API key 21: move a partition's log start, so that older records are gone.

The answer's low watermark is the new log start. What was confirmed stays deleted: the start offset
is checkpointed along with the answer, so that a killed process does not bring records back.

Source: KIP-107, KIP-204. Elsewhere: the segments that go with it, see `core/log/retention.py`.
"""

import logging
from typing import Final, final

from ottla import probe
from ottla.core.effect import Effect, Reply
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.types import TopicPartition
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from ottla.wire.server import Call

API_KEY: Final = 21
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = ()

TO_HIGH_WATERMARK: Final = -1

_NO_WATERMARK: Final = -1

logger: Final = logging.getLogger(__name__)


@final
class HandleDeleteRecords:
    __slots__ = ("replicas",)

    def __init__(self, replicas: ReplicaTable) -> None:
        self.replicas = replicas

    def __call__(self, now_ms: int, call: Call, request: DeleteRecordsRequest) -> list[Effect]:
        starts: dict[TopicPartition, int] = {}
        refused: dict[TopicPartition, ErrorCode] = {}
        for topic in request.topics:
            for asked in topic.partitions:
                start = self._start(topic.name, asked)
                partition = TopicPartition(topic.name, asked.partition_index)
                if isinstance(start, ErrorCode):
                    refused[partition] = start
                elif start is not None:
                    starts[partition] = max(start, starts.get(partition, 0))
        for partition in refused:
            starts.pop(partition, None)  # asked for twice, and once in vain
        effects: list[Effect] = []
        try:
            if starts:
                effects += self.replicas.delete_before(starts)
        except OSError as error:
            logger.error("records can't be deleted", extra={"error": str(error)})
            refused.update(dict.fromkeys(starts, ErrorCode.KAFKA_STORAGE_ERROR))
        topics = [
            DeleteRecordsTopicResult(
                topic.name,
                [
                    self._outcome(TopicPartition(topic.name, asked.partition_index), refused)
                    for asked in topic.partitions
                ],
            )
            for topic in request.topics
        ]
        effects.append(Reply(call, DeleteRecordsResponse(topics=topics)))
        return effects

    def _start(self, topic: str, asked: DeleteRecordsPartition) -> int | ErrorCode | None:
        """Where the log is to begin; None: it begins there or later."""
        leader = self.replicas.leader(topic, asked.partition_index)
        if isinstance(leader, ErrorCode):
            return leader
        if leader.internal:
            return ErrorCode.INVALID_TOPIC_EXCEPTION
        if not leader.policy.settings.cleanup_delete:
            return ErrorCode.POLICY_VIOLATION
        before = asked.offset
        if before == TO_HIGH_WATERMARK:
            before = leader.high_watermark
        end = leader.high_watermark
        if probe.MUTANTS and probe.mutant("KIP107-past-watermark"):
            end = leader.log.end_offset
        if not 0 <= before <= end:
            return ErrorCode.OFFSET_OUT_OF_RANGE
        return before if before > leader.log.start_offset else None

    def _outcome(
        self, partition: TopicPartition, refused: dict[TopicPartition, ErrorCode]
    ) -> DeleteRecordsPartitionResult:
        error = refused.get(partition)
        if error is None:
            leader = self.replicas.leader(partition.topic, partition.partition)
            assert isinstance(leader, Leader)
            start_offset = leader.log.start_offset
            return DeleteRecordsPartitionResult(partition.partition, start_offset, ErrorCode.NONE)
        return DeleteRecordsPartitionResult(partition.partition, _NO_WATERMARK, error)
