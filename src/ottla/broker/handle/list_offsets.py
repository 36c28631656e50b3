"""ListOffsets, API key 2: the offset that belongs to a point in time, or to a special one.

Version 0 answers with a list of segment starts, from before messages had timestamps; later versions
with the first record at or after the timestamp, exact to the record. Nothing at or beyond what the
isolation level may read is told. Storage is never tiered here, so "local" means the whole log, and
what asks for the tiered part finds nothing.

Source: KIP-79, KIP-207, KIP-734 (largest timestamp), KIP-405, KIP-1005, KIP-1023 (tiered).
Elsewhere: the look-up itself, see `core/log/log.py`.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.log.log import TimestampOffset
from ottla.core.replica.leader import CONSUMER, Leader
from ottla.core.replica.table import ReplicaTable
from ottla.errors import ErrorCode
from ottla.types import NO_EPOCH, NO_TIMESTAMP
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 2
VERSIONS: Final = (0, 11)
GAPS: Final[tuple[str, ...]] = ()

LATEST: Final = -1
EARLIEST: Final = -2
MAX_TIMESTAMP: Final = -3
EARLIEST_LOCAL: Final = -4
LATEST_TIERED: Final = -5
EARLIEST_PENDING_UPLOAD: Final = -6

SPECIAL_SINCE: Final[Mapping[int, int]] = {
    LATEST: 0,
    EARLIEST: 0,
    MAX_TIMESTAMP: 7,
    EARLIEST_LOCAL: 8,
    LATEST_TIERED: 9,
    EARLIEST_PENDING_UPLOAD: 11,
}

LEADER_EPOCHS_SINCE: Final = 4

_READ_COMMITTED: Final = 1
_NOTHING: Final = TimestampOffset(NO_TIMESTAMP, -1, NO_EPOCH)


@final
class HandleListOffsets:
    __slots__ = ("replicas",)

    def __init__(self, replicas: ReplicaTable) -> None:
        self.replicas = replicas

    def __call__(self, now_ms: int, call: Call, request: ListOffsetsRequest) -> list[Effect]:
        version = call.version
        asked_for = Counter(
            (topic.name, asked.partition_index)
            for topic in request.topics
            for asked in topic.partitions
        )
        topics = []
        for topic in request.topics:
            rows = []
            for asked in topic.partitions:
                if asked_for[topic.name, asked.partition_index] > 1:
                    rows.append(_failed(asked, ErrorCode.INVALID_REQUEST))
                elif _is_unknown_special(asked.timestamp, version):
                    rows.append(_failed(asked, ErrorCode.UNSUPPORTED_VERSION))
                else:
                    rows.append(self._offset(now_ms, version, request, topic.name, asked))
            topics.append(ListOffsetsTopicResponse(topic.name, rows))
        return [Reply(call, ListOffsetsResponse(topics=topics))]

    def _offset(
        self,
        now_ms: int,
        version: int,
        request: ListOffsetsRequest,
        topic: str,
        asked: ListOffsetsPartition,
    ) -> ListOffsetsPartitionResponse:
        leader = self.replicas.leader(topic, asked.partition_index)
        if isinstance(leader, ErrorCode):
            return _failed(asked, leader)
        error = leader.check_epoch(asked.current_leader_epoch)
        if error is not None:
            return _failed(asked, error)
        committed = request.isolation_level == _READ_COMMITTED
        end = leader.readable_end(request.replica_id, committed=committed)
        if version == 0:
            row = ListOffsetsPartitionResponse(asked.partition_index)
            to_end = request.replica_id != CONSUMER
            starts = self.replicas.segment_starts(leader)
            if isinstance(starts, ErrorCode):
                return _failed(asked, starts)
            row.old_style_offsets = _old_style(now_ms, leader, starts, asked, end, to_end=to_end)
            return row
        found = _look_up(leader, asked.timestamp, end)
        if isinstance(found, ErrorCode):
            return _failed(asked, found)
        epoch = found.leader_epoch if version >= LEADER_EPOCHS_SINCE else NO_EPOCH
        return ListOffsetsPartitionResponse(
            asked.partition_index, ErrorCode.NONE, (), found.timestamp_ms, found.offset, epoch
        )


def _look_up(leader: Leader, timestamp_ms: int, end: int) -> TimestampOffset | ErrorCode:
    """What belongs to a timestamp; all -1 when nothing does."""
    log = leader.log
    if timestamp_ms == LATEST:
        return TimestampOffset(NO_TIMESTAMP, end, leader.leader_epoch)
    if timestamp_ms in (EARLIEST, EARLIEST_LOCAL):
        start = log.start_offset
        empty = start == log.end_offset
        epoch = leader.leader_epoch if empty else log.epochs.epoch_of(start)
        return TimestampOffset(NO_TIMESTAMP, start, epoch)
    if timestamp_ms in (LATEST_TIERED, EARLIEST_PENDING_UPLOAD):
        return _NOTHING
    found = leader.find(None if timestamp_ms == MAX_TIMESTAMP else timestamp_ms, end)
    if isinstance(found, ErrorCode):
        return found
    return _NOTHING if found is None or found.offset >= end else found


def _old_style(
    now_ms: int,
    leader: Leader,
    segments: list[tuple[int, int]],
    asked: ListOffsetsPartition,
    end: int,
    *,
    to_end: bool,
) -> list[int]:
    """Version 0: starts of segments written to no later than the timestamp, newest first."""
    log = leader.log
    starts = [(max(base, log.start_offset), at_ms) for base, at_ms in segments]
    if log.end_offset > starts[-1][0]:
        starts.append((log.end_offset, now_ms))
    if asked.timestamp == EARLIEST:
        starts = starts[:1]
    elif asked.timestamp != LATEST:
        newest = len(starts)
        while newest and starts[newest - 1][1] > asked.timestamp:
            newest -= 1
        starts = starts[:newest]
    offsets = sorted((offset for offset, _ in starts), reverse=True)
    offsets = offsets[: max(0, asked.max_num_offsets)]
    if to_end or not offsets or offsets[0] <= end:
        return offsets
    return [end, *(offset for offset in offsets if offset <= end)]


def _is_unknown_special(timestamp_ms: int, version: int) -> bool:
    return timestamp_ms < 0 and version < SPECIAL_SINCE.get(timestamp_ms, version + 1)


def _failed(asked: ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse:
    return ListOffsetsPartitionResponse(asked.partition_index, error)
