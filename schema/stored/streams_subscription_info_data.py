"""SubscriptionInfoData, kept in: streams."""

from schema.language import array, int8, int32, int64, octets, stored, string, uuid

RECORD = stored(
    area="streams",
    name="SubscriptionInfoData",
    versions="1-11",
    flexible=None,
    fields=[
        int32("version"),
        int32("latest_supported_version", since=3, default=-1),
        uuid("process_id"),
        array(
            "prev_tasks",
            "TaskId",
            [int32("topic_group_id"), int32("partition")],
            until=6,
        ),
        array("standby_tasks", "TaskId", until=6),
        octets("user_end_point", since=2),
        array(
            "task_offset_sums",
            "TaskOffsetSum",
            [
                int32("topic_group_id"),
                int32("partition", since=10),
                int64("offset_sum", since=10),
                string("named_topology", since=10, nullable=True, ignorable=True),
                array(
                    "partition_to_offset_sum",
                    "PartitionToOffsetSum",
                    [int32("partition"), int64("offset_sum")],
                    until=9,
                ),
            ],
            since=7,
        ),
        int8("unique_field", since=8),
        int32("error_code", since=9),
        array("client_tags", "ClientTag", [octets("key"), octets("value")], since=11),
    ],
)
