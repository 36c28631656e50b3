"""ZkMigrationStateRecord, kept in: metadata."""

from schema.language import int8, stored

RECORD = stored(
    area="metadata",
    type_id=21,
    name="ZkMigrationStateRecord",
    versions="0",
    flexible="0+",
    fields=[int8("zk_migration_state")],
)
