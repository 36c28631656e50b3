"""TxnOffsetCommit."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=28,
    name="TxnOffsetCommit",
    versions="0-6",
    advertised="0-6",
    flexible="3+",
    listeners="broker",
    request=[
        string("transactional_id"),
        string("group_id"),
        int64("producer_id"),
        int16("producer_epoch"),
        int32("generation_id_or_member_epoch", since=3, default=-1),
        string("member_id", since=3),
        string("group_instance_id", since=3, nullable=True, default=None),
        array(
            "topics",
            "TxnOffsetCommitRequestTopic",
            [
                string("name", until=5, ignorable=True),
                uuid("topic_id", since=6, ignorable=True),
                array(
                    "partitions",
                    "TxnOffsetCommitRequestPartition",
                    [
                        int32("partition_index"),
                        int64("committed_offset"),
                        int32("committed_leader_epoch", since=2, default=-1, ignorable=True),
                        string("committed_metadata", nullable=True),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "topics",
            "TxnOffsetCommitResponseTopic",
            [
                string("name", until=5, ignorable=True),
                uuid("topic_id", since=6, ignorable=True),
                array(
                    "partitions",
                    "TxnOffsetCommitResponsePartition",
                    [int32("partition_index"), int16("error_code")],
                ),
            ],
        ),
    ],
)
