"""ListGroups."""

from schema.language import api, array, int16, int32, string

API = api(
    key=16,
    name="ListGroups",
    versions="0-5",
    advertised="0-5",
    flexible="3+",
    listeners="broker",
    request=[array("states_filter", string, since=4), array("types_filter", string, since=5)],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        int16("error_code"),
        array(
            "groups",
            "ListedGroup",
            [
                string("group_id"),
                string("protocol_type"),
                string("group_state", since=4, ignorable=True),
                string("group_type", since=5, ignorable=True),
            ],
        ),
    ],
)
