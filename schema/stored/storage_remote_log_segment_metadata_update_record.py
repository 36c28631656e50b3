"""RemoteLogSegmentMetadataUpdateRecord, kept in: storage."""

from schema.language import int8, int32, int64, octets, stored, string, struct, uuid

RECORD = stored(
    area="storage",
    type_id=1,
    name="RemoteLogSegmentMetadataUpdateRecord",
    versions="0",
    flexible="0+",
    fields=[
        struct(
            "remote_log_segment_id",
            "RemoteLogSegmentIdEntry",
            [
                struct(
                    "topic_id_partition",
                    "TopicIdPartitionEntry",
                    [string("name"), uuid("id"), int32("partition")],
                ),
                uuid("id"),
            ],
        ),
        int32("broker_id"),
        int64("event_timestamp_ms"),
        octets("custom_metadata", nullable=True, default=None),
        int8("remote_log_segment_state"),
    ],
)
