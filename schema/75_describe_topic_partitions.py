"""DescribeTopicPartitions."""

from schema.language import api, array, boolean, int16, int32, string, struct, uuid

API = api(
    key=75,
    name="DescribeTopicPartitions",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        array("topics", "TopicRequest", [string("name")]),
        int32("response_partition_limit", default=2000),
        struct(
            "cursor",
            "Cursor",
            [string("topic_name"), int32("partition_index")],
            nullable=True,
            default=None,
        ),
    ],
    response=[
        int32("throttle_time_ms", ignorable=True),
        array(
            "topics",
            "DescribeTopicPartitionsResponseTopic",
            [
                int16("error_code"),
                string("name", nullable=True, key=True),
                uuid("topic_id", ignorable=True),
                boolean("is_internal", ignorable=True),
                array(
                    "partitions",
                    "DescribeTopicPartitionsResponsePartition",
                    [
                        int16("error_code"),
                        int32("partition_index"),
                        int32("leader_id"),
                        int32("leader_epoch", default=-1, ignorable=True),
                        array("replica_nodes", int32),
                        array("isr_nodes", int32),
                        array("eligible_leader_replicas", int32, nullable=True, default=None),
                        array("last_known_elr", int32, nullable=True, default=None),
                        array("offline_replicas", int32, ignorable=True),
                    ],
                ),
                int32("topic_authorized_operations", default=-2147483648),
            ],
        ),
        struct("next_cursor", "Cursor", nullable=True, default=None),
    ],
)
