"""ProducerSnapshot, kept in: storage."""

from schema.language import array, int16, int32, int64, stored, uint32

RECORD = stored(
    area="storage",
    name="ProducerSnapshot",
    versions="1",
    flexible=None,
    fields=[
        uint32("crc"),
        array(
            "producer_entries",
            "ProducerEntry",
            [
                int64("producer_id"),
                int16("epoch"),
                int32("last_sequence"),
                int64("last_offset"),
                int32("offset_delta"),
                int64("timestamp"),
                int32("coordinator_epoch"),
                int64("current_txn_first_offset"),
            ],
        ),
    ],
)
