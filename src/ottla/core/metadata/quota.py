"""Whom a quota is for, and which there are: the facts of ClientQuotaRecord.

An entity is a user, a client id, both, or an IP address; a name of None is the default of its type,
which holds for all that have no quota of their own.

Source: KIP-55, KIP-546, KIP-612. Elsewhere: what may be set, see `core/controller/quotas.py`; which of
several holds, and what that costs a client, see `core/quota`.
"""

from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

USER: Final = "user"
CLIENT_ID: Final = "client-id"
IP: Final = "ip"

PRODUCER_BYTE_RATE: Final = "producer_byte_rate"
CONSUMER_BYTE_RATE: Final = "consumer_byte_rate"
REQUEST_PERCENTAGE: Final = "request_percentage"
CONTROLLER_MUTATION_RATE: Final = "controller_mutation_rate"
CONNECTION_CREATION_RATE: Final = "connection_creation_rate"

QuotaEntity: TypeAlias = tuple[tuple[str, str | None], ...]
"""(type, name) sorted by type."""


class Part(Protocol):
    """One row of an entity, in the record and in the requests."""

    entity_type: str
    entity_name: str | None


def entity_of(parts: Iterable[Part]) -> QuotaEntity:
    """Of a type that is named twice the last row holds, as in Apache Kafka."""
    return tuple(sorted({part.entity_type: part.entity_name for part in parts}.items()))
