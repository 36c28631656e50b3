"""AlterUserScramCredentials."""

from schema.language import api, array, int8, int16, int32, octets, string

API = api(
    key=51,
    name="AlterUserScramCredentials",
    versions="0",
    advertised="0",
    flexible="0+",
    listeners="broker controller",
    forwardable=True,
    request=[
        array("deletions", "ScramCredentialDeletion", [string("name"), int8("mechanism")]),
        array(
            "upsertions",
            "ScramCredentialUpsertion",
            [
                string("name"),
                int8("mechanism"),
                int32("iterations"),
                octets("salt"),
                octets("salted_password"),
            ],
        ),
    ],
    response=[
        int32("throttle_time_ms"),
        array(
            "results",
            "AlterUserScramCredentialsResult",
            [string("user"), int16("error_code"), string("error_message", nullable=True)],
        ),
    ],
)
