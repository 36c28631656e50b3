"""The composition root: the only place where a node's machines are constructed and joined.

Only the two worlds call it: `aio/broker.py` with a real disk, `sim` with an invented one. Reading it
from top to bottom shows what a broker consists of and who knows whom.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.broker.handle import (
    alter_client_quotas,
    alter_configs,
    alter_partition_reassignments,
    alter_replica_log_dirs,
    api_versions,
    create_partitions,
    create_topics,
    delete_groups,
    delete_records,
    delete_topics,
    describe_client_quotas,
    describe_cluster,
    describe_configs,
    describe_groups,
    describe_log_dirs,
    describe_producers,
    describe_quorum,
    describe_topic_partitions,
    describe_user_scram_credentials,
    elect_leaders,
    fetch,
    find_coordinator,
    heartbeat,
    incremental_alter_configs,
    init_producer_id,
    join_group,
    leave_group,
    list_config_resources,
    list_groups,
    list_offsets,
    list_partition_reassignments,
    metadata,
    offset_commit,
    offset_delete,
    offset_fetch,
    offset_for_leader_epoch,
    produce,
    sync_group,
    unregister_broker,
    update_features,
)
from ottla.broker.node import Node
from ottla.broker.route import AnyRoute, Route, Routes
from ottla.core.controller.brokers import Registration
from ottla.core.controller.controller import Controller
from ottla.core.controller.producer_ids import ProducerIds
from ottla.core.controller.topics import TopicDefaults
from ottla.core.group.group import Groups
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.broker import Endpoint
from ottla.core.metadata.image import Current, Image
from ottla.core.metadata.local import LocalMetadataLog, metadata_log_settings
from ottla.core.metadata.partition import OFFSETS_TOPIC
from ottla.core.metadata.reach import Reach
from ottla.core.port import Disk, Entropy, Stopwatch
from ottla.core.quota.quotas import Quotas
from ottla.core.replica.fetch_session import Sessions
from ottla.core.replica.heads import Heads
from ottla.core.replica.log_dirs import GivenDir, LogDirs
from ottla.core.replica.table import ReplicaTable
from ottla.core.shard.shards import Shards
from ottla.core.waiting import WaitList
from ottla.settings.broker import BrokerSettings
from ottla.settings.environment import TopicToCreate
from ottla.settings.in_force import InForce
from ottla.settings.parse import Resolved
from ottla.types import Uuid
from ottla.wire.message.alter_client_quotas import AlterClientQuotasRequest
from ottla.wire.message.alter_configs import AlterConfigsRequest
from ottla.wire.message.alter_partition_reassignments import AlterPartitionReassignmentsRequest
from ottla.wire.message.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from ottla.wire.message.api_versions import ApiVersionsRequest
from ottla.wire.message.create_partitions import CreatePartitionsRequest
from ottla.wire.message.create_topics import CreateTopicsRequest
from ottla.wire.message.delete_groups import DeleteGroupsRequest
from ottla.wire.message.delete_records import DeleteRecordsRequest
from ottla.wire.message.delete_topics import DeleteTopicsRequest
from ottla.wire.message.describe_client_quotas import DescribeClientQuotasRequest
from ottla.wire.message.describe_cluster import DescribeClusterRequest
from ottla.wire.message.describe_configs import DescribeConfigsRequest
from ottla.wire.message.describe_groups import DescribeGroupsRequest
from ottla.wire.message.describe_log_dirs import DescribeLogDirsRequest
from ottla.wire.message.describe_producers import DescribeProducersRequest
from ottla.wire.message.describe_quorum import DescribeQuorumRequest
from ottla.wire.message.describe_topic_partitions import DescribeTopicPartitionsRequest
from ottla.wire.message.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
)
from ottla.wire.message.elect_leaders import ElectLeadersRequest
from ottla.wire.message.fetch import FetchRequest
from ottla.wire.message.find_coordinator import FindCoordinatorRequest
from ottla.wire.message.heartbeat import HeartbeatRequest
from ottla.wire.message.incremental_alter_configs import IncrementalAlterConfigsRequest
from ottla.wire.message.init_producer_id import InitProducerIdRequest
from ottla.wire.message.join_group import JoinGroupRequest
from ottla.wire.message.leave_group import LeaveGroupRequest
from ottla.wire.message.list_config_resources import ListConfigResourcesRequest
from ottla.wire.message.list_groups import ListGroupsRequest
from ottla.wire.message.list_offsets import ListOffsetsRequest
from ottla.wire.message.list_partition_reassignments import ListPartitionReassignmentsRequest
from ottla.wire.message.metadata import MetadataRequest
from ottla.wire.message.offset_commit import OffsetCommitRequest
from ottla.wire.message.offset_delete import OffsetDeleteRequest
from ottla.wire.message.offset_fetch import OffsetFetchRequest
from ottla.wire.message.offset_for_leader_epoch import OffsetForLeaderEpochRequest
from ottla.wire.message.produce import ProduceRequest
from ottla.wire.message.sync_group import SyncGroupRequest
from ottla.wire.message.unregister_broker import UnregisterBrokerRequest
from ottla.wire.message.update_features import UpdateFeaturesRequest

_PLAINTEXT: Final = 0


@final
class Premises(NamedTuple):
    """What a node is built on: what the operator set, and whose directories it got in which state.

    `disk` and what is said of it: the directory of the metadata log, number 0 in effects and events;
    `other_dirs` follow.
    """

    settings: BrokerSettings
    given: Mapping[str, Resolved]  # the same as texts, with where each was set
    topics_wanted: tuple[TopicToCreate, ...]
    cluster_id: str
    directory_id: Uuid
    shutdown: Shutdown
    disk: Disk
    entropy: Entropy
    stopwatch: Stopwatch
    now_ms: int
    keeps_partitions: bool = True
    other_dirs: tuple[GivenDir, ...] = ()


def assemble(premises: Premises) -> Node:
    """A node that has read its directory and is ready to `start`.

    Raises OSError when the directory can't be read, RemoteProtocolError when it can't be understood.
    """
    settings, entropy = premises.settings, premises.entropy
    current = Current(Image())
    in_force = InForce(premises.given, settings)
    waiting = WaitList()
    metadata_log = LocalMetadataLog.open(
        premises.disk,
        settings=metadata_log_settings(settings),
        node_id=settings.node_id,
        now_ms=premises.now_ms,
        shutdown=premises.shutdown,
    )
    log_dirs = _log_dirs(premises)
    controller = Controller(
        metadata_log,
        current,
        _registration(premises, log_dirs),
        lost_power=Shutdown.POWER_LOST
        in (premises.shutdown, *(one.shutdown for one in premises.other_dirs)),
        bytes_between_snapshots_max=settings.metadata_log.bytes_between_snapshots_max,
    )
    replicas = ReplicaTable(log_dirs, settings, waiting)
    groups = Shards(
        OFFSETS_TOPIC, replicas, lambda number: Groups(number, settings.groups, entropy)
    )
    quotas = Quotas(settings.quotas)
    return Node(
        node_id=settings.node_id,
        in_force=in_force,
        routes=_routes(
            premises, current, waiting, controller, replicas, groups, metadata_log, in_force, quotas
        ),
        waiting=waiting,
        current=current,
        metadata_log=metadata_log,
        controller=controller,
        replicas=replicas,
        groups=groups,
        quotas=quotas,
        topics_wanted=premises.topics_wanted,
        defaults=_defaults(settings),
        entropy=entropy,
        stopwatch=premises.stopwatch,
    )


def _routes(
    premises: Premises,
    current: Current,
    waiting: WaitList,
    controller: Controller,
    replicas: ReplicaTable,
    groups: Shards[Groups],
    metadata_log: LocalMetadataLog,
    in_force: InForce,
    quotas: Quotas,
) -> Routes:
    """Every API this node answers. Left whole on purpose: it is a table."""
    settings, entropy, cluster_id = premises.settings, premises.entropy, premises.cluster_id
    defaults = _defaults(settings)
    sessions = Sessions(entropy, settings.fetch.sessions_max)
    producer_ids = ProducerIds(controller)
    reach = Reach(
        node_id=settings.node_id,
        auto_listeners=frozenset(one.name for one in settings.listeners if one.advertised is None),
    )
    versions = api_versions.HandleApiVersions(
        current=current, cluster_id=cluster_id, advertised=lambda: routes.advertised()
    )
    rows: list[AnyRoute] = [
        Route(api_versions.API_KEY, api_versions.VERSIONS, ApiVersionsRequest, versions),
        Route(
            produce.API_KEY,
            produce.VERSIONS,
            ProduceRequest,
            produce.HandleProduce(replicas, waiting),
        ),
        Route(
            fetch.API_KEY,
            fetch.VERSIONS,
            FetchRequest,
            fetch.HandleFetch(
                replicas, sessions, waiting, settings.fetch.response_bytes_max, quotas, Heads()
            ),
        ),
        Route(
            list_offsets.API_KEY,
            list_offsets.VERSIONS,
            ListOffsetsRequest,
            list_offsets.HandleListOffsets(replicas),
        ),
        Route(
            metadata.API_KEY,
            metadata.VERSIONS,
            MetadataRequest,
            metadata.HandleMetadata(
                current=current,
                controller=controller,
                cluster_id=cluster_id,
                reach=reach,
                settings=settings,
                entropy=entropy,
                quotas=quotas,
            ),
        ),
        Route(
            find_coordinator.API_KEY,
            find_coordinator.VERSIONS,
            FindCoordinatorRequest,
            find_coordinator.HandleFindCoordinator(
                current=current,
                controller=controller,
                defaults=defaults,
                settings=settings,
                entropy=entropy,
                reach=reach,
            ),
        ),
        Route(
            join_group.API_KEY,
            join_group.VERSIONS,
            JoinGroupRequest,
            join_group.HandleJoinGroup(groups),
        ),
        Route(
            sync_group.API_KEY,
            sync_group.VERSIONS,
            SyncGroupRequest,
            sync_group.HandleSyncGroup(groups),
        ),
        Route(
            heartbeat.API_KEY,
            heartbeat.VERSIONS,
            HeartbeatRequest,
            heartbeat.HandleHeartbeat(groups),
        ),
        Route(
            leave_group.API_KEY,
            leave_group.VERSIONS,
            LeaveGroupRequest,
            leave_group.HandleLeaveGroup(groups),
        ),
        Route(
            offset_commit.API_KEY,
            offset_commit.VERSIONS,
            OffsetCommitRequest,
            offset_commit.HandleOffsetCommit(groups, current),
        ),
        Route(
            offset_fetch.API_KEY,
            offset_fetch.VERSIONS,
            OffsetFetchRequest,
            offset_fetch.HandleOffsetFetch(groups, current),
        ),
        Route(
            offset_delete.API_KEY,
            offset_delete.VERSIONS,
            OffsetDeleteRequest,
            offset_delete.HandleOffsetDelete(groups, current),
        ),
        Route(
            describe_groups.API_KEY,
            describe_groups.VERSIONS,
            DescribeGroupsRequest,
            describe_groups.HandleDescribeGroups(groups),
        ),
        Route(
            list_groups.API_KEY,
            list_groups.VERSIONS,
            ListGroupsRequest,
            list_groups.HandleListGroups(groups),
        ),
        Route(
            delete_groups.API_KEY,
            delete_groups.VERSIONS,
            DeleteGroupsRequest,
            delete_groups.HandleDeleteGroups(groups),
        ),
        Route(
            create_topics.API_KEY,
            create_topics.VERSIONS,
            CreateTopicsRequest,
            create_topics.HandleCreateTopics(
                controller=controller,
                defaults=defaults,
                in_force=in_force,
                entropy=entropy,
                quotas=quotas,
            ),
        ),
        Route(
            delete_topics.API_KEY,
            delete_topics.VERSIONS,
            DeleteTopicsRequest,
            delete_topics.HandleDeleteTopics(
                controller=controller,
                delete_enabled=settings.topics.delete_enabled,
                quotas=quotas,
            ),
        ),
        Route(
            delete_records.API_KEY,
            delete_records.VERSIONS,
            DeleteRecordsRequest,
            delete_records.HandleDeleteRecords(replicas),
        ),
        Route(
            init_producer_id.API_KEY,
            init_producer_id.VERSIONS,
            InitProducerIdRequest,
            init_producer_id.HandleInitProducerId(
                ids=producer_ids, transaction_timeout_ms_max=settings.transactions.timeout_max_ms
            ),
        ),
        Route(
            offset_for_leader_epoch.API_KEY,
            offset_for_leader_epoch.VERSIONS,
            OffsetForLeaderEpochRequest,
            offset_for_leader_epoch.HandleOffsetForLeaderEpoch(replicas),
        ),
        Route(
            describe_configs.API_KEY,
            describe_configs.VERSIONS,
            DescribeConfigsRequest,
            describe_configs.HandleDescribeConfigs(
                current=current, node_id=settings.node_id, layers=in_force.layers
            ),
        ),
        Route(
            create_partitions.API_KEY,
            create_partitions.VERSIONS,
            CreatePartitionsRequest,
            create_partitions.HandleCreatePartitions(
                controller=controller, defaults=defaults, entropy=entropy, quotas=quotas
            ),
        ),
        Route(
            describe_cluster.API_KEY,
            describe_cluster.VERSIONS,
            DescribeClusterRequest,
            describe_cluster.HandleDescribeCluster(
                current=current, cluster_id=cluster_id, reach=reach
            ),
        ),
        Route(
            describe_producers.API_KEY,
            describe_producers.VERSIONS,
            DescribeProducersRequest,
            describe_producers.HandleDescribeProducers(replicas),
        ),
        Route(
            describe_topic_partitions.API_KEY,
            describe_topic_partitions.VERSIONS,
            DescribeTopicPartitionsRequest,
            describe_topic_partitions.HandleDescribeTopicPartitions(
                current=current, partitions_max=settings.fetch.partitions_per_request_max
            ),
        ),
    ]
    rows += _administration(premises, current, controller, replicas, metadata_log, in_force)
    routes = Routes(rows, versions)
    return routes


def _administration(
    premises: Premises,
    current: Current,
    controller: Controller,
    replicas: ReplicaTable,
    metadata_log: LocalMetadataLog,
    in_force: InForce,
) -> list[AnyRoute]:
    """What operators ask to see a node's state and to change it. A table, left whole on purpose."""
    node_id = premises.settings.node_id
    return [
        Route(
            alter_client_quotas.API_KEY,
            alter_client_quotas.VERSIONS,
            AlterClientQuotasRequest,
            alter_client_quotas.HandleAlterClientQuotas(controller=controller),
        ),
        Route(
            describe_client_quotas.API_KEY,
            describe_client_quotas.VERSIONS,
            DescribeClientQuotasRequest,
            describe_client_quotas.HandleDescribeClientQuotas(current=current),
        ),
        Route(
            describe_user_scram_credentials.API_KEY,
            describe_user_scram_credentials.VERSIONS,
            DescribeUserScramCredentialsRequest,
            describe_user_scram_credentials.HandleDescribeUserScramCredentials(current=current),
        ),
        Route(
            alter_configs.API_KEY,
            alter_configs.VERSIONS,
            AlterConfigsRequest,
            alter_configs.HandleAlterConfigs(
                controller=controller, in_force=in_force, node_id=node_id
            ),
        ),
        Route(
            alter_replica_log_dirs.API_KEY,
            alter_replica_log_dirs.VERSIONS,
            AlterReplicaLogDirsRequest,
            alter_replica_log_dirs.HandleAlterReplicaLogDirs(replicas=replicas, current=current),
        ),
        Route(
            describe_log_dirs.API_KEY,
            describe_log_dirs.VERSIONS,
            DescribeLogDirsRequest,
            describe_log_dirs.HandleDescribeLogDirs(replicas=replicas),
        ),
        Route(
            elect_leaders.API_KEY,
            elect_leaders.VERSIONS,
            ElectLeadersRequest,
            elect_leaders.HandleElectLeaders(controller=controller),
        ),
        Route(
            incremental_alter_configs.API_KEY,
            incremental_alter_configs.VERSIONS,
            IncrementalAlterConfigsRequest,
            incremental_alter_configs.HandleIncrementalAlterConfigs(
                controller=controller, in_force=in_force, node_id=node_id
            ),
        ),
        Route(
            alter_partition_reassignments.API_KEY,
            alter_partition_reassignments.VERSIONS,
            AlterPartitionReassignmentsRequest,
            alter_partition_reassignments.HandleAlterPartitionReassignments(controller=controller),
        ),
        Route(
            list_partition_reassignments.API_KEY,
            list_partition_reassignments.VERSIONS,
            ListPartitionReassignmentsRequest,
            list_partition_reassignments.HandleListPartitionReassignments(current=current),
        ),
        Route(
            describe_quorum.API_KEY,
            describe_quorum.VERSIONS,
            DescribeQuorumRequest,
            describe_quorum.HandleDescribeQuorum(
                current=current, log=metadata_log, node_id=node_id
            ),
        ),
        Route(
            update_features.API_KEY,
            update_features.VERSIONS,
            UpdateFeaturesRequest,
            update_features.HandleUpdateFeatures(controller=controller, node_id=node_id),
        ),
        Route(
            unregister_broker.API_KEY,
            unregister_broker.VERSIONS,
            UnregisterBrokerRequest,
            unregister_broker.HandleUnregisterBroker(controller=controller, node_id=node_id),
        ),
        Route(
            list_config_resources.API_KEY,
            list_config_resources.VERSIONS,
            ListConfigResourcesRequest,
            list_config_resources.HandleListConfigResources(current=current),
        ),
    ]


