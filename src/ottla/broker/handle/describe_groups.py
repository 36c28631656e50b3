"""DescribeGroups, API key 15: state and members of classic groups.

A group that is not there is told as dead; from version 6 on also by an error. One that is named twice
is told once: its members may be large.

Source: KIP-345 (instance ids), KIP-430 (authorized operations), KIP-1043 (GROUP_ID_NOT_FOUND).
Elsewhere: `core/group/group.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Described, Groups
from ottla.core.metadata.reach import GROUP_OPERATIONS, NOT_ASKED
from ottla.core.shard.decision import Gathering
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.limits import shortened
from ottla.wire.message.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 15
VERSIONS: Final = (0, 6)
GAPS: Final[tuple[str, ...]] = ()

NOT_FOUND_SINCE: Final = 6

_DEAD: Final = "Dead"


@final
class HandleDescribeGroups:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: DescribeGroupsRequest) -> list[Effect]:
        operations = GROUP_OPERATIONS if request.include_authorized_operations else NOT_ASKED
        names = list(dict.fromkeys(request.groups))

        def render(parts: list[Described]) -> DescribeGroupsResponse:
            rows = [
                _row(call.version, name, part, operations)
                for name, part in zip(names, parts, strict=True)
            ]
            return DescribeGroupsResponse(groups=rows)

        gathering: Gathering[Described] = Gathering(call, len(names), render)
        if not names:
            return gathering.complete()
        effects: list[Effect] = []
        for number, name in enumerate(names):
            effects += self._one(now_ms, name, gathering, number)
        return effects

    def _one(
        self, now_ms: int, name: str, gathering: Gathering[Described], number: int
    ) -> list[Effect]:
        part = gathering.part(number, Described)
        return self.groups.ask(now_ms, name, part, lambda one: one.decide_describe(name, part))


def _row(version: int, name: str, one: Described, operations: int) -> DescribedGroup:
    if one.error:
        return DescribedGroup(error_code=one.error, group_id=name)
    if one.state is None:
        if version < NOT_FOUND_SINCE:
            return DescribedGroup(
                group_id=name, group_state=_DEAD, authorized_operations=operations
            )
        return DescribedGroup(
            error_code=ErrorCode.GROUP_ID_NOT_FOUND,
            error_message=f"Group {shortened(name)} not found.",
            group_id=name,
            group_state=_DEAD,
        )
    return DescribedGroup(
        group_id=name,
        group_state=one.state,
        protocol_type=one.protocol_type,
        protocol_data=one.protocol,
        members=[DescribedGroupMember(*member) for member in one.members],
        authorized_operations=operations,
    )
