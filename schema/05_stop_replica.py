"""StopReplica."""

from schema.language import api, array, boolean, int16, int32, int64, string

API = api(
    key=5,
    name="StopReplica",
    versions="0-4",
    advertised=None,
    flexible="2+",
    listeners="zkBroker",
    cluster_action=True,
    request=[
        int32("controller_id"),
        boolean("is_kraft_controller", since=4),
        int32("controller_epoch"),
        int64("broker_epoch", since=1, default=-1, ignorable=True),
        boolean("delete_partitions", until=2),
        array(
            "ungrouped_partitions",
            "StopReplicaPartitionV0",
            [string("topic_name"), int32("partition_index")],
            until=0,
        ),
        array(
            "topics",
            "StopReplicaTopicV1",
            [string("name"), array("partition_indexes", int32)],
            since=1,
            until=2,
        ),
        array(
            "topic_states",
            "StopReplicaTopicState",
            [
                string("topic_name"),
                array(
                    "partition_states",
                    "StopReplicaPartitionState",
                    [
                        int32("partition_index"),
                        int32("leader_epoch", default=-1),
                        boolean("delete_partition"),
                    ],
                ),
            ],
            since=3,
        ),
    ],
    response=[
        int16("error_code"),
        array(
            "partition_errors",
            "StopReplicaPartitionError",
            [string("topic_name"), int32("partition_index"), int16("error_code")],
        ),
    ],
)
