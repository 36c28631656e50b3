"""ListGroups, API key 16: the groups that this broker coordinates.

While one of its shards is still loading, the list would be wrong, and none is given.

Source: KIP-518 (states), KIP-848 (types). Elsewhere: `core/group/group.py`.
"""

from typing import Final, TypeAlias, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups, Listed
from ottla.core.shard.decision import Gathering
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.wire.message.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.server import Call

API_KEY: Final = 16
VERSIONS: Final = (0, 5)
GAPS: Final[tuple[str, ...]] = ()

_CLASSIC: Final = "classic"

Part: TypeAlias = list[Listed] | ErrorCode


@final
class HandleListGroups:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: ListGroupsRequest) -> list[Effect]:
        states = frozenset(one.lower() for one in request.states_filter)
        types = frozenset(one.lower() for one in request.types_filter)
        shards = list(self.groups.machines())

        def render(parts: list[Part]) -> ListGroupsResponse:
            rows = []
            for part in parts:
                if isinstance(part, ErrorCode):
                    return ListGroupsResponse(error_code=part)
                rows += [
                    ListedGroup(one.group_id, one.protocol_type, one.state, _CLASSIC)
                    for one in part
                    if not states or one.state.lower() in states
                ]
            return ListGroupsResponse(groups=[] if types and _CLASSIC not in types else rows)

        gathering: Gathering[Part] = Gathering(call, len(shards), render)
        if not shards:
            return gathering.complete()
        effects: list[Effect] = []
        for place, (number, machine) in enumerate(shards):
            part = gathering.part(place, _refused)
            if isinstance(machine, ErrorCode):
                effects += part.refuse(machine)
            else:
                effects += self.groups.run(now_ms, number, machine.decide_list(part))
        return effects


def _refused(error: ErrorCode) -> Part:
    """A shard that went elsewhere is another broker's to tell of."""
    return [] if error is ErrorCode.NOT_COORDINATOR else error
