"""EndTxn."""

from schema.language import api, boolean, int16, int32, int64, string

API = api(
    key=26,
    name="EndTxn",
    versions="0-5",
    advertised="0-5",
    flexible="3+",
    listeners="broker",
    request=[
        string("transactional_id"),
        int64("producer_id"),
        int16("producer_epoch"),
        boolean("committed"),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        int64("producer_id", since=5, default=-1, ignorable=True),
        int16("producer_epoch", since=5, default=-1, ignorable=True),
    ],
)
