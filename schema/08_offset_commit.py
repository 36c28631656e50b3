"""OffsetCommit."""

from schema.language import api, array, int16, int32, int64, string, uuid

API = api(
    key=8,
    name="OffsetCommit",
    versions="0-10",
    advertised="0-10",
    flexible="8+",
    listeners="broker",
    request=[
        string("group_id"),
        int32("generation_id_or_member_epoch", since=1, default=-1, ignorable=True),
        string("member_id", since=1, ignorable=True),
        string("group_instance_id", since=7, nullable=True, default=None),
        int64("retention_time_ms", since=2, until=4, default=-1, ignorable=True),
        array(
            "topics",
            "OffsetCommitRequestTopic",
            [
                string("name", until=9, ignorable=True),
                uuid("topic_id", since=10, ignorable=True),
                array(
                    "partitions",
                    "OffsetCommitRequestPartition",
                    [
                        int32("partition_index"),
                        int64("committed_offset"),
                        int32("committed_leader_epoch", since=6, default=-1, ignorable=True),
                        int64("commit_timestamp", since=1, until=1, default=-1),
                        string("committed_metadata", nullable=True),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms", since=3, ignorable=True),
        array(
            "topics",
            "OffsetCommitResponseTopic",
            [
                string("name", until=9, ignorable=True),
                uuid("topic_id", since=10, ignorable=True),
                array(
                    "partitions",
                    "OffsetCommitResponsePartition",
                    [int32("partition_index"), int16("error_code")],
                ),
            ],
        ),
    ],
)
