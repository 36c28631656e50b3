"""The questions that an administrator's tools ask besides: odd ones, and requests that must be refused.

Each is one request; none of them changes what the other promises are judged by. An answer may say
anything but that the node did not know what to do: UNKNOWN_SERVER_ERROR is nobody's right answer.

Elsewhere: what changes topics and groups, `administrator.py`; who compares answers, `checker`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

from ottla.errors import ErrorCode
from ottla.sim.caller import bygone, misfit, veteran
from ottla.sim.caller.client import TopicKnown
from ottla.types import ZERO_UUID, Uuid
from ottla.wire.api import (
    ALTER_CLIENT_QUOTAS,
    ALTER_CONFIGS,
    ALTER_PARTITION_REASSIGNMENTS,
    ALTER_REPLICA_LOG_DIRS,
    API_VERSIONS,
    CREATE_PARTITIONS,
    CREATE_TOPICS,
    DELETE_RECORDS,
    DELETE_TOPICS,
    DESCRIBE_CLIENT_QUOTAS,
    DESCRIBE_CLUSTER,
    DESCRIBE_CONFIGS,
    DESCRIBE_LOG_DIRS,
    DESCRIBE_PRODUCERS,
    DESCRIBE_QUORUM,
    DESCRIBE_TOPIC_PARTITIONS,
    ELECT_LEADERS,
    FIND_COORDINATOR,
    INCREMENTAL_ALTER_CONFIGS,
    INIT_PRODUCER_ID,
    LIST_CONFIG_RESOURCES,
    LIST_OFFSETS,
    LIST_PARTITION_REASSIGNMENTS,
    METADATA,
    OFFSET_FOR_LEADER_EPOCH,
    UNREGISTER_BROKER,
    UPDATE_FEATURES,
    Message,
)
from ottla.wire.message import (
    alter_client_quotas,
    alter_configs,
    describe_client_quotas,
    incremental_alter_configs,
    list_partition_reassignments,
)
from ottla.wire.message.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirTopic,
)
from ottla.wire.message.api_versions import ApiVersionsRequest
from ottla.wire.message.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from ottla.wire.message.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.message.describe_cluster import DescribeClusterRequest
from ottla.wire.message.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.message.describe_log_dirs import DescribableLogDirTopic, DescribeLogDirsRequest
from ottla.wire.message.describe_producers import DescribeProducersRequest
from ottla.wire.message.describe_producers import TopicRequest as ProducersOfTopic
from ottla.wire.message.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
)
from ottla.wire.message.describe_topic_partitions import Cursor, DescribeTopicPartitionsRequest
from ottla.wire.message.describe_topic_partitions import TopicRequest as PartitionsOfTopic
from ottla.wire.message.elect_leaders import ElectLeadersRequest, TopicPartitions
from ottla.wire.message.find_coordinator import FindCoordinatorRequest
from ottla.wire.message.init_producer_id import InitProducerIdRequest
from ottla.wire.message.list_config_resources import ListConfigResourcesRequest
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.message.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from ottla.wire.message.unregister_broker import UnregisterBrokerRequest
from ottla.wire.message.update_features import FeatureUpdateKey, UpdateFeaturesRequest

_STRANGE_ID: Final = b"\x7e" * 16
_TOPIC: Final = 2
_BROKER: Final = 4
_BROKER_LOGGER: Final = 8
_CLIENT_METRICS: Final = 16
_GROUP: Final = 32


@final
@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about."""

    topic: str
    topic_id: Uuid
    partitions: int
    partition: int


Ask = Callable[[Subject], Message]


def subject(topic: str, known: TopicKnown | None, partition: int) -> Subject:
    if known is None:
        return Subject(topic, ZERO_UUID, 0, partition)
    return Subject(topic, known.topic_id, known.partitions, partition % (known.partitions + 1))


def _offsets_of(timestamp: int, epoch: int = -1) -> Ask:
    def ask(about: Subject) -> Message:
        part = ListOffsetsPartition(about.partition, epoch, timestamp)
        return ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(about.topic, [part])], timeout_ms=100
        )

    return ask


