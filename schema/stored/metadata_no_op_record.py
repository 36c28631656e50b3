"""NoOpRecord, kept in: metadata."""

from schema.language import stored

RECORD = stored(
    area="metadata",
    type_id=20,
    name="NoOpRecord",
    versions="0",
    flexible="0+",
    fields=[],
)
