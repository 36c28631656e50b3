"""Who is let in, how fast, and who has been silent for too long."""

import asyncio
import logging

import pytest

from ottla.aio import server as server_module
from ottla.core.quota.accepts import Accepts
from ottla.settings.broker import ConnectionSettings
from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.server import Call
from tests.unit.aio.serving import (
    Client,
    Run,
    World,
    fetch_request,
    fetched,
    request,
    run,
    serving,
    settings,
    still_served,
    until,
)

__all__ = ["run"]


def test_connections_that_come_too_fast_are_held_unread_and_closed(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.server.limit_accepts({"127.0.0.1": 0.1})  # one in ten seconds
            first = await Client.connected(world.port)
            await first.send(request(0))
            assert (await first.response())[0] == 0
            world.server.limit_accepts({"127.0.0.1": 1_000_000.0, None: 0.0001})
            fast = await Client.connected(world.port)
            await fast.send(request(1))
            assert (await fast.response())[0] == 1
            world.server.limit_accepts({"127.0.0.1": 0.0001})
            held = await Client.connected(world.port)
            await held.send(request(2))
            await first.send(request(3))
            assert (await first.response())[0] == 3
            assert world.server.connections == 2
            assert [call.correlation_id for call in world.calls] == [0, 1, 3]
            await world.server.close(0.0)
            assert await held.rest() == b""
            for client in (first, fast, held):
                client.close()

    run(scenario)


def test_no_more_are_held_than_there_is_room_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HELD_CONNECTIONS_MAX", 1)

    async def scenario() -> None:
        async with serving() as world:
            world.server.limit_accepts({None: 0.0001})
            held = await Client.connected(world.port)
            refused = await Client.connected(world.port)
            assert await refused.rest() == b""
            held.socket.setblocking(False)
            with pytest.raises(BlockingIOError):
                held.socket.recv(1)
            held.close()
            refused.close()

    run(scenario)


def test_a_held_connection_is_closed_when_its_time_is_over(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accepts, "hold_ms", lambda self, now_ms, address: 5)

    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            assert await client.rest() == b""
            assert world.server.connections == 0
            assert world.gone == []
            client.close()

    run(scenario)


def test_new_bounds_hold_for_new_connections(run: Run) -> None:
    async def scenario() -> None:
        async with serving(settings(connections_max=2)) as world:
            kept = [await Client.connected(world.port) for _ in range(2)]
            await until(lambda: world.server.connections == 2)
            world.server.obey(settings(connections_max=3))
            kept.append(await Client.connected(world.port))
            await until(lambda: world.server.connections == 3)
            world.server.obey(settings(connections_max=1))
            refused = await Client.connected(world.port)
            assert await refused.rest() == b""
            assert world.server.connections == 3
            for client in (*kept, refused):
                client.close()

    run(scenario)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (settings(connections_max=2), "max.connections is 2"),
        (settings(per_host_max=2), "max.connections.per.ip is 2"),
    ],
)
def test_a_connection_too_many_is_closed_with_one_warning(
    run: Run, caplog: pytest.LogCaptureFixture, given: ConnectionSettings, said: str
) -> None:
    async def scenario() -> None:
        async with serving(given) as world:
            kept = [await Client.connected(world.port) for _ in range(2)]
            await until(lambda: world.server.connections == 2)
            for _ in range(5):
                refused = await Client.connected(world.port)
                assert await refused.rest() == b""
                refused.close()
            warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
            assert warnings == [f"connection refused: {said}"]
            assert world.gone == []
            kept.pop().close()
            await until(lambda: world.server.connections == 1)
            assert await still_served(world)
            kept.pop().close()

    run(scenario)


def test_who_is_silent_too_long_is_closed_and_who_waits_is_not(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            silent = await Client.connected(world.port)
            waiting = await Client.connected(world.port)
            await waiting.send(request(1))
            await until(lambda: len(world.calls) == 1 and world.server.connections == 2)
            for _ in range(8):
                world.server.sweep()
            assert world.server.connections == 2
            world.server.sweep()
            assert await silent.rest() == b""
            world.server.sweep()
            world.server.answer(world.calls[0], ApiVersionsResponse())
            assert (await waiting.response())[0] == 1
            silent.close()
            waiting.close()

    run(scenario)


@pytest.mark.parametrize("ended", [False, True])
def test_a_peer_that_takes_nothing_for_an_idle_time_does_not_keep_its_place(
    run: Run, ended: bool
) -> None:
    def answered(world: World, call: Call) -> None:
        world.server.answer(call, fetched(bytes(20_000_000)))
        if ended:
            world.server.end(call.origin.connection_id, "no reason")

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: answered(world, call)
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0))
            await until(lambda: len(world.calls) == 1)
            for _ in range(20):  # what the kernel still takes for it is progress
                await asyncio.sleep(0)
                world.server.sweep()
            await until(lambda: world.server.connections == 0)
            assert world.server.held_bytes == 0
            client.close()

    run(scenario)


def test_a_slow_reader_is_not_idle(run: Run) -> None:
    size_bytes = 20_000_000

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(call, fetched(bytes(size_bytes)))
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0))
            await until(lambda: len(world.calls) == 1)
            for _ in range(19):
                await client.read(1_000_000)
                world.server.sweep()
            assert world.server.connections == 1
            client.close()

    run(scenario)


def test_the_sweep_comes_by_itself(run: Run) -> None:
    async def scenario() -> None:
        async with serving(settings(idle_ms=40)) as world:
            client = await Client.connected(world.port)
            assert await client.rest() == b""
            assert world.gone == [1]
            client.close()

    run(scenario)
