"""ReadShareGroupStateSummary."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=87,
    name="ReadShareGroupStateSummary",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    cluster_action=True,
    request=[
        string("group_id"),
        array(
            "topics",
            "ReadStateSummaryData",
            [
                uuid("topic_id"),
                array("partitions", "PartitionData", [int32("partition"), int32("leader_epoch")]),
            ],
        ),
    ],
    response=[
        array(
            "results",
            "ReadStateSummaryResult",
            [
                uuid("topic_id"),
                array(
                    "partitions",
                    "PartitionResult",
                    [
                        int32("partition"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                        int32("state_epoch"),
                        int32("leader_epoch"),
                        int64("start_offset"),
                        int32("delivery_complete_count", since=1, default=-1, ignorable=True),
                    ],
                ),
            ],
        )
    ],
)
