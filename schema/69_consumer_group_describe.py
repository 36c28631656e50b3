"""ConsumerGroupDescribe."""

from schema.language import api, array, boolean, int8, int16, int32, string, struct, uuid

API = api(
    key=69,
    name="ConsumerGroupDescribe",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    request=[array("group_ids", string), boolean("include_authorized_operations")],
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
                string("assignor_name"),
                array(
                    "members",
                    "Member",
                    [
                        string("member_id"),
                        string("instance_id", nullable=True, default=None),
                        string("rack_id", nullable=True, default=None),
                        int32("member_epoch"),
                        string("client_id"),
                        string("client_host"),
                        array("subscribed_topic_names", string),
                        string("subscribed_topic_regex", nullable=True, default=None),
                        struct(
                            "assignment",
                            "Assignment",
                            [
                                array(
                                    "topic_partitions",
                                    "TopicPartitions",
                                    [
                                        uuid("topic_id"),
                                        string("topic_name"),
                                        array("partitions", int32),
                                    ],
                                )
                            ],
                        ),
                        struct("target_assignment", "Assignment"),
                        int8("member_type", since=1, default=-1, ignorable=True),
                    ],
                ),
                int32("authorized_operations", default=-2147483648),
            ],
        ),
    ],
)
