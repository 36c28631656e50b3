"""DescribeClientQuotas: the quotas that were set, of the entities that a filter names.

A component of the filter names a type of entity and a name, its default, or whatever has that type.
An entity matches that has all of them; strict: and nothing else.

Source: KIP-546, KIP-612.
"""

from collections.abc import Sequence
from typing import Final, final

from ottla.core.effect import Effect, Reply
from ottla.core.metadata.image import Current
from ottla.core.metadata.quota import CLIENT_ID, IP, USER, QuotaEntity
from ottla.errors import ErrorCode
from ottla.limits import quoted
from ottla.wire.message.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)
from ottla.wire.server import Call

API_KEY: Final = 48
VERSIONS: Final = (0, 1)
GAPS: Final[tuple[str, ...]] = ()

_EXACT: Final = 0
_DEFAULT: Final = 1
_SPECIFIED: Final = 2


@final
class HandleDescribeClientQuotas:
    __slots__ = ("current",)

    def __init__(self, *, current: Current) -> None:
        self.current = current

    def __call__(
        self, now_ms: int, call: Call, request: DescribeClientQuotasRequest
    ) -> list[Effect]:
        problem = _problem(request.components)
        if problem is not None:
            error, message = problem
            refusal = DescribeClientQuotasResponse(
                error_code=error, error_message=message, entries=None
            )
            return [Reply(call, refusal)]
        entries = [
            EntryData(
                entity=[EntityData(kind, name) for kind, name in entity],
                values=[ValueData(key, value) for key, value in values.items()],
            )
            for entity, values in self.current.image.quotas.items()
            if _matches(entity, request)
        ]
        return [Reply(call, DescribeClientQuotasResponse(error_message=None, entries=entries))]


def _problem(components: Sequence[ComponentData]) -> tuple[ErrorCode, str] | None:
    """What is wrong with a filter."""
    kinds: dict[str, None] = {}
    for component in components:
        kind, match = component.entity_type, component.match
        text = ""
        if not kind:
            text = "Invalid empty entity type."
        elif kind in kinds:
            text = f"Entity type {quoted(kind)} cannot appear more than once in the filter."
        elif kind not in (USER, CLIENT_ID, IP):
            return ErrorCode.UNSUPPORTED_VERSION, f"Unsupported entity type {quoted(kind)}"
        elif component.match_type not in (_EXACT, _DEFAULT, _SPECIFIED):
            text = f"Unknown match type {component.match_type}"
        elif component.match_type == _EXACT and match is None:
            text = "Request specified MATCH_TYPE_EXACT, but set match string to null."
        elif component.match_type != _EXACT and match is not None:
            name = (
                "MATCH_TYPE_DEFAULT" if component.match_type == _DEFAULT else "MATCH_TYPE_SPECIFIED"
            )
            text = f"Request specified {name}, but also specified a match string."
        if text:
            return ErrorCode.INVALID_REQUEST, text
        kinds[kind] = None
    if IP in kinds and len(kinds) > 1:
        text = (
            "Invalid entity filter component combination. IP filter component should not be used "
            "with user or clientId filter component."
        )
        return ErrorCode.INVALID_REQUEST, text
    return None


def _matches(entity: QuotaEntity, request: DescribeClientQuotasRequest) -> bool:
    parts = dict(entity)
    if request.strict and len(parts) != len(request.components):
        return False
    for component in request.components:
        kind = component.entity_type
        if kind not in parts:
            return False
        if component.match_type != _SPECIFIED and parts[kind] != component.match:
            return False
    return True
