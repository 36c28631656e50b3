"""DescribeShareGroupOffsets."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=90,
    name="DescribeShareGroupOffsets",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    request=[
        array(
            "groups",
            "DescribeShareGroupOffsetsRequestGroup",
            [
                string("group_id"),
                array(
                    "topics",
                    "DescribeShareGroupOffsetsRequestTopic",
                    [string("topic_name"), array("partitions", int32)],
                    nullable=True,
                ),
            ],
        )
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "groups",
            "DescribeShareGroupOffsetsResponseGroup",
            [
                string("group_id"),
                array(
                    "topics",
                    "DescribeShareGroupOffsetsResponseTopic",
                    [
                        string("topic_name"),
                        uuid("topic_id"),
                        array(
                            "partitions",
                            "DescribeShareGroupOffsetsResponsePartition",
                            [
                                int32("partition_index"),
                                int64("start_offset"),
                                int32("leader_epoch"),
                                int64("lag", since=1, default=-1, ignorable=True),
                                int16("error_code"),
                                string("error_message", nullable=True, default=None),
                            ],
                        ),
                    ],
                ),
                int16("error_code"),
                string("error_message", nullable=True, default=None),
            ],
        ),
    ],
)
