"""AccessControlEntryRecord, kept in: metadata."""

from schema.language import int8, stored, string, uuid

RECORD = stored(
    area="metadata",
    type_id=18,
    name="AccessControlEntryRecord",
    versions="0",
    flexible="0+",
    fields=[
        uuid("id"),
        int8("resource_type"),
        string("resource_name"),
        int8("pattern_type"),
        string("principal"),
        string("host"),
        int8("operation"),
        int8("permission_type"),
    ],
)
