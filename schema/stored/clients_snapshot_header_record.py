"""SnapshotHeaderRecord, kept in: clients."""

from schema.language import int16, int64, stored

RECORD = stored(
    area="clients",
    name="SnapshotHeaderRecord",
    versions="0",
    flexible="0+",
    fields=[int16("version"), int64("last_contained_log_timestamp")],
)
