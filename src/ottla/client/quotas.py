"""Questions about client quotas, as requests, and what the answers mean.

Elsewhere: whom to ask, `aio/client.py`; how it is printed, `cli/quota.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message import alter_client_quotas, describe_client_quotas
from ottla.wire.message.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasRequestEntryData,
    AlterClientQuotasResponse,
    OpData,
)
from ottla.wire.message.describe_client_quotas import (
    ComponentData,
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
)

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"

Entity: TypeAlias = Mapping[str, str | None]
"""Type to name; None: the default, which holds for all that have none of their own."""

_EXACT: Final = 0
_DEFAULT: Final = 1


def describe_request(entity: Entity) -> DescribeClientQuotasRequest:
    """About this entity and no other."""
    components = [
        ComponentData(kind, _DEFAULT if name is None else _EXACT, name)
        for kind, name in entity.items()
    ]
    return DescribeClientQuotasRequest(components, strict=True)


def described_untrusted(
    entity: Entity, response: DescribeClientQuotasResponse
) -> Mapping[str, float]:
    """Its quotas, sorted by key; none if none was set. Raises ApiError if the broker refuses."""
    _check(response.error_code, response.error_message)
    for entry in response.entries or ():
        if _entity(entry.entity) == entity:
            return dict(sorted((one.key, one.value) for one in entry.values))
    return {}


def alter_request(
    entity: Entity, changes: Mapping[str, float | None], *, validate_only: bool = False
) -> AlterClientQuotasRequest:
    """Quotas by their keys; None: taken away."""
    ops = [OpData(key, value or 0.0, value is None) for key, value in changes.items()]
    parts = [alter_client_quotas.EntityData(kind, name) for kind, name in entity.items()]
    return AlterClientQuotasRequest([AlterClientQuotasRequestEntryData(parts, ops)], validate_only)


def check_altered_untrusted(entity: Entity, response: AlterClientQuotasResponse) -> None:
    """Raises ApiError if nothing was changed."""
    for row in response.entries:
        if {part.entity_type: part.entity_name for part in row.entity} == entity:
            return _check(row.error_code, row.error_message)
    raise RemoteProtocolError(f"the answer to AlterClientQuotas says nothing of {dict(entity)}")


def _entity(parts: Sequence[describe_client_quotas.EntityData]) -> Entity:
    return {part.entity_type: part.entity_name for part in parts}


def _check(code: int, message: str | None) -> None:
    if code != ErrorCode.NONE:
        raise ApiError(code, message)
