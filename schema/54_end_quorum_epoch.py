"""EndQuorumEpoch."""

from schema.language import api, array, int16, int32, string, uint16, uuid

API = api(
    key=54,
    name="EndQuorumEpoch",
    versions="0-1",
    advertised=None,
    flexible="1+",
    listeners="controller",
    cluster_action=True,
    request=[
        string("cluster_id", nullable=True, default=None),
        array(
            "topics",
            "EndQuorumEpochRequestTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "EndQuorumEpochRequestPartitionData",
                    [
                        int32("partition_index"),
                        int32("leader_id"),
                        int32("leader_epoch"),
                        array("preferred_successors", int32, until=0, ignorable=True),
                        array(
                            "preferred_candidates",
                            "ReplicaInfo",
                            [int32("candidate_id"), uuid("candidate_directory_id")],
                            since=1,
                            ignorable=True,
                        ),
                    ],
                ),
            ],
        ),
        array(
            "leader_endpoints",
            "LeaderEndpoint",
            [string("name", key=True), string("host"), uint16("port")],
            since=1,
            ignorable=True,
        ),
    ],
    response=[
        int16("error_code"),
        array(
            "topics",
            "EndQuorumEpochResponseTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "EndQuorumEpochResponsePartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        int32("leader_id"),
                        int32("leader_epoch"),
                    ],
                ),
            ],
        ),
        array(
            "node_endpoints",
            "NodeEndpoint",
            [int32("node_id", key=True), string("host"), uint16("port")],
            since=1,
            tag=0,
        ),
    ],
)
