"""FeatureLevelRecord, kept in: metadata."""

from schema.language import int16, stored, string

RECORD = stored(
    area="metadata",
    type_id=12,
    name="FeatureLevelRecord",
    versions="0",
    flexible="0+",
    fields=[string("name"), int16("feature_level")],
)
