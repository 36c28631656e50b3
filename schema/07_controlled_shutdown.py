"""ControlledShutdown."""

from schema.language import api, array, int16, int32, int64, string

API = api(
    key=7,
    name="ControlledShutdown",
    versions="0-3",
    advertised=None,
    flexible="3+",
    listeners="zkBroker controller",
    cluster_action=True,
    request=[int32("broker_id"), int64("broker_epoch", since=2, default=-1, ignorable=True)],
    response=[
        int16("error_code"),
        array(
            "remaining_partitions",
            "RemainingPartition",
            [string("topic_name", key=True), int32("partition_index", key=True)],
        ),
    ],
)
