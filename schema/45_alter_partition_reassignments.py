"""AlterPartitionReassignments."""

from schema.language import api, array, boolean, int16, int32, string

API = api(
    key=45,
    name="AlterPartitionReassignments",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker controller",
    forwardable=True,
    request=[
        int32("timeout_ms", default=60000),
        boolean("allow_replication_factor_change", since=1, default=True),
        array(
            "topics",
            "ReassignableTopic",
            [
                string("name"),
                array(
                    "partitions",
                    "ReassignablePartition",
                    [
                        int32("partition_index"),
                        array("replicas", int32, nullable=True, default=None),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        boolean("allow_replication_factor_change", since=1, default=True, ignorable=True),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "responses",
            "ReassignableTopicResponse",
            [
                string("name"),
                array(
                    "partitions",
                    "ReassignablePartitionResponse",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", nullable=True),
                    ],
                ),
            ],
        ),
    ],
)
