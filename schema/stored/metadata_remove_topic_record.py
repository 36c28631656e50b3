"""RemoveTopicRecord, kept in: metadata."""

from schema.language import stored, uuid

RECORD = stored(
    area="metadata",
    type_id=9,
    name="RemoveTopicRecord",
    versions="0",
    flexible="0+",
    fields=[uuid("topic_id")],
)
