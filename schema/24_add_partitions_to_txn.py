"""AddPartitionsToTxn."""

from schema.language import api, array, boolean, int16, int32, int64, string

API = api(
    key=24,
    name="AddPartitionsToTxn",
    versions="0-5",
    advertised="0-5",
    flexible="3+",
    listeners="broker",
    request=[
        array(
            "transactions",
            "AddPartitionsToTxnTransaction",
            [
                string("transactional_id", key=True),
                int64("producer_id"),
                int16("producer_epoch"),
                boolean("verify_only"),
                array(
                    "topics",
                    "AddPartitionsToTxnTopic",
                    [string("name", key=True), array("partitions", int32)],
                ),
            ],
            since=4,
        ),
        string("v3_and_below_transactional_id", until=3),
        int64("v3_and_below_producer_id", until=3),
        int16("v3_and_below_producer_epoch", until=3),
        array("v3_and_below_topics", "AddPartitionsToTxnTopic", until=3),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code", since=4, ignorable=True),
        array(
            "results_by_transaction",
            "AddPartitionsToTxnResult",
            [
                string("transactional_id", key=True),
                array(
                    "topic_results",
                    "AddPartitionsToTxnTopicResult",
                    [
                        string("name", key=True),
                        array(
                            "results_by_partition",
                            "AddPartitionsToTxnPartitionResult",
                            [int32("partition_index", key=True), int16("partition_error_code")],
                        ),
                    ],
                ),
            ],
            since=4,
        ),
        array("results_by_topic_v3_and_below", "AddPartitionsToTxnTopicResult", until=3),
    ],
)
