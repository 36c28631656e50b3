"""StreamsGroupDescribe."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string, struct, uint16

API = api(
    key=89,
    name="StreamsGroupDescribe",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    request=[
        array("group_ids", string),
        boolean("include_authorized_operations"),
        boolean("include_topology_description", since=1),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "groups",
            "DescribedGroup",
            [
                int16("error_code"),
                string("error_message", nullable=True, default=None),
                string("group_id"),
                string("group_state"),
                int32("group_epoch"),
                int32("assignment_epoch"),
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
                                array("repartition_sink_topics", string),
                                array(
                                    "state_changelog_topics",
                                    "TopicInfo",
                                    [
                                        string("name"),
                                        int32("partitions"),
                                        int16("replication_factor"),
                                        array(
                                            "topic_configs",
                                            "KeyValue",
                                            [string("key"), string("value")],
                                        ),
                                    ],
                                ),
                                array("repartition_source_topics", "TopicInfo"),
                            ],
                            nullable=True,
                            default=None,
                        ),
                    ],
                    nullable=True,
                    default=None,
                ),
                array(
                    "members",
                    "Member",
                    [
                        string("member_id"),
                        int32("member_epoch"),
                        string("instance_id", nullable=True, default=None),
                        string("rack_id", nullable=True, default=None),
                        string("client_id"),
                        string("client_host"),
                        int32("topology_epoch"),
                        string("process_id"),
                        struct(
                            "user_endpoint",
                            "Endpoint",
                            [string("host"), uint16("port")],
                            nullable=True,
                            default=None,
                        ),
                        array("client_tags", "KeyValue"),
                        array(
                            "task_offsets",
                            "TaskOffset",
                            [string("subtopology_id"), int32("partition"), int64("offset")],
                        ),
                        array("task_end_offsets", "TaskOffset"),
                        struct(
                            "assignment",
                            "Assignment",
                            [
                                array(
                                    "active_tasks",
                                    "TaskIds",
                                    [string("subtopology_id"), array("partitions", int32)],
                                ),
                                array("standby_tasks", "TaskIds"),
                                array("warmup_tasks", "TaskIds"),
                            ],
                        ),
                        struct("target_assignment", "Assignment"),
                        boolean("is_classic"),
                    ],
                ),
                int32("authorized_operations", default=-2147483648),
                struct(
                    "topology_description",
                    "TopologyDescription",
                    [
                        array(
                            "subtopologies",
                            "TopologyDescriptionSubtopology",
                            [
                                string("subtopology_id"),
                                array(
                                    "nodes",
                                    "TopologyDescriptionNode",
                                    [
                                        string("name", since=1),
                                        int8("node_type", since=1),
                                        array("source_topics", string, since=1),
                                        string("sink_topic", since=1, nullable=True, default=None),
                                        array("stores", string, since=1),
                                        array("successors", string, since=1),
                                    ],
                                ),
                            ],
                        ),
                        array(
                            "global_stores",
                            "TopologyDescriptionGlobalStore",
                            [
                                struct("source", "TopologyDescriptionNode"),
                                struct("processor", "TopologyDescriptionNode"),
                            ],
                        ),
                    ],
                    since=1,
                    nullable=True,
                    default=None,
                ),
                int8("topology_description_status", since=1),
                string("assignor_name", since=1, nullable=True, default=None, ignorable=True),
            ],
        ),
    ],
)
