"""StreamsGroupTopology, kept in: group."""

from schema.language import array, int16, int32, stored, string

RECORD = stored(
    area="group",
    type_id=23,
    name="StreamsGroupTopology",
    versions="0",
    flexible="0+",
    key=[string("group_id")],
    fields=[
        int32("epoch"),
        array(
            "subtopologies",
            "Subtopology",
            [
                string("subtopology_id"),
                array("source_topics", string),
                array("source_topic_regex", string),
                array(
                    "state_changelog_topics",
                    "TopicInfo",
                    [
                        string("name"),
                        int32("partitions"),
                        int16("replication_factor"),
                        array("topic_configs", "TopicConfig", [string("key"), string("value")]),
                    ],
                ),
                array("repartition_sink_topics", string),
                array("repartition_source_topics", "TopicInfo"),
                array(
                    "copartition_groups",
                    "CopartitionGroup",
                    [
                        array("source_topics", int16),
                        array("source_topic_regex", int16),
                        array("repartition_source_topics", int16),
                    ],
                ),
            ],
        ),
    ],
)
