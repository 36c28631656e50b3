"""ShareSnapshot, kept in: share."""

from schema.language import array, int8, int16, int32, int64, stored, string, uuid

RECORD = stored(
    area="share",
    type_id=0,
    name="ShareSnapshot",
    versions="0",
    flexible="0+",
    key=[string("group_id"), uuid("topic_id"), int32("partition")],
    fields=[
        int32("snapshot_epoch"),
        int32("state_epoch"),
        int32("leader_epoch"),
        int64("start_offset"),
        int32("delivery_complete_count", tag=0, default=-1),
        int64("create_timestamp"),
        int64("write_timestamp"),
        array(
            "state_batches",
            "StateBatch",
            [
                int64("first_offset"),
                int64("last_offset"),
                int8("delivery_state"),
                int16("delivery_count"),
            ],
        ),
    ],
)
