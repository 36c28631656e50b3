"""AssignReplicasToDirs."""

from schema.language import api, array, int16, int32, int64, uuid

API = api(
    key=73,
    name="AssignReplicasToDirs",
    versions="0",
    advertised=None,
    flexible="0+",
    listeners="controller",
    request=[
        int32("broker_id"),
        int64("broker_epoch", default=-1),
        array(
            "directories",
            "AssignReplicasToDirsRequestDirectoryData",
            [
                uuid("id"),
                array(
                    "topics",
                    "AssignReplicasToDirsRequestTopicData",
                    [
                        uuid("topic_id"),
                        array(
                            "partitions",
                            "AssignReplicasToDirsRequestPartitionData",
                            [int32("partition_index")],
                        ),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        array(
            "directories",
            "AssignReplicasToDirsResponseDirectoryData",
            [
                uuid("id"),
                array(
                    "topics",
                    "AssignReplicasToDirsResponseTopicData",
                    [
                        uuid("topic_id"),
                        array(
                            "partitions",
                            "AssignReplicasToDirsResponsePartitionData",
                            [int32("partition_index"), int16("error_code")],
                        ),
                    ],
                ),
            ],
        ),
    ],
)
