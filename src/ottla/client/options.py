"""How a client connects: addresses, time-outs, waits and bounds, whatever it then does.

Every number has the default of Kafka's clients. What a producer, a consumer or an admin wants
besides stands in their own options; certificates and passwords, in `aio/security.py`.
"""

from dataclasses import dataclass

from ottla.client.metadata import Address
from ottla.limits import RESPONSE_FRAME_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Raises ValueError for what cannot work, naming the option.

    `bootstrap`: where to look for the first broker that answers, and again when none of those it
    told of does (KIP-899). `client_id` None: requests go without one.
    """

    bootstrap: tuple[Address, ...]
    client_id: str | None = "ottla"
    request_ms_max: int = 30_000
    """One request, from when it is sent: then its connection is given up."""
    connect_ms_max: int = 10_000
    """One connection, with TLS, authentication and the agreement on versions."""
    api_ms_max: int = 60_000
    """One call of the user's that says nothing else, with whatever is tried again in it."""
    metadata_age_ms_max: int = 300_000
    retry_backoff_ms: int = 100
    retry_backoff_ms_max: int = 1_000
    reconnect_backoff_ms: int = 50
    reconnect_backoff_ms_max: int = 1_000
    idle_ms_max: int = 540_000
    """Below a broker's ten minutes, so that it is the client who closes."""
    send_buffer_bytes: int | None = None
    receive_buffer_bytes: int | None = None
    """SO_SNDBUF, SO_RCVBUF; None: the system's choice."""
    socket_options: tuple[tuple[int, int, int], ...] = ()
    """(level, name, value) for `setsockopt`; TCP_NODELAY is set anyway."""
    in_flight_max: int = 64
    """Requests on one connection without an answer; then further ones wait. A producer whose order
    depends on it counts for itself."""
    response_bytes_max: int = RESPONSE_FRAME_BYTES_MAX

    def __post_init__(self) -> None:
        if not self.bootstrap:
            raise ValueError("bootstrap: at least one address is expected")
        for name, low in _AT_LEAST.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise ValueError(f"{name}={value}: {low} or more is expected")
        for name in ("retry_backoff_ms", "reconnect_backoff_ms"):
            if getattr(self, name) > getattr(self, name + "_max"):
                raise ValueError(f"{name} is above {name}_max")


_AT_LEAST = {
    "request_ms_max": 1,
    "connect_ms_max": 1,
    "api_ms_max": 1,
    "metadata_age_ms_max": 1,
    "retry_backoff_ms": 1,
    "reconnect_backoff_ms": 1,
    "idle_ms_max": 1,
    "send_buffer_bytes": 1,
    "receive_buffer_bytes": 1,
    "in_flight_max": 1,
    "response_bytes_max": 4,
}
