"""WriteTxnMarkers."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string

API = api(
    key=27,
    name="WriteTxnMarkers",
    versions="0-2",
    advertised="0-2",
    flexible="1+",
    listeners="broker",
    cluster_action=True,
    request=[
        array(
            "markers",
            "WritableTxnMarker",
            [
                int64("producer_id"),
                int16("producer_epoch"),
                boolean("transaction_result"),
                array(
                    "topics",
                    "WritableTxnMarkerTopic",
                    [string("name"), array("partition_indexes", int32)],
                ),
                int32("coordinator_epoch"),
                int8("transaction_version", since=2, ignorable=True),
            ],
        )
    ],
    response=[
        array(
            "markers",
            "WritableTxnMarkerResult",
            [
                int64("producer_id"),
                array(
                    "topics",
                    "WritableTxnMarkerTopicResult",
                    [
                        string("name"),
                        array(
                            "partitions",
                            "WritableTxnMarkerPartitionResult",
                            [int32("partition_index"), int16("error_code")],
                        ),
                    ],
                ),
            ],
        )
    ],
)
