"""EndTxnMarker, kept in: clients."""

from schema.language import int32, stored

RECORD = stored(
    area="clients",
    name="EndTxnMarker",
    versions="0",
    flexible=None,
    fields=[int32("coordinator_epoch")],
)
