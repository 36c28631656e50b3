"""What operators ask of a node's metadata: its quorum, its leaders, where replicas are, its features.

The error codes are those that Apache Kafka 4.3.1 gave to the same requests, on one node.
"""

import pytest

from ottla.broker.handle import (
    alter_partition_reassignments,
    describe_quorum,
    elect_leaders,
    list_config_resources,
    list_partition_reassignments,
    unregister_broker,
    update_features,
)
from ottla.broker.handle.alter_partition_reassignments import HandleAlterPartitionReassignments
from ottla.broker.handle.describe_quorum import HandleDescribeQuorum
from ottla.broker.handle.elect_leaders import HandleElectLeaders
from ottla.broker.handle.list_config_resources import HandleListConfigResources
from ottla.broker.handle.list_partition_reassignments import HandleListPartitionReassignments
from ottla.broker.handle.unregister_broker import HandleUnregisterBroker
from ottla.broker.handle.update_features import HandleUpdateFeatures
from ottla.core.controller.answer import Nobody
from ottla.core.controller.topics import NewTopic, TopicMaker
from ottla.core.metadata.partition import PartitionImage
from ottla.core.metadata.records import (
    BrokerRegistrationChangeRecord,
    ConfigRecord,
    FeatureLevelRecord,
    MetadataRecord,
    PartitionChangeRecord,
    RegisterBrokerRecord,
)
from ottla.errors import ErrorCode
from ottla.types import ZERO_UUID
from ottla.wire.api import APIS
from ottla.wire.message.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.message.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from ottla.wire.message.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    TopicPartitions,
)
from ottla.wire.message.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ottla.wire.message.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)
from ottla.wire.message.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)
from ottla.wire.message.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from tests.unit.broker.handle.metadata_node import ask
from tests.unit.core.controller.one_node import DEFAULTS, OneNode, SeededEntropy, start

UNKNOWN = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
PREFERRED, UNCLEAN = 0, 1
GONE = 2  # a broker of an earlier cluster, whose directory this was


@pytest.fixture
def node() -> OneNode:
    """Two topics of one partition; broker 2 is registered and will never come back."""
    node = start()
    maker = TopicMaker(node.image, DEFAULTS, SeededEntropy())
    maker.make(NewTopic(name="t", configs={"retention.ms": "777"}))
    maker.make(NewTopic(name="u", configs={}))
    gone = RegisterBrokerRecord(broker_id=GONE, incarnation_id=bytes(16), broker_epoch=99)
    submit(node, *maker.records, gone)
    return node


def submit(node: OneNode, *records: MetadataRecord) -> None:
    node.perform(node.controller.submit(1, records, Nobody()))
    node.flush()


def partition(node: OneNode, topic: str = "t") -> PartitionImage:
    return node.image.topics[topic].partitions[0]


def change(node: OneNode, **fields: object) -> None:
    """Bring partition 0 of topic t into a state that a cluster has left it in."""
    record = PartitionChangeRecord(partition_id=0, topic_id=node.image.topics["t"].topic_id)
    for name, value in fields.items():
        setattr(record, name, value)
    if "replicas" in fields:
        record.directories = (ZERO_UUID,) * len(fields["replicas"])  # type: ignore[arg-type]
    submit(node, record)


@pytest.mark.parametrize(
    "module",
    [
        alter_partition_reassignments,
        describe_quorum,
        elect_leaders,
        list_config_resources,
        list_partition_reassignments,
        unregister_broker,
        update_features,
    ],
)
def test_the_advertised_versions_are_all_there_are(module: object) -> None:
    api = APIS[module.API_KEY]  # type: ignore[attr-defined]
    assert (api.advertised_min, api.advertised_max) == module.VERSIONS  # type: ignore[attr-defined]


# --- DescribeQuorum -----------------------------------------------------------------------------


