"""OffsetForLeaderEpoch."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=23,
    name="OffsetForLeaderEpoch",
    versions="0-4",
    advertised="0-4",
    flexible="4+",
    listeners="broker",
    request=[
        int32("replica_id", since=3, default=-2, ignorable=True),
        array(
            "topics",
            "OffsetForLeaderTopic",
            [
                string("topic", key=True),
                array(
                    "partitions",
                    "OffsetForLeaderPartition",
                    [
                        int32("partition"),
                        int32("current_leader_epoch", since=2, default=-1, ignorable=True),
                        int32("leader_epoch"),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms", since=2, ignorable=True),
        array(
            "topics",
            "OffsetForLeaderTopicResult",
            [
                string("topic", key=True),
                array(
                    "partitions",
                    "EpochEndOffset",
                    [
                        int16("error_code"),
                        int32("partition"),
                        int32("leader_epoch", since=1, default=-1, ignorable=True),
                        int64("end_offset", default=-1),
                    ],
                ),
            ],
        ),
    ],
)
