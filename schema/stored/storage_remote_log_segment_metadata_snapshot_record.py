"""RemoteLogSegmentMetadataSnapshotRecord, kept in: storage."""

from schema.language import array, boolean, int8, int32, int64, octets, stored, uuid

RECORD = stored(
    area="storage",
    type_id=3,
    name="RemoteLogSegmentMetadataSnapshotRecord",
    versions="0",
    flexible="0+",
    fields=[
        uuid("segment_id"),
        int64("start_offset"),
        int64("end_offset"),
        int32("broker_id"),
        int64("max_timestamp_ms"),
        int64("event_timestamp_ms"),
        array(
            "segment_leader_epochs",
            "SegmentLeaderEpochEntry",
            [int32("leader_epoch"), int64("offset")],
        ),
        int32("segment_size_in_bytes"),
        octets("custom_metadata", nullable=True, default=None),
        int8("remote_log_segment_state"),
        boolean("txn_index_empty", tag=0),
    ],
)
