"""Binding."""

import socket

import pytest

from ottla.aio.listen import bind
from ottla.aio.log_directory import CannotStart
from tests.unit.aio.serving import listener


def test_localhost_is_both_addresses_with_one_port() -> None:
    bound = bind(listener("localhost"))
    try:
        addresses = {one.getsockname()[0] for one in bound}
        assert "127.0.0.1" in addresses
        assert addresses <= {"127.0.0.1", "::1"}
        assert len({one.getsockname()[1] for one in bound}) == 1
        assert socket.has_ipv6 is (len(bound) == 2) or len(bound) == 1
    finally:
        for one in bound:
            one.close()


@pytest.mark.parametrize("host", ["", "0.0.0.0"])
def test_no_host_is_every_interface(host: str) -> None:
    bound = bind(listener(host))
    addresses = {one.getsockname()[0] for one in bound}
    for one in bound:
        one.close()
    assert "0.0.0.0" in addresses
    assert addresses <= {"0.0.0.0", "::"}


def test_a_taken_port_is_explained() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"127\.0\.0\.1:{port}: the port is taken"):
            bind(listener("127.0.0.1", port))


@pytest.mark.parametrize(
    ("host", "said"),
    [("host.invalid", "cannot be resolved"), ("192.0.2.1", "does not have that address")],
)
def test_an_unusable_host_is_explained(host: str, said: str) -> None:
    with pytest.raises(CannotStart, match=said):
        bind(listener(host))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_buffers_are_what_the_settings_say_and_else_the_systems(host: str) -> None:
    options = (socket.SO_SNDBUF, socket.SO_RCVBUF)
    as_it_is = bind(listener(host), send_buffer_bytes=-1, receive_buffer_bytes=-1)
    asked = bind(listener(host), send_buffer_bytes=20_000, receive_buffer_bytes=30_000)
    with socket.socket() as other:
        ours = [other.getsockopt(socket.SOL_SOCKET, option) for option in options]
    for one in as_it_is:
        assert [one.getsockopt(socket.SOL_SOCKET, option) for option in options] == ours
    for one in asked:  # Linux doubles them, for its own needs
        assert [one.getsockopt(socket.SOL_SOCKET, option) for option in options] in (
            [40_000, 60_000],
            [20_000, 30_000],
        )
    for one in (*as_it_is, *asked):
        one.close()
