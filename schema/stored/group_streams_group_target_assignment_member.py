"""StreamsGroupTargetAssignmentMember, kept in: group."""

from schema.language import array, int32, stored, string

RECORD = stored(
    area="group",
    type_id=21,
    name="StreamsGroupTargetAssignmentMember",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        array("active_tasks", "TaskIds", [string("subtopology_id"), array("partitions", int32)]),
        array("standby_tasks", "TaskIds"),
        array("warmup_tasks", "TaskIds"),
    ],
)
