"""StreamsGroupMemberMetadata, kept in: group."""

from schema.language import array, int32, stored, string, struct, uint16

RECORD = stored(
    area="group",
    type_id=19,
    name="StreamsGroupMemberMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        string("instance_id", nullable=True),
        string("rack_id", nullable=True),
        string("client_id"),
        string("client_host"),
        int32("rebalance_timeout_ms", default=-1),
        int32("topology_epoch"),
        string("process_id"),
        struct(
            "user_endpoint",
            "Endpoint",
            [string("host"), uint16("port")],
            nullable=True,
            default=None,
        ),
        array("client_tags", "KeyValue", [string("key"), string("value")]),
    ],
)
