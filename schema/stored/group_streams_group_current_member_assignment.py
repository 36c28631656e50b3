"""StreamsGroupCurrentMemberAssignment, kept in: group."""

from schema.language import array, int8, int32, stored, string

RECORD = stored(
    area="group",
    type_id=22,
    name="StreamsGroupCurrentMemberAssignment",
    versions="0",
    flexible="0+",
    key=[string("group_id"), string("member_id")],
    fields=[
        int32("member_epoch"),
        int32("previous_member_epoch"),
        int8("state"),
        array(
            "active_tasks",
            "TaskIds",
            [
                string("subtopology_id"),
                array("partitions", int32),
                array("assignment_epochs", int32, nullable=True, tag=0, default=None),
            ],
        ),
        array("standby_tasks", "TaskIds"),
        array("warmup_tasks", "TaskIds"),
        array("active_tasks_pending_revocation", "TaskIds"),
        array("standby_tasks_pending_revocation", "TaskIds"),
        array("warmup_tasks_pending_revocation", "TaskIds"),
    ],
)
