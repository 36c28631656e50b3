"""BeginTransactionRecord, kept in: metadata."""

from schema.language import stored, string

RECORD = stored(
    area="metadata",
    type_id=23,
    name="BeginTransactionRecord",
    versions="0",
    flexible="0+",
    fields=[string("name", nullable=True, tag=0, default=None)],
)