def _old_offsets(about: Subject) -> Message:
    part = ListOffsetsPartition(about.partition, timestamp=-1, max_num_offsets=5)
    return ListOffsetsRequest(replica_id=-1, topics=[ListOffsetsTopic(about.topic, [part])])


def _epoch_end(epoch: int, current: int = -1) -> Ask:
    def ask(about: Subject) -> Message:
        part = OffsetForLeaderPartition(about.partition, current, epoch)
        return OffsetForLeaderEpochRequest(
            replica_id=-1, topics=[OffsetForLeaderTopic(about.topic, [part])]
        )

    return ask


def _making(*wanted: CreatableTopic) -> Ask:
    return lambda about: CreateTopicsRequest(topics=wanted, validate_only=True)


def _growing(count: int, *brokers: Sequence[int], validate_only: bool = True) -> Ask:
    def ask(about: Subject) -> Message:
        rows = [CreatePartitionsAssignment(one) for one in brokers] or None
        wanted = CreatePartitionsTopic(about.topic, about.partitions + count, rows)
        return CreatePartitionsRequest(topics=[wanted], validate_only=validate_only)

    return ask


def _altering(kind: int, name: str, *changes: tuple[str, int, str | None]) -> Ask:
    def ask(about: Subject) -> Message:
        configs = [incremental_alter_configs.AlterableConfig(*change) for change in changes]
        resource = incremental_alter_configs.AlterConfigsResource(kind, name, configs)
        return incremental_alter_configs.IncrementalAlterConfigsRequest([resource])

    return ask


def _replacing(kind: int, name: str, *values: tuple[str, str]) -> Ask:
    def ask(about: Subject) -> Message:
        configs = [alter_configs.AlterableConfig(*value) for value in values]
        resource = alter_configs.AlterConfigsResource(kind, name, configs)
        return alter_configs.AlterConfigsRequest([resource])

    return ask


def _configs_of(kind: int, name: str, *keys: str) -> Ask:
    resource = DescribeConfigsResource(kind, name, keys or None)
    return lambda about: DescribeConfigsRequest([resource], True, True)


def _moving(*replicas: int, partition: int = 0, topic: str = "", factor: bool = True) -> Ask:
    def ask(about: Subject) -> Message:
        part = ReassignablePartition(partition, replicas or None)
        return AlterPartitionReassignmentsRequest(
            allow_replication_factor_change=factor,
            topics=[ReassignableTopic(topic or about.topic, [part])],
        )

    return ask


def _electing(kind: int, *, everywhere: bool, topic: str = "") -> Ask:
    def ask(about: Subject) -> Message:
        row = TopicPartitions(topic or about.topic, [about.partition, 0])
        return ElectLeadersRequest(kind, None if everywhere else [row])

    return ask


def _knowing(*topics: MetadataRequestTopic, auto: bool = False) -> Ask:
    return lambda about: MetadataRequest(topics=topics, allow_auto_topic_creation=auto)


def _featuring(feature: str, level: int, kind: int, *, validate_only: bool = True) -> Ask:
    update = FeatureUpdateKey(feature, level, upgrade_type=kind)
    return lambda about: UpdateFeaturesRequest(
        feature_updates=[update], validate_only=validate_only
    )


def _assigning(*rows: tuple[int, Sequence[int]], topic: str = "v", for_good: bool = False) -> Ask:
    assigned = [CreatableReplicaAssignment(*row) for row in rows]
    wanted = CreatableTopic(topic, -1, -1, assigned)
    return lambda about: CreateTopicsRequest(
        topics=[wanted], timeout_ms=500, validate_only=not for_good
    )


def _limiting(
    *parts: tuple[str, str | None], key: str = "producer_byte_rate", value: float | None = 50_000.0
) -> Ask:
    """`value` None: take the quota away."""
    entity = [alter_client_quotas.EntityData(*part) for part in parts]
    op = alter_client_quotas.OpData(key, value or 0.0, value is None)
    entry = alter_client_quotas.AlterClientQuotasRequestEntryData(entity, [op])
    return lambda about: alter_client_quotas.AlterClientQuotasRequest([entry])


def _limits_of(*parts: tuple[str, int, str | None], strict: bool = False) -> Ask:
    rows = [describe_client_quotas.ComponentData(*part) for part in parts]
    return lambda about: describe_client_quotas.DescribeClientQuotasRequest(rows, strict)