def quorum(node: OneNode, topic: str, *partitions: int, version: int = 2) -> DescribeQuorumResponse:
    asked = [DescribeQuorumRequestPartitionData(number) for number in partitions]
    request = DescribeQuorumRequest([DescribeQuorumRequestTopicData(topic, asked)])
    handle = HandleDescribeQuorum(current=node.current, log=node.log, node_id=1)
    return ask(node, handle, request, version, DescribeQuorumResponse)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_quorum_is_this_node(node: OneNode, version: int) -> None:
    answer = quorum(node, "__cluster_metadata", 0, version=version)
    assert answer.error_code == 0
    (found,) = answer.topics[0].partitions
    end = node.log.end_offset
    assert (found.error_code, found.leader_id, found.high_watermark) == (0, 1, end)
    assert found.leader_epoch == node.log.epoch
    assert not found.observers
    (voter,) = found.current_voters
    assert (voter.replica_id, voter.log_end_offset) == (1, end)
    assert voter.last_caught_up_timestamp == (node.now_ms if version >= 1 else -1)
    if version >= 2:
        (listed,) = answer.nodes
        assert listed.node_id == 1
        first = listed.listeners[0]
        assert (first.name, first.host, first.port) == ("PLAINTEXT", "localhost", 9092)


def test_what_is_not_durable_is_not_below_the_high_watermark(node: OneNode) -> None:
    before = node.log.end_offset
    node.perform(node.controller.submit(1, (ConfigRecord(2, "t", "a", "b"),), Nobody()))
    handle = HandleDescribeQuorum(current=node.current, log=node.log, node_id=1)
    asked = DescribeQuorumRequestTopicData(
        "__cluster_metadata", [DescribeQuorumRequestPartitionData(0)]
    )
    unperformed, node.unperformed = node.unperformed, []
    answer = ask(node, handle, DescribeQuorumRequest([asked]), 2, DescribeQuorumResponse)
    (found,) = answer.topics[0].partitions
    assert found.high_watermark == before
    assert found.current_voters[0].log_end_offset == before + 1
    node.unperformed = unperformed


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(
    ("topic", "partitions"),
    [("__cluster_metadata", (1,)), ("__cluster_metadata", (0, 1)), ("t", (0,))],
)
def test_nothing_else_has_a_quorum(
    node: OneNode, topic: str, partitions: tuple[int, ...], version: int
) -> None:
    answer = quorum(node, topic, *partitions, version=version)
    assert (answer.error_code, list(answer.nodes)) == (0, [])
    rows = answer.topics[0].partitions
    assert [(row.partition_index, row.error_code) for row in rows] == [
        (number, UNKNOWN) for number in partitions
    ]


# --- ElectLeaders -------------------------------------------------------------------------------


def elect(
    node: OneNode, kind: int, *asked: TopicPartitions, version: int = 2, everything: bool = False
) -> dict[tuple[str, int], int]:
    request = ElectLeadersRequest(topic_partitions=None if everything else asked)
    if version > 0:
        request.election_type = kind
    handle = HandleElectLeaders(controller=node.controller)
    answer = ask(node, handle, request, version, ElectLeadersResponse)
    assert answer.error_code == 0
    return {
        (topic.topic, row.partition_id): row.error_code
        for topic in answer.replica_election_results
        for row in topic.partition_result
    }


@pytest.mark.parametrize("kind", [PREFERRED, UNCLEAN])
def test_nothing_is_elected_where_all_is_well(node: OneNode, kind: int) -> None:
    asked = (TopicPartitions("t", [0, 7]), TopicPartitions("absent", [0]))
    assert elect(node, kind, *asked) == {
        ("t", 0): ErrorCode.ELECTION_NOT_NEEDED,
        ("t", 7): UNKNOWN,
        ("absent", 0): UNKNOWN,
    }
    assert elect(node, kind, everything=True) == {}


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_preferred_leader_comes_back(node: OneNode, version: int) -> None:
    change(node, replicas=(1, GONE), isr=(1, GONE), leader=GONE)
    before = partition(node)
    asked = TopicPartitions("t", [0, 0])
    assert elect(node, PREFERRED, asked, version=version) == {("t", 0): 0}
    after = partition(node)
    assert (after.leader, after.leader_epoch) == (1, before.leader_epoch + 1)
    assert after.partition_epoch == before.partition_epoch + 1


@pytest.mark.parametrize("isr", [(1,), (1, GONE)])
def test_a_preferred_leader_that_is_not_there(node: OneNode, isr: tuple[int, ...]) -> None:
    change(node, replicas=(GONE, 1), isr=isr, leader=1)
    error = ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    assert elect(node, PREFERRED, TopicPartitions("t", [0])) == {("t", 0): error}
    assert elect(node, PREFERRED, everything=True) == {("t", 0): error}
    assert partition(node).leader == 1


