"""RenewDelegationToken."""

from schema.language import api, int16, int32, int64, octets

API = api(
    key=39,
    name="RenewDelegationToken",
    versions="0-2",
    advertised="0-2",
    flexible="2+",
    listeners="broker controller",
    forwardable=True,
    request=[octets("hmac"), int64("renew_period_ms")],
    response=[int16("error_code"), int64("expiry_timestamp_ms"), int32("throttle_time_ms")],
)
