"""Heartbeat."""

from schema.language import api, int16, int32, string

API = api(
    key=12,
    name="Heartbeat",
    versions="0-4",
    advertised="0-4",
    flexible="4+",
    listeners="broker",
    request=[
        string("group_id"),
        int32("generation_id"),
        string("member_id"),
        string("group_instance_id", since=3, nullable=True, default=None),
    ],
    response=[int32("throttle_time_ms", since=1, ignorable=True), int16("error_code")],
)
