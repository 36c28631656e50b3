"""ControllerRegistration."""

from schema.language import api, array, boolean, int16, int32, string, uint16, uuid

API = api(
    key=70,
    name="ControllerRegistration",
    versions="0",
    advertised=None,
    flexible="0+",
    listeners="controller",
    request=[
        int32("controller_id"),
        uuid("incarnation_id"),
        boolean("zk_migration_ready"),
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
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
    ],
)
