"""ClearElrRecord, kept in: metadata."""

from schema.language import stored, string

RECORD = stored(
    area="metadata",
    type_id=28,
    name="ClearElrRecord",
    versions="0",
    flexible="0+",
    fields=[string("topic_name")],
)
