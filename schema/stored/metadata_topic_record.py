"""TopicRecord, kept in: metadata."""

from schema.language import stored, string, uuid

RECORD = stored(
    area="metadata",
    type_id=2,
    name="TopicRecord",
    versions="0",
    flexible="0+",
    fields=[string("name"), uuid("topic_id")],
)
