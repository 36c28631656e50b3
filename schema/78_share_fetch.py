"""ShareFetch."""

from schema.language import (
    api,
    array,
    boolean,
    int8,
    int16,
    int32,
    int64,
    records,
    string,
    struct,
    uuid,
)

API = api(
    key=78,
    name="ShareFetch",
    versions="0-2",
    advertised="1-2",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id", nullable=True, default=None),
        string("member_id", nullable=True),
        int32("share_session_epoch"),
        int32("max_wait_ms"),
        int32("min_bytes"),
        int32("max_bytes", default=2147483647),
        int32("max_records", since=1),
        int32("batch_size", since=1),
        int8("share_acquire_mode", since=2, ignorable=True),
        boolean("is_renew_ack", since=2),
        array(
            "topics",
            "FetchTopic",
            [
                uuid("topic_id", key=True),
                array(
                    "partitions",
                    "FetchPartition",
                    [
                        int32("partition_index", key=True),
                        int32("partition_max_bytes", until=0),
                        array(
                            "acknowledgement_batches",
                            "AcknowledgementBatch",
                            [
                                int64("first_offset"),
                                int64("last_offset"),
                                array("acknowledge_types", int8),
                            ],
                        ),
                    ],
                ),
            ],
        ),
        array(
            "forgotten_topics_data",
            "ForgottenTopic",
            [uuid("topic_id"), array("partitions", int32)],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        int32("acquisition_lock_timeout_ms", since=1),
        array(
            "responses",
            "ShareFetchableTopicResponse",
            [
                uuid("topic_id", key=True),
                array(
                    "partitions",
                    "PartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                        int16("acknowledge_error_code"),
                        string("acknowledge_error_message", nullable=True, default=None),
                        struct(
                            "current_leader",
                            "LeaderIdAndEpoch",
                            [int32("leader_id"), int32("leader_epoch")],
                        ),
                        records("records", nullable=(0, 0)),
                        array(
                            "acquired_records",
                            "AcquiredRecords",
                            [int64("first_offset"), int64("last_offset"), int16("delivery_count")],
                        ),
                    ],
                ),
            ],
        ),
        array(
            "node_endpoints",
            "NodeEndpoint",
            [
                int32("node_id", key=True),
                string("host"),
                int32("port"),
                string("rack", nullable=True, default=None),
            ],
        ),
    ],
)
