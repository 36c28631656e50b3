"""A stop, and what is known of a connection."""

import os
import socket

import pytest

from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.server import Call
from tests.unit.aio.serving import Client, Run, fetch_request, fetched, request, run, serving, until

__all__ = ["run"]


def test_a_stop_sends_what_was_answered_and_takes_nothing_more(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            await client.send(request(0))
            await until(lambda: len(world.calls) == 1)
            world.server.stop_reading()
            await client.send(request(1))
            world.server.answer(world.calls[0], ApiVersionsResponse())
            await world.server.close(5.0)
            assert (await client.response())[0] == 0
            assert await client.rest() == b""
            assert len(world.calls) == 1
            with pytest.raises(ConnectionRefusedError):
                await Client.connected(world.port)
            client.close()

    run(scenario)


def test_a_stop_does_not_wait_for_a_peer_that_does_not_read(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(call, fetched(bytes(20_000_000)))
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0))
            await until(lambda: len(world.calls) == 1)
            await world.server.close(0.02)
            assert world.server.connections == 0
            client.close()

    run(scenario)


def test_where_a_connection_comes_from_is_known(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(request(0))
            await client.response()
            origin = world.calls[0].origin
            assert (origin.listener, origin.peer_host, origin.local_host) == (
                "PLAINTEXT",
                "127.0.0.1",
                "127.0.0.1",
            )
            assert (origin.peer_port, origin.local_port) == (
                client.socket.getsockname()[1],
                world.port,
            )
            client.close()

    run(scenario)


def test_small_answers_are_not_delayed_and_lost_peers_are_noticed(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            seen: list[tuple[int, int]] = []

            def look(call: Call) -> None:
                for name in os.listdir("/proc/self/fd"):
                    try:
                        duplicate = socket.socket(fileno=os.dup(int(name)))
                    except OSError:
                        continue
                    with duplicate:
                        if peer_port_of(duplicate) == call.origin.peer_port:
                            no_delay = duplicate.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                            alive = duplicate.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                            seen.append((no_delay, alive))
                world.server.answer(call, ApiVersionsResponse())

            world.on_call = look
            client = await Client.connected(world.port)
            await client.send(request(0))
            await client.response()
            assert all(no_delay and keep_alive for no_delay, keep_alive in seen)
            assert len(seen) == 1
            client.close()

    run(scenario)


def peer_port_of(sock: socket.socket) -> int:
    try:
        return int(sock.getpeername()[1])
    except (OSError, IndexError, TypeError):
        return -1
