"""UpdateFeatures."""

from schema.language import api, array, boolean, int8, int16, int32, string

API = api(
    key=57,
    name="UpdateFeatures",
    versions="0-2",
    advertised="0-2",
    flexible="0+",
    listeners="broker controller",
    cluster_action=True,
    forwardable=True,
    request=[
        int32("timeout_ms", default=60000),
        array(
            "feature_updates",
            "FeatureUpdateKey",
            [
                string("feature", key=True),
                int16("max_version_level"),
                boolean("allow_downgrade", until=0),
                int8("upgrade_type", since=1, default=1),
            ],
        ),
        boolean("validate_only", since=1),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "results",
            "UpdatableFeatureResult",
            [
                string("feature", key=True),
                int16("error_code"),
                string("error_message", nullable=True),
            ],
            until=1,
            ignorable=True,
        ),
    ],
)
