"""ApiVersions."""

from schema.language import api, array, boolean, int16, int32, int64, string

API = api(
    key=18,
    name="ApiVersions",
    versions="0-5",
    advertised="0-5",
    flexible="3+",
    listeners="broker controller",
    request=[
        string("client_software_name", since=3, ignorable=True),
        string("client_software_version", since=3, ignorable=True),
        string("cluster_id", since=5, nullable=True, default=None, ignorable=True),
        int32("node_id", since=5, default=-1, ignorable=True),
    ],
    response=[
        int16("error_code"),
        array(
            "api_keys",
            "ApiVersion",
            [int16("api_key", key=True), int16("min_version"), int16("max_version")],
        ),
        int32("throttle_time_ms", since=1, ignorable=True),
        array(
            "supported_features",
            "SupportedFeatureKey",
            [string("name", key=True), int16("min_version"), int16("max_version")],
            since=3,
            tag=0,
            ignorable=True,
        ),
        int64("finalized_features_epoch", since=3, tag=1, default=-1, ignorable=True),
        array(
            "finalized_features",
            "FinalizedFeatureKey",
            [string("name", key=True), int16("max_version_level"), int16("min_version_level")],
            since=3,
            tag=2,
            ignorable=True,
        ),
        boolean("zk_migration_ready", since=3, tag=3, ignorable=True),
    ],
)
