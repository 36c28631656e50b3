"""ShareGroupStatePartitionMetadata, kept in: group."""

from schema.language import array, int32, stored, string, uuid

RECORD = stored(
    area="group",
    type_id=15,
    name="ShareGroupStatePartitionMetadata",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[
        array(
            "initializing_topics",
            "TopicPartitionsInfo",
            [uuid("topic_id"), string("topic_name"), array("partitions", int32)],
        ),
        array("initialized_topics", "TopicPartitionsInfo"),
        array("deleting_topics", "TopicInfo", [uuid("topic_id"), string("topic_name")]),
    ],
)
