"""DescribeLogDirs: each log directory, the room it has, and what each partition takes of it.

Source: KIP-113, KIP-827 (total and usable bytes), KIP-1066 (cordoned).
"""

from typing import Final, TypeAlias, final

from ottla.core.effect import Effect, Reply
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDir
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.wire.message.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)
from ottla.wire.server import Call

API_KEY: Final = 35
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = ("cordoned.log.dirs is not obeyed: no directory is ever cordoned",)

_Topics: TypeAlias = dict[str, list[DescribeLogDirsPartition]]


@final
class HandleDescribeLogDirs:
    __slots__ = ("replicas",)

    def __init__(self, *, replicas: ReplicaTable) -> None:
        self.replicas = replicas

    def __call__(self, now_ms: int, call: Call, request: DescribeLogDirsRequest) -> list[Effect]:
        wanted: dict[str, set[int]] | None = None
        if request.topics is not None:
            wanted = {}
            for topic in request.topics:
                wanted.setdefault(topic.topic, set()).update(topic.partitions)
        held = self._held(wanted)
        dirs = self.replicas.dirs
        results = [
            _row(one, held.get(one.number, {}))
            for one in dirs.dirs.values()
            if one.keeps_partitions
        ]
        results += [
            DescribeLogDirsResult(ErrorCode.KAFKA_STORAGE_ERROR, path)
            for path in dirs.offline_paths
        ]
        return [Reply(call, DescribeLogDirsResponse(results=results))]

    def _held(self, wanted: dict[str, set[int]] | None) -> dict[int, _Topics]:
        """What is asked for, by the number of the directory it is in."""
        held: dict[int, _Topics] = {}
        for hosted in self.replicas.topics(None if wanted is None else list(wanted)):
            asked = None if wanted is None else wanted[hosted.name]
            for number, leader in enumerate(hosted.leaders):
                if isinstance(leader, Leader) and (asked is None or number in asked):
                    row = DescribeLogDirsPartition(
                        partition_index=number,
                        partition_size=leader.log.size_bytes,
                        offset_lag=0,
                        is_future_key=False,
                    )
                    held.setdefault(leader.log_dir, {}).setdefault(hosted.name, []).append(row)
        for move in self.replicas.moves.under_way():
            asked = None if wanted is None else wanted.get(move.leader.partition.topic, set())
            if asked is None or move.leader.partition.partition in asked:
                row = DescribeLogDirsPartition(
                    partition_index=move.leader.partition.partition,
                    partition_size=move.size_bytes,
                    offset_lag=move.lag,
                    is_future_key=True,
                )
                topics = held.setdefault(move.target.number, {})
                topics.setdefault(move.leader.partition.topic, []).append(row)
        return held


def _row(log_dir: LogDir, topics: _Topics) -> DescribeLogDirsResult:
    if log_dir.is_offline:
        return DescribeLogDirsResult(ErrorCode.KAFKA_STORAGE_ERROR, log_dir.path)
    try:
        volume = log_dir.disk.volume()
    except OSError:
        return DescribeLogDirsResult(ErrorCode.KAFKA_STORAGE_ERROR, log_dir.path)
    return DescribeLogDirsResult(
        log_dir=log_dir.path,
        topics=[DescribeLogDirsTopic(name, rows) for name, rows in topics.items()],
        total_bytes=volume.total_bytes,
        usable_bytes=volume.usable_bytes,
    )
