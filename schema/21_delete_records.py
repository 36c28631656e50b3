"""DeleteRecords."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=21,
    name="DeleteRecords",
    versions="0-2",
    advertised="0-2",
    flexible="2+",
    listeners="broker",
    request=[
        array(
            "topics",
            "DeleteRecordsTopic",
            [
                string("name"),
                array(
                    "partitions",
                    "DeleteRecordsPartition",
                    [int32("partition_index"), int64("offset")],
                ),
            ],
        ),
        int32("timeout_ms"),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "topics",
            "DeleteRecordsTopicResult",
            [
                string("name", key=True),
                array(
                    "partitions",
                    "DeleteRecordsPartitionResult",
                    [
                        int32("partition_index", key=True),
                        int64("low_watermark"),
                        int16("error_code"),
                    ],
                ),
            ],
        ),
    ],
)
