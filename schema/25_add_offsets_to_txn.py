"""AddOffsetsToTxn."""

from schema.language import api, int16, int32, int64, string

API = api(
    key=25,
    name="AddOffsetsToTxn",
    versions="0-4",
    advertised="0-4",
    flexible="3+",
    listeners="broker",
    request=[
        string("transactional_id"),
        int64("producer_id"),
        int16("producer_epoch"),
        string("group_id"),
    ],
    response=[int32("throttle_time_ms"), int16("error_code")],
)
