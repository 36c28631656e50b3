"""LeaveGroup, API key 13: members leave of themselves, or an administrator takes them out.

Source: KIP-345 (several at once, by instance id), KIP-800 (reasons). Elsewhere:
`core/group/classic.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups
from ottla.core.group.member import Leaver, Left, leave_refused
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.limits import REASON_LENGTH_MAX
from ottla.wire.message.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 13
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = ()

SEVERAL_SINCE: Final = 3


@final
class HandleLeaveGroup:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: LeaveGroupRequest) -> list[Effect]:
        group_id, version = request.group_id, call.version
        if version < SEVERAL_SINCE:
            leavers: tuple[Leaver, ...] = (Leaver(request.member_id, None, ""),)
        else:
            leavers = tuple(
                Leaver(one.member_id, one.group_instance_id, (one.reason or "")[:REASON_LENGTH_MAX])
                for one in request.members
            )
        answer = asked(call, lambda outcome: _response(version, leavers, outcome), leave_refused)
        return self.groups.ask(
            now_ms,
            group_id,
            answer,
            lambda one: one.decide_leave(now_ms, group_id, leavers, answer),
        )


def _response(version: int, leavers: tuple[Leaver, ...], outcome: Left) -> LeaveGroupResponse:
    error = outcome.error
    if version < SEVERAL_SINCE:
        if error is ErrorCode.NONE and outcome.errors:
            error = outcome.errors[0]
        return LeaveGroupResponse(error_code=error)
    rows = []
    if error is ErrorCode.NONE:
        rows = [
            MemberResponse(one.member_id, one.instance_id, code)
            for one, code in zip(leavers, outcome.errors, strict=True)
        ]
    return LeaveGroupResponse(error_code=error, members=rows)
