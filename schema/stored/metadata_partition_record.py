"""PartitionRecord, kept in: metadata."""

from schema.language import array, int8, int32, stored, uuid

RECORD = stored(
    area="metadata",
    type_id=3,
    name="PartitionRecord",
    versions="0-2",
    flexible="0+",
    fields=[
        int32("partition_id", default=-1),
        uuid("topic_id"),
        array("replicas", int32),
        array("isr", int32),
        array("removing_replicas", int32),
        array("adding_replicas", int32),
        int32("leader", default=-1),
        int8("leader_recovery_state", tag=0),
        int32("leader_epoch", default=-1),
        int32("partition_epoch", default=-1),
        array("directories", uuid, since=1),
        array("eligible_leader_replicas", int32, since=2, nullable=True, tag=1, default=None),
        array("last_known_elr", int32, since=2, nullable=True, tag=2, default=None),
    ],
)
