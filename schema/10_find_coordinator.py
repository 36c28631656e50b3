"""FindCoordinator."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=10,
    name="FindCoordinator",
    versions="0-6",
    advertised="0-6",
    flexible="3+",
    listeners="broker",
    request=[
        string("key", until=3),
        int8("key_type", since=1),
        array("coordinator_keys", string, since=4),
    ],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        int16("error_code", until=3),
        string("error_message", since=1, until=3, nullable=True, ignorable=True),
        int32("node_id", until=3),
        string("host", until=3),
        int32("port", until=3),
        array(
            "coordinators",
            "Coordinator",
            [
                string("key"),
                int32("node_id"),
                string("host"),
                int32("port"),
                int16("error_code"),
                string("error_message", nullable=True, ignorable=True),
            ],
            since=4,
        ),
    ],
)
