"""ReadShareGroupState."""

from schema.language import api, array, int8, int16, int32, int64, string, uuid

API = api(
    key=84,
    name="ReadShareGroupState",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    cluster_action=True,
    request=[
        string("group_id"),
        array(
            "topics",
            "ReadStateData",
            [
                uuid("topic_id"),
                array("partitions", "PartitionData", [int32("partition"), int32("leader_epoch")]),
            ],
        ),
    ],
    response=[
        array(
            "results",
            "ReadStateResult",
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
                        int64("start_offset"),
                        array(
                            "state_batches",
                            "StateBatch",
                            [
                                int64("first_offset"),
                                int64("last_offset"),
                                int8("delivery_state"),
                                int16("delivery_count"),
                            ],
                        ),
                    ],
                ),
            ],
        )
    ],
)
