"""Metadata."""

from schema.language import api, array, boolean, int16, int32, string, uuid

API = api(
    key=3,
    name="Metadata",
    versions="0-13",
    advertised="0-13",
    flexible="9+",
    listeners="broker",
    request=[
        array(
            "topics",
            "MetadataRequestTopic",
            [uuid("topic_id", since=10, ignorable=True), string("name", nullable=10)],
            nullable=1,
        ),
        boolean("allow_auto_topic_creation", since=4, default=True),
        boolean("include_cluster_authorized_operations", since=8, until=10),
        boolean("include_topic_authorized_operations", since=8),
    ],
    response=[
        int32("throttle_time_ms", since=3, ignorable=True),
        array(
            "brokers",
            "MetadataResponseBroker",
            [
                int32("node_id", key=True),
                string("host"),
                int32("port"),
                string("rack", since=1, nullable=True, default=None, ignorable=True),
            ],
        ),
        string("cluster_id", since=2, nullable=True, default=None, ignorable=True),
        int32("controller_id", since=1, default=-1, ignorable=True),
        array(
            "topics",
            "MetadataResponseTopic",
            [
                int16("error_code"),
                string("name", nullable=12, key=True),
                uuid("topic_id", since=10, ignorable=True),
                boolean("is_internal", since=1, ignorable=True),
                array(
                    "partitions",
                    "MetadataResponsePartition",
                    [
                        int16("error_code"),
                        int32("partition_index"),
                        int32("leader_id"),
                        int32("leader_epoch", since=7, default=-1, ignorable=True),
                        array("replica_nodes", int32),
                        array("isr_nodes", int32),
                        array("offline_replicas", int32, since=5, ignorable=True),
                    ],
                ),
                int32("topic_authorized_operations", since=8, default=-2147483648),
            ],
        ),
        int32("cluster_authorized_operations", since=8, until=10, default=-2147483648),
        int16("error_code", since=13, ignorable=True),
    ],
)
