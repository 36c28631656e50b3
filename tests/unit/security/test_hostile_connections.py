"""What one connection may do to the others: each test is a defect that an attack found."""

import socket
import struct
from contextlib import suppress

import pytest

from ottla.aio.listen import _UNSENT, bind
from ottla.errors import RemoteProtocolError
from ottla.limits import CALLS_PER_TURN_MAX, UNSENT_BYTES_MAX
from ottla.settings.broker import broker_settings
from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.server import ServerConnection
from tests.unit.aio.serving import (
    Client,
    Run,
    listener,
    request,
    run,
    serving,
    settings,
    until,
)
from tests.unit.wire.test_server import ORIGIN

__all__ = ["run"]

GARBAGE = {
    "impossible size": struct.pack(">i", -1),
    "above the limit": struct.pack(">i", 2**31 - 1),
    "no api": struct.pack(">ihhi", 8, 999, 0, 0),
    "cut header": struct.pack(">ihhihb", 11, 18, 0, 0, 100, 65),
}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_requests_before_garbage_in_one_read_are_handed_out(garbage: str) -> None:
    connection = ServerConnection(ORIGIN, frame_bytes_max=1_000_000)
    data = request(5) + request(6) + GARBAGE[garbage]
    connection.get_buffer()[: len(data)] = data
    requests = connection.received(len(data))
    assert [next(requests)[0].correlation_id for _ in range(2)] == [5, 6]
    with pytest.raises(RemoteProtocolError):
        next(requests)


@pytest.mark.parametrize("garbage", GARBAGE)
def test_requests_before_garbage_in_one_read_are_answered(garbage: str, run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(request(5) + request(6) + GARBAGE[garbage])
            assert [(await client.response())[0] for _ in range(2)] == [5, 6]
            assert await client.rest() == b""
            await until(lambda: world.gone == [1])
            client.close()

    run(scenario)


def test_what_was_answered_is_sent_before_the_node_ends_a_connection(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            answer = world.on_call
            world.on_call = lambda call: (
                world.server.end(1, "enough") if call.correlation_id == 6 else answer(call)
            )
            client = await Client.connected(world.port)
            await client.send(request(5) + request(6))
            assert (await client.response())[0] == 5
            assert await client.rest() == b""
            client.close()

    run(scenario)


def test_a_read_full_of_requests_lets_others_have_their_turn(run: Run) -> None:
    """Ten thousand requests fit one read; each may take a millisecond."""

    async def scenario() -> None:
        async with serving() as world:
            taken: list[int] = []  # calls per turn
            world.on_call = lambda call: world.server.answer(call, ApiVersionsResponse())
            ended = world.turn_ended

            def turn_ended() -> None:
                taken.append(len(world.calls) - sum(taken))
                ended()

            world.server.turn_ended = turn_ended
            client = await Client.connected(world.port)
            await client.send(b"".join(request(number) for number in range(2_000)))
            assert [(await client.response())[0] for _ in range(2_000)] == list(range(2_000))
            assert max(taken) == CALLS_PER_TURN_MAX
            await client.send(request(7))
            assert (await client.response())[0] == 7
            assert world.server.unfinished_bytes == 0
            client.close()

    run(scenario)


def test_garbage_behind_what_was_left_for_later_still_ends_the_connection(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            count = 3 * CALLS_PER_TURN_MAX
            await client.send(b"".join(map(request, range(count))) + GARBAGE["no api"])
            assert [(await client.response())[0] for _ in range(count)] == list(range(count))
            assert await client.rest() == b""
            client.close()

    run(scenario)


def test_the_beginning_of_a_frame_behind_a_whole_one_is_counted(run: Run) -> None:
    async def scenario() -> None:
        async with serving(settings(unfinished_bytes_max=10_000_000)) as world:
            client = await Client.connected(world.port)
            await client.send(request(1) + struct.pack(">i", 900_000) + bytes(50_000))
            await client.response()
            await until(lambda: world.server.unfinished_bytes >= 50_000)
            client.close()
            await until(lambda: world.server.unfinished_bytes == 0)

    run(scenario)


def test_the_kernel_holds_a_bounded_part_of_what_a_peer_does_not_read() -> None:
    assert _UNSENT is not None, "Linux has it"
    [bound] = bind(listener())
    with bound:
        assert bound.getsockopt(6, _UNSENT) == UNSENT_BYTES_MAX


def test_a_send_buffer_that_grows_stays_below_that_bound() -> None:
    send_buffer_bytes = broker_settings({}).connections.send_buffer_bytes
    [bound] = bind(listener(), send_buffer_bytes=send_buffer_bytes)
    with bound, socket.socket() as peer:
        bound.listen()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect(bound.getsockname())
        ours, _ = bound.accept()
        taken_bytes = 0
        with ours, suppress(BlockingIOError):
            ours.setblocking(False)
            while True:
                taken_bytes += ours.send(bytes(1024 * 1024))
        assert taken_bytes < UNSENT_BYTES_MAX + 128 * 1024


def test_a_burst_of_newcomers_finds_room_in_the_queue() -> None:
    assert broker_settings({}).connections.listen_backlog >= 1_000
