"""DeleteShareGroupState."""

from schema.language import api, array, int16, int32, string, uuid

API = api(
    key=86,
    name="DeleteShareGroupState",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    cluster_action=True,
    request=[
        string("group_id"),
        array(
            "topics",
            "DeleteStateData",
            [uuid("topic_id"), array("partitions", "PartitionData", [int32("partition")])],
        ),
    ],
    response=[
        array(
            "results",
            "DeleteStateResult",
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
