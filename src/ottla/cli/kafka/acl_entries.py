"""Access control entries as Kafka's tool prints them, and as the protocol numbers them."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from ottla.cli.kafka.flags import Refused

ANY: Final = 1
CLUSTER_NAME: Final = "kafka-cluster"

RESOURCES: Final = (
    "UNKNOWN",
    "ANY",
    "TOPIC",
    "GROUP",
    "CLUSTER",
    "TRANSACTIONAL_ID",
    "DELEGATION_TOKEN",
    "USER",
)
OPERATIONS: Final = (
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
)
PERMISSIONS: Final = ("UNKNOWN", "ANY", "DENY", "ALLOW")
_PATTERNS: Final = ("UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED")
"""Each by its number."""

PATTERN_TYPES: Final = _PATTERNS[1:]
_KNOWN: Final = {
    "TOPIC": "READ WRITE CREATE DESCRIBE DELETE ALTER DESCRIBE_CONFIGS ALTER_CONFIGS",
    "GROUP": "READ DESCRIBE DELETE DESCRIBE_CONFIGS ALTER_CONFIGS",
    "CLUSTER": "CREATE CLUSTER_ACTION DESCRIBE_CONFIGS ALTER_CONFIGS IDEMPOTENT_WRITE ALTER DESCRIBE",
    "TRANSACTIONAL_ID": "DESCRIBE WRITE TWO_PHASE_COMMIT",
    "DELEGATION_TOKEN": "DESCRIBE",
    "USER": "CREATE_TOKENS DESCRIBE_TOKENS",
}


class Pattern(NamedTuple):
    """A resource, or a filter of resources."""

    resource: str
    name: str
    pattern_type: str

    @classmethod
    def of(cls, resource: int, name: str, pattern_type: int) -> "Pattern":
        return cls(_at(RESOURCES, resource), name, _at(_PATTERNS, pattern_type))

    @property
    def resource_code(self) -> int:
        return RESOURCES.index(self.resource)

    @property
    def pattern_code(self) -> int:
        return _PATTERNS.index(self.pattern_type)

    def __str__(self) -> str:
        return (
            f"ResourcePattern(resourceType={self.resource}, name={self.name}, "
            f"patternType={self.pattern_type})"
        )


class Entry(NamedTuple):
    principal: str
    host: str
    operation: str
    permission: str

    @classmethod
    def of(cls, principal: str, host: str, operation: int, permission: int) -> "Entry":
        return cls(principal, host, _at(OPERATIONS, operation), _at(PERMISSIONS, permission))

    @property
    def operation_code(self) -> int:
        return OPERATIONS.index(self.operation)

    @property
    def permission_code(self) -> int:
        return PERMISSIONS.index(self.permission)

    def __str__(self) -> str:
        return (
            f"(principal={self.principal}, host={self.host}, operation={self.operation}, "
            f"permissionType={self.permission})"
        )


def operation_name(text: str) -> str:
    """`DescribeConfigs`, `describe_configs` -> `DESCRIBE_CONFIGS`; UNKNOWN for what is none."""
    plain = text.strip().replace("_", "").upper()
    return next((one for one in OPERATIONS if one.replace("_", "") == plain), "UNKNOWN")


def refuse_operations(pattern: Pattern, entries: Iterable[Entry]) -> None:
    """Raises Refused where the resource knows no such operation."""
    known = [*_KNOWN.get(pattern.resource, "").split(), "ALL"]
    if any(one.operation not in known for one in entries):
        raise Refused(
            f"ResourceType {pattern.resource} only supports operations [{', '.join(known)}]"
        )


def _at(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else "UNKNOWN"
