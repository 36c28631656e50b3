"""AbortTransactionRecord, kept in: metadata."""

from schema.language import stored, string

RECORD = stored(
    area="metadata",
    type_id=25,
    name="AbortTransactionRecord",
    versions="0",
    flexible="0+",
    fields=[string("reason", nullable=True, tag=0, default=None)],
)
