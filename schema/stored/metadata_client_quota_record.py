"""ClientQuotaRecord, kept in: metadata."""

from schema.language import array, boolean, float64, stored, string

RECORD = stored(
    area="metadata",
    type_id=14,
    name="ClientQuotaRecord",
    versions="0",
    flexible="0+",
    fields=[
        array(
            "entity", "EntityData", [string("entity_type"), string("entity_name", nullable=True)]
        ),
        string("key"),
        float64("value"),
        boolean("remove"),
    ],
)
