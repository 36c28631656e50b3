"""ShareGroupMemberMetadata, kept in: group."""

from schema.language import array, stored, string

RECORD = stored(
    area="group",
    type_id=10,
    name="ShareGroupMemberMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        string("rack_id", nullable=True),
        string("client_id"),
        string("client_host"),
        array("subscribed_topic_names", string),
    ],
)
