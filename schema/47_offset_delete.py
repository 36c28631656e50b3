"""OffsetDelete."""

from schema.language import api, array, int16, int32, string

API = api(
    key=47,
    name="OffsetDelete",
    versions="0",
    advertised="0",
    flexible=None,
    listeners="broker",
    request=[
        string("group_id"),
        array(
            "topics",
            "OffsetDeleteRequestTopic",
            [
                string("name", key=True),
                array("partitions", "OffsetDeleteRequestPartition", [int32("partition_index")]),
            ],
        ),
    ],
    response=[
        int16("error_code"),
        int32("throttle_time_ms", ignorable=True),
        array(
            "topics",
            "OffsetDeleteResponseTopic",
            [
                string("name", key=True),
                array(
                    "partitions",
                    "OffsetDeleteResponsePartition",
                    [int32("partition_index", key=True), int16("error_code")],
                ),
            ],
        ),
    ],
)
