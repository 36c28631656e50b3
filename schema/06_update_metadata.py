"""UpdateMetadata."""

from schema.language import api, array, boolean, int8, int16, int32, int64, string, uuid

API = api(
    key=6,
    name="UpdateMetadata",
    versions="0-8",
    advertised=None,
    flexible="6+",
    listeners="zkBroker",
    cluster_action=True,
    request=[
        int32("controller_id"),
        boolean("is_kraft_controller", since=8),
        int8("type", since=8, tag=0),
        int32("controller_epoch"),
        int64("broker_epoch", since=5, default=-1, ignorable=True),
        array(
            "ungrouped_partition_states",
            "UpdateMetadataPartitionState",
            [
                string("topic_name", until=4, ignorable=True),
                int32("partition_index"),
                int32("controller_epoch"),
                int32("leader"),
                int32("leader_epoch"),
                array("isr", int32),
                int32("zk_version"),
                array("replicas", int32),
                array("offline_replicas", int32, since=4, ignorable=True),
            ],
            until=4,
        ),
        array(
            "topic_states",
            "UpdateMetadataTopicState",
            [
                string("topic_name"),
                uuid("topic_id", since=7, ignorable=True),
                array("partition_states", "UpdateMetadataPartitionState"),
            ],
            since=5,
        ),
        array(
            "live_brokers",
            "UpdateMetadataBroker",
            [
                int32("id"),
                string("v0_host", until=0, ignorable=True),
                int32("v0_port", until=0, ignorable=True),
                array(
                    "endpoints",
                    "UpdateMetadataEndpoint",
                    [
                        int32("port"),
                        string("host"),
                        string("listener", since=3, ignorable=True),
                        int16("security_protocol"),
                    ],
                    since=1,
                    ignorable=True,
                ),
                string("rack", since=2, nullable=True, ignorable=True),
            ],
        ),
    ],
    response=[int16("error_code")],
)
