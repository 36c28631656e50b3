"""ListTransactions."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=66,
    name="ListTransactions",
    versions="0-2",
    advertised="0-2",
    flexible="0+",
    listeners="broker",
    request=[
        array("state_filters", string),
        array("producer_id_filters", int64),
        int64("duration_filter", since=1, default=-1),
        string("transactional_id_pattern", since=2, nullable=True, default=None),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        array("unknown_state_filters", string),
        array(
            "transaction_states",
            "TransactionState",
            [string("transactional_id"), int64("producer_id"), string("transaction_state")],
        ),
    ],
)
