"""BrokerRegistrationChangeRecord, kept in: metadata."""

from schema.language import array, int8, int32, int64, stored, uuid

RECORD = stored(
    area="metadata",
    type_id=17,
    name="BrokerRegistrationChangeRecord",
    versions="0-3",
    flexible="0+",
    fields=[
        int32("broker_id"),
        int64("broker_epoch"),
        int8("fenced", tag=0),
        int8("in_controlled_shutdown", since=1, tag=1),
        array("log_dirs", uuid, since=2, tag=2),
        array("cordoned_log_dirs", uuid, since=3, nullable=True, tag=3, default=None),
    ],
)
