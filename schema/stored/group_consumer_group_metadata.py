"""ConsumerGroupMetadata, kept in: group."""

from schema.language import int32, int64, stored, string

RECORD = stored(
    area="group",
    type_id=3,
    name="ConsumerGroupMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[int32("epoch"), int64("metadata_hash", tag=0)],
)
