"""RemotePartitionDeleteMetadataRecord, kept in: storage."""

from schema.language import int8, int32, int64, stored, string, struct, uuid

RECORD = stored(
    area="storage",
    type_id=2,
    name="RemotePartitionDeleteMetadataRecord",
    versions="0",
    flexible="0+",
    fields=[
        struct(
            "topic_id_partition",
            "TopicIdPartitionEntry",
            [string("name"), uuid("id"), int32("partition")],
        ),
        int32("broker_id"),
        int64("event_timestamp_ms"),
        int8("remote_partition_delete_state"),
    ],
)
