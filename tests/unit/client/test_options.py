"""Which connection options are refused."""

import pytest

from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions

HERE = (Address("localhost", 9092),)


def test_defaults_work() -> None:
    assert ConnectionOptions(bootstrap=HERE).in_flight_max > 5


@pytest.mark.parametrize(
    ("complaint", "make"),
    [
        ("at least one address", lambda: ConnectionOptions(bootstrap=())),
        ("request_ms_max=0", lambda: ConnectionOptions(bootstrap=HERE, request_ms_max=0)),
        ("in_flight_max=0", lambda: ConnectionOptions(bootstrap=HERE, in_flight_max=0)),
        ("send_buffer_bytes=0", lambda: ConnectionOptions(bootstrap=HERE, send_buffer_bytes=0)),
        (
            "retry_backoff_ms is above",
            lambda: ConnectionOptions(bootstrap=HERE, retry_backoff_ms=2_000),
        ),
    ],
)
def test_what_cannot_work_is_refused_by_name(complaint: str, make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=complaint):
        make()
