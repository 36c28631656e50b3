"""CreatePartitions."""

from schema.language import api, array, boolean, int16, int32, string

API = api(
    key=37,
    name="CreatePartitions",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "topics",
            "CreatePartitionsTopic",
            [
                string("name", key=True),
                int32("count"),
                array(
                    "assignments",
                    "CreatePartitionsAssignment",
                    [array("broker_ids", int32)],
                    nullable=True,
                ),
            ],
        ),
        int32("timeout_ms"),
        boolean("validate_only"),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "CreatePartitionsTopicResult",
            [
                string("name"),
                int16("error_code"),
                string("error_message", nullable=True, default=None),
            ],
        ),
    ],
)
