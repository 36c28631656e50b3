"""FenceBrokerRecord, kept in: metadata."""

from schema.language import int32, int64, stored

RECORD = stored(
    area="metadata",
    type_id=7,
    name="FenceBrokerRecord",
    versions="0",
    flexible="0+",
    fields=[int32("id"), int64("epoch")],
)
