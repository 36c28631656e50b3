"""SyncGroup, API key 14: the leader brings the assignment, everybody gets theirs.

The call is parked until the leader's has come and what it brought is committed.

Source: KIP-345 (static members), KIP-559 (protocol type and name). Elsewhere: `core/group/classic.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups
from ottla.core.group.member import Sync, Synced, sync_refused
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.wire.message.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.server import Call

API_KEY: Final = 14
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = ()

TELLS_PROTOCOL_SINCE: Final = 5


@final
class HandleSyncGroup:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: SyncGroupRequest) -> list[Effect]:
        group_id = request.group_id
        answer = asked(call, _response, sync_refused)
        tells = request.protocol_type is not None and request.protocol_name is not None
        if call.version >= TELLS_PROTOCOL_SINCE and not tells:
            return answer.refuse(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
        sync = Sync(
            generation=request.generation_id,
            member_id=request.member_id,
            instance_id=request.group_instance_id,
            protocol_type=request.protocol_type,
            protocol=request.protocol_name,
            assignments=tuple((one.member_id, one.assignment) for one in request.assignments),
        )
        return self.groups.ask(
            now_ms, group_id, answer, lambda one: one.decide_sync(now_ms, group_id, sync, answer)
        )


def _response(outcome: Synced) -> SyncGroupResponse:
    return SyncGroupResponse(
        error_code=outcome.error,
        protocol_type=outcome.protocol_type,
        protocol_name=outcome.protocol,
        assignment=outcome.assignment,
    )
