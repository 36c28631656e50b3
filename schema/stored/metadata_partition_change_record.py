"""PartitionChangeRecord, kept in: metadata."""

from schema.language import array, int8, int32, stored, uuid

RECORD = stored(
    area="metadata",
    type_id=5,
    name="PartitionChangeRecord",
    versions="0-2",
    flexible="0+",
    fields=[
        int32("partition_id", default=-1),
        uuid("topic_id"),
        array("isr", int32, nullable=True, tag=0, default=None),
        int32("leader", tag=1, default=-2),
        array("replicas", int32, nullable=True, tag=2, default=None),
        array("removing_replicas", int32, nullable=True, tag=3, default=None),
        array("adding_replicas", int32, nullable=True, tag=4, default=None),
        int8("leader_recovery_state", tag=5, default=-1),
        array("directories", uuid, since=1, nullable=True, tag=8, default=None),
        array("eligible_leader_replicas", int32, since=2, nullable=True, tag=6, default=None),
        array("last_known_elr", int32, since=2, nullable=True, tag=7, default=None),
    ],
)
