"""BrokerHeartbeat."""

from schema.language import api, array, boolean, int16, int32, int64, uuid

API = api(
    key=63,
    name="BrokerHeartbeat",
    versions="0-2",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    request=[
        int32("broker_id"),
        int64("broker_epoch", default=-1),
        int64("current_metadata_offset"),
        boolean("want_fence"),
        boolean("want_shut_down"),
        array("offline_log_dirs", uuid, since=1, tag=0),
        array("cordoned_log_dirs", uuid, since=2, nullable=True, tag=1, default=None),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        boolean("is_caught_up"),
        boolean("is_fenced", default=True),
        boolean("should_shut_down"),
    ],
)
