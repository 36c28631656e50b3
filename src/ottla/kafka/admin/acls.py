"""Who may do what: access control lists described, made, deleted."""

from collections.abc import Iterable, Sequence
from enum import IntEnum

from ottla.kafka.admin.answer import Answer
from ottla.kafka.admin.asking import Asking, raise_if
from ottla.kafka.errors import BrokerResponseError, IllegalArgumentError, NoError
from ottla.kafka.translation import coded
from ottla.wire.message.create_acls import AclCreation, CreateAclsRequest, CreateAclsResponse
from ottla.wire.message.delete_acls import (
    DeleteAclsFilter,
    DeleteAclsFilterResult,
    DeleteAclsMatchingAcl,
    DeleteAclsRequest,
    DeleteAclsResponse,
)
from ottla.wire.message.describe_acls import DescribeAclsRequest, DescribeAclsResponse


class ResourceType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class ACLOperation(IntEnum):
    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14


class ACLPermissionType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


class ACLResourcePatternType(IntEnum):
    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class ResourcePatternFilter:
    """Which resources; None as a name: any."""

    def __init__(
        self,
        resource_type: ResourceType | int,
        resource_name: str | None,
        pattern_type: ACLResourcePatternType | int,
    ) -> None:
        self.resource_type = ResourceType(resource_type)
        self.resource_name = resource_name
        self.pattern_type = ACLResourcePatternType(pattern_type)
        self.validate()

    def validate(self) -> None:
        if self.resource_type is ResourceType.UNKNOWN:
            raise IllegalArgumentError("resource_type UNKNOWN matches nothing")
        if self.pattern_type is ACLResourcePatternType.UNKNOWN:
            raise IllegalArgumentError("pattern_type UNKNOWN matches nothing")

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} type={self.resource_type.name}, name={self.resource_name}, "
            f"pattern={self.pattern_type.name}>"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourcePatternFilter) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return self.resource_type, self.resource_name, self.pattern_type


class ResourcePattern(ResourcePatternFilter):
    """One resource, or those whose names begin so (PREFIXED)."""

    def __init__(
        self,
        resource_type: ResourceType | int,
        resource_name: str,
        pattern_type: ACLResourcePatternType | int = ACLResourcePatternType.LITERAL,
    ) -> None:
        super().__init__(resource_type, resource_name, pattern_type)

    def validate(self) -> None:
        super().validate()
        if self.resource_type is ResourceType.ANY:
            raise IllegalArgumentError("a resource has a type: ANY is for filters")
        if self.pattern_type in (ACLResourcePatternType.ANY, ACLResourcePatternType.MATCH):
            raise IllegalArgumentError(
                f"a resource's pattern is LITERAL or PREFIXED: {self.pattern_type.name} is for filters"
            )


class ACLFilter:
    """Which rules; None as principal or host: any."""

    def __init__(
        self,
        principal: str | None,
        host: str | None,
        operation: ACLOperation | int,
        permission_type: ACLPermissionType | int,
        resource_pattern: ResourcePatternFilter,
    ) -> None:
        self.principal = principal
        self.host = host
        self.operation = ACLOperation(operation)
        self.permission_type = ACLPermissionType(permission_type)
        self.resource_pattern = resource_pattern
        self.validate()

    def validate(self) -> None:
        if self.operation is ACLOperation.UNKNOWN:
            raise IllegalArgumentError("operation UNKNOWN matches nothing")
        if self.permission_type is ACLPermissionType.UNKNOWN:
            raise IllegalArgumentError("permission_type UNKNOWN matches nothing")
        if not isinstance(self.resource_pattern, ResourcePatternFilter):
            raise IllegalArgumentError("resource_pattern is a ResourcePattern or a filter for one")

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} principal={self.principal}, resource={self.resource_pattern}, "
            f"operation={self.operation.name}, type={self.permission_type.name}, host={self.host}>"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ACLFilter) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        return (
            self.principal,
            self.host,
            self.operation,
            self.permission_type,
            self.resource_pattern,
        )


class ACL(ACLFilter):
    """One rule."""

    def validate(self) -> None:
        super().validate()
        if self.operation is ACLOperation.ANY:
            raise IllegalArgumentError("a rule has an operation: ANY is for filters")
        if self.permission_type is ACLPermissionType.ANY:
            raise IllegalArgumentError("a rule allows or denies: ANY is for filters")
        if not isinstance(self.resource_pattern, ResourcePattern):
            raise IllegalArgumentError("resource_pattern is a ResourcePattern; filters only filter")


class AclCalls(Asking):
    def describe_acls(self, acl_filter: ACLFilter) -> tuple[list[ACL], type[BrokerResponseError]]:
        """(rules, NoError): a broker without an authorizer raises SecurityDisabledError."""
        request = DescribeAclsRequest(
            acl_filter.resource_pattern.resource_type,
            acl_filter.resource_pattern.resource_name,
            acl_filter.resource_pattern.pattern_type,
            acl_filter.principal,
            acl_filter.host,
            acl_filter.operation,
            acl_filter.permission_type,
        )
        response = self._any(request, DescribeAclsResponse)
        raise_if(response.error_code, response.error_message)
        found = [
            ACL(
                rule.principal,
                rule.host,
                rule.operation,
                rule.permission_type,
                ResourcePattern(one.resource_type, one.resource_name, one.pattern_type),
            )
            for one in response.resources
            for rule in one.acls
        ]
        return found, NoError

    def create_acls(self, acls: Sequence[ACL]) -> Answer:
        """`succeeded`: the rules that hold now; `failed`: (rule, error) of the others."""
        for one in acls:
            if not isinstance(one, ACL):
                raise IllegalArgumentError(f"{one!r} is no ACL")
        creations = [
            AclCreation(
                one.resource_pattern.resource_type,
                one.resource_pattern.resource_name or "",
                one.resource_pattern.pattern_type,
                one.principal or "",
                one.host or "",
                one.operation,
                one.permission_type,
            )
            for one in acls
        ]
        response = self._controller(CreateAclsRequest(creations), CreateAclsResponse)
        succeeded, failed = [], []
        for one, row in zip(acls, response.results, strict=True):
            if row.error_code:
                failed.append((one, coded(row.error_code, row.error_message)))
            else:
                succeeded.append(one)
        return Answer(succeeded=succeeded, failed=failed)

    def delete_acls(
        self, acl_filters: Iterable[ACLFilter]
    ) -> list[tuple[ACLFilter, list[tuple[ACL, type[BrokerResponseError]]], object]]:
        """By filter: the rules that matched and what became of each, and the filter's own error."""
        filters = list(acl_filters)
        asked = [
            DeleteAclsFilter(
                one.resource_pattern.resource_type,
                one.resource_pattern.resource_name,
                one.resource_pattern.pattern_type,
                one.principal,
                one.host,
                one.operation,
                one.permission_type,
            )
            for one in filters
        ]
        response = self._controller(DeleteAclsRequest(asked), DeleteAclsResponse)
        return [
            (one, *_deleted(row)) for one, row in zip(filters, response.filter_results, strict=True)
        ]


def _deleted(
    row: DeleteAclsFilterResult,
) -> tuple[list[tuple[ACL, type[BrokerResponseError]]], object]:
    error: object = coded(row.error_code, row.error_message) if row.error_code else NoError
    return [(_rule(one), type(coded(one.error_code))) for one in row.matching_acls], error


def _rule(one: DeleteAclsMatchingAcl) -> ACL:
    return ACL(
        one.principal,
        one.host,
        one.operation,
        one.permission_type,
        ResourcePattern(one.resource_type, one.resource_name, one.pattern_type),
    )
