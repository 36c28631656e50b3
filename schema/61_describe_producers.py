"""DescribeProducers."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=61,
    name="DescribeProducers",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        array(
            "topics", "TopicRequest", [string("name", key=True), array("partition_indexes", int32)]
        )
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "topics",
            "TopicResponse",
            [
                string("name"),
                array(
                    "partitions",
                    "PartitionResponse",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                        array(
                            "active_producers",
                            "ProducerState",
                            [
                                int64("producer_id"),
                                int32("producer_epoch"),
                                int32("last_sequence", default=-1),
                                int64("last_timestamp", default=-1),
                                int32("coordinator_epoch"),
                                int64("current_txn_start_offset", default=-1),
                            ],
                        ),
                    ],
                ),
            ],
        ),
    ],
)
