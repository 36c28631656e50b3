"""DeleteGroups."""

from schema.language import api, array, int16, int32, string

API = api(
    key=42,
    name="DeleteGroups",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker",
    request=[array("groups_names", string)],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "DeletableGroupResult",
            [
                string("group_id", key=True),
                int16("error_code"),
                string("error_message", since=3, nullable=True, default=None, ignorable=True),
            ],
        ),
    ],
)
