"""The cluster as a whole: its brokers, their disks, the versions and features they know, the quorum."""

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, final

from ottla.kafka.admin.answer import Answer, answer
from ottla.kafka.admin.asking import Asking, error_class, operations, partitions_by_topic, raise_if
from ottla.kafka.admin.partitions import Places
from ottla.kafka.errors import BrokerResponseError
from ottla.kafka.structs import TopicPartitionReplica
from ottla.kafka.translation import coded
from ottla.types import METADATA_TOPIC
from ottla.wire.api import APIS, DESCRIBE_CLUSTER
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.message.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
)
from ottla.wire.message.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumRequestPartitionData,
    DescribeQuorumRequestTopicData,
    DescribeQuorumResponse,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse
from ottla.wire.message.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)


class UpdateFeatureType(IntEnum):
    UNKNOWN = 0
    UPGRADE = 1
    SAFE_DOWNGRADE = 2
    UNSAFE_DOWNGRADE = 3


@final
class BrokerVersionData:
    """What a broker speaks: `api_versions` by API key."""

    __slots__ = ("api_versions",)

    def __init__(self, api_versions: Mapping[int, tuple[int, int]]) -> None:
        self.api_versions: Final = dict(api_versions)

    def __repr__(self) -> str:
        return f"<BrokerVersionData {len(self.api_versions)} APIs>"


