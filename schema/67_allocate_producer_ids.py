"""AllocateProducerIds."""

from schema.language import api, int16, int32, int64

API = api(
    key=67,
    name="AllocateProducerIds",
    versions="0",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    forwardable=True,
    request=[int32("broker_id"), int64("broker_epoch", default=-1)],
    response=[
        int32("throttle_time_ms"),
        int16("error_code"),
        int64("producer_id_start"),
        int32("producer_id_len"),
    ],
)
