"""RemoveRaftVoter."""

from schema.language import api, int16, int32, string, uuid

API = api(
    key=81,
    name="RemoveRaftVoter",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="controller broker",
    forwardable=True,
    request=[string("cluster_id", nullable=True), int32("voter_id"), uuid("voter_directory_id")],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, ignorable=True),
    ],
)
