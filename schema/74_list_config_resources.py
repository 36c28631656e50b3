"""ListConfigResources."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=74,
    name="ListConfigResources",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="broker",
    request=[array("resource_types", int8, since=1)],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        array(
            "config_resources",
            "ConfigResource",
            [string("resource_name"), int8("resource_type", since=1, default=16, ignorable=True)],
        ),
    ],
)
