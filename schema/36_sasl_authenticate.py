"""SaslAuthenticate."""

from schema.language import api, int16, int64, octets, string

API = api(
    key=36,
    name="SaslAuthenticate",
    versions="0-2",
    advertised="0-2",
    flexible="2+",
    listeners="broker controller",
    request=[octets("auth_bytes")],
    response=[
        int16("error_code"),
        string("error_message", nullable=True),
        octets("auth_bytes"),
        int64("session_lifetime_ms", since=1, ignorable=True),
    ],
)