def test_an_unclean_election_takes_who_is_there(node: OneNode) -> None:
    change(node, replicas=(GONE, 1), isr=(GONE,), leader=-1)
    assert elect(node, PREFERRED, TopicPartitions("t", [0])) == {
        ("t", 0): ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE
    }
    change(node, isr=())
    assert elect(node, UNCLEAN, everything=True) == {("t", 0): 0}
    assert (partition(node).leader, partition(node).isr) == (1, (1,))


def test_an_unclean_election_with_nobody_there(node: OneNode) -> None:
    change(node, replicas=(GONE,), isr=(GONE,), leader=-1)
    assert elect(node, UNCLEAN, TopicPartitions("t", [0])) == {
        ("t", 0): ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE
    }


def test_an_unknown_kind_of_election(node: OneNode) -> None:
    request = ElectLeadersRequest(5, [TopicPartitions("t", [0])])
    handle = HandleElectLeaders(controller=node.controller)
    answer = ask(node, handle, request, 2, ElectLeadersResponse)
    assert answer.error_code == ErrorCode.INVALID_REQUEST
    (row,) = answer.replica_election_results[0].partition_result
    assert row.error_code == ErrorCode.INVALID_REQUEST


# --- reassignments ------------------------------------------------------------------------------


def reassign(
    node: OneNode,
    topic: str,
    number: int,
    replicas: tuple[int, ...] | None,
    *,
    version: int = 1,
    factor_may_change: bool = True,
) -> int:
    asked = ReassignableTopic(topic, [ReassignablePartition(number, replicas)])
    request = AlterPartitionReassignmentsRequest(topics=[asked])
    if version >= 1:
        request.allow_replication_factor_change = factor_may_change
    handle = HandleAlterPartitionReassignments(controller=node.controller)
    answer = ask(node, handle, request, version, AlterPartitionReassignmentsResponse)
    assert answer.error_code == 0
    (row,) = answer.responses[0].partitions
    return row.error_code


def under_way(node: OneNode, *asked: str) -> dict[tuple[str, int], tuple[object, ...]]:
    topics = [ListPartitionReassignmentsTopics(name, [0, 9]) for name in asked] or None
    request = ListPartitionReassignmentsRequest(topics=topics)
    handle = HandleListPartitionReassignments(current=node.current)
    answer = ask(node, handle, request, 0, ListPartitionReassignmentsResponse)
    return {
        (topic.name, row.partition_index): (
            tuple(row.replicas),
            tuple(row.adding_replicas),
            tuple(row.removing_replicas),
        )
        for topic in answer.topics
        for row in topic.partitions
    }


@pytest.mark.parametrize("version", [0, 1])
def test_replicas_are_where_they_shall_be(node: OneNode, version: int) -> None:
    before = partition(node)
    assert reassign(node, "t", 0, (1,), version=version) == 0
    assert partition(node) is before
    assert under_way(node) == {}


@pytest.mark.parametrize(
    ("topic", "number", "replicas", "error"),
    [
        ("t", 0, None, ErrorCode.NO_REASSIGNMENT_IN_PROGRESS),
        ("t", 0, (), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", 0, (1, 1), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", 0, (3,), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", 0, (-1,), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", 0, (1, GONE), ErrorCode.INVALID_REPLICA_ASSIGNMENT),
        ("t", 9, (1,), UNKNOWN),
        ("t", -1, (1,), UNKNOWN),
        ("absent", 0, (1,), UNKNOWN),
    ],
)
def test_a_reassignment_that_cannot_be(
    node: OneNode, topic: str, number: int, replicas: tuple[int, ...] | None, error: ErrorCode
) -> None:
    before = node.image
    assert reassign(node, topic, number, replicas) == error
    assert node.image is before


def test_a_broker_that_is_gone_is_taken_off(node: OneNode) -> None:
    change(node, replicas=(GONE, 1), isr=(1,), leader=1)
    kept = ErrorCode.INVALID_REPLICATION_FACTOR
    assert reassign(node, "t", 0, (1,), factor_may_change=False) == kept
    before = partition(node)
    assert reassign(node, "t", 0, (1,)) == 0
    after = partition(node)
    assert (after.replicas, after.isr, after.leader) == ((1,), (1,), 1)
    assert after.leader_epoch == before.leader_epoch + 1
    assert len(after.directories) == 1


