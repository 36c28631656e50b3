"""DeleteRecords, API key 21: move a partition's log start, so that older records are gone.

The answer's low watermark is the new log start. What was confirmed stays deleted: the start offset
is checkpointed along with the answer, so that a killed process does not bring records back.

Source: KIP-107, KIP-204. Elsewhere: the segments that go with it, see `core/log/retention.py`.
"""

import logging
from dataclasses import dataclass
from typing import Final, final

from ottla import probe
from ottla.core.effect import Effect, Reply
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
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
@dataclass(frozen=True, slots=True)
class HandleDeleteRecords:
    replicas: ReplicaTable

    def __call__(self, now_ms: int, call: Call, request: DeleteRecordsRequest) -> list[Effect]:
        moved: list[Leader] = []
        topics = [
            DeleteRecordsTopicResult(
                topic.name,
                [self._delete(topic.name, asked, moved) for asked in topic.partitions],
            )
            for topic in request.topics
        ]
        effects = self.replicas.log_start_moved() if moved else []
        effects.append(Reply(call, DeleteRecordsResponse(topics=topics)))
        return effects

    def _delete(
        self, topic: str, asked: DeleteRecordsPartition, moved: list[Leader]
    ) -> DeleteRecordsPartitionResult:
        leader = self.replicas.leader(topic, asked.partition_index)
        if isinstance(leader, ErrorCode):
            return _failed(asked, leader)
        if leader.internal:
            return _failed(asked, ErrorCode.INVALID_TOPIC_EXCEPTION)
        if not leader.policy.settings.cleanup_delete:
            return _failed(asked, ErrorCode.POLICY_VIOLATION)
        before = asked.offset
        if before == TO_HIGH_WATERMARK:
            before = leader.high_watermark
        end = leader.high_watermark
        if probe.MUTANTS and probe.mutant("KIP107-past-watermark"):
            end = leader.log.end_offset
        if not 0 <= before <= end:
            return _failed(asked, ErrorCode.OFFSET_OUT_OF_RANGE)
        log = leader.log
        if before > log.start_offset:
            try:
                log.truncate_prefix(before)
            except OSError as error:
                logger.error(
                    "records can't be deleted",
                    extra={"partition": leader.partition, "error": str(error)},
                )
                return _failed(asked, ErrorCode.KAFKA_STORAGE_ERROR)
            moved.append(leader)
        return DeleteRecordsPartitionResult(asked.partition_index, log.start_offset, ErrorCode.NONE)


def _failed(asked: DeleteRecordsPartition, error: ErrorCode) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(asked.partition_index, _NO_WATERMARK, error)
