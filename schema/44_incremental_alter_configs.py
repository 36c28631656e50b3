"""IncrementalAlterConfigs."""

from schema.language import api, array, boolean, int8, int16, int32, string

API = api(
    key=44,
    name="IncrementalAlterConfigs",
    versions="0-1",
    advertised="0-1",
    flexible="1+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "resources",
            "AlterConfigsResource",
            [
                int8("resource_type", key=True),
                string("resource_name", key=True),
                array(
                    "configs",
                    "AlterableConfig",
                    [
                        string("name", key=True),
                        int8("config_operation", key=True),
                        string("value", nullable=True),
                    ],
                ),
            ],
        ),
        boolean("validate_only"),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "responses",
            "AlterConfigsResourceResponse",
            [
                int16("error_code"),
                string("error_message", nullable=True),
                int8("resource_type"),
                string("resource_name"),
            ],
        ),
    ],
)
