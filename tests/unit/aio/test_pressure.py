"""Connections that are not read for a while: muted, or too much waits; and the bounds of what waits."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ottla.aio import connection as connection_module
from ottla.aio import turns as turns_module
from ottla.aio.connection import HELD_BYTES_PAUSE
from ottla.aio.turns import Turns
from ottla.limits import IN_FLIGHT_PER_CONNECTION_MAX
from ottla.wire.api import APIS, FETCH, PRODUCE
from ottla.wire.header import encode_request
from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.server import Call
from tests.unit.aio.serving import (
    LIMIT_BYTES,
    Client,
    Run,
    World,
    fetch_request,
    fetched,
    joined,
    request,
    run,
    serving,
    settings,
    still_served,
    until,
)

__all__ = ["run"]


def test_a_muted_connection_is_answered_and_its_next_calls_wait(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            muted_s = 3600.0

            def on_call(call: Call) -> None:
                world.server.answer(call, ApiVersionsResponse())
                if call.origin.connection_id == 1:
                    world.server.mute(1, int(muted_s * 1000))

            world.on_call = on_call
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1))
            assert (await client.response())[0] == 0
            await client.send(request(2))
            other = await Client.connected(world.port)
            for number in range(20):  # the loop goes on for others
                await other.send(request(number))
                assert (await other.response())[0] == number
            assert [
                call.correlation_id for call in world.calls if call.origin.connection_id == 1
            ] == [0]
            client.close()
            other.close()

    run(scenario)


def test_a_muted_connection_goes_on_when_its_time_is_over(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:

            def on_call(call: Call) -> None:
                world.server.answer(call, ApiVersionsResponse())
                world.server.mute(1, 5)
                world.server.mute(1, 1)  # a shorter time takes nothing from a longer one
                world.server.mute(99, 5)

            world.on_call = on_call
            client = await Client.connected(world.port)
            began_s = asyncio.get_running_loop().time()
            await client.send(b"".join(request(number) for number in range(5)))
            assert [(await client.response())[0] for _ in range(5)] == list(range(5))
            assert asyncio.get_running_loop().time() - began_s >= 0.019
            client.close()
            await until(lambda: world.server.connections == 0 or bool(world.gone))

    run(scenario)


def test_a_muted_connection_ends_with_the_server(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.mute(1, 3_600_000)
            client = await Client.connected(world.port)
            await client.send(request(0))
            await until(lambda: len(world.calls) == 1)
            await world.server.close(0.0)
            assert await client.rest() == b""
            assert world.gone == [1]
            client.close()

    run(scenario)


def test_reading_pauses_while_too_many_calls_wait(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            bound = IN_FLIGHT_PER_CONNECTION_MAX
            one = request(0)
            # As many as the bound come in one write; what follows must wait in the socket.
            await client.send(b"".join(request(number) for number in range(bound)))
            await until(lambda: len(world.calls) == bound)
            await client.send(one * 10)
            other = await Client.connected(world.port)
            world.on_call = lambda call: (
                world.server.answer(call, ApiVersionsResponse())
                if call.origin.connection_id == 2
                else None
            )
            for number in range(20):  # the loop has turned often enough to see the ten
                await other.send(request(number))
                await other.response()
            assert len([c for c in world.calls if c.origin.connection_id == 1]) == bound
            for call in world.calls[: bound // 2]:
                world.server.answer(call, ApiVersionsResponse())
            await until(lambda: len(world.calls) == bound + 20 + 10)
            client.close()
            other.close()

    run(scenario)


def test_reading_goes_on_when_calls_are_answered_by_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            bound = IN_FLIGHT_PER_CONNECTION_MAX
            await client.send(b"".join(request(number) for number in range(bound)))
            await until(lambda: len(world.calls) == bound)
            await client.send(request(0))
            for call in world.calls[:bound]:
                world.server.answer(call, None)
            await until(lambda: len(world.calls) == bound + 1)
            client.close()

    run(scenario)


def test_reading_pauses_while_the_peer_does_not_take_its_answers(run: Run) -> None:
    big = fetched(bytes(2 * HELD_BYTES_PAUSE))

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(call, big)
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0) + fetch_request(1) + fetch_request(2))
            await until(lambda: len(world.calls) == 1)
            await client.send(fetch_request(3))
            other = await Client.connected(world.port)
            for number in range(5):
                await other.send(fetch_request(number))
                await other.response()
            taken = [c.correlation_id for c in world.calls if c.origin.connection_id == 1]
            assert taken in ([0], [0, 1])  # as much as the kernel's buffers hold
            for number in range(4):
                assert (await client.response())[0] == number
            client.close()
            other.close()

    run(scenario)


def test_a_peer_that_asks_much_and_reads_nothing_loses_its_connection(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "WRITE_BUFFER_BYTES_MAX", 8_000_000)
    big = fetched(bytes(1_000_000))

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(0) * 100)
            await until(lambda: len(world.calls) == 100)
            for call in world.calls:  # they waited, and are all answered at once
                world.server.answer(call, big)
            await until(lambda: "of answers wait" in caplog.text)
            client.close()
            await until(lambda: world.server.connections == 0)
            assert world.server.held_bytes == 0

    run(scenario)


def test_a_giant_announcement_costs_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(struct.pack(">i", LIMIT_BYTES) + bytes(10))
            assert await still_served(world)
            assert world.server.held_bytes == 0
            client.close()

    run(scenario)


def test_unfinished_requests_of_all_connections_have_a_bound(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving(settings(unfinished_bytes_max=2_000_000)) as world:
            part = struct.pack(">i", 900_000) + bytes(600_000)
            first = await Client.connected(world.port)
            await first.send(part)
            await until(lambda: world.server.unfinished_bytes == 2**20)  # what is allocated
            second = await Client.connected(world.port)
            await second.send(part[:100_000])
            await until(lambda: world.server.unfinished_bytes >= 2**20 + 100_000)
            await second.send(part[100_000:])
            assert await second.rest() == b""
            assert "queued.max.request.bytes=2,000,000" in caplog.text
            first.close()
            await until(lambda: world.server.connections == 0)
            assert world.server.unfinished_bytes == 0
            assert await still_served(world)
            assert world.server.unfinished_bytes == 0
            second.close()

    run(scenario)


def test_a_large_request_is_forgotten_when_it_is_whole(run: Run) -> None:
    async def scenario() -> None:
        async with serving(settings(unfinished_bytes_max=2_000_000)) as world:
            api = APIS[PRODUCE]
            message = ProduceRequest(
                topic_data=[
                    TopicProduceData(
                        name="t", partition_data=[PartitionProduceData(records=bytes(900_000))]
                    )
                ]
            )
            large = joined(encode_request(api, 9, 3, "test", api.encode_request(message, 9)))
            world.on_call = lambda call: world.server.answer(call, ProduceResponse())
            client = await Client.connected(world.port)
            for _ in range(5):
                await client.send(large)
                assert (await client.response())[0] == 3
                assert world.server.unfinished_bytes == 0
            client.close()

    run(scenario)


# Who waits for his turn


def test_who_sends_much_at_once_waits_for_others_after_his_time(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "TURN_S", 0.0)  # one call
    monkeypatch.setattr(turns_module, "TURN_S", 0.0)  # of one connection in a turn

    async def scenario() -> None:
        async with serving() as world:
            clients = [await Client.connected(world.port) for _ in range(3)]
            for client in clients[:2]:
                await client.send(b"".join(request(number) for number in range(10)))
            await until(lambda: len(world.calls) >= 4)
            await clients[2].send(request(99))
            assert (await clients[2].response())[0] == 99
            for client in clients[:2]:
                assert [(await client.response())[0] for _ in range(10)] == list(range(10))
            order = [call.origin.connection_id for call in world.calls]
            assert order.index(3) < 15
            for client in clients:
                client.close()

    run(scenario)


def answer_either(world: World, call: Call) -> None:
    is_fetch = call.api_key == FETCH
    world.server.answer(call, fetched(b"x") if is_fetch else ApiVersionsResponse())


def test_many_fetches_at_a_moment_run_in_turns_of_their_own(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "TURN_S", 0.0)  # one in a turn

    async def scenario() -> None:
        async with serving() as world:
            loop = asyncio.get_running_loop()
            turn = 0
            seen: list[int] = []

            def turned() -> None:
                nonlocal turn
                turn += 1
                if len(seen) < 40:
                    loop.call_soon(turned)

            def on_call(call: Call) -> None:
                if call.api_key == FETCH:
                    seen.append(turn)
                answer_either(world, call)

            world.on_call = on_call
            turned()
            clients = [await Client.connected(world.port) for _ in range(20)]
            for client in clients:
                await client.send(
                    fetch_request(1) + request(2) + fetch_request(3) + request(4) + request(5)
                )
            for client in clients:
                assert [(await client.response())[0] for _ in range(5)] == [1, 2, 3, 4, 5]
            assert len(seen) == len(set(seen)) == 40
            for number in range(1, 21):
                ids = [c.correlation_id for c in world.calls if c.origin.connection_id == number]
                assert ids == [1, 2, 3, 4, 5]
            for client in clients:
                client.close()

    run(scenario)


def test_garbage_behind_what_was_taken_ends_the_connection_without_more_of_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "TURN_S", 0.0)

    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(request(1) + struct.pack(">i", -1))
            assert (await client.response())[0] == 1
            assert await client.rest() == b""
            await until(lambda: world.gone == [1])
            client.close()

    run(scenario)


@asynccontextmanager
async def with_a_fetch_that_waits(
    behind: bytes,
) -> AsyncIterator[tuple[World, Client, Callable[[], None]]]:
    """Its turn comes when the test says so."""
    async with serving() as world:
        soon: list[Callable[[], None]] = []
        world.server.turns = Turns(soon.append)
        world.server.turns.wait(lambda: None)  # somebody is before it
        world.on_call = lambda call: answer_either(world, call)
        client = await Client.connected(world.port)
        await client.send(request(1) + fetch_request(2) + behind)
        assert (await client.response())[0] == 1

        def turn() -> None:
            for callback in (*soon,):
                soon.remove(callback)
                callback()

        yield world, client, turn
        client.close()


def test_what_follows_a_fetch_that_waits_is_not_taken_and_others_are(run: Run) -> None:
    async def scenario() -> None:
        async with with_a_fetch_that_waits(request(3)) as (world, client, turn):
            await client.send(request(4))
            assert await still_served(world)
            world.on_call = lambda call: answer_either(world, call)
            for _ in range(20):
                world.server.sweep()  # who waits for us is not idle
                await asyncio.sleep(0)
            assert [call.correlation_id for call in world.calls] == [1, 1]
            turn()
            for correlation_id in (2, 3, 4):
                assert (await client.response())[0] == correlation_id

    run(scenario)


def test_garbage_behind_a_fetch_that_waits_ends_the_connection_after_it(run: Run) -> None:
    async def scenario() -> None:
        bad = struct.pack(">i", -1)
        async with with_a_fetch_that_waits(bad) as (world, client, turn):
            assert world.gone == []
            turn()
            assert (await client.response())[0] == 2
            assert await client.rest() == b""
            await until(lambda: world.gone == [1])

    run(scenario)


def test_a_fetch_that_waits_is_forgotten_with_its_connection(run: Run) -> None:
    async def scenario() -> None:
        async with with_a_fetch_that_waits(b"") as (world, _, turn):
            world.server.end(1, "enough")
            await until(lambda: world.gone == [1])
            turn()
            assert [call.correlation_id for call in world.calls] == [1]

    run(scenario)


def test_a_fetch_that_waits_is_not_taken_after_a_stop(run: Run) -> None:
    async def scenario() -> None:
        async with with_a_fetch_that_waits(b"") as (world, client, turn):
            world.server.stop_reading()
            turn()
            assert [call.correlation_id for call in world.calls] == [1]
            await world.server.close(0.0)
            assert await client.rest() == b""

    run(scenario)
