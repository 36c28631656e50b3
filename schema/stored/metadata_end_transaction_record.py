"""EndTransactionRecord, kept in: metadata."""

from schema.language import stored

RECORD = stored(
    area="metadata",
    type_id=24,
    name="EndTransactionRecord",
    versions="0",
    flexible="0+",
    fields=[],
)
