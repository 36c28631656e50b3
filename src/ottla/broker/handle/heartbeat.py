"""Heartbeat, API key 12: a member is there, and learns that a rebalance has begun.

Source: KIP-345 (static members). Elsewhere: `core/group/classic.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.server import Call

API_KEY: Final = 12
VERSIONS: Final = (0, 4)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleHeartbeat:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: HeartbeatRequest) -> list[Effect]:
        answer = asked(call, _response, _refused)
        return self.groups.ask(
            now_ms,
            request.group_id,
            answer,
            lambda one: one.decide_heartbeat(
                now_ms,
                request.group_id,
                request.member_id,
                request.group_instance_id,
                request.generation_id,
                answer,
            ),
        )


def _response(error: ErrorCode) -> HeartbeatResponse:
    return HeartbeatResponse(error_code=error)


def _refused(error: ErrorCode) -> ErrorCode:
    """While the group is being loaded, every member is believed."""
    return ErrorCode.NONE if error is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS else error
