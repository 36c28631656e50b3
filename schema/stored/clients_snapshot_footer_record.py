"""SnapshotFooterRecord, kept in: clients."""

from schema.language import int16, stored

RECORD = stored(
    area="clients",
    name="SnapshotFooterRecord",
    versions="0",
    flexible="0+",
    fields=[int16("version")],
)
