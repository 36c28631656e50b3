"""RemoveDelegationTokenRecord, kept in: metadata."""

from schema.language import stored, string

RECORD = stored(
    area="metadata",
    type_id=26,
    name="RemoveDelegationTokenRecord",
    versions="0",
    flexible="0+",
    fields=[string("token_id")],
)
