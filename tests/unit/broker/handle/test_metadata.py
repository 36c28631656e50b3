"""Metadata: what each version may ask, what it is told, and topics that are made by being named."""

import pytest

from ottla.broker.handle import metadata
from ottla.broker.handle.metadata import VERSIONS, HandleMetadata
from ottla.core.controller.answer import Nobody
from ottla.core.controller.topics import NewTopic, TopicMaker
from ottla.core.metadata.records import (
    MetadataRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
)
from ottla.errors import ErrorCode
from ottla.types import ZERO_UUID
from ottla.wire.api import APIS
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)
from ottla.wire.stored.register_broker_record import BrokerEndpoint
from tests.unit.broker.handle.metadata_node import REACH, ask
from tests.unit.core.controller.one_node import (
    CLUSTER_ID,
    DEFAULTS,
    OneNode,
    SeededEntropy,
    call,
    settings,
    start,
)
from tests.unit.fakes.quotas import no_quotas

EVERY = range(VERSIONS[0], VERSIONS[1] + 1)


@pytest.fixture
def node() -> OneNode:
    node = start()
    maker = TopicMaker(node.image, DEFAULTS, SeededEntropy())
    maker.make(NewTopic(name="a", partitions=2, configs={}))
    maker.make(NewTopic(name="__consumer_offsets", partitions=1, configs={}))
    write(node, *maker.records)
    return node


def write(node: OneNode, *records: MetadataRecord) -> None:
    node.perform(node.controller.submit(node.now_ms, records, Nobody()))
    node.flush()


def handler(node: OneNode, **given: str) -> HandleMetadata:
    return HandleMetadata(
        current=node.current,
        controller=node.controller,
        cluster_id=CLUSTER_ID,
        reach=REACH,
        settings=settings(**given),
        entropy=SeededEntropy(2),
        quotas=no_quotas(),
    )


def named(*names: str | None) -> list[MetadataRequestTopic]:
    return [MetadataRequestTopic(name=name) for name in names]


def asked(
    node: OneNode, request: MetadataRequest, version: int, listener: str = "PLAINTEXT", **given: str
) -> MetadataResponse:
    return ask(node, handler(node, **given), request, version, MetadataResponse, listener=listener)


def topics(response: MetadataResponse) -> dict[str | None, MetadataResponseTopic]:
    return {topic.name: topic for topic in response.topics}


def test_the_advertised_versions_are_all_there_are() -> None:
    api = APIS[metadata.API_KEY]
    assert (api.advertised_min, api.advertised_max) == VERSIONS
    assert metadata.GAPS == ()


@pytest.mark.parametrize("version", EVERY)
def test_all_topics(node: OneNode, version: int) -> None:
    everything = [] if version == 0 else None
    response = asked(node, MetadataRequest(topics=everything), version)
    assert sorted(map(str, topics(response))) == ["__consumer_offsets", "a"]
    (broker,) = response.brokers
    assert (broker.node_id, broker.host, broker.port) == (1, "127.0.0.1", 19092)
    assert broker.rack == ("r1" if version >= 1 else None)
    assert response.controller_id == (1 if version >= 1 else -1)
    assert response.cluster_id == (CLUSTER_ID if version >= 2 else None)
    one = topics(response)["a"]
    assert one.topic_id == (node.image.topics["a"].topic_id if version >= 10 else ZERO_UUID)
    assert not one.is_internal
    assert topics(response)["__consumer_offsets"].is_internal is (version >= 1)
    assert [
        (row.error_code, row.partition_index, row.leader_id, row.leader_epoch)
        for row in one.partitions
    ] == [(0, number, 1, 0 if version >= 7 else -1) for number in (0, 1)]
    row = one.partitions[0]
    assert list(row.replica_nodes) == list(row.isr_nodes) == [1]
    assert list(row.offline_replicas) == []


@pytest.mark.parametrize("version", EVERY[1:])
def test_no_topics(node: OneNode, version: int) -> None:
    response = asked(node, MetadataRequest(topics=[]), version)
    assert list(response.topics) == []
    assert len(response.brokers) == 1


@pytest.mark.parametrize("version", EVERY)
def test_a_topic_that_is_not_there_and_may_not_be_created(node: OneNode, version: int) -> None:
    request = MetadataRequest(topics=named("a", "nope", "no good", "a"))
    request.allow_auto_topic_creation = version < 4
    response = asked(node, request, version, auto_create_topics_enable="false")
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("a", ErrorCode.NONE),
        ("nope", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("no good", ErrorCode.INVALID_TOPIC_EXCEPTION),
    ]
    assert sorted(node.image.topics) == ["__consumer_offsets", "a"]


@pytest.mark.parametrize("version", EVERY)
def test_a_topic_is_made_by_being_named(node: OneNode, version: int) -> None:
    request = MetadataRequest(topics=named("fresh", "no good", "a"))
    response = asked(node, request, version, num_partitions="4")
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("fresh", ErrorCode.NONE),
        ("no good", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("a", ErrorCode.NONE),
    ]
    rows = response.topics[0].partitions
    assert [row.leader_id for row in rows] == [1, 1, 1, 1]


def test_a_client_may_forbid_the_creation(node: OneNode) -> None:
    request = MetadataRequest(topics=named("fresh"), allow_auto_topic_creation=False)
    response = asked(node, request, 4)
    assert response.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert "fresh" not in node.image.topics


def test_two_calls_that_name_the_same_new_topic_get_the_same_topic(node: OneNode) -> None:
    handle = handler(node)
    request = MetadataRequest(topics=named("fresh"))
    replies = node.perform(handle(1, call(3, 12), request))
    replies += node.perform(handle(1, call(3, 12, slot=1), request))
    assert replies == []
    first, second = node.flush()
    assert first.response == second.response
    assert first.response.topics[0].error_code == ErrorCode.NONE


