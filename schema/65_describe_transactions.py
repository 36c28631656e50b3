"""DescribeTransactions."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=65,
    name="DescribeTransactions",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[array("transactional_ids", string)],
    response=[
        int32("throttle_time_ms"),
        array(
            "transaction_states",
            "TransactionState",
            [
                int16("error_code"),
                string("transactional_id"),
                string("transaction_state"),
                int32("transaction_timeout_ms"),
                int64("transaction_start_time_ms"),
                int64("producer_id"),
                int16("producer_epoch"),
                array(
                    "topics", "TopicData", [string("topic", key=True), array("partitions", int32)]
                ),
            ],
        ),
    ],
)
