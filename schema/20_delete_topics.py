"""DeleteTopics."""

from schema.language import api, array, int16, int32, string, uuid

API = api(
    key=20,
    name="DeleteTopics",
    versions="0-6",
    advertised="0-6",
    flexible="4+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "topics",
            "DeleteTopicState",
            [string("name", nullable=True, default=None), uuid("topic_id")],
            since=6,
        ),
        array("topic_names", string, until=5, ignorable=True),
        int32("timeout_ms"),
    ],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        array(
            "responses",
            "DeletableTopicResult",
            [
                string("name", nullable=6, key=True),
                uuid("topic_id", since=6, ignorable=True),
                int16("error_code"),
                string("error_message", since=5, nullable=True, default=None, ignorable=True),
            ],
        ),
    ],
)
