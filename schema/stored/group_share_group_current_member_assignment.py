"""ShareGroupCurrentMemberAssignment, kept in: group."""

from schema.language import array, int8, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=14,
    name="ShareGroupCurrentMemberAssignment",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        int32("member_epoch"),
        int32("previous_member_epoch"),
        int8("state"),
        array(
            "assigned_partitions", "TopicPartitions", [uuid("topic_id"), array("partitions", int32)]
        ),
    ],
)
