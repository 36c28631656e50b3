"""AlterReplicaLogDirs: move partitions to another log directory. There is one: they are there, or nowhere.

Source: KIP-113.
"""

from dataclasses import dataclass
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.port import Disk
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from ottla.wire.server import Call

API_KEY: Final = 34
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = (
    "a node has one log directory, so that any other is LOG_DIR_NOT_FOUND",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HandleAlterReplicaLogDirs:
    disk: Disk
    replicas: ReplicaTable

    def __call__(
        self, now_ms: int, call: Call, request: AlterReplicaLogDirsRequest
    ) -> list[Effect]:
        rows: dict[str, dict[int, ErrorCode]] = {}
        for directory in request.dirs:
            problem = self._problem(directory)
            for topic in directory.topics:
                partitions = rows.setdefault(topic.name, {})
                for number in topic.partitions:
                    partitions[number] = problem or self._partition(topic.name, number)
        results = [
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(partition_index=number, error_code=error)
                    for number, error in partitions.items()
                ],
            )
            for name, partitions in rows.items()
        ]
        return [Reply(call, AlterReplicaLogDirsResponse(results=results))]

    def _problem(self, directory: AlterReplicaLogDir) -> ErrorCode | None:
        try:
            known = directory.path == self.disk.volume().path
        except OSError:
            return ErrorCode.KAFKA_STORAGE_ERROR
        return None if known else ErrorCode.LOG_DIR_NOT_FOUND

    def _partition(self, topic: str, number: int) -> ErrorCode:
        leader = self.replicas.leader(topic, number)
        if isinstance(leader, Leader):
            return ErrorCode.NONE
        if leader is ErrorCode.NOT_LEADER_OR_FOLLOWER:
            return ErrorCode.REPLICA_NOT_AVAILABLE
        return leader
