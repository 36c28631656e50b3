"""ListPartitionReassignments."""

from schema.language import api, array, int16, int32, string

API = api(
    key=46,
    name="ListPartitionReassignments",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker controller",
    forwardable=True,
    request=[
        int32("timeout_ms", default=60000),
        array(
            "topics",
            "ListPartitionReassignmentsTopics",
            [string("name"), array("partition_indexes", int32)],
            nullable=True,
            default=None,
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "topics",
            "OngoingTopicReassignment",
            [
                string("name"),
                array(
                    "partitions",
                    "OngoingPartitionReassignment",
                    [
                        int32("partition_index"),
                        array("replicas", int32),
                        array("adding_replicas", int32),
                        array("removing_replicas", int32),
                    ],
                ),
            ],
        ),
    ],
)
