"""RemoveAccessControlEntryRecord, kept in: metadata."""

from schema.language import stored, uuid

RECORD = stored(
    area="metadata",
    type_id=19,
    name="RemoveAccessControlEntryRecord",
    versions="0",
    flexible="0+",
    fields=[uuid("id")],
)
