"""CreateAcls."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=30,
    name="CreateAcls",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array(
            "creations",
            "AclCreation",
            [
                int8("resource_type"),
                string("resource_name"),
                int8("resource_pattern_type", since=1, default=3),
                string("principal"),
                string("host"),
                int8("operation"),
                int8("permission_type"),
            ],
        )
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "AclCreationResult",
            [int16("error_code"), string("error_message", nullable=True)],
        ),
    ],
)
