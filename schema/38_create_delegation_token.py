"""CreateDelegationToken."""

from schema.language import api, array, int16, int32, int64, octets, string

API = api(
    key=38,
    name="CreateDelegationToken",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker controller",
    forwardable=True,
    request=[
        string("owner_principal_type", since=3, nullable=True),
        string("owner_principal_name", since=3, nullable=True),
        array(
            "renewers", "CreatableRenewers", [string("principal_type"), string("principal_name")]
        ),
        int64("max_lifetime_ms"),
    ],
    response=[
        int16("error_code"),
        string("principal_type"),
        string("principal_name"),
        string("token_requester_principal_type", since=3),
        string("token_requester_principal_name", since=3),
        int64("issue_timestamp_ms"),
        int64("expiry_timestamp_ms"),
        int64("max_timestamp_ms"),
        string("token_id"),
        octets("hmac"),
        int32("throttle_time_ms"),
    ],
)
