"""OffsetDelete, API key 47: forget how far a group has read in partitions that it reads no more.

Partitions that are not there have an error each, but first of all the group has to be one that may
be asked: where it is not, that is the whole answer.

Source: KIP-496. Elsewhere: `core/group/group.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Committed, Groups, commit_refused
from ottla.core.metadata.image import Current
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ottla.wire.server import Call

API_KEY: Final = 47
VERSIONS: Final = (0, 0)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleOffsetDelete:
    __slots__ = ("current", "groups")

    def __init__(self, groups: Shards[Groups], current: Current) -> None:
        self.groups = groups
        self.current = current

    def __call__(self, now_ms: int, call: Call, request: OffsetDeleteRequest) -> list[Effect]:
        group_id = request.group_id
        image = self.current.image
        topics = []
        valid: list[OffsetDeleteResponsePartition] = []
        rows: list[tuple[str, int]] = []
        for topic in request.topics:
            answers = []
            known = image.topics.get(topic.name)
            for part in topic.partitions:
                answer = OffsetDeleteResponsePartition(part.partition_index)
                answers.append(answer)
                if known is not None and known.has(part.partition_index):
                    valid.append(answer)
                    rows.append((topic.name, part.partition_index))
                else:
                    answer.error_code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            topics.append(OffsetDeleteResponseTopic(topic.name, answers))
        response = OffsetDeleteResponse(topics=topics)

        def render(outcome: Committed) -> OffsetDeleteResponse:
            if outcome.error:
                return OffsetDeleteResponse(error_code=outcome.error)
            for answer, error in zip(valid, outcome.errors, strict=True):
                answer.error_code = error
            return response

        waiting = asked(call, render, commit_refused)
        return self.groups.ask(
            now_ms, group_id, waiting, lambda one: one.decide_forget(group_id, rows, waiting)
        )
