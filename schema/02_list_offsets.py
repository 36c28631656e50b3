"""ListOffsets."""

from schema.language import api, array, int8, int16, int32, int64, string

API = api(
    key=2,
    name="ListOffsets",
    versions="0-11",
    advertised="0-11",
    flexible="6+",
    listeners="broker",
    request=[
        int32("replica_id"),
        int8("isolation_level", since=2),
        array(
            "topics",
            "ListOffsetsTopic",
            [
                string("name"),
                array(
                    "partitions",
                    "ListOffsetsPartition",
                    [
                        int32("partition_index"),
                        int32("current_leader_epoch", since=4, default=-1, ignorable=True),
                        int64("timestamp"),
                        int32("max_num_offsets", until=0, default=1),
                    ],
                ),
            ],
        ),
        int32("timeout_ms", since=10, ignorable=True),
    ],
    response=[
        int32("throttle_time_ms", since=2, ignorable=True),
        array(
            "topics",
            "ListOffsetsTopicResponse",
            [
                string("name"),
                array(
                    "partitions",
                    "ListOffsetsPartitionResponse",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        array("old_style_offsets", int64, until=0),
                        int64("timestamp", since=1, default=-1),
                        int64("offset", since=1, default=-1),
                        int32("leader_epoch", since=4, default=-1),
                    ],
                ),
            ],
        ),
    ],
)
