"""InitProducerId."""

from schema.language import api, boolean, int16, int32, int64, string

API = api(
    key=22,
    name="InitProducerId",
    versions="0-6",
    advertised="0-5",
    flexible="2+",
    unstable=6,
    listeners="broker",
    request=[
        string("transactional_id", nullable=True),
        int32("transaction_timeout_ms"),
        int64("producer_id", since=3, default=-1),
        int16("producer_epoch", since=3, default=-1),
        boolean("enable2_pc", since=6),
        boolean("keep_prepared_txn", since=6),
    ],
    response=[
        int32("throttle_time_ms", ignorable=True),
        int16("error_code"),
        int64("producer_id", default=-1),
        int16("producer_epoch"),
        int64("ongoing_txn_producer_id", since=6, default=-1),
        int16("ongoing_txn_producer_epoch", since=6, default=-1),
    ],
)
