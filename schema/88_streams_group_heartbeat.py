"""StreamsGroupHeartbeat."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string, struct, uint16

API = api(
    key=88,
    name="StreamsGroupHeartbeat",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id"),
        string("member_id"),
        int32("member_epoch"),
        int32("endpoint_information_epoch"),
        string("instance_id", nullable=True, default=None),
        string("rack_id", nullable=True, default=None),
        int32("rebalance_timeout_ms", default=-1),
        struct(
            "topology",
            "Topology",
            [
                int32("epoch"),
                array(
                    "subtopologies",
                    "Subtopology",
                    [
                        string("subtopology_id"),
                        array("source_topics", string),
                        array("source_topic_regex", string),
                        array(
                            "state_changelog_topics",
                            "TopicInfo",
                            [
                                string("name"),
                                int32("partitions"),
                                int16("replication_factor"),
                                array(
                                    "topic_configs", "KeyValue", [string("key"), string("value")]
                                ),
                            ],
                        ),
                        array("repartition_sink_topics", string),
                        array("repartition_source_topics", "TopicInfo"),
                        array(
                            "copartition_groups",
                            "CopartitionGroup",
                            [
                                array("source_topics", int16),
                                array("source_topic_regex", int16),
                                array("repartition_source_topics", int16),
                            ],
                        ),
                    ],
                ),
            ],
            nullable=True,
            default=None,
        ),
        array(
            "active_tasks",
            "TaskIds",
            [string("subtopology_id"), array("partitions", int32)],
            nullable=True,
            default=None,
        ),
        array("standby_tasks", "TaskIds", nullable=True, default=None),
        array("warmup_tasks", "TaskIds", nullable=True, default=None),
        string("process_id", nullable=True, default=None),
        struct(
            "user_endpoint",
            "Endpoint",
            [string("host"), uint16("port")],
            nullable=True,
            default=None,
        ),
        array("client_tags", "KeyValue", nullable=True, default=None),
        array(
            "task_offsets",
            "TaskOffset",
            [string("subtopology_id"), int32("partition"), int64("offset")],
            nullable=True,
            default=None,
        ),
        array("task_end_offsets", "TaskOffset", nullable=True, default=None),
        boolean("shutdown_application"),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        string("member_id"),
        int32("member_epoch"),
        int32("heartbeat_interval_ms"),
        int32("acceptable_recovery_lag_legacy", until=0),
        int32("task_offset_interval_ms"),
        int64("acceptable_recovery_lag", since=1, default=-1, ignorable=True),
        array("status", "Status", [int8("status_code"), string("status_detail")], nullable=True),
        array("active_tasks", "TaskIds", nullable=True, default=None),
        array("standby_tasks", "TaskIds", nullable=True, default=None),
        array("warmup_tasks", "TaskIds", nullable=True, default=None),
        boolean("topology_description_required", since=1),
        int32("endpoint_information_epoch"),
        array(
            "partitions_by_user_endpoint",
            "EndpointToPartitions",
            [
                struct("user_endpoint", "Endpoint"),
                array(
                    "active_partitions",
                    "TopicPartition",
                    [string("topic"), array("partitions", int32)],
                ),
                array("standby_partitions", "TopicPartition"),
            ],
            nullable=True,
            default=None,
        ),
    ],
)
