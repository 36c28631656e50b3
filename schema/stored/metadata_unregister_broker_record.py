"""UnregisterBrokerRecord, kept in: metadata."""

from schema.language import int32, int64, stored

RECORD = stored(
    area="metadata",
    type_id=1,
    name="UnregisterBrokerRecord",
    versions="0",
    flexible="0+",
    fields=[int32("broker_id"), int64("broker_epoch")],
)
