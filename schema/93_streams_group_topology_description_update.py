"""StreamsGroupTopologyDescriptionUpdate."""

from schema.language import api, array, int8, int16, int32, string, struct

API = api(
    key=93,
    name="StreamsGroupTopologyDescriptionUpdate",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker",
    request=[
        string("group_id"),
        string("member_id"),
        int32("topology_epoch"),
        struct(
            "topology_description",
            "TopologyDescription",
            [
                array(
                    "subtopologies",
                    "TopologyDescriptionSubtopology",
                    [
                        string("subtopology_id"),
                        array(
                            "nodes",
                            "TopologyDescriptionNode",
                            [
                                string("name"),
                                int8("node_type"),
                                array("source_topics", string),
                                string("sink_topic", nullable=True, default=None),
                                array("stores", string),
                                array("successors", string),
                            ],
                        ),
                    ],
                ),
                array(
                    "global_stores",
                    "TopologyDescriptionGlobalStore",
                    [
                        struct("source", "TopologyDescriptionNode"),
                        struct("processor", "TopologyDescriptionNode"),
                    ],
                ),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, default=None),
    ],
)
