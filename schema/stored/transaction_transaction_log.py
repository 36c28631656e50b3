"""TransactionLog, kept in: transaction."""

from schema.language import array, int8, int16, int32, int64, stored, string

RECORD = stored(
    area="transaction",
    type_id=0,
    name="TransactionLog",
    versions="0-1",
    flexible="1+",
    key=[string("transactional_id")],
    fields=[
        int64("producer_id"),
        int64("previous_producer_id", since=1, tag=0, default=-1),
        int64("next_producer_id", since=1, tag=1, default=-1),
        int16("producer_epoch"),
        int16("next_producer_epoch", since=1, tag=3, default=-1),
        int32("transaction_timeout_ms"),
        int8("transaction_status"),
        array(
            "transaction_partitions",
            "PartitionsSchema",
            [string("topic"), array("partition_ids", int32)],
            nullable=True,
        ),
        int64("transaction_last_update_timestamp_ms"),
        int64("transaction_start_timestamp_ms"),
        int16("client_transaction_version", since=1, tag=2),
    ],
)
