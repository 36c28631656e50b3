"""UnregisterController."""

from schema.language import api, int16, int32, string

API = api(
    key=94,
    name="UnregisterController",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker controller",
    forwardable=True,
    request=[int32("controller_id")],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
    ],
)
