"""DescribeGroups."""

from schema.language import api, array, boolean, int16, int32, octets, string

API = api(
    key=15,
    name="DescribeGroups",
    versions="0-6",
    advertised="0-6",
    flexible="5+",
    listeners="broker",
    request=[array("groups", string), boolean("include_authorized_operations", since=3)],
    response=[
        int32("throttle_time_ms", since=1, ignorable=True),
        array(
            "groups",
            "DescribedGroup",
            [
                int16("error_code"),
                string("error_message", since=6, nullable=True, default=None),
                string("group_id"),
                string("group_state"),
                string("protocol_type"),
                string("protocol_data"),
                array(
                    "members",
                    "DescribedGroupMember",
                    [
                        string("member_id"),
                        string(
                            "group_instance_id",
                            since=4,
                            nullable=True,
                            default=None,
                            ignorable=True,
                        ),
                        string("client_id"),
                        string("client_host"),
                        octets("member_metadata"),
                        octets("member_assignment"),
                    ],
                ),
                int32("authorized_operations", since=3, default=-2147483648),
            ],
        ),
    ],
)
