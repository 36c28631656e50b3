"""ElectLeaders."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=43,
    name="ElectLeaders",
    versions="0-2",
    advertised="0-2",
    flexible="2+",
    listeners="broker controller",
    forwardable=True,
    request=[
        int8("election_type", since=1),
        array(
            "topic_partitions",
            "TopicPartitions",
            [string("topic", key=True), array("partitions", int32)],
            nullable=True,
        ),
        int32("timeout_ms", default=60000),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code", since=1),
        array(
            "replica_election_results",
            "ReplicaElectionResult",
            [
                string("topic"),
                array(
                    "partition_result",
                    "PartitionResult",
                    [
                        int32("partition_id"),
                        int16("error_code"),
                        string("error_message", nullable=True),
                    ],
                ),
            ],
        ),
    ],
)
