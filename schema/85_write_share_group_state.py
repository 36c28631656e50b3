"""WriteShareGroupState."""

from schema.language import api, array, int8, int16, int32, int64, string, uuid

API = api(
    key=85,
    name="WriteShareGroupState",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    cluster_action=True,
    request=[
        string("group_id"),
        array(
            "topics",
            "WriteStateData",
            [
                uuid("topic_id"),
                array(
                    "partitions",
                    "PartitionData",
                    [
                        int32("partition"),
                        int32("state_epoch"),
                        int32("leader_epoch"),
                        int64("start_offset"),
                        int32("delivery_complete_count", since=1, default=-1, ignorable=True),
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
        ),
    ],
    response=[
        array(
            "results",
            "WriteStateResult",
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
