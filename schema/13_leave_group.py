"""LeaveGroup."""

from schema.language import api, array, int16, int32, string

API = api(
    key=13,
    name="LeaveGroup",
    versions="0-5",
    advertised="0-5",
    flexible="4+",
    listeners="broker",
    request=[
        string("group_id"),
        string("member_id", until=2),
        array(
            "members",
            "MemberIdentity",
            [
                string("member_id"),
                string("group_instance_id", nullable=True, default=None),
                string("reason", since=5, nullable=True, default=None, ignorable=True),
            ],
            since=3,
        ),
    ],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        int16("error_code"),
        array(
            "members",
            "MemberResponse",
            [string("member_id"), string("group_instance_id", nullable=True), int16("error_code")],
            since=3,
        ),
    ],
)
