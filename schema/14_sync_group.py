"""SyncGroup."""

from schema.language import api, array, int16, int32, octets, string

API = api(
    key=14,
    name="SyncGroup",
    versions="0-5",
    advertised="0-5",
    flexible="4+",
    listeners="broker",
    request=[
        string("group_id"),
        int32("generation_id"),
        string("member_id"),
        string("group_instance_id", since=3, nullable=True, default=None),
        string("protocol_type", since=5, nullable=True, default=None, ignorable=True),
        string("protocol_name", since=5, nullable=True, default=None, ignorable=True),
        array(
            "assignments", "SyncGroupRequestAssignment", [string("member_id"), octets("assignment")]
        ),
    ],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        int16("error_code"),
        string("protocol_type", since=5, nullable=True, default=None, ignorable=True),
        string("protocol_name", since=5, nullable=True, default=None, ignorable=True),
        octets("assignment"),
    ],
)
