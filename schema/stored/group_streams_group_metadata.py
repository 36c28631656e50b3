"""StreamsGroupMetadata, kept in: group."""

from schema.language import array, int32, int64, stored, string

RECORD = stored(
    area="group",
    type_id=17,
    name="StreamsGroupMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[
        int32("epoch"),
        int64("metadata_hash"),
        int32("validated_topology_epoch", tag=0, default=-1),
        array(
            "last_assignment_configs",
            "LastAssignmentConfig",
            [string("key"), string("value")],
            nullable=True,
            tag=1,
            default=None,
        ),
        int32("stored_description_topology_epoch", tag=2, default=-1),
        int32("failed_description_topology_epoch", tag=3, default=-1),
    ],
)