def _defaults(settings: BrokerSettings) -> TopicDefaults:
    return TopicDefaults(
        partitions=settings.topics.partitions,
        replication_factor=settings.topics.replication_factor,
    )


def _log_dirs(premises: Premises) -> LogDirs:
    """Raises OSError when the first directory can't be looked at."""
    first = GivenDir(
        path=premises.disk.volume().path,
        disk=premises.disk,
        directory_id=premises.directory_id,
        shutdown=premises.shutdown,
        keeps_partitions=premises.keeps_partitions,
    )
    return LogDirs((first, *premises.other_dirs), premises.entropy)


def _registration(premises: Premises, log_dirs: LogDirs) -> Registration:
    """How this process names itself to the controller: anew at every start."""
    settings = premises.settings
    endpoints = []
    for listener in settings.listeners:
        shown = listener.advertised or listener
        endpoints.append(
            Endpoint(
                listener=listener.name,
                host=shown.host,
                port=shown.port,
                security_protocol=_PLAINTEXT,
            )
        )
    return Registration(
        broker_id=settings.node_id,
        incarnation_id=premises.entropy.uuid(),
        endpoints=tuple(endpoints),
        rack=settings.rack,
        log_dirs=tuple(one.directory_id for one in log_dirs.online()),
        lacks_log_dirs=log_dirs.has_offline,
    )
