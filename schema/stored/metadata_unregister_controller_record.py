"""UnregisterControllerRecord, kept in: metadata."""

from schema.language import int32, stored

RECORD = stored(
    area="metadata",
    type_id=29,
    name="UnregisterControllerRecord",
    versions="0",
    flexible="0+",
    fields=[int32("controller_id")],
)
