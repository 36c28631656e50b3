"""Questions about configurations, as requests, and what the answers mean.

A resource is a topic, a broker, all brokers, a broker's loggers, a group or a client metrics
subscription. Elsewhere: whom to ask, `aio/client.py`; how it is printed, `cli/config.py`; a topic's
configurations beside its partitions, `admin.py`.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


class Kind(IntEnum):
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class Operation(IntEnum):
    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


SOURCES: Final = {
    1: "DYNAMIC_TOPIC_CONFIG",
    2: "DYNAMIC_BROKER_CONFIG",
    3: "DYNAMIC_DEFAULT_BROKER_CONFIG",
    4: "STATIC_BROKER_CONFIG",
    5: "DEFAULT_CONFIG",
    6: "DYNAMIC_BROKER_LOGGER_CONFIG",
    7: "DYNAMIC_CLIENT_METRICS_CONFIG",
    8: "DYNAMIC_GROUP_CONFIG",
}
"""Kafka's names of where a value comes from."""


class Resource(NamedTuple):
    """`name` empty: all brokers."""

    kind: Kind
    name: str

    @property
    def source(self) -> int:
        """Where a value comes from that was set on this resource itself."""
        match self.kind:
            case Kind.TOPIC:
                return 1
            case Kind.BROKER:
                return 2 if self.name else 3
            case Kind.BROKER_LOGGER:
                return 6
            case Kind.CLIENT_METRICS:
                return 7
            case Kind.GROUP:
                return 8


class Change(NamedTuple):
    name: str
    operation: Operation
    value: str | None


class Config(NamedTuple):
    """A setting as a broker describes it; `synonyms`: name, value and source of each."""

    name: str
    value: str | None
    source: int
    is_sensitive: bool
    synonyms: Sequence[tuple[str, str | None, int]]


def describe_request(resource: Resource) -> DescribeConfigsRequest:
    return DescribeConfigsRequest(
        resources=[DescribeConfigsResource(resource.kind, resource.name, None)],
        include_synonyms=True,
    )


def described_untrusted(resource: Resource, response: DescribeConfigsResponse) -> list[Config]:
    """Its settings, sorted by name. Raises ApiError if the broker does not describe it."""
    for result in response.results:
        if (result.resource_type, result.resource_name) == resource:
            _check(result.error_code, result.error_message)
            found = [
                Config(
                    one.name,
                    one.value,
                    one.config_source,
                    one.is_sensitive,
                    [(synonym.name, synonym.value, synonym.source) for synonym in one.synonyms],
                )
                for one in result.configs
            ]
            return sorted(found, key=lambda config: config.name)
    raise RemoteProtocolError(f"the answer to DescribeConfigs says nothing of {resource.name!r}")


def alter_request(
    resource: Resource, changes: Iterable[Change], *, validate_only: bool = False
) -> IncrementalAlterConfigsRequest:
    configs = [AlterableConfig(one.name, one.operation, one.value) for one in changes]
    return IncrementalAlterConfigsRequest(
        resources=[AlterConfigsResource(resource.kind, resource.name, configs)],
        validate_only=validate_only,
    )


def check_altered_untrusted(resource: Resource, response: IncrementalAlterConfigsResponse) -> None:
    """Raises ApiError if nothing was changed."""
    for row in response.responses:
        if (row.resource_type, row.resource_name) == resource:
            return _check(row.error_code, row.error_message)
    raise RemoteProtocolError(
        f"the answer to IncrementalAlterConfigs says nothing of {resource.name!r}"
    )


def _check(code: int, message: str | None) -> None:
    if code != ErrorCode.NONE:
        raise ApiError(code, message)
