"""ShareAcknowledge."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string, struct, uuid

API = api(
    key=79,
    name="ShareAcknowledge",
    versions="0-2",
    advertised="1-2",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id", nullable=True, default=None),
        string("member_id", nullable=True),
        int32("share_session_epoch"),
        boolean("is_renew_ack", since=2),
        array(
            "topics",
            "AcknowledgeTopic",
            [
                uuid("topic_id", key=True),
                array(
                    "partitions",
                    "AcknowledgePartition",
                    [
                        int32("partition_index", key=True),
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
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
        int32("acquisition_lock_timeout_ms", since=2, ignorable=True),
        array(
            "responses",
            "ShareAcknowledgeTopicResponse",
            [
                uuid("topic_id", key=True),
                array(
                    "partitions",
                    "PartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        string("error_message", nullable=True, default=None),
                        struct(
                            "current_leader",
                            "LeaderIdAndEpoch",
                            [int32("leader_id"), int32("leader_epoch")],
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