def test_a_replication_factor_that_cannot_be_is_told(node: OneNode) -> None:
    request = MetadataRequest(topics=named("fresh"))
    response = asked(node, request, 12, default_replication_factor="3")
    assert response.topics[0].error_code == ErrorCode.INVALID_REPLICATION_FACTOR


def test_a_colliding_name_is_told(node: OneNode) -> None:
    response = asked(node, MetadataRequest(topics=named("x.y", "x_y")), 12)
    assert [topic.error_code for topic in response.topics] == [
        ErrorCode.NONE,
        ErrorCode.INVALID_TOPIC_EXCEPTION,
    ]


def test_a_disk_that_refuses_is_told(node: OneNode) -> None:
    node.disk.fail_in(1, changes_only=True)
    response = asked(node, MetadataRequest(topics=named("fresh", "a")), 12)
    assert [topic.error_code for topic in response.topics] == [
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.NONE,
    ]


def test_coordinators_topics_are_made_as_they_need_them(node: OneNode) -> None:
    asked(node, MetadataRequest(topics=named("__transaction_state")), 12)
    assert len(node.image.topics["__transaction_state"].partitions) == 50
    assert node.image.topic_configs("__transaction_state")["cleanup.policy"] == "compact"


@pytest.mark.parametrize("version", [12, 13])
def test_topics_by_id(node: OneNode, version: int) -> None:
    known, unknown = node.image.topics["a"].topic_id, b"?" * 16
    wanted = [MetadataRequestTopic(topic_id=one, name=None) for one in (unknown, known)]
    response = asked(node, MetadataRequest(topics=wanted), version)
    assert [(one.name, one.topic_id, one.error_code) for one in response.topics] == [
        (None, unknown, ErrorCode.UNKNOWN_TOPIC_ID),
        ("a", known, ErrorCode.NONE),
    ]


@pytest.mark.parametrize("version", [10, 11])
@pytest.mark.parametrize("name", [None, "a"])
def test_ids_mean_nothing_before_version_12(node: OneNode, version: int, name: str | None) -> None:
    topic_id = ZERO_UUID if name is None else b"x" * 16
    wanted = [MetadataRequestTopic(topic_id=topic_id, name=name)]
    response = asked(node, MetadataRequest(topics=wanted), version)
    assert response.topics[0].error_code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("version", EVERY[8:])
def test_authorized_operations_are_told_only_if_asked(node: OneNode, version: int) -> None:
    request = MetadataRequest(topics=named("a"))
    response = asked(node, request, version)
    assert response.topics[0].topic_authorized_operations == -(2**31)
    assert response.cluster_authorized_operations == -(2**31)
    request.include_topic_authorized_operations = True
    request.include_cluster_authorized_operations = version <= 10
    response = asked(node, request, version)
    assert response.topics[0].topic_authorized_operations == 0b1101_1111_1000
    expected = 0b1_1111_1010_0000 if version <= 10 else -(2**31)
    assert response.cluster_authorized_operations == expected


def test_a_listener_with_an_advertised_address_is_told_that(node: OneNode) -> None:
    response = asked(node, MetadataRequest(topics=[]), 5, listener="OUTSIDE")
    (broker,) = response.brokers
    assert (broker.host, broker.port) == ("example.org", 443)


@pytest.mark.parametrize(
    ("version", "error"),
    [(5, ErrorCode.LEADER_NOT_AVAILABLE), (6, ErrorCode.LISTENER_NOT_FOUND)],
)
def test_a_leader_without_the_listener(node: OneNode, version: int, error: ErrorCode) -> None:
    response = asked(node, MetadataRequest(topics=named("a")), version, listener="NONE")
    row = response.topics[0].partitions[0]
    assert (row.error_code, row.leader_id, list(row.offline_replicas)) == (error, -1, [1])
    assert list(response.brokers) == []


@pytest.mark.parametrize("version", [0, 5])
def test_replicas_on_brokers_that_are_away(node: OneNode, version: int) -> None:
    topic_id = node.image.topics["a"].topic_id
    away = RegisterBrokerRecord(
        broker_id=2,
        incarnation_id=b"2" * 16,
        broker_epoch=1,
        end_points=[BrokerEndpoint("PLAINTEXT", "h", 1, 0)],
    )
    wide = PartitionChangeRecord(partition_id=0, topic_id=topic_id, replicas=[1, 2, 3], isr=[1, 2])
    lost = PartitionChangeRecord(partition_id=1, topic_id=topic_id, leader=-1)
    write(node, away, wide, lost)
    response = asked(node, MetadataRequest(topics=named("a")), version)
    assert [broker.node_id for broker in response.brokers] == [1]
    first, second = response.topics[0].partitions
    assert second.error_code == ErrorCode.LEADER_NOT_AVAILABLE
    if version == 0:
        assert first.error_code == ErrorCode.REPLICA_NOT_AVAILABLE
        assert (list(first.replica_nodes), list(first.isr_nodes)) == ([1], [1])
    else:
        assert first.error_code == ErrorCode.NONE
        assert (list(first.replica_nodes), list(first.offline_replicas)) == ([1, 2, 3], [2, 3])


def test_a_replica_whose_directory_is_gone_is_offline(node: OneNode) -> None:
    record = PartitionChangeRecord(
        partition_id=0, topic_id=node.image.topics["a"].topic_id, directories=[b"!" * 16]
    )
    write(node, record)
    response = asked(node, MetadataRequest(topics=named("a")), 12)
    assert [list(row.offline_replicas) for row in response.topics[0].partitions] == [[1], []]
