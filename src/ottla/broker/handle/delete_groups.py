"""DeleteGroups, API key 42: forget groups that nobody is in, and their offsets.

Source: KIP-229, KIP-1043 (messages). Elsewhere: `core/group/group.py`.
"""

from typing import Final, final

from ottla.core.effect import Effect
from ottla.core.group.group import Groups
from ottla.core.shard.decision import Gathering
from ottla.core.shard.shards import Shards
from ottla.errors import ErrorCode
from ottla.limits import shortened
from ottla.wire.message.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 42
VERSIONS: Final = (0, 3)
GAPS: Final[tuple[str, ...]] = ()


@final
class HandleDeleteGroups:
    __slots__ = ("groups",)

    def __init__(self, groups: Shards[Groups]) -> None:
        self.groups = groups

    def __call__(self, now_ms: int, call: Call, request: DeleteGroupsRequest) -> list[Effect]:
        names = list(dict.fromkeys(request.groups_names))

        def render(parts: list[ErrorCode]) -> DeleteGroupsResponse:
            rows = [
                DeletableGroupResult(name, error, _message(name, error))
                for name, error in zip(names, parts, strict=True)
            ]
            return DeleteGroupsResponse(results=rows)

        gathering: Gathering[ErrorCode] = Gathering(call, len(names), render)
        if not names:
            return gathering.complete()
        effects: list[Effect] = []
        for number, name in enumerate(names):
            effects += self._one(now_ms, name, gathering, number)
        return effects

    def _one(
        self, now_ms: int, name: str, gathering: Gathering[ErrorCode], number: int
    ) -> list[Effect]:
        part = gathering.part(number, lambda error: error)
        return self.groups.ask(now_ms, name, part, lambda one: one.decide_delete(name, part))


def _message(name: str, error: ErrorCode) -> str | None:
    match error:
        case ErrorCode.NONE:
            return None
        case ErrorCode.GROUP_ID_NOT_FOUND:
            return f"Group {shortened(name)} not found."
        case ErrorCode.NON_EMPTY_GROUP:
            return (
                f"Group {shortened(name)} still has members; it can be deleted when they have left."
            )
        case _:
            return f"Group {shortened(name)} can't be deleted: {error.name}."
