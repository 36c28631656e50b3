"""OffsetCommit, API key 8: how far a group has read, kept for whoever reads next.

Each partition has its own error; those that are not there are refused, the others committed.

Version 0 once meant an offset in ZooKeeper; here it is a commit like any other.

Source: KIP-98, KIP-211 (retention), KIP-320 (leader epochs), KIP-345, KIP-848 (topic ids). Elsewhere:
who may commit, see `core/group`.
"""

from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.group.group import Commit, Committed, Committing, Groups, commit_refused
from ottla.core.group.journal import CommittedOffset
from ottla.core.metadata.image import Current
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.limits import LONG_MAX
from ottla.types import NO_TIMESTAMP
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.server import Call

API_KEY: Final = 8
VERSIONS: Final = (0, 10)
GAPS: Final[tuple[str, ...]] = ()

RETENTION_IN: Final = (2, 4)
KNOWS_NO_GROUP_SINCE: Final = 9
TOPIC_IDS_SINCE: Final = 10

_BROKERS_RETENTION: Final = -1


@final
class HandleOffsetCommit:
    __slots__ = ("current", "groups")

    def __init__(self, groups: Shards[Groups], current: Current) -> None:
        self.groups = groups
        self.current = current

    def __call__(self, now_ms: int, call: Call, request: OffsetCommitRequest) -> list[Effect]:
        version = call.version
        by_id = version >= TOPIC_IDS_SINCE
        expire_ms = _expire_ms(now_ms, version, request.retention_time_ms)
        image = self.current.image
        topics = []
        valid: list[OffsetCommitResponsePartition] = []
        rows: list[Committing] = []
        for asked_for in request.topics:
            if by_id:
                topic = image.topic_ids.get(asked_for.topic_id)
                unknown = ErrorCode.UNKNOWN_TOPIC_ID
            else:
                topic = image.topics.get(asked_for.name)
                unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            answers = []
            for part in asked_for.partitions:
                answer = OffsetCommitResponsePartition(part.partition_index)
                answers.append(answer)
                if topic is None:
                    answer.error_code = unknown
                elif not topic.has(part.partition_index):
                    answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
                else:
                    valid.append(answer)
                    committed = _committed(now_ms, part, expire_ms)
                    rows.append(Committing(topic.name, part.partition_index, committed))
            topics.append(OffsetCommitResponseTopic(asked_for.name, asked_for.topic_id, answers))
        response = OffsetCommitResponse(topics=topics)
        if not rows:
            return [Reply(call, response)]
        commit = Commit(
            group_id=request.group_id,
            generation=request.generation_id_or_member_epoch,
            member_id=request.member_id,
            instance_id=request.group_instance_id,
            rows=rows,
            knows_no_group=version >= KNOWS_NO_GROUP_SINCE,
        )

        def render(outcome: Committed) -> OffsetCommitResponse:
            for number, answer in enumerate(valid):
                answer.error_code = outcome.error or outcome.errors[number]
            return response

        waiting = asked(call, render, commit_refused)
        return self.groups.ask(
            now_ms,
            commit.group_id,
            waiting,
            lambda one: one.decide_commit(now_ms, commit, waiting),
        )


def _expire_ms(now_ms: int, version: int, retention_ms: int) -> int:
    """When the commit expires, where the client may say so and does."""
    low, high = RETENTION_IN
    if not low <= version <= high or retention_ms == _BROKERS_RETENTION:
        return NO_TIMESTAMP
    return min(now_ms + max(0, retention_ms), LONG_MAX)


def _committed(now_ms: int, part: OffsetCommitRequestPartition, expire_ms: int) -> CommittedOffset:
    commit_ms = part.commit_timestamp
    return CommittedOffset(
        offset=part.committed_offset,
        leader_epoch=part.committed_leader_epoch,
        metadata=part.committed_metadata or "",
        commit_ms=now_ms if commit_ms == NO_TIMESTAMP else commit_ms,
        expire_ms=expire_ms,
    )
