"""ConsumerGroupPartitionMetadata, kept in: group."""

from schema.language import array, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=4,
    name="ConsumerGroupPartitionMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[
        array(
            "topics",
            "TopicMetadata",
            [
                uuid("topic_id"),
                string("topic_name"),
                int32("num_partitions"),
                array(
                    "partition_metadata",
                    "PartitionMetadata",
                    [int32("partition"), array("racks", string)],
                ),
            ],
        )
    ],
)
