"""ConsumerGroupTargetAssignmentMember, kept in: group."""

from schema.language import array, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=7,
    name="ConsumerGroupTargetAssignmentMember",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        array("topic_partitions", "TopicPartition", [uuid("topic_id"), array("partitions", int32)])
    ],
)