class ClusterCalls(Asking):
    def describe_cluster(self) -> Answer:
        """`cluster_id`, `controller_id`, `brokers`, and what this client may do with them."""
        if not self._speaks(DESCRIBE_CLUSTER):
            return self._cluster_of_metadata()
        request = DescribeClusterRequest(include_cluster_authorized_operations=True)
        response = self._any(request, DescribeClusterResponse)
        raise_if(response.error_code, response.error_message)
        return Answer(
            cluster_id=response.cluster_id,
            controller_id=response.controller_id,
            brokers=[answer(broker) for broker in response.brokers],
            authorized_operations=operations(response.cluster_authorized_operations),
        )

    def describe_log_dirs(
        self, topic_partitions: Places | None = None, brokers: Iterable[int] | None = None
    ) -> list[Answer]:
        """By broker its directories, and how much of which partition is in them."""
        asked = None
        if topic_partitions is not None:
            places = partitions_by_topic(topic_partitions)
            asked = [DescribableLogDirTopic(topic, numbers) for topic, numbers in places.items()]
        found = []
        for broker_id, response in self._each(
            DescribeLogDirsRequest(asked), DescribeLogDirsResponse, brokers
        ).items():
            raise_if(response.error_code)
            rows = [answer(row) for row in response.results]
            found.append(Answer(broker=broker_id, log_dirs=rows))
        return found

    def alter_replica_log_dirs(
        self, replica_assignments: Mapping[TopicPartitionReplica, str]
    ) -> dict[TopicPartitionReplica, type[BrokerResponseError]]:
        """Move replicas to other directories of their brokers. NoError: it has begun."""
        by_broker: dict[int, dict[str, dict[str, list[int]]]] = {}
        for (topic, number, broker_id), path in replica_assignments.items():
            topics = by_broker.setdefault(broker_id, {}).setdefault(path, {})
            topics.setdefault(topic, []).append(number)
        found = {}
        for broker_id, paths in by_broker.items():
            dirs = [
                AlterReplicaLogDir(
                    path, [AlterReplicaLogDirTopic(topic, n) for topic, n in topics.items()]
                )
                for path, topics in paths.items()
            ]
            response = self._broker(
                broker_id, AlterReplicaLogDirsRequest(dirs), AlterReplicaLogDirsResponse
            )
            for row in response.results:
                for part in row.partitions:
                    replica = TopicPartitionReplica(row.topic_name, part.partition_index, broker_id)
                    found[replica] = error_class(part.error_code)
        return found

    def describe_metadata_quorum(self) -> Answer:
        """Who votes on the metadata log, and how far each is."""
        partitions = [DescribeQuorumRequestPartitionData(0)]
        request = DescribeQuorumRequest(
            [DescribeQuorumRequestTopicData(METADATA_TOPIC, partitions)]
        )
        response = self._any(request, DescribeQuorumResponse)
        raise_if(response.error_code, response.error_message)
        topics = []
        for topic in response.topics:
            rows = []
            for part in topic.partitions:
                row = answer(part)
                row["error"] = (
                    str(coded(part.error_code, part.error_message)) if part.error_code else None
                )
                for field in ("error_code", "error_message"):
                    del row[field]
                rows.append(row)
            topics.append(Answer(topic_name=topic.topic_name, partitions=rows))
        return Answer(topics=topics, nodes=[answer(node) for node in response.nodes])

    def api_versions(self) -> dict[object, tuple[int, int]]:
        """The versions that every broker speaks, by API key; an answer of `ApiVersions`."""
        response = self._any(ApiVersionsRequest("ottla", "0"), ApiVersionsResponse)
        raise_if(response.error_code)
        return {
            ApiKey(one.api_key): (one.min_version, one.max_version) for one in response.api_keys
        }

    def get_broker_version_data(self, broker_id: int) -> BrokerVersionData:
        """The versions that one broker speaks."""
        response = self._broker(broker_id, ApiVersionsRequest("ottla", "0"), ApiVersionsResponse)
        raise_if(response.error_code)
        return BrokerVersionData(
            {one.api_key: (one.min_version, one.max_version) for one in response.api_keys}
        )

    def describe_features(self, send_request_to_controller: bool = False) -> dict[str, Answer]:
        """By feature: `supported` and `finalized` levels."""
        request = ApiVersionsRequest("ottla", "0")
        if send_request_to_controller:
            response = self._controller(request, ApiVersionsResponse)
        else:
            response = self._any(request, ApiVersionsResponse)
        raise_if(response.error_code)
        finalized = {
            one.name: (one.min_version_level, one.max_version_level)
            for one in response.finalized_features
        }
        return {
            one.name: Answer(
                supported=(one.min_version, one.max_version),
                finalized=finalized.get(one.name),
                finalized_epoch=response.finalized_features_epoch,
            )
            for one in response.supported_features
        }

    def update_features(
        self,
        feature_updates: Mapping[str, "tuple[UpdateFeatureType | int | str, int]"],
        validate_only: bool = False,
        timeout_ms: int = 60_000,
    ) -> Answer:
        """`{feature: (UpdateFeatureType, level)}`. Raises what was refused."""
        updates = []
        for feature, (kind, level) in feature_updates.items():
            change = (
                UpdateFeatureType[kind.upper()]
                if isinstance(kind, str)
                else UpdateFeatureType(kind)
            )
            updates.append(
                FeatureUpdateKey(
                    feature,
                    level,
                    allow_downgrade=change > UpdateFeatureType.UPGRADE,
                    upgrade_type=change,
                )
            )
        request = UpdateFeaturesRequest(timeout_ms, updates, validate_only)
        response = self._controller(request, UpdateFeaturesResponse)
        raise_if(response.error_code, response.error_message)
        for row in response.results:
            raise_if(row.error_code, row.error_message or row.feature)
        return answer(response)

    def _cluster_of_metadata(self) -> Answer:
        """From brokers before KIP-700."""
        response = self._any(MetadataRequest(topics=()), MetadataResponse)
        return Answer(
            cluster_id=response.cluster_id,
            controller_id=response.controller_id,
            brokers=[
                Answer(broker_id=one.node_id, host=one.host, port=one.port, rack=one.rack)
                for one in response.brokers
            ],
            authorized_operations=operations(response.cluster_authorized_operations),
        )


class ApiKey(int):
    """An API key that prints its name."""

    @property
    def name(self) -> str:
        api = APIS.get(self)
        return f"UNKNOWN_{int(self)}" if api is None else api.name

    def __repr__(self) -> str:
        return f"<ApiKey.{self.name}: {int(self)}>"
