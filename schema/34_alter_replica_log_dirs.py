"""AlterReplicaLogDirs."""

from schema.language import api, array, int16, int32, string

API = api(
    key=34,
    name="AlterReplicaLogDirs",
    versions="0-2",
    advertised="0-2",
    flexible="2+",
    listeners="broker",
    request=[
        array(
            "dirs",
            "AlterReplicaLogDir",
            [
                string("path", key=True),
                array(
                    "topics",
                    "AlterReplicaLogDirTopic",
                    [string("name", key=True), array("partitions", int32)],
                ),
            ],
        )
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "AlterReplicaLogDirTopicResult",
            [
                string("topic_name"),
                array(
                    "partitions",
                    "AlterReplicaLogDirPartitionResult",
                    [int32("partition_index"), int16("error_code")],
                ),
            ],
        ),
    ],
)
