"""DeleteShareGroupOffsets."""

from schema.language import api, array, int16, int32, string, uuid

API = api(
    key=92,
    name="DeleteShareGroupOffsets",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id"),
        array("topics", "DeleteShareGroupOffsetsRequestTopic", [string("topic_name")]),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        array(
            "responses",
            "DeleteShareGroupOffsetsResponseTopic",
            [
                string("topic_name"),
                uuid("topic_id"),
                int16("error_code"),
                string("error_message", nullable=True, default=None),
            ],
        ),
    ],
)
