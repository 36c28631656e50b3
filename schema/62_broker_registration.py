"""BrokerRegistration."""

from schema.language import api, array, boolean, int16, int32, int64, string, uint16, uuid

API = api(
    key=62,
    name="BrokerRegistration",
    versions="0-4",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    request=[
        int32("broker_id"),
        string("cluster_id"),
        uuid("incarnation_id"),
        array(
            "listeners",
            "Listener",
            [string("name", key=True), string("host"), uint16("port"), int16("security_protocol")],
        ),
        array(
            "features",
            "Feature",
            [
                string("name", key=True),
                int16("min_supported_version"),
                int16("max_supported_version"),
            ],
        ),
        string("rack", nullable=True),
        boolean("is_migrating_zk_broker", since=1),
        array("log_dirs", uuid, since=2, ignorable=True),
        int64("previous_broker_epoch", since=3, default=-1, ignorable=True),
    ],
    response=[int32("throttle_time_ms"), int16("error_code"), int64("broker_epoch", default=-1)],
)
