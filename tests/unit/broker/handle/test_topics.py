"""CreateTopics, CreatePartitions, DeleteTopics: one row per topic, in the order asked, after the commit."""

import pytest

from ottla.broker.handle import create_partitions, create_topics, delete_topics
from ottla.broker.handle.create_partitions import HandleCreatePartitions
from ottla.broker.handle.create_topics import HandleCreateTopics
from ottla.broker.handle.delete_topics import HandleDeleteTopics
from ottla.errors import ErrorCode
from ottla.types import ZERO_UUID
from ottla.wire.api import APIS
from ottla.wire.message.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from tests.unit.broker.handle.metadata_node import ask
from tests.unit.core.controller.one_node import (
    DEFAULTS,
    OneNode,
    SeededEntropy,
    call,
    in_force,
    start,
)
from tests.unit.fakes.quotas import no_quotas


def versions(module_versions: tuple[int, int]) -> range:
    return range(module_versions[0], module_versions[1] + 1)


@pytest.fixture
def node() -> OneNode:
    return start()


def creator(node: OneNode) -> HandleCreateTopics:
    return HandleCreateTopics(
        controller=node.controller,
        defaults=DEFAULTS,
        in_force=in_force(log_retention_ms="123456"),
        entropy=SeededEntropy(len(node.image.topics) + 5),
        quotas=no_quotas(),
    )


def create(
    node: OneNode, *topics: CreatableTopic, version: int = 7, validate_only: bool = False
) -> CreateTopicsResponse:
    request = CreateTopicsRequest(topics=topics, validate_only=validate_only)
    return ask(node, creator(node), request, version, CreateTopicsResponse)


def topic(name: str, partitions: int = 1, replicas: int = 1, **configs: str) -> CreatableTopic:
    return CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=replicas,
        configs=[CreatableTopicConfig(k.replace("_", "."), v) for k, v in configs.items()],
    )


def test_the_advertised_versions_are_all_there_are() -> None:
    for module in (create_topics, create_partitions, delete_topics):
        api = APIS[module.API_KEY]
        assert (api.advertised_min, api.advertised_max) == module.VERSIONS


