"""InitializeShareGroupState."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=83,
    name="InitializeShareGroupState",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    cluster_action=True,
    request=[
        string("group_id"),
        array(
            "topics",
            "InitializeStateData",
            [
                uuid("topic_id"),
                array(
                    "partitions",
                    "PartitionData",
                    [int32("partition"), int32("state_epoch"), int64("start_offset")],
                ),
            ],
        ),
    ],
    response=[
        array(
            "results",
            "InitializeStateResult",
            [
                uuid("topic_id"),
                array(
                    "partitions",
                    "PartitionResult",
                    [
                        int32("partition"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                    ],
                ),
            ],
        )
    ],
)
