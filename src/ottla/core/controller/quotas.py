"""Client quotas changed by requests: who may have which, and between which bounds.

An entity is changed whole or not at all, and a refused one takes nothing from the others.

Source: KIP-546, KIP-612. Elsewhere: who obeys, see `core/quota`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.controller.topics import Refused
from ottla.core.metadata.image import Image
from ottla.core.metadata.quota import (
    CLIENT_ID,
    CONNECTION_CREATION_RATE,
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    IP,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
    Part,
    QuotaEntity,
    entity_of,
)
from ottla.core.metadata.records import ClientQuotaRecord, MetadataRecord
from ottla.core.quota.accepts import canonical_address
from ottla.errors import ErrorCode
from ottla.limits import (
    CONFIG_BYTES_PER_REQUEST_MAX,
    CONFIG_RECORDS_PER_REQUEST_MAX,
    INT_MAX,
    LONG_MAX,
    quoted,
)
from ottla.wire.stored.client_quota_record import EntityData

# The largest whole number, None: any number.
_OF_CLIENTS: Final[Mapping[str, int | None]] = {
    PRODUCER_BYTE_RATE: LONG_MAX,
    CONSUMER_BYTE_RATE: LONG_MAX,
    REQUEST_PERCENTAGE: None,
    CONTROLLER_MUTATION_RATE: None,
}
_OF_ADDRESSES: Final[Mapping[str, int | None]] = {CONNECTION_CREATION_RATE: INT_MAX}
_FRACTION_MAX: Final = 1e-6


@final
class QuotaChange(NamedTuple):
    """`value` None: the quota is taken away."""

    key: str
    value: float | None


@final
class QuotaChanger:
    """Takes the entities of one request one after the other; what they take is in `records`."""

    __slots__ = ("_bytes", "_image", "records")

    def __init__(self, image: Image) -> None:
        self._image = image
        self._bytes = 0
        self.records: list[MetadataRecord] = []

    def alter(self, parts: Sequence[Part], changes: Sequence[QuotaChange]) -> Refused | None:
        """Decide on one entity; None: its quotas are changed."""
        keys = _keys_of(parts)
        if isinstance(keys, Refused):
            return keys
        if len({change.key for change in changes}) < len(changes):
            return _invalid("a quota key stands twice for one entity")
        for change in changes:
            problem = _problem(keys, change)
            if probe.MUTANTS and probe.mutant("KIP546-half-altered") and not problem:
                self.records.append(_record(entity_of(parts), change))
            if problem:
                return _invalid(problem)
        entity = entity_of(parts)
        before = self._image.quotas.get(entity, {})
        changed = [change for change in changes if before.get(change.key) != change.value]
        self._bytes += len(changed) * sum(len(name or "") + len(kind) for kind, name in entity)
        too_many = len(self.records) + len(changed) > CONFIG_RECORDS_PER_REQUEST_MAX
        if too_many or self._bytes > CONFIG_BYTES_PER_REQUEST_MAX:
            return Refused(
                ErrorCode.POLICY_VIOLATION,
                f"one request may change {CONFIG_RECORDS_PER_REQUEST_MAX:,} quotas with "
                f"{CONFIG_BYTES_PER_REQUEST_MAX:,} bytes of names: use several",
            )
        self.records += [_record(entity, change) for change in changed]
        return None


def _record(entity: QuotaEntity, change: QuotaChange) -> ClientQuotaRecord:
    return ClientQuotaRecord(
        entity=[EntityData(kind, name) for kind, name in entity],
        key=change.key,
        value=change.value or 0.0,
        remove=change.value is None,
    )


def _keys_of(parts: Sequence[Part]) -> Mapping[str, int | None] | Refused:
    """Which quotas such an entity may have."""
    kinds = [part.entity_type for part in parts]
    if not kinds:
        return _invalid("Invalid empty client quota entity")
    for part in parts:
        kind = part.entity_type
        if kind not in (USER, CLIENT_ID, IP):
            return _invalid(f"Unhandled client quota entity type: {quoted(kind)}")
        if kinds.count(kind) > 1:
            return _invalid(f"Invalid client quota entity, duplicate entity entry {kind}")
        if part.entity_name == "":
            return _invalid(f"Empty {kind} not supported")
    if IP not in kinds:
        return _OF_CLIENTS
    if len(kinds) > 1:
        return _invalid(
            "Invalid quota entity combination, IP entity should not be combined with User or ClientId"
        )
    address = parts[0].entity_name
    if address is not None and canonical_address(address) is None:
        return _invalid(f"{quoted(address)} is not a valid IP address")
    return _OF_ADDRESSES


def _problem(keys: Mapping[str, int | None], change: QuotaChange) -> str:
    key, value = change.key, change.value
    if value is None:
        return ""
    if key not in keys:
        return f"Invalid configuration key {quoted(key)}; one of {', '.join(keys)} is expected"
    if not value > 0:
        return f"Quota {key} must be greater than 0, not {value:g}"
    largest = keys[key]
    if largest is None:
        return ""
    if value > largest:
        size = "an INT" if largest == INT_MAX else "a LONG"
        return f"Proposed value {value:g} for {key} is too large for {size}: at most {largest}"
    if value % 1.0 > _FRACTION_MAX:
        return f"{key} cannot be a fractional value: {value:g}"
    return ""


def _invalid(message: str) -> Refused:
    return Refused(ErrorCode.INVALID_REQUEST, message)
