"""AlterReplicaLogDirs: move partitions to another log directory. The answer says that it has begun.

Source: KIP-113. Elsewhere: how it is done, see `core/replica/move.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.core.metadata.records import DIRECTORIES_SINCE
from ottla.core.replica.log_dirs import LogDir
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)
from ottla.wire.server import Call

API_KEY: Final = 34
VERSIONS: Final = (0, 2)
GAPS: Final[tuple[str, ...]] = (
    "where a partition that does not exist yet is to be made can't be said beforehand",
    "not below metadata.version 3.7-IV2, which knows no directories: UNSUPPORTED_VERSION",
)

_DIRECTORY_NAME_LENGTH_MAX: Final = 255
_FUTURE_NAME_LENGTH: Final = len(".-future") + 32


@final
class HandleAlterReplicaLogDirs:
    __slots__ = ("current", "replicas")

    def __init__(self, *, replicas: ReplicaTable, current: Current) -> None:
        self.replicas = replicas
        self.current = current

    def __call__(
        self, now_ms: int, call: Call, request: AlterReplicaLogDirsRequest
    ) -> list[Effect]:
        # What is named twice goes where it is named last, as in Kafka.
        wanted: dict[str, dict[int, LogDir | ErrorCode]] = {}
        for directory in request.dirs:
            target = self._target(directory.path)
            for topic in directory.topics:
                wanted.setdefault(topic.name, {}).update(dict.fromkeys(topic.partitions, target))
        results = [
            AlterReplicaLogDirTopicResult(
                topic_name=name,
                partitions=[
                    AlterReplicaLogDirPartitionResult(
                        partition_index=number,
                        error_code=self._move(now_ms, target, name, number),
                    )
                    for number, target in partitions.items()
                ],
            )
            for name, partitions in wanted.items()
        ]
        return [Reply(call, AlterReplicaLogDirsResponse(results=results))]

    def _target(self, path: str) -> LogDir | ErrorCode:
        dirs = self.replicas.dirs
        target = dirs.at(path)
        if (target is None and path in dirs.offline_paths) or (target and target.is_offline):
            return ErrorCode.KAFKA_STORAGE_ERROR
        if target is None or not target.keeps_partitions:
            return ErrorCode.LOG_DIR_NOT_FOUND
        return target

    def _move(self, now_ms: int, target: LogDir | ErrorCode, topic: str, number: int) -> ErrorCode:
        if len(f"{topic}-{number}") + _FUTURE_NAME_LENGTH > _DIRECTORY_NAME_LENGTH_MAX:
            return ErrorCode.INVALID_TOPIC_EXCEPTION
        if isinstance(target, ErrorCode):
            return target
        leader = self.replicas.leader(topic, number)
        if leader is ErrorCode.NOT_LEADER_OR_FOLLOWER:
            return ErrorCode.REPLICA_NOT_AVAILABLE
        if isinstance(leader, ErrorCode):
            return leader
        if leader.log_dir == target.number and self.replicas.moves.of(leader.partition) is None:
            return ErrorCode.NONE
        if self.current.image.metadata_version < DIRECTORIES_SINCE:
            return ErrorCode.UNSUPPORTED_VERSION
        return self.replicas.move(leader, target, now_ms)
