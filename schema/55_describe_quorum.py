"""DescribeQuorum."""

from schema.language import api, array, int16, int32, int64, string, uint16, uuid

API = api(
    key=55,
    name="DescribeQuorum",
    versions="0-2",
    advertised="0-2",
    flexible="0+",
    listeners="broker controller",
    cluster_action=True,
    forwardable=True,
    request=[
        array(
            "topics",
            "DescribeQuorumRequestTopicData",
            [
                string("topic_name"),
                array(
                    "partitions", "DescribeQuorumRequestPartitionData", [int32("partition_index")]
                ),
            ],
        )
    ],
    response=[
        int16("error_code"),
        string("error_message", since=2, nullable=True, ignorable=True),
        array(
            "topics",
            "DescribeQuorumResponseTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "DescribeQuorumResponsePartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", since=2, nullable=True, ignorable=True),
                        int32("leader_id"),
                        int32("leader_epoch"),
                        int64("high_watermark"),
                        array(
                            "current_voters",
                            "ReplicaState",
                            [
                                int32("replica_id"),
                                uuid("replica_directory_id", since=2),
                                int64("log_end_offset"),
                                int64("last_fetch_timestamp", since=1, default=-1, ignorable=True),
                                int64(
                                    "last_caught_up_timestamp", since=1, default=-1, ignorable=True
                                ),
                            ],
                        ),
                        array("observers", "ReplicaState"),
                    ],
                ),
            ],
        ),
        array(
            "nodes",
            "Node",
            [
                int32("node_id", key=True),
                array(
                    "listeners",
                    "Listener",
                    [string("name", key=True), string("host"), uint16("port")],
                ),
            ],
            since=2,
        ),
    ],
)