def test_replicas_that_are_put_in_another_order(node: OneNode) -> None:
    change(node, replicas=(GONE, 1), isr=(1,), leader=1)
    before = partition(node)
    assert reassign(node, "t", 0, (1, GONE)) == 0
    after = partition(node)
    assert (after.replicas, after.leader) == ((1, GONE), 1)
    assert after.leader_epoch == before.leader_epoch
    assert after.directories == before.directories[::-1]


def test_what_a_cluster_left_under_way_is_told_and_cancelled(node: OneNode) -> None:
    change(node, replicas=(1, GONE), adding_replicas=(GONE,), removing_replicas=(1,))
    expected = {("t", 0): ((1, GONE), (GONE,), (1,))}
    assert under_way(node) == under_way(node, "t", "absent") == expected
    assert under_way(node, "u") == {}
    assert reassign(node, "t", 0, None) == 0
    after = partition(node)
    assert (after.replicas, after.adding, after.removing) == ((1,), (), ())
    assert under_way(node) == {}


def test_a_cancellation_that_would_lose_records(node: OneNode) -> None:
    change(node, replicas=(GONE, 1), isr=(1,), adding_replicas=(1,), removing_replicas=(GONE,))
    assert reassign(node, "t", 0, None) == ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert reassign(node, "t", 0, (1,)) == 0
    assert under_way(node) == {}


# --- features -----------------------------------------------------------------------------------


def update(
    node: OneNode,
    *levels: tuple[str, int],
    upgrade_type: int = 1,
    version: int = 2,
    validate_only: bool = False,
) -> UpdateFeaturesResponse:
    keys = []
    for name, level in levels:
        key = FeatureUpdateKey(name, level)
        if version >= 1:
            key.upgrade_type = upgrade_type
        else:
            key.allow_downgrade = upgrade_type != 1
        keys.append(key)
    request = UpdateFeaturesRequest(feature_updates=keys)
    if version >= 1:
        request.validate_only = validate_only
    handle = HandleUpdateFeatures(controller=node.controller, node_id=1)
    return ask(node, handle, request, version, UpdateFeaturesResponse)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_metadata_version_is_raised(node: OneNode, version: int) -> None:
    submit(node, FeatureLevelRecord("metadata.version", 21))
    answer = update(node, ("metadata.version", 30), version=version)
    assert answer.error_code == 0
    expected = [] if version >= 2 else [("metadata.version", 0)]
    assert [(row.feature, row.error_code) for row in answer.results] == expected
    assert node.image.metadata_version == 30


def test_metadata_version_is_lowered_where_no_record_changed(node: OneNode) -> None:
    submit(node, FeatureLevelRecord("metadata.version", 29))
    assert update(node, ("metadata.version", 25), upgrade_type=2).error_code == 0
    assert node.image.metadata_version == 25


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(
    ("feature", "level", "upgrade_type", "told"),
    [
        ("metadata.version", 31, 1, "only supports versions 7-30"),
        ("metadata.version", 0, 1, "only supports versions 7-30"),
        ("metadata.version", -1, 1, "cannot be less than 0"),
        ("metadata.version", 29, 1, "without setting the upgrade type"),
        ("metadata.version", 29, 2, "might delete metadata"),
        ("group.version", 1, 1, "does not support this feature"),
        ("nope", 1, 1, "does not support this feature"),
    ],
)
def test_a_level_that_cannot_be(
    node: OneNode, feature: str, level: int, upgrade_type: int, told: str, version: int
) -> None:
    answer = update(node, (feature, level), upgrade_type=upgrade_type, version=version)
    assert (answer.error_code, list(answer.results)) == (ErrorCode.INVALID_UPDATE_VERSION, [])
    assert told in (answer.error_message or "")
    assert node.image.metadata_version == 30


@pytest.mark.parametrize(
    ("upgrade_type", "told"), [(0, "upgrade type"), (3, "Unsafe"), (4, "type")]
)
def test_kinds_of_downgrade(node: OneNode, upgrade_type: int, told: str) -> None:
    answer = update(node, ("metadata.version", 7), upgrade_type=upgrade_type)
    assert told in (answer.error_message or "")


