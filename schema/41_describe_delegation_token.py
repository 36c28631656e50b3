"""DescribeDelegationToken."""

from schema.language import api, array, int16, int32, int64, octets, string

API = api(
    key=41,
    name="DescribeDelegationToken",
    versions="0-3",
    advertised="0-3",
    flexible="2+",
    listeners="broker controller",
    request=[
        array(
            "owners",
            "DescribeDelegationTokenOwner",
            [string("principal_type"), string("principal_name")],
            nullable=True,
        )
    ],
    response=[
        int16("error_code"),
        array(
            "tokens",
            "DescribedDelegationToken",
            [
                string("principal_type"),
                string("principal_name"),
                string("token_requester_principal_type", since=3),
                string("token_requester_principal_name", since=3),
                int64("issue_timestamp"),
                int64("expiry_timestamp"),
                int64("max_timestamp"),
                string("token_id"),
                octets("hmac"),
                array(
                    "renewers",
                    "DescribedDelegationTokenRenewer",
                    [string("principal_type"), string("principal_name")],
                ),
            ],
        ),
        int32("throttle_time_ms"),
    ],
)
