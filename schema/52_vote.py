"""Vote."""

from schema.language import api, array, boolean, int16, int32, int64, string, uint16, uuid

API = api(
    key=52,
    name="Vote",
    versions="0-2",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    request=[
        string("cluster_id", nullable=True, default=None),
        int32("voter_id", since=1, default=-1, ignorable=True),
        array(
            "topics",
            "VoteRequestTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "VoteRequestPartitionData",
                    [
                        int32("partition_index"),
                        int32("replica_epoch"),
                        int32("replica_id"),
                        uuid("replica_directory_id", since=1, ignorable=True),
                        uuid("voter_directory_id", since=1, ignorable=True),
                        int32("last_offset_epoch"),
                        int64("last_offset"),
                        boolean("pre_vote", since=2),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int16("error_code"),
        array(
            "topics",
            "VoteResponseTopicData",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "VoteResponsePartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        int32("leader_id"),
                        int32("leader_epoch"),
                        boolean("vote_granted"),
                    ],
                ),
            ],
        ),
        array(
            "node_endpoints",
            "NodeEndpoint",
            [int32("node_id", key=True), string("host"), uint16("port")],
            since=1,
            tag=0,
        ),
    ],
)
