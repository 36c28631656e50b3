"""ConsumerGroupTargetAssignmentMetadata, kept in: group."""

from schema.language import int32, int64, stored, string

RECORD = stored(
    area="group",
    type_id=6,
    name="ConsumerGroupTargetAssignmentMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[int32("assignment_epoch"), int64("assignment_timestamp", tag=0, ignorable=True)],
)
