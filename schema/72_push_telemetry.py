"""PushTelemetry."""

from schema.language import api, boolean, int8, int16, int32, octets, uuid

API = api(
    key=72,
    name="PushTelemetry",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        uuid("client_instance_id"),
        int32("subscription_id"),
        boolean("terminating"),
        int8("compression_type"),
        octets("metrics"),
    ],
    response=[int32("throttle_time_ms"), int16("error_code")],
)
