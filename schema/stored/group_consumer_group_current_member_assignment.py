"""ConsumerGroupCurrentMemberAssignment, kept in: group."""

from schema.language import array, int8, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=8,
    name="ConsumerGroupCurrentMemberAssignment",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        int32("member_epoch"),
        int32("previous_member_epoch"),
        int8("state"),
        array(
            "assigned_partitions",
            "TopicPartitions",
            [
                uuid("topic_id"),
                array("partitions", int32),
                array("assignment_epochs", int32, nullable=True, tag=0, default=None),
            ],
        ),
        array("partitions_pending_revocation", "TopicPartitions"),
    ],
)
