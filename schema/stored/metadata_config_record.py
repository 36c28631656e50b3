"""ConfigRecord, kept in: metadata."""

from schema.language import int8, stored, string

RECORD = stored(
    area="metadata",
    type_id=4,
    name="ConfigRecord",
    versions="0",
    flexible="0+",
    fields=[
        int8("resource_type"),
        string("resource_name"),
        string("name"),
        string("value", nullable=True),
    ],
)
