"""DescribeConfigs."""

from schema.language import api, array, boolean, int8, int16, int32, string

API = api(
    key=32,
    name="DescribeConfigs",
    versions="0-4",
    advertised="0-4",
    flexible="4+",
    listeners="broker controller",
    request=[
        array(
            "resources",
            "DescribeConfigsResource",
            [
                int8("resource_type"),
                string("resource_name"),
                array("configuration_keys", string, nullable=True),
            ],
        ),
        boolean("include_synonyms", since=1),
        boolean("include_documentation", since=3),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "DescribeConfigsResult",
            [
                int16("error_code"),
                string("error_message", nullable=True),
                int8("resource_type"),
                string("resource_name"),
                array(
                    "configs",
                    "DescribeConfigsResourceResult",
                    [
                        string("name"),
                        string("value", nullable=True),
                        boolean("read_only"),
                        boolean("is_default", until=0),
                        int8("config_source", since=1, default=-1, ignorable=True),
                        boolean("is_sensitive"),
                        array(
                            "synonyms",
                            "DescribeConfigsSynonym",
                            [string("name"), string("value", nullable=True), int8("source")],
                            since=1,
                            ignorable=True,
                        ),
                        int8("config_type", since=3, ignorable=True),
                        string("documentation", since=3, nullable=True, ignorable=True),
                    ],
                ),
            ],
        ),
    ],
)
