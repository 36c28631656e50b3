"""GetTelemetrySubscriptions."""

from schema.language import api, array, boolean, int8, int16, int32, string, uuid

API = api(
    key=71,
    name="GetTelemetrySubscriptions",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[uuid("client_instance_id")],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        uuid("client_instance_id"),
        int32("subscription_id"),
        array("accepted_compression_types", int8),
        int32("push_interval_ms"),
        int32("telemetry_max_bytes"),
        boolean("delta_temporality"),
        array("requested_metrics", string),
    ],
)
