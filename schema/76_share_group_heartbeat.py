"""ShareGroupHeartbeat."""

from schema.language import api, array, int16, int32, string, struct, uuid

API = api(
    key=76,
    name="ShareGroupHeartbeat",
    versions="0-1",
    advertised="1",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id"),
        string("member_id"),
        int32("member_epoch"),
        string("rack_id", nullable=True, default=None),
        array("subscribed_topic_names", string, nullable=True, default=None),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        string("member_id", nullable=True, default=None),
        int32("member_epoch"),
        int32("heartbeat_interval_ms"),
        struct(
            "assignment",
            "Assignment",
            [
                array(
                    "topic_partitions",
                    "TopicPartitions",
                    [uuid("topic_id"), array("partitions", int32)],
                )
            ],
            nullable=True,
            default=None,
        ),
    ],
)
