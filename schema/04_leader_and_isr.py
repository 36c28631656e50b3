"""LeaderAndIsr."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string, uuid

API = api(
    key=4,
    name="LeaderAndIsr",
    versions="0-7",
    advertised=None,
    flexible="4+",
    listeners="zkBroker",
    cluster_action=True,
    request=[
        int32("controller_id"),
        boolean("is_kraft_controller", since=7),
        int32("controller_epoch"),
        int64("broker_epoch", since=2, default=-1, ignorable=True),
        int8("type", since=5),
        array(
            "ungrouped_partition_states",
            "LeaderAndIsrPartitionState",
            [
                string("topic_name", until=1, ignorable=True),
                int32("partition_index"),
                int32("controller_epoch"),
                int32("leader"),
                int32("leader_epoch"),
                array("isr", int32),
                int32("partition_epoch"),
                array("replicas", int32),
                array("adding_replicas", int32, since=3, ignorable=True),
                array("removing_replicas", int32, since=3, ignorable=True),
                boolean("is_new", since=1, ignorable=True),
                int8("leader_recovery_state", since=6),
            ],
            until=1,
        ),
        array(
            "topic_states",
            "LeaderAndIsrTopicState",
            [
                string("topic_name"),
                uuid("topic_id", since=5, ignorable=True),
                array("partition_states", "LeaderAndIsrPartitionState"),
            ],
            since=2,
        ),
        array(
            "live_leaders",
            "LeaderAndIsrLiveLeader",
            [int32("broker_id"), string("host_name"), int32("port")],
        ),
    ],
    response=[
        int16("error_code"),
        array(
            "partition_errors",
            "LeaderAndIsrPartitionError",
            [
                string("topic_name", until=4, ignorable=True),
                int32("partition_index"),
                int16("error_code"),
            ],
            until=4,
        ),
        array(
            "topics",
            "LeaderAndIsrTopicError",
            [uuid("topic_id", key=True), array("partition_errors", "LeaderAndIsrPartitionError")],
            since=5,
        ),
    ],
)
