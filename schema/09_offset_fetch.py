"""OffsetFetch."""

from schema.language import api, array, boolean, int16, int32, int64, string, uuid

API = api(
    key=9,
    name="OffsetFetch",
    versions="0-10",
    advertised="0-10",
    flexible="6+",
    listeners="broker",
    request=[
        string("group_id", until=7),
        array(
            "topics",
            "OffsetFetchRequestTopic",
            [string("name"), array("partition_indexes", int32)],
            until=7,
            nullable=2,
        ),
        array(
            "groups",
            "OffsetFetchRequestGroup",
            [
                string("group_id"),
                string("member_id", since=9, nullable=True, default=None, ignorable=True),
                int32("member_epoch", since=9, default=-1, ignorable=True),
                array(
                    "topics",
                    "OffsetFetchRequestTopics",
                    [
                        string("name", until=9, ignorable=True),
                        uuid("topic_id", since=10, ignorable=True),
                        array("partition_indexes", int32),
                    ],
                    nullable=True,
                ),
            ],
            since=8,
        ),
        boolean("require_stable", since=7),
    ],
    response=[
        int32("throttle_time_ms", since=3, ignorable=True),
        array(
            "topics",
            "OffsetFetchResponseTopic",
            [
                string("name"),
                array(
                    "partitions",
                    "OffsetFetchResponsePartition",
                    [
                        int32("partition_index"),
                        int64("committed_offset"),
                        int32("committed_leader_epoch", since=5, default=-1, ignorable=True),
                        string("metadata", nullable=True),
                        int16("error_code"),
                    ],
                ),
            ],
            until=7,
        ),
        int16("error_code", since=2, until=7, ignorable=True),
        array(
            "groups",
            "OffsetFetchResponseGroup",
            [
                string("group_id"),
                array(
                    "topics",
                    "OffsetFetchResponseTopics",
                    [
                        string("name", until=9, ignorable=True),
                        uuid("topic_id", since=10, ignorable=True),
                        array(
                            "partitions",
                            "OffsetFetchResponsePartitions",
                            [
                                int32("partition_index"),
                                int64("committed_offset"),
                                int32("committed_leader_epoch", default=-1, ignorable=True),
                                string("metadata", nullable=True),
                                int16("error_code"),
                            ],
                        ),
                    ],
                ),
                int16("error_code"),
            ],
            since=8,
        ),
    ],
)
