"""ShareGroupPartitionMetadata, kept in: group."""

from schema.language import array, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=9,
    name="ShareGroupPartitionMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[
        array(
            "initialized_topics",
            "TopicPartitionsInfo",
            [uuid("topic_id"), string("topic_name"), array("partitions", int32)],
        ),
        array("deleting_topics", "TopicInfo", [uuid("topic_id"), string("topic_name")]),
    ],
)