@pytest.mark.parametrize("version", versions(create_topics.VERSIONS))
def test_create(node: OneNode, version: int) -> None:
    response = create(
        node,
        topic("b", 3, retention_ms="9"),
        topic("bad name"),
        topic("a", replicas=2),
        topic("c", partitions=0),
        topic("d", retention_ms="soon"),
        version=version,
    )
    assert [(row.name, row.error_code) for row in response.topics] == [
        ("b", ErrorCode.NONE),
        ("bad name", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("a", ErrorCode.INVALID_REPLICATION_FACTOR),
        ("c", ErrorCode.INVALID_PARTITIONS),
        ("d", ErrorCode.INVALID_CONFIG),
    ]
    assert list(node.image.topics) == ["b"]
    made, refused = response.topics[0], response.topics[1]
    if version >= 1:
        assert refused.error_message is not None
        assert "'bad name'" in refused.error_message
        assert made.error_message is None
    if version >= 5:
        assert (made.num_partitions, made.replication_factor) == (3, 1)
        assert (refused.num_partitions, refused.replication_factor) == (-1, -1)
        assert made.configs is not None
        configs = {one.name: (one.value, one.config_source) for one in made.configs}
        assert configs["retention.ms"] == ("9", 1)
        assert configs["segment.bytes"] == ("1073741824", 5)
        assert len(configs) == 36
        assert [one.name for one in made.configs] == sorted(configs)
    if version >= 7:
        assert made.topic_id == node.image.topics["b"].topic_id
        assert refused.topic_id == ZERO_UUID


def test_create_with_assignments(node: OneNode) -> None:
    one = topic("a", -1, -1)
    one.assignments = [CreatableReplicaAssignment(0, [1]), CreatableReplicaAssignment(1, [1])]
    other = topic("b", -1, -1)
    other.assignments = [CreatableReplicaAssignment(0, [5])]
    response = create(node, one, other)
    assert [row.error_code for row in response.topics] == [
        ErrorCode.NONE,
        ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    ]
    assert len(node.image.topics["a"].partitions) == 2


def test_a_topic_that_stands_twice_is_refused_once(node: OneNode) -> None:
    response = create(node, topic("a"), topic("b"), topic("a"))
    assert [(row.name, row.error_code) for row in response.topics] == [
        ("a", ErrorCode.INVALID_REQUEST),
        ("b", ErrorCode.NONE),
    ]
    assert list(node.image.topics) == ["b"]


def test_a_topic_that_exists(node: OneNode) -> None:
    create(node, topic("a"))
    (row,) = create(node, topic("a")).topics
    assert row.error_code == ErrorCode.TOPIC_ALREADY_EXISTS


def test_validate_only_says_what_would_be(node: OneNode) -> None:
    response = create(node, topic("a", 5), topic("b", 0), validate_only=True)
    assert [row.error_code for row in response.topics] == [
        ErrorCode.NONE,
        ErrorCode.INVALID_PARTITIONS,
    ]
    assert response.topics[0].num_partitions == 5
    assert not node.image.topics


def test_a_null_setting_is_refused(node: OneNode) -> None:
    one = topic("a")
    one.configs = [CreatableTopicConfig("cleanup.policy", None)]
    (row,) = create(node, one).topics
    assert row.error_code == ErrorCode.INVALID_CONFIG
    assert row.error_message is not None
    assert "cleanup.policy" in row.error_message


def test_the_answer_waits_for_the_disk(node: OneNode) -> None:
    request = CreateTopicsRequest(topics=[topic("a")])
    assert node.perform(creator(node)(1, call(19, 7), request)) == []
    assert len(node.flush()) == 1


@pytest.mark.parametrize("version", versions(create_topics.VERSIONS))
def test_a_disk_that_refuses_is_told(node: OneNode, version: int) -> None:
    node.disk.fail_in(1, changes_only=True)
    response = create(node, topic("a"), topic("no good"), version=version)
    assert [row.error_code for row in response.topics] == [
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.INVALID_TOPIC_EXCEPTION,
    ]
    assert not node.image.topics


# --- CreatePartitions -----------------------------------------------------------------------------


def grow(
    node: OneNode,
    *topics: CreatePartitionsTopic,
    version: int = 3,
    validate_only: bool = False,
) -> CreatePartitionsResponse:
    handle = HandleCreatePartitions(
        controller=node.controller,
        defaults=DEFAULTS,
        entropy=SeededEntropy(),
        quotas=no_quotas(),
    )
    request = CreatePartitionsRequest(topics=topics, validate_only=validate_only)
    return ask(node, handle, request, version, CreatePartitionsResponse)


def growth(name: str, count: int, *brokers: list[int]) -> CreatePartitionsTopic:
    assignments = [CreatePartitionsAssignment(one) for one in brokers] or None
    return CreatePartitionsTopic(name=name, count=count, assignments=assignments)


@pytest.mark.parametrize("version", versions(create_partitions.VERSIONS))
def test_grow(node: OneNode, version: int) -> None:
    create(node, topic("a"), topic("b", 3))
    response = grow(
        node,
        growth("b", 3),
        growth("a", 3, [1], [1]),
        growth("no", 3),
        growth("b2", 3),
        version=version,
    )
    assert [(row.name, row.error_code) for row in response.results] == [
        ("b", ErrorCode.INVALID_PARTITIONS),
        ("a", ErrorCode.NONE),
        ("no", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("b2", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert response.results[0].error_message is not None
    assert response.results[1].error_message is None
    assert len(node.image.topics["a"].partitions) == 3
    assert node.deltas[-1].changed[0].partitions == (1, 2)


def test_grow_twice_in_one_request_or_only_to_see(node: OneNode) -> None:
    create(node, topic("a"))
    response = grow(node, growth("a", 2), growth("a", 3))
    assert [row.error_code for row in response.results] == [ErrorCode.INVALID_REQUEST]
    response = grow(node, growth("a", 2), validate_only=True)
    assert [row.error_code for row in response.results] == [ErrorCode.NONE]
    assert len(node.image.topics["a"].partitions) == 1


def test_growth_the_disk_refuses(node: OneNode) -> None:
    create(node, topic("a"))
    node.disk.fail_in(1, changes_only=True)
    response = grow(node, growth("a", 2))
    assert [row.error_code for row in response.results] == [ErrorCode.KAFKA_STORAGE_ERROR]


# --- DeleteTopics ---------------------------------------------------------------------------------


def delete(
    node: OneNode, request: DeleteTopicsRequest, version: int, *, enabled: bool = True
) -> DeleteTopicsResponse:
    handle = HandleDeleteTopics(
        controller=node.controller, delete_enabled=enabled, quotas=no_quotas()
    )
    return ask(node, handle, request, version, DeleteTopicsResponse)


@pytest.mark.parametrize("version", range(6))
def test_delete_by_name(node: OneNode, version: int) -> None:
    create(node, topic("a"), topic("b", retention_ms="5"), topic("c"))
    request = DeleteTopicsRequest(topic_names=["b", "no", "c", "c"])
    response = delete(node, request, version)
    assert [(row.name, row.error_code) for row in response.responses] == [
        ("b", ErrorCode.NONE),
        ("no", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("c", ErrorCode.INVALID_REQUEST),
    ]
    assert list(node.image.topics) == ["a", "c"]
    assert not node.image.configs
    assert (response.responses[1].error_message is not None) is (version >= 5)


def test_delete_by_name_or_id(node: OneNode) -> None:
    create(node, *map(topic, "abcd"))
    ids = {name: node.image.topics[name].topic_id for name in "abcd"}
    request = DeleteTopicsRequest(
        topics=[
            DeleteTopicState(None, ids["a"]),
            DeleteTopicState("b", ZERO_UUID),
            DeleteTopicState(None, b"?" * 16),
            DeleteTopicState("c", ids["c"]),
            DeleteTopicState(None, ZERO_UUID),
            DeleteTopicState("d", ZERO_UUID),
            DeleteTopicState(None, ids["d"]),
        ]
    )
    response = delete(node, request, 6)
    assert [(row.name, row.topic_id, row.error_code) for row in response.responses] == [
        ("a", ids["a"], ErrorCode.NONE),
        ("b", ids["b"], ErrorCode.NONE),
        (None, b"?" * 16, ErrorCode.UNKNOWN_TOPIC_ID),
        ("c", ids["c"], ErrorCode.INVALID_REQUEST),
        (None, ZERO_UUID, ErrorCode.INVALID_REQUEST),
        ("d", ZERO_UUID, ErrorCode.INVALID_REQUEST),
        (None, ids["d"], ErrorCode.INVALID_REQUEST),
    ]
    assert list(node.image.topics) == ["c", "d"]


@pytest.mark.parametrize(
    ("version", "error"),
    [
        (0, ErrorCode.INVALID_REQUEST),
        (2, ErrorCode.INVALID_REQUEST),
        (3, ErrorCode.TOPIC_DELETION_DISABLED),
        (5, ErrorCode.TOPIC_DELETION_DISABLED),
    ],
)
def test_deletion_can_be_disabled(node: OneNode, version: int, error: ErrorCode) -> None:
    create(node, topic("a"))
    request = DeleteTopicsRequest(topic_names=["a"])
    response = delete(node, request, version, enabled=False)
    assert [row.error_code for row in response.responses] == [error]
    assert list(node.image.topics) == ["a"]


def test_a_topic_being_deleted_is_gone_for_the_next_request(node: OneNode) -> None:
    create(node, topic("a"))
    handle = HandleDeleteTopics(controller=node.controller, delete_enabled=True, quotas=no_quotas())
    request = DeleteTopicsRequest(topic_names=["a"])
    node.perform(handle(1, call(20, 5), request))
    node.perform(handle(1, call(20, 5, slot=1), request))
    first, second = node.flush()
    assert first.response.responses[0].error_code == ErrorCode.NONE
    assert second.response.responses[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
