"""Questions about topics, as requests, and what the answers mean.

Created, grown, trimmed, deleted and described through the same codecs as everything else; an error code of the
protocol becomes an `ApiError` that names the topic. Elsewhere: whom to ask and how often,
`aio/client.py`; how it is printed, `cli/topic.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)

BROKER_DEFAULT: Final = -1
"""As a count: what the broker's settings say (KIP-464)."""

_TOPIC: Final = 2
_SOURCE_UNKNOWN: Final = -1
_SOURCE_DEFAULT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTopic:
    """A topic to create."""

    name: str
    partition_count: int = BROKER_DEFAULT
    replication_factor: int = BROKER_DEFAULT
    configs: Mapping[str, str] = field(default_factory=dict)


def create_request(topic: NewTopic, timeout_ms: int) -> CreateTopicsRequest:
    configs = [CreatableTopicConfig(name, value) for name, value in topic.configs.items()]
    asked = CreatableTopic(
        name=topic.name,
        num_partitions=topic.partition_count,
        replication_factor=topic.replication_factor,
        configs=configs,
    )
    return CreateTopicsRequest(topics=[asked], timeout_ms=timeout_ms)


def check_created_untrusted(name: str, response: CreateTopicsResponse) -> None:
    """Raises ApiError if the topic was not created."""
    for topic in response.topics:
        if topic.name == name:
            return _check(topic.error_code, topic.error_message)
    raise RemoteProtocolError(f"the answer to CreateTopics says nothing of topic {name!r}")


def grow_request(name: str, partition_count: int, timeout_ms: int) -> CreatePartitionsRequest:
    """`partition_count`: how many there shall be in all."""
    topic = CreatePartitionsTopic(name=name, count=partition_count, assignments=None)
    return CreatePartitionsRequest(topics=[topic], timeout_ms=timeout_ms)


def check_grown_untrusted(name: str, response: CreatePartitionsResponse) -> None:
    """Raises ApiError if the topic did not grow."""
    for topic in response.results:
        if topic.name == name:
            return _check(topic.error_code, topic.error_message)
    raise RemoteProtocolError(f"the answer to CreatePartitions says nothing of topic {name!r}")


DELETE_BY_NAME_MAX: Final = 5
"""The last version of DeleteTopics that has a list of names; every broker speaks it."""


def delete_request(name: str, timeout_ms: int) -> DeleteTopicsRequest:
    """For versions up to `DELETE_BY_NAME_MAX`."""
    return DeleteTopicsRequest(topic_names=[name], timeout_ms=timeout_ms)


def check_deleted_untrusted(name: str, response: DeleteTopicsResponse) -> None:
    """Raises ApiError if the topic was not deleted."""
    for topic in response.responses:
        if topic.name == name:
            return _check(topic.error_code, topic.error_message)
    raise RemoteProtocolError(f"the answer to DeleteTopics says nothing of topic {name!r}")


def delete_records_request(
    topic: str, partition: int, before: int, timeout_ms: int
) -> DeleteRecordsRequest:
    """Records before the offset `before`."""
    parts = [DeleteRecordsPartition(partition, before)]
    return DeleteRecordsRequest([DeleteRecordsTopic(topic, parts)], timeout_ms)


def first_offset_untrusted(topic: str, partition: int, response: DeleteRecordsResponse) -> int:
    """The partition's first offset now. Raises ApiError if nothing was deleted."""
    for answered in response.topics:
        for part in answered.partitions:
            if (answered.name, part.partition_index) == (topic, partition):
                _check(part.error_code, None)
                return part.low_watermark
    raise RemoteProtocolError(
        f"the answer to DeleteRecords says nothing of partition {topic}-{partition}"
    )


def configs_request(names: Iterable[str]) -> DescribeConfigsRequest:
    return DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=_TOPIC, resource_name=name, configuration_keys=None
            )
            for name in names
        ]
    )


def overrides_untrusted(response: DescribeConfigsResponse) -> dict[str, Sequence[tuple[str, str]]]:
    """By topic, the configurations somebody set: on the topic or for the broker, no defaults.

    A topic the broker refuses to describe has none.
    """
    found: dict[str, Sequence[tuple[str, str]]] = {}
    for result in response.results:
        if result.error_code == ErrorCode.NONE:
            found[result.resource_name] = [
                (config.name, config.value or "")
                for config in result.configs
                if not (
                    config.is_default
                    if config.config_source == _SOURCE_UNKNOWN
                    else config.config_source == _SOURCE_DEFAULT
                )
            ]
    return found


def _check(code: int, message: str | None) -> None:
    if code != ErrorCode.NONE:
        raise ApiError(code, message)