def test_a_raise_is_no_downgrade(node: OneNode) -> None:
    submit(node, FeatureLevelRecord("metadata.version", 21))
    answer = update(node, ("metadata.version", 30), upgrade_type=2)
    assert "downgrade to a newer version" in (answer.error_message or "")


def test_all_features_or_none(node: OneNode) -> None:
    submit(node, FeatureLevelRecord("metadata.version", 21))
    answer = update(node, ("metadata.version", 30), ("nope", 1))
    assert answer.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert update(node, ("metadata.version", 30), validate_only=True).error_code == 0
    assert node.image.metadata_version == 21


# --- brokers and configurations -----------------------------------------------------------------


def unregister(node: OneNode, broker_id: int) -> int:
    handle = HandleUnregisterBroker(controller=node.controller, node_id=1)
    request = UnregisterBrokerRequest(broker_id)
    return ask(node, handle, request, 0, UnregisterBrokerResponse).error_code


def test_a_broker_that_is_gone_is_forgotten(node: OneNode) -> None:
    change(node, replicas=(1, GONE), isr=(1, GONE), leader=GONE)
    assert unregister(node, GONE) == 0
    assert list(node.image.brokers) == [1]
    assert (partition(node).leader, partition(node).isr) == (1, (1,))
    assert unregister(node, GONE) == ErrorCode.BROKER_ID_NOT_REGISTERED


def test_this_node_is_not_forgotten(node: OneNode) -> None:
    assert unregister(node, 1) == ErrorCode.INVALID_REQUEST
    assert 1 in node.image.brokers


def listed(node: OneNode, *kinds: int, version: int = 1) -> list[tuple[int, str]]:
    request = ListConfigResourcesRequest(kinds)
    handle = HandleListConfigResources(current=node.current)
    answer = ask(node, handle, request, version, ListConfigResourcesResponse)
    assert answer.error_code == 0
    return [(one.resource_type, one.resource_name) for one in answer.config_resources]


def test_what_has_configurations(node: OneNode) -> None:
    submit(
        node,
        ConfigRecord(16, "m", "interval.ms", "500"),
        ConfigRecord(32, "g", "share.isolation.level", "read_committed"),
        ConfigRecord(4, "", "log.retention.ms", "5"),
        BrokerRegistrationChangeRecord(broker_id=GONE, broker_epoch=99, fenced=1),
    )
    everything = [(32, "g"), (16, "m"), (8, "1"), (4, "1"), (2, "t"), (2, "u")]
    assert listed(node) == everything
    assert listed(node, 2, 16) == [(2, "t"), (2, "u"), (16, "m")]
    assert listed(node, version=0) == [(16, "m")]


def test_a_kind_nobody_knows(node: OneNode) -> None:
    handle = HandleListConfigResources(current=node.current)
    request = ListConfigResourcesRequest([99])
    answer = ask(node, handle, request, 1, ListConfigResourcesResponse)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION


# --- answers stay in proportion -------------------------------------------------------------------


def test_only_so_many_partitions_are_told_why(node: OneNode) -> None:
    numbers = list(range(10, 1_510))
    request = ElectLeadersRequest(PREFERRED, [TopicPartitions("x" * 32_000, numbers)])
    answer = ask(
        node, HandleElectLeaders(controller=node.controller), request, 2, ElectLeadersResponse
    )
    rows = answer.replica_election_results[0].partition_result
    assert [row.error_code for row in rows] == [UNKNOWN] * 1_500
    assert sum(row.error_message is not None for row in rows) == 1_000
    assert max(len(row.error_message or "") for row in rows) < 2_100
    partitions = [ReassignablePartition(number, (1,)) for number in numbers]
    moves = AlterPartitionReassignmentsRequest(topics=[ReassignableTopic("x" * 32_000, partitions)])
    handle = HandleAlterPartitionReassignments(controller=node.controller)
    moved = ask(node, handle, moves, 1, AlterPartitionReassignmentsResponse).responses[0].partitions
    assert sum(row.error_message is not None for row in moved) == 1_000
    assert max(len(row.error_message or "") for row in moved) < 2_100


def test_a_feature_with_a_long_name(node: OneNode) -> None:
    answer = update(node, ("x" * 32_000, 1))
    assert answer.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert len(answer.error_message or "") < 2_100
