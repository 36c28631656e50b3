"""DescribeLogDirs."""

from schema.language import api, array, boolean, int16, int32, int64, string

API = api(
    key=35,
    name="DescribeLogDirs",
    versions="0-5",
    advertised="0-5",
    flexible="2+",
    listeners="broker",
    request=[
        array(
            "topics",
            "DescribableLogDirTopic",
            [string("topic", key=True), array("partitions", int32)],
            nullable=True,
        )
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code", since=3, ignorable=True),
        array(
            "results",
            "DescribeLogDirsResult",
            [
                int16("error_code"),
                string("log_dir"),
                array(
                    "topics",
                    "DescribeLogDirsTopic",
                    [
                        string("name"),
                        array(
                            "partitions",
                            "DescribeLogDirsPartition",
                            [
                                int32("partition_index"),
                                int64("partition_size"),
                                int64("offset_lag"),
                                boolean("is_future_key"),
                            ],
                        ),
                    ],
                ),
                int64("total_bytes", since=4, default=-1, ignorable=True),
                int64("usable_bytes", since=4, default=-1, ignorable=True),
                boolean("is_cordoned", since=5, ignorable=True),
            ],
        ),
    ],
)
