"""AlterPartition."""

from schema.language import api, array, int8, int16, int32, int64, string, uuid

API = api(
    key=56,
    name="AlterPartition",
    versions="0-3",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    request=[
        int32("broker_id"),
        int64("broker_epoch", default=-1),
        array(
            "topics",
            "AlterPartitionRequestTopicData",
            [
                string("topic_name", until=1, ignorable=True),
                uuid("topic_id", since=2, ignorable=True),
                array(
                    "partitions",
                    "AlterPartitionRequestPartitionData",
                    [
                        int32("partition_index"),
                        int32("leader_epoch"),
                        array("new_isr", int32, until=2),
                        array(
                            "new_isr_with_epochs",
                            "BrokerState",
                            [int32("broker_id"), int64("broker_epoch", default=-1)],
                            since=3,
                        ),
                        int8("leader_recovery_state", since=1),
                        int32("partition_epoch"),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        array(
            "topics",
            "AlterPartitionResponseTopicData",
            [
                string("topic_name", until=1, ignorable=True),
                uuid("topic_id", since=2, ignorable=True),
                array(
                    "partitions",
                    "AlterPartitionResponsePartitionData",
                    [
                        int32("partition_index"),
                        int16("error_code"),
                        int32("leader_id"),
                        int32("leader_epoch"),
                        array("isr", int32),
                        int8("leader_recovery_state", since=1, ignorable=True),
                        int32("partition_epoch"),
                    ],
                ),
            ],
        ),
    ],
)
