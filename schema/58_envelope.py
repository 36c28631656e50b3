"""Envelope."""

from schema.language import api, int16, octets

API = api(
    key=58,
    name="Envelope",
    versions="0",
    advertised=None,
    flexible="0+",
    listeners="controller",
    cluster_action=True,
    request=[
        octets("request_data"),
        octets("request_principal", nullable=True),
        octets("client_host_address"),
    ],
    response=[octets("response_data", nullable=True, default=None), int16("error_code")],
)
