"""FetchSnapshot."""

from schema.language import api, array, int16, int32, int64, records, string, struct, uint16, uuid

API = api(
    key=59,
    name="FetchSnapshot",
    versions="0-1",
    advertised=None,
    flexible="0+",
    listeners="controller",
    request=[
        string("cluster_id", nullable=True, tag=0, default=None),
        int32("replica_id", default=-1),
        int32("max_bytes", default=2147483647),
        array(
            "topics",
            "FetchSnapshotRequestTopicSnapshot",
            [
                string("name"),
                array(
                    "partitions",
                    "FetchSnapshotRequestPartitionSnapshot",
                    [
                        int32("partition"),
                        int32("current_leader_epoch"),
                        struct("snapshot_id", "SnapshotId", [int64("end_offset"), int32("epoch")]),
                        int64("position"),
                        uuid("replica_directory_id", since=1, tag=0, ignorable=True),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms", ignorable=True),
        int16("error_code"),
        array(
            "topics",
            "FetchSnapshotResponseTopicSnapshot",
            [
                string("name"),
                array(
                    "partitions",
                    "FetchSnapshotResponsePartitionSnapshot",
                    [
                        int32("index"),
                        int16("error_code"),
                        struct("snapshot_id", "SnapshotId"),
                        struct(
                            "current_leader",
                            "LeaderIdAndEpoch",
                            [int32("leader_id"), int32("leader_epoch")],
                            tag=0,
                        ),
                        int64("size"),
                        int64("position"),
                        records("unaligned_records"),
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
