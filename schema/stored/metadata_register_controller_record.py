"""RegisterControllerRecord, kept in: metadata."""

from schema.language import array, boolean, int16, int32, stored, string, uint16, uuid

RECORD = stored(
    area="metadata",
    type_id=27,
    name="RegisterControllerRecord",
    versions="0",
    flexible="0+",
    fields=[
        int32("controller_id"),
        uuid("incarnation_id"),
        boolean("zk_migration_ready"),
        array(
            "end_points",
            "ControllerEndpoint",
            [string("name", key=True), string("host"), uint16("port"), int16("security_protocol")],
        ),
        array(
            "features",
            "ControllerFeature",
            [
                string("name", key=True),
                int16("min_supported_version"),
                int16("max_supported_version"),
            ],
        ),
    ],
)