def _always(request: Message) -> Ask:
    return lambda about: request


QUESTIONS: Final[tuple[tuple[int, int, Ask], ...]] = (
    *(
        (api_key, version, _always(request))
        for api_key, version, request in (*misfit.REQUESTS, *veteran.REQUESTS)
    ),
    (
        DESCRIBE_TOPIC_PARTITIONS,
        0,
        lambda one: DescribeTopicPartitionsRequest(topics=[PartitionsOfTopic(one.topic)]),
    ),
    (
        DESCRIBE_TOPIC_PARTITIONS,
        0,
        lambda one: DescribeTopicPartitionsRequest(
            topics=[], response_partition_limit=1, cursor=Cursor(one.topic, 0)
        ),
    ),
    (
        DESCRIBE_PRODUCERS,
        0,
        lambda one: DescribeProducersRequest([ProducersOfTopic(one.topic, [one.partition])]),
    ),
    (DESCRIBE_CLUSTER, 2, lambda one: DescribeClusterRequest(True)),
    (DESCRIBE_CLUSTER, 1, lambda one: DescribeClusterRequest(endpoint_type=2)),
    (DESCRIBE_LOG_DIRS, 4, lambda one: DescribeLogDirsRequest(None)),
    (
        DESCRIBE_LOG_DIRS,
        1,
        lambda one: DescribeLogDirsRequest([DescribableLogDirTopic(one.topic, [one.partition])]),
    ),
    (OFFSET_FOR_LEADER_EPOCH, 4, _epoch_end(0)),
    (OFFSET_FOR_LEADER_EPOCH, 4, _epoch_end(1)),
    (OFFSET_FOR_LEADER_EPOCH, 4, _epoch_end(3, 0)),
    (OFFSET_FOR_LEADER_EPOCH, 3, _epoch_end(-1)),
    (OFFSET_FOR_LEADER_EPOCH, 4, _epoch_end(0, 99)),
    (LIST_OFFSETS, 0, _old_offsets),
    (LIST_OFFSETS, 1, _offsets_of(-1)),
    (LIST_OFFSETS, 10, _offsets_of(-4)),
    (LIST_OFFSETS, 10, _offsets_of(-5)),
    (LIST_OFFSETS, 10, _offsets_of(-1, 99)),
    (LIST_OFFSETS, 10, _offsets_of(-3, 0)),
    (ELECT_LEADERS, 2, _electing(0, everywhere=True)),
    (ELECT_LEADERS, 2, _electing(0, everywhere=False)),
    (ELECT_LEADERS, 2, _electing(1, everywhere=False)),
    (
        DESCRIBE_QUORUM,
        2,
        lambda one: DescribeQuorumRequest(
            [
                DescribeQuorumRequestTopicData(
                    "__cluster_metadata", [DescribeQuorumRequestPartitionData(0)]
                )
            ]
        ),
    ),
    (
        DESCRIBE_QUORUM,
        1,
        lambda one: DescribeQuorumRequest(
            [DescribeQuorumRequestTopicData(one.topic, [DescribeQuorumRequestPartitionData(0)])]
        ),
    ),
    (
        LIST_PARTITION_REASSIGNMENTS,
        0,
        lambda one: list_partition_reassignments.ListPartitionReassignmentsRequest(),
    ),
    (ALTER_PARTITION_REASSIGNMENTS, 1, _moving()),
    (ALTER_PARTITION_REASSIGNMENTS, 1, _moving(7)),
    (ALTER_PARTITION_REASSIGNMENTS, 1, _moving(1, 1)),
    (ALTER_PARTITION_REASSIGNMENTS, 1, _moving(1, partition=9)),
    (ALTER_PARTITION_REASSIGNMENTS, 1, _moving(1)),
    (
        ALTER_REPLICA_LOG_DIRS,
        2,
        lambda one: AlterReplicaLogDirsRequest(
            [AlterReplicaLogDir("/nowhere", [AlterReplicaLogDirTopic(one.topic, [0])])]
        ),
    ),
    (LIST_CONFIG_RESOURCES, 1, lambda one: ListConfigResourcesRequest()),
    (LIST_CONFIG_RESOURCES, 1, lambda one: ListConfigResourcesRequest([_TOPIC, _GROUP])),
    (LIST_CONFIG_RESOURCES, 0, lambda one: ListConfigResourcesRequest()),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 20, 1)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 1, 2)),
    (UPDATE_FEATURES, 2, _featuring("no.such.feature", 1, 1)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 20, 2, validate_only=False)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 18, 3)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 27, 1, validate_only=False)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 30, 1, validate_only=False)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 30, 1, validate_only=False)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 30, 2)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", -1, 2)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 99, 1)),
    (UPDATE_FEATURES, 2, _featuring("metadata.version", 30, 9)),
    (UNREGISTER_BROKER, 0, lambda one: UnregisterBrokerRequest(bygone.GONE)),
    (CREATE_TOPICS, 7, _assigning((0, [1, 7]), (1, [7, 1]), topic="pair", for_good=True)),
    (CREATE_TOPICS, 7, _assigning((0, [1]), topic="alone", for_good=True)),
    (
        CREATE_TOPICS,
        7,
        lambda one: CreateTopicsRequest([CreatableTopic("wide", 24, 1)], timeout_ms=500),
    ),
    (DELETE_TOPICS, 4, lambda one: DeleteTopicsRequest(topic_names=["wide", "pair"])),
    (METADATA, 9, _knowing(MetadataRequestTopic(name="wide"))),
    (DESCRIBE_PRODUCERS, 0, lambda one: DescribeProducersRequest([ProducersOfTopic("wide", [20])])),
    (CREATE_TOPICS, 7, _assigning((0, [1]), (0, [1]))),
    (CREATE_TOPICS, 7, _assigning((0, [1, 1]))),
    (CREATE_TOPICS, 7, _assigning((0, [1]), (1, [1, 7]))),
    (CREATE_TOPICS, 7, _assigning((0, [7]))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("__cluster_metadata", 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("", 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v" * 250, 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 1, 0))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 200_000, 1))),
    *(
        (ALTER_PARTITION_REASSIGNMENTS, 1, _moving(*replicas, partition=number, topic=topic))
        for topic in (bygone.TOPIC, "pair")
        for replicas, number in (
            ((1,), 0),
            ((), 1),
            ((), 2),
            ((1,), 3),
            ((7,), 0),
            ((7, 1), 1),
            ((1, 7), 0),
        )
    ),
    (
        ALTER_PARTITION_REASSIGNMENTS,
        1,
        _moving(1, partition=4, topic=bygone.TOPIC, factor=False),
    ),
    *(
        (ELECT_LEADERS, 2, _electing(kind, everywhere=False, topic=topic))
        for topic in (bygone.TOPIC, "pair")
        for kind in (0, 1)
    ),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("client-id", None))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("client-id", None), value=None)),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", None), key="consumer_byte_rate")),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", "ann"), ("client-id", "client-1"))),
    (
        ALTER_CLIENT_QUOTAS,
        1,
        _limiting(("client-id", "client-1"), key="request_percentage", value=500.0),
    ),
    (
        ALTER_CLIENT_QUOTAS,
        1,
        _limiting(("client-id", "client-0"), key="controller_mutation_rate", value=3.5),
    ),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("ip", None), key="connection_creation_rate", value=50.0)),
    (
        ALTER_CLIENT_QUOTAS,
        1,
        _limiting(("ip", "::ffff:10.0.0.2"), key="connection_creation_rate", value=1.0),
    ),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("ip", "nowhere"), key="connection_creation_rate")),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("ip", "10.0.0.1"), ("user", "ann"))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("ip", "10.0.0.1"))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", ""))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", "a"), ("user", "b"))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("group", "g0"))),
    (ALTER_CLIENT_QUOTAS, 1, _limiting()),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", "ann"), value=-1.0)),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", "ann"), value=1e30)),
    (ALTER_CLIENT_QUOTAS, 1, _limiting(("user", "ann"), value=0.5)),
    (DESCRIBE_CLIENT_QUOTAS, 1, _limits_of()),
    (DESCRIBE_CLIENT_QUOTAS, 1, _limits_of(("user", 0, "ann"))),
    (DESCRIBE_CLIENT_QUOTAS, 1, _limits_of(("client-id", 1, None), strict=True)),
    (DESCRIBE_CLIENT_QUOTAS, 1, _limits_of(("client-id", 2, None), ("user", 2, None))),
    (
        INCREMENTAL_ALTER_CONFIGS,
        1,
        _altering(_TOPIC, "t0", ("retention.ms", 0, "5"), ("retention.ms", 0, "6")),
    ),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "wide", ("cleanup.policy", 2, "compact"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "wide", ("cleanup.policy", 3, "compact"))),
    (
        INCREMENTAL_ALTER_CONFIGS,
        1,
        _altering(_TOPIC, "wide", ("leader.replication.throttled.replicas", 2, "1:" * 16_000)),
    ),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "no/name", ("retention.ms", 0, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "nobody", ("retention.ms", 0, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "1", ("min.insync.replicas", 0, "1"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "", ("min.insync.replicas", 0, "1"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "", ("min.insync.replicas", 1, None))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "7", ("log.cleaner.threads", 0, "2"))),
    (
        FIND_COORDINATOR,
        6,
        lambda one: FindCoordinatorRequest(key_type=1, coordinator_keys=["x", one.topic]),
    ),
    (
        FIND_COORDINATOR,
        6,
        lambda one: FindCoordinatorRequest(
            key_type=2, coordinator_keys=["g:AAAAAAAAAAAAAAAAAAAAAA:0"]
        ),
    ),
    (FIND_COORDINATOR, 0, lambda one: FindCoordinatorRequest(key="g0")),
    (METADATA, 12, _knowing(MetadataRequestTopic(_STRANGE_ID, None))),
    (METADATA, 9, _knowing(MetadataRequestTopic(name="no/such*name"), auto=True)),
    (METADATA, 9, _knowing(MetadataRequestTopic(name="auto"), auto=True)),
    (METADATA, 4, _knowing(MetadataRequestTopic(name="nobody"))),
    (METADATA, 0, lambda one: MetadataRequest(topics=[])),
    (DESCRIBE_CONFIGS, 4, _configs_of(_BROKER, "1")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_BROKER, "")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_BROKER, "7", "log.dirs")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_BROKER_LOGGER, "0")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_GROUP, "g0")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_CLIENT_METRICS, "m")),
    (DESCRIBE_CONFIGS, 4, _configs_of(_TOPIC, "no-such-topic", "retention.ms")),
    (DESCRIBE_CONFIGS, 4, _configs_of(99, "x")),
    (
        INCREMENTAL_ALTER_CONFIGS,
        1,
        _altering(_GROUP, "g0", ("consumer.session.timeout.ms", 0, "50000")),
    ),
    (
        INCREMENTAL_ALTER_CONFIGS,
        1,
        _altering(_GROUP, "g0", ("consumer.session.timeout.ms", 1, None)),
    ),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_GROUP, "", ("consumer.session.timeout.ms", 0, "1"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_CLIENT_METRICS, "m", ("interval.ms", 0, "5000"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_CLIENT_METRICS, "m", ("match", 2, "client_id=a"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "1", ("log.cleaner.threads", 0, "2"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "", ("log.cleaner.threads", 1, None))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "x", ("log.cleaner.threads", 0, "2"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_BROKER, "1", ("node.id", 0, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "", ("retention.ms", 0, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "t0", ("retention.ms", 9, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "t0", ("retention.ms", 0, None))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(_TOPIC, "t0", ("retention.ms", 2, "4"))),
    (INCREMENTAL_ALTER_CONFIGS, 1, _altering(99, "t0", ("retention.ms", 0, "4"))),
    (ALTER_CONFIGS, 2, _replacing(_GROUP, "g0", ("consumer.heartbeat.interval.ms", "5000"))),
    (ALTER_CONFIGS, 2, _replacing(_CLIENT_METRICS, "m")),
    (CREATE_TOPICS, 7, _making(CreatableTopic("no/such*name", 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("..", 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 0, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 1, 3))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", -1, -1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v.v", 1, 1), CreatableTopic("v_v", 1, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 1, 1), CreatableTopic("v", 2, 1))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", -1, -1, [CreatableReplicaAssignment(0, [1])]))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", -1, -1, [CreatableReplicaAssignment(3, [1])]))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", -1, -1, [CreatableReplicaAssignment(0, [8])]))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", -1, -1, [CreatableReplicaAssignment(0, [])]))),
    (CREATE_TOPICS, 7, _making(CreatableTopic("v", 4, 1, [CreatableReplicaAssignment(0, [1])]))),
    (
        CREATE_TOPICS,
        7,
        _making(CreatableTopic("v", 1, 1, configs=[CreatableTopicConfig("no.such.key", "1")])),
    ),
    (
        CREATE_TOPICS,
        7,
        _making(CreatableTopic("v", 1, 1, configs=[CreatableTopicConfig("retention.ms", "bad")])),
    ),
    (
        CREATE_TOPICS,
        7,
        _making(CreatableTopic("v", 1, 1, configs=[CreatableTopicConfig("retention.ms", None)])),
    ),
    (CREATE_PARTITIONS, 3, _growing(1)),
    (CREATE_PARTITIONS, 3, _growing(0)),
    (CREATE_PARTITIONS, 3, _growing(-1, validate_only=False)),
    (CREATE_PARTITIONS, 3, _growing(1, [1])),
    (CREATE_PARTITIONS, 3, _growing(1, [7])),
    (CREATE_PARTITIONS, 3, _growing(2, [1])),
    (CREATE_PARTITIONS, 3, _growing(1, [1, 1])),
    (CREATE_PARTITIONS, 3, _growing(200_000, validate_only=False)),
    (
        CREATE_PARTITIONS,
        3,
        lambda one: CreatePartitionsRequest(
            topics=[
                CreatePartitionsTopic("__consumer_offsets", 9, None),
                CreatePartitionsTopic("nobody", 9, None),
                CreatePartitionsTopic("pair", 9, None),
            ],
            validate_only=True,
        ),
    ),
    (DELETE_TOPICS, 6, lambda one: DeleteTopicsRequest([DeleteTopicState(None, _STRANGE_ID)])),
    (
        DELETE_TOPICS,
        6,
        lambda one: DeleteTopicsRequest(
            [DeleteTopicState(one.topic, one.topic_id or _STRANGE_ID)] * 2
        ),
    ),
    (DELETE_TOPICS, 4, lambda one: DeleteTopicsRequest(topic_names=["nobody", "nobody"])),
    (
        DELETE_RECORDS,
        2,
        lambda one: DeleteRecordsRequest(
            [DeleteRecordsTopic("nobody", [DeleteRecordsPartition(0, 1)])]
        ),
    ),
    (
        DELETE_RECORDS,
        2,
        lambda one: DeleteRecordsRequest(
            [DeleteRecordsTopic(one.topic, [DeleteRecordsPartition(0, 1 << 40)])], 100
        ),
    ),
    (
        DELETE_RECORDS,
        2,
        lambda one: DeleteRecordsRequest(
            [DeleteRecordsTopic(one.topic, [DeleteRecordsPartition(0, -7)])], 100
        ),
    ),
    (INIT_PRODUCER_ID, 5, lambda one: InitProducerIdRequest("", 1000)),
    (INIT_PRODUCER_ID, 5, lambda one: InitProducerIdRequest(None, 1000, 5, -1)),
    (API_VERSIONS, 0, lambda one: ApiVersionsRequest()),
    (API_VERSIONS, 4, lambda one: ApiVersionsRequest("a b", "1")),
    (API_VERSIONS, 4, lambda one: ApiVersionsRequest("a", "1")),
)
"""API key, version, and what is asked. Of groups: `misfit.py`."""


def problem(message: Message) -> str:
    """What can't be a right answer to anything."""
    if any(code == ErrorCode.UNKNOWN_SERVER_ERROR for code in _codes(message)):
        return "UNKNOWN_SERVER_ERROR"
    return ""


def _codes(one: object) -> Iterator[int]:
    for name in getattr(type(one), "__slots__", ()):
        value: object = getattr(one, name)
        if name == "error_code" and isinstance(value, int):
            yield value
        elif isinstance(value, (list, tuple)):
            for part in value:
                yield from _codes(part)
