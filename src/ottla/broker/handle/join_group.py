"""JoinGroup, API key 11: become a member, or take part in a rebalance.

The call is parked until the group's next generation is decided; so the answer may take as long as the
group's rebalance timeout.

Source: KIP-62 (rebalance timeout), KIP-345 (static members), KIP-394 (member ids first), KIP-800
(reasons), KIP-814 (a leader that need not assign). Elsewhere: `core/group/classic.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups
from ottla.core.group.member import Join, Joined, Protocol, join_refused
from ottla.core.shard.decision import asked
from ottla.core.shard.shards import Shards
from ottla.limits import REASON_LENGTH_MAX
from ottla.wire.message.join_group import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)
from ottla.wire.server import Call

API_KEY: Final = 11
VERSIONS: Final = (0, 9)
GAPS: Final[tuple[str, ...]] = (
    "a group of the newer protocols (KIP-848) is not taken over: INCONSISTENT_GROUP_PROTOCOL",
)

REBALANCE_TIMEOUT_SINCE: Final = 1
NEEDS_MEMBER_ID_SINCE: Final = 4
NULL_PROTOCOL_SINCE: Final = 7
SKIPS_ASSIGNMENT_SINCE: Final = 9


@final
class HandleJoinGroup:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: JoinGroupRequest) -> list[Effect]:
        version = call.version
        rebalance_timeout_ms = request.rebalance_timeout_ms
        if version < REBALANCE_TIMEOUT_SINCE:
            rebalance_timeout_ms = request.session_timeout_ms
        join = Join(
            group_id=request.group_id,
            member_id=request.member_id,
            instance_id=request.group_instance_id,
            client_id=call.client_id or "",
            client_host=f"/{call.origin.peer_host}",  # as Java writes an address without a name
            session_timeout_ms=request.session_timeout_ms,
            rebalance_timeout_ms=rebalance_timeout_ms,
            protocol_type=request.protocol_type,
            protocols=tuple(Protocol(one.name, one.metadata) for one in request.protocols),
            reason=(request.reason or "")[:REASON_LENGTH_MAX],
            needs_member_id=version >= NEEDS_MEMBER_ID_SINCE,
            may_skip=version >= SKIPS_ASSIGNMENT_SINCE,
        )
        answer = asked(call, lambda outcome: _response(version, outcome), join_refused)
        return self.groups.ask(
            now_ms, join.group_id, answer, lambda one: one.decide_join(now_ms, join, answer)
        )


def _response(version: int, outcome: Joined) -> JoinGroupResponse:
    protocol = outcome.protocol
    if protocol is None and version < NULL_PROTOCOL_SINCE:
        protocol = ""
    return JoinGroupResponse(
        error_code=outcome.error,
        generation_id=outcome.generation,
        protocol_type=outcome.protocol_type,
        protocol_name=protocol,
        leader=outcome.leader,
        skip_assignment=outcome.skip_assignment,
        member_id=outcome.member_id,
        members=[JoinGroupResponseMember(*member) for member in outcome.members],
    )
