"""AbortedTxn, kept in: clients."""

from schema.language import int64, stored

RECORD = stored(
    area="clients",
    name="AbortedTxn",
    versions="0",
    flexible=None,
    fields=[
        int64("producer_id"),
        int64("first_offset"),
        int64("last_offset"),
        int64("last_stable_offset"),
    ],
)
