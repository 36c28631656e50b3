"""CreateTopics."""

from schema.language import api, array, boolean, int8, int16, int32, string, uuid

API = api(
    key=19,
    name="CreateTopics",
    versions="0-7",
    advertised="0-7",
    flexible="5+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "topics",
            "CreatableTopic",
            [
                string("name", key=True),
                int32("num_partitions"),
                int16("replication_factor"),
                array(
                    "assignments",
                    "CreatableReplicaAssignment",
                    [int32("partition_index", key=True), array("broker_ids", int32)],
                ),
                array(
                    "configs",
                    "CreatableTopicConfig",
                    [string("name", key=True), string("value", nullable=True)],
                ),
            ],
        ),
        int32("timeout_ms", default=60000),
        boolean("validate_only", since=1),
    ],
    response=[
        int32("throttle_time_ms", since=2, ignorable=True),
        array(
            "topics",
            "CreatableTopicResult",
            [
                string("name", key=True),
                uuid("topic_id", since=7, ignorable=True),
                int16("error_code"),
                string("error_message", since=1, nullable=True, ignorable=True),
                int16("topic_config_error_code", since=5, tag=0, ignorable=True),
                int32("num_partitions", since=5, default=-1, ignorable=True),
                int16("replication_factor", since=5, default=-1, ignorable=True),
                array(
                    "configs",
                    "CreatableTopicConfigs",
                    [
                        string("name"),
                        string("value", nullable=True),
                        boolean("read_only"),
                        int8("config_source", default=-1, ignorable=True),
                        boolean("is_sensitive"),
                    ],
                    since=5,
                    nullable=True,
                    ignorable=True,
                ),
            ],
        ),
    ],
)
