"""GroupMetadata, kept in: group."""

from schema.language import array, int32, int64, octets, stored, string

RECORD = stored(
    area="group",
    type_id=2,
    name="GroupMetadata",
    versions="0-4",
    flexible="4+",
    key=[string("group")],
    fields=[
        string("protocol_type"),
        int32("generation"),
        string("protocol", nullable=True),
        string("leader", nullable=True),
        int64("current_state_timestamp", since=2, default=-1, ignorable=True),
        array(
            "members",
            "MemberMetadata",
            [
                string("member_id"),
                string("group_instance_id", since=3, nullable=True, default=None, ignorable=True),
                string("client_id"),
                string("client_host"),
                int32("rebalance_timeout", since=1, default=-1, ignorable=True),
                int32("session_timeout"),
                octets("subscription"),
                octets("assignment"),
            ],
        ),
    ],
)
