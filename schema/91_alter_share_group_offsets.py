"""AlterShareGroupOffsets."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=91,
    name="AlterShareGroupOffsets",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id"),
        array(
            "topics",
            "AlterShareGroupOffsetsRequestTopic",
            [
                string("topic_name", key=True),
                array(
                    "partitions",
                    "AlterShareGroupOffsetsRequestPartition",
                    [int32("partition_index"), int64("start_offset")],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        array(
            "responses",
            "AlterShareGroupOffsetsResponseTopic",
            [
                string("topic_name", key=True),
                uuid("topic_id"),
                array(
                    "partitions",
                    "AlterShareGroupOffsetsResponsePartition",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                    ],
                ),
            ],
        ),
    ],
)
