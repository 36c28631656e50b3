"""UpdateRaftVoter."""

from schema.language import api, array, int16, int32, string, struct, uint16, uuid

API = api(
    key=82,
    name="UpdateRaftVoter",
    versions="0",
    advertised=None,
    flexible="0+",
    listeners="controller",
    request=[
        string("cluster_id", nullable=True),
        int32("current_leader_epoch"),
        int32("voter_id"),
        uuid("voter_directory_id"),
        array("listeners", "Listener", [string("name", key=True), string("host"), uint16("port")]),
        struct(
            "kraft_version_feature",
            "KRaftVersionFeature",
            [int16("min_supported_version"), int16("max_supported_version")],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        struct(
            "current_leader",
            "CurrentLeader",
            [
                int32("leader_id", default=-1),
                int32("leader_epoch", default=-1),
                string("host"),
                int32("port"),
            ],
            tag=0,
        ),
    ],
)
