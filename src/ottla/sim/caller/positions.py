"""Requests about committed offsets, as members and administrators make them, and what came of them.

Which errors leave it open whether anything has happened stands here too.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from ottla.errors import ErrorCode
from ottla.sim.group_operation import Committing, Positions
from ottla.sim.operation import Op, Outcome
from ottla.types import Uuid
from ottla.wire.api import Message
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)

A = TypeVar("A", bound=Message)

COMMIT_BY_NAME: Final = 9
FETCH_BY_NAME: Final = 9
"""The last versions that name topics."""

NO_ANSWER: Final = -2  # where there would be an error code

_EXPIRES_AFTER_MS: Final = 400

UNCERTAIN: Final = frozenset(
    {
        ErrorCode.NOT_COORDINATOR,  # it was, and may have written what it was asked to
        ErrorCode.COORDINATOR_NOT_AVAILABLE,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.UNKNOWN_SERVER_ERROR,
    }
)
"""After these it may have happened."""


def end_op(op: Op, now_us: int, answer: A | None, read: Callable[[A], int]) -> int:
    """How an operation with a group has ended; its error code, or that there was no answer."""
    if answer is None:
        op.end(now_us, Outcome.INFO)
        return NO_ANSWER
    error = ErrorCode(read(answer))
    outcome = Outcome.OK if error is ErrorCode.NONE else Outcome.FAIL
    op.end(now_us, Outcome.INFO if error in UNCERTAIN else outcome, error)
    return error


def commit_request(
    op: Committing, version: int, topic_id: Uuid | None, instance: str
) -> OffsetCommitRequest:
    topic, partition = op.place
    part = OffsetCommitRequestPartition(partition, op.offset, committed_metadata=op.metadata)
    named = OffsetCommitRequestTopic(name=topic, partitions=[part])
    if version > COMMIT_BY_NAME:
        assert topic_id is not None
        named = OffsetCommitRequestTopic(topic_id=topic_id, partitions=[part])
    return OffsetCommitRequest(
        group_id=op.group,
        generation_id_or_member_epoch=op.generation,
        member_id=op.member_id,
        group_instance_id=instance or None,
        retention_time_ms=_EXPIRES_AFTER_MS if op.expires else -1,
        topics=[named],
    )


def commit_error(answer: OffsetCommitResponse) -> int:
    return answer.topics[0].partitions[0].error_code


def positions_request(op: Positions, version: int, ids: dict[str, Uuid]) -> OffsetFetchRequest:
    by_topic: dict[str, list[int]] = {}
    for topic, partition in op.wanted or ():
        by_topic.setdefault(topic, []).append(partition)
    if version < 8:
        topics = [OffsetFetchRequestTopic(topic, parts) for topic, parts in by_topic.items()]
        return OffsetFetchRequest(group_id=op.group, topics=None if op.wanted is None else topics)
    by_id = version > FETCH_BY_NAME
    asked = [
        OffsetFetchRequestTopics(topic_id=ids[topic], partition_indexes=parts)
        if by_id
        else OffsetFetchRequestTopics(name=topic, partition_indexes=parts)
        for topic, parts in by_topic.items()
    ]
    group = OffsetFetchRequestGroup(group_id=op.group, topics=None if op.wanted is None else asked)
    return OffsetFetchRequest(groups=[group])


def read_positions(
    op: Positions, answer: OffsetFetchResponse, version: int, ids: dict[str, Uuid]
) -> int:
    """Take note of what is known; the first error that there is."""
    names = {topic_id: name for name, topic_id in ids.items()}
    errors = [answer.error_code]
    for topic in answer.topics:
        for part in topic.partitions:
            errors.append(part.error_code)
            if part.committed_offset >= 0:
                found = (part.committed_offset, part.metadata or "")
                op.found[topic.name, part.partition_index] = found
    for group in answer.groups:
        errors.append(group.error_code)
        for one in group.topics:
            name = names.get(one.topic_id, "") if version > FETCH_BY_NAME else one.name
            for row in one.partitions:
                errors.append(row.error_code)
                if row.committed_offset >= 0:
                    op.found[name, row.partition_index] = (row.committed_offset, row.metadata or "")
    return next((error for error in errors if error), ErrorCode.NONE)
