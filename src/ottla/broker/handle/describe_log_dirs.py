"""DescribeLogDirs: the log directory, the room it has, and what each partition takes of it.

Source: KIP-113, KIP-827 (total and usable bytes), KIP-1066 (cordoned).
"""

from dataclasses import dataclass
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.port import Disk
from ottla.core.replica.leader import Leader
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
GAPS: Final[tuple[str, ...]] = (
    "cordoned.log.dirs has no meaning for the only directory there is: it is never cordoned",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HandleDescribeLogDirs:
    disk: Disk
    replicas: ReplicaTable

    def __call__(self, now_ms: int, call: Call, request: DescribeLogDirsRequest) -> list[Effect]:
        wanted: dict[str, set[int]] | None = None
        if request.topics is not None:
            wanted = {}
            for topic in request.topics:
                wanted.setdefault(topic.topic, set()).update(topic.partitions)
        try:
            volume = self.disk.volume()
        except OSError:
            # The directory's name is not known without it.
            row = DescribeLogDirsResult(error_code=ErrorCode.KAFKA_STORAGE_ERROR)
            return [Reply(call, DescribeLogDirsResponse(results=[row]))]
        if self.replicas.is_offline:
            row = DescribeLogDirsResult(ErrorCode.KAFKA_STORAGE_ERROR, volume.path)
            return [Reply(call, DescribeLogDirsResponse(results=[row]))]
        row = DescribeLogDirsResult(
            log_dir=volume.path,
            topics=self._topics(wanted),
            total_bytes=volume.total_bytes,
            usable_bytes=volume.usable_bytes,
        )
        return [Reply(call, DescribeLogDirsResponse(results=[row]))]

    def _topics(self, wanted: dict[str, set[int]] | None) -> list[DescribeLogDirsTopic]:
        topics = []
        for hosted in self.replicas.topics(None if wanted is None else list(wanted)):
            asked = None if wanted is None else wanted[hosted.name]
            partitions = [
                DescribeLogDirsPartition(
                    partition_index=number,
                    partition_size=leader.log.size_bytes,
                    offset_lag=0,
                    is_future_key=False,
                )
                for number, leader in enumerate(hosted.leaders)
                if isinstance(leader, Leader) and (asked is None or number in asked)
            ]
            if partitions:
                topics.append(DescribeLogDirsTopic(name=hosted.name, partitions=partitions))
        return topics
