"""RegisterBrokerRecord, kept in: metadata."""

from schema.language import array, boolean, int16, int32, int64, stored, string, uint16, uuid

RECORD = stored(
    area="metadata",
    type_id=0,
    name="RegisterBrokerRecord",
    versions="0-4",
    flexible="0+",
    fields=[
        int32("broker_id"),
        boolean("is_migrating_zk_broker", since=2),
        uuid("incarnation_id"),
        int64("broker_epoch"),
        array(
            "end_points",
            "BrokerEndpoint",
            [string("name", key=True), string("host"), uint16("port"), int16("security_protocol")],
        ),
        array(
            "features",
            "BrokerFeature",
            [
                string("name", key=True),
                int16("min_supported_version"),
                int16("max_supported_version"),
            ],
        ),
        string("rack", nullable=True),
        boolean("fenced", default=True),
        boolean("in_controlled_shutdown", since=1),
        array("log_dirs", uuid, since=3, tag=0),
        array("cordoned_log_dirs", uuid, since=4, nullable=True, tag=1, default=None),
    ],
)
