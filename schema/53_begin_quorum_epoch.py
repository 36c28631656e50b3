"""BeginQuorumEpoch."""

from schema.language import api, array, int16, int32, string, uint16, uuid

API = api(
    key=53,
    name="BeginQuorumEpoch",
    versions="0-1",
    advertised=None,
    flexible="1+",
    listeners="controller",
    cluster_action=True,
    request=[
        string("cluster_id", nullable=True, default=None),
        int32("voter_id", since=1, default=-1, ignorable=True),
        array(
            "topics",
            "BeginQuorumEpochRequestTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "BeginQuorumEpochRequestPartitionData",
                    [
                        int32("partition_index"),
                        uuid("voter_directory_id", since=1, ignorable=True),
                        int32("leader_id"),
                        int32("leader_epoch"),
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
            "BeginQuorumEpochResponseTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "BeginQuorumEpochResponsePartitionData",
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
