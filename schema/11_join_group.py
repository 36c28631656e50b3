"""JoinGroup."""

from schema.language import api, array, boolean, int16, int32, octets, string

API = api(
    key=11,
    name="JoinGroup",
    versions="0-9",
    advertised="0-9",
    flexible="6+",
    listeners="broker",
    request=[
        string("group_id"),
        int32("session_timeout_ms"),
        int32("rebalance_timeout_ms", since=1, default=-1, ignorable=True),
        string("member_id"),
        string("group_instance_id", since=5, nullable=True, default=None),
        string("protocol_type"),
        array(
            "protocols", "JoinGroupRequestProtocol", [string("name", key=True), octets("metadata")]
        ),
        string("reason", since=8, nullable=True, default=None, ignorable=True),
    ],
    response=[
        int32("throttle_time_ms", since=2, ignorable=True),
        int16("error_code"),
        int32("generation_id", default=-1),
        string("protocol_type", since=7, nullable=True, default=None, ignorable=True),
        string("protocol_name", nullable=7),
        string("leader"),
        boolean("skip_assignment", since=9),
        string("member_id"),
        array(
            "members",
            "JoinGroupResponseMember",
            [
                string("member_id"),
                string("group_instance_id", since=5, nullable=True, default=None, ignorable=True),
                octets("metadata"),
            ],
        ),
    ],
)
