"""AddRaftVoter."""

from schema.language import api, array, boolean, int16, int32, string, uint16, uuid

API = api(
    key=80,
    name="AddRaftVoter",
    versions="0-1",
    advertised="0-1",
    flexible="0+",
    listeners="controller broker",
    forwardable=True,
    request=[
        string("cluster_id", nullable=True),
        int32("timeout_ms"),
        int32("voter_id"),
        uuid("voter_directory_id"),
        array("listeners", "Listener", [string("name", key=True), string("host"), uint16("port")]),
        boolean("ack_when_committed", since=1, default=True),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True, ignorable=True),
    ],
)
