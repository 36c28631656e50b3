"""ConsumerGroupMemberMetadata, kept in: group."""

from schema.language import array, int32, octets, stored, string, struct

RECORD = stored(
    area="group",
    type_id=5,
    name="ConsumerGroupMemberMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        string("instance_id", nullable=True),
        string("rack_id", nullable=True),
        string("client_id"),
        string("client_host"),
        array("subscribed_topic_names", string),
        string("subscribed_topic_regex", nullable=True),
        int32("rebalance_timeout_ms", default=-1),
        string("server_assignor", nullable=True),
        struct(
            "classic_member_metadata",
            "ClassicMemberMetadata",
            [
                int32("session_timeout_ms"),
                array(
                    "supported_protocols", "ClassicProtocol", [string("name"), octets("metadata")]
                ),
            ],
            nullable=True,
            tag=0,
            default=None,
        ),
    ],
)
