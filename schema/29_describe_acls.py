"""DescribeAcls."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=29,
    name="DescribeAcls",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker controller",
    request=[
        int8("resource_type_filter"),
        string("resource_name_filter", nullable=True),
        int8("pattern_type_filter", since=1, default=3),
        string("principal_filter", nullable=True),
        string("host_filter", nullable=True),
        int8("operation"),
        int8("permission_type"),
    ],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "resources",
            "DescribeAclsResource",
            [
                int8("resource_type"),
                string("resource_name"),
                int8("pattern_type", since=1, default=3),
                array(
                    "acls",
                    "AclDescription",
                    [
                        string("principal"),
                        string("host"),
                        int8("operation"),
                        int8("permission_type"),
                    ],
                ),
            ],
        ),
    ],
)
