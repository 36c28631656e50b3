"""DescribeUserScramCredentials."""

from schema.language import api, array, int8, int16, int32, string

API = api(
    key=50,
    name="DescribeUserScramCredentials",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker controller",
    request=[array("users", "UserName", [string("name")], nullable=True)],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        string("error_message", nullable=True),
        array(
            "results",
            "DescribeUserScramCredentialsResult",
            [
                string("user"),
                int16("error_code"),
                string("error_message", nullable=True),
                array(
                    "credential_infos", "CredentialInfo", [int8("mechanism"), int32("iterations")]
                ),
            ],
        ),
    ],
)
