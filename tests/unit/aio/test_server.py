"""Real sockets on loopback, and a node that is a function: what reaches it, what leaves it, in which
order, and how much memory it may cost. Everything is asked of both event loops."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

from ottla.aio import connection as connection_module
from ottla.aio import server as server_module
from ottla.aio.connection import HELD_BYTES_PAUSE, LEAN_PIECE_BYTES, PIECE_BYTES
from ottla.aio.disk import RealDisk
from ottla.aio.listen import bind
from ottla.aio.log_directory import CannotStart
from ottla.aio.server import Callers, Server
from ottla.core.port import FileSlice
from ottla.core.quota.accepts import Accepts
from ottla.errors import Bug
from ottla.limits import FETCH_ANSWERS_BYTES_MAX, IN_FLIGHT_PER_CONNECTION_MAX
from ottla.settings.broker import ConnectionSettings
from ottla.settings.listener import Listener
from ottla.types import Payload
from ottla.wire.api import API_VERSIONS, APIS, FETCH, PRODUCE, Message
from ottla.wire.header import encode_request
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.server import Call
from tests.unit.fakes.quotas import WINDOWS

LIMIT_BYTES = 1_000_000


def settings(
    connections_max: int = 100,
    per_host_max: int = 100,
    idle_ms: int | None = None,
    unfinished_bytes_max: int | None = None,
) -> ConnectionSettings:
    return ConnectionSettings(
        connections_max=connections_max,
        connections_per_host_max=per_host_max,
        per_host_max_overrides={},
        connections_per_second_max=1000,
        idle_ms=idle_ms,
        request_bytes_max=LIMIT_BYTES,
        queued_request_bytes_max=unfinished_bytes_max,
        listen_backlog=50,
        send_buffer_bytes=102_400,
        receive_buffer_bytes=102_400,
    )


@dataclass
class World:
    """A server, what its node was told, and what the node does with a call."""

    server: Server = field(init=False)
    port: int = 0
    calls: list[Call] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)
    turns: int = 0
    on_call: Callable[[Call], None] = field(init=False)

    def __post_init__(self) -> None:
        self.on_call = lambda call: self.server.answer(call, ApiVersionsResponse())

    def requested(self, call: Call, message: Message | None) -> None:
        self.calls.append(call)
        self.on_call(call)

    def turn_ended(self) -> None:
        self.turns += 1


@asynccontextmanager
async def serving(given: ConnectionSettings | None = None) -> AsyncIterator[World]:
    world = World()
    callers = Callers(
        requested=world.requested,
        turn_ended=world.turn_ended,
        disconnected=world.gone.append,
        broken=world.broken.append,
    )
    world.server = Server(
        given or settings(), callers, asyncio.get_running_loop(), Accepts(WINDOWS)
    )
    world.server.bind((listener(),))
    await world.server.listen()
    world.port = world.server.bound["PLAINTEXT"].port
    try:
        yield world
    finally:
        await world.server.close(0.0)


def listener(host: str = "127.0.0.1", port: int = 0) -> Listener:
    return Listener(name="PLAINTEXT", protocol="PLAINTEXT", host=host, port=port, advertised=None)


class Client:
    """A raw socket that speaks frames. `receive_buffer_bytes` small: a peer that is easily full."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connected(cls, port: int, receive_buffer_bytes: int | None = None) -> "Client":
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        except OSError:
            sock.close()
            raise
        return cls(sock)

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.socket, data)

    async def read(self, size_bytes: int) -> bytes:
        data = bytearray()
        while len(data) < size_bytes:
            piece = await self._loop.sock_recv(self.socket, min(1 << 20, size_bytes - len(data)))
            if not piece:
                raise EOFError(bytes(data))
            data += piece
        return bytes(data)

    async def response(self) -> tuple[int, bytes]:
        """(correlation id, body)"""
        (size_bytes,) = struct.unpack(">i", await self.read(4))
        data = await self.read(size_bytes)
        return int.from_bytes(data[:4], "big"), data[4:]

    async def rest(self) -> bytes:
        """Everything up to the end; a reset counts as an end."""
        data = b""
        try:
            while piece := await self._loop.sock_recv(self.socket, 1 << 16):
                data += piece
        except ConnectionResetError:
            pass
        return data

    def close(self) -> None:
        self.socket.close()


def request(correlation_id: int) -> bytes:
    return joined(encode_request(APIS[API_VERSIONS], 0, correlation_id, "test", body_of_versions()))


def body_of_versions() -> list[Payload]:
    return APIS[API_VERSIONS].encode_request(ApiVersionsRequest(), 0)


def fetch_request(correlation_id: int) -> bytes:
    api = APIS[FETCH]
    return joined(
        encode_request(api, 4, correlation_id, "test", api.encode_request(FetchRequest(), 4))
    )


def fetched(*records: Payload) -> FetchResponse:
    partitions = [PartitionData(partition_index=i, records=r) for i, r in enumerate(records)]
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


def joined(chunks: list[Payload]) -> bytes:
    return b"".join(chunk for chunk in chunks if isinstance(chunk, bytes | memoryview))


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop turn until it does."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0)


LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    def running(scenario: Callable[[], Awaitable[None]]) -> None:
        async def within_time() -> None:
            async with asyncio.timeout(30):
                await scenario()

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(within_time())

    return running


def test_requests_are_answered_in_their_order(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(b"".join(request(number) for number in range(50)))
            assert [(await client.response())[0] for _ in range(50)] == list(range(50))
            assert 1 <= world.turns <= 50
            client.close()
            await until(lambda: world.gone == [1])
            assert world.server.connections == 0
            assert world.server.held_bytes == 0

    run(scenario)


def test_an_earlier_call_without_an_answer_holds_later_ones_back(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1) + request(2))
            await until(lambda: len(world.calls) == 3)
            world.server.answer(world.calls[2], ApiVersionsResponse())
            world.server.answer(world.calls[1], ApiVersionsResponse())
            world.server.answer(world.calls[0], ApiVersionsResponse())
            assert [(await client.response())[0] for _ in range(3)] == [0, 1, 2]
            client.close()

    run(scenario)


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


def test_a_call_answered_by_nothing_keeps_its_place(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call, None if call.correlation_id == 1 else ApiVersionsResponse()
            )
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1) + request(2))
            assert [(await client.response())[0] for _ in range(2)] == [0, 2]
            client.close()

    run(scenario)


def test_a_request_may_come_byte_by_byte(run: Run) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request(7) + request(8):
                await client.send(bytes((byte,)))
                await asyncio.sleep(0)
            assert [(await client.response())[0] for _ in range(2)] == [7, 8]
            client.close()

    run(scenario)


def test_answers_given_outside_a_turn_leave_together(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty answers of one event are one write."""
    pumps: list[int] = []
    really_pump = connection_module.Connection.pump

    def counted(connection: connection_module.Connection) -> None:
        pumps.append(connection.connection_id)
        really_pump(connection)

    monkeypatch.setattr(connection_module.Connection, "pump", counted)

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            client = await Client.connected(world.port)
            await client.send(b"".join(request(number) for number in range(20)))
            await until(lambda: len(world.calls) == 20)
            assert pumps == []
            for call in world.calls:
                world.server.answer(call, ApiVersionsResponse())
            assert [(await client.response())[0] for _ in range(20)] == list(range(20))
            assert pumps == [1]
            client.close()
            pumps.clear()

    run(scenario)


def test_answers_from_files_arrive_whole_and_in_place(run: Run, tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    data = os.urandom(3_000_000)
    file.append([data])

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call,
                fetched(b"first", FileSlice(file, 5, 2_500_000), FileSlice(file, 0, 3), b"last"),
            )
            client = await Client.connected(world.port)
            await client.send(fetch_request(3) + fetch_request(4))
            expected = joined(
                APIS[FETCH].encode_response(
                    fetched(b"first", data[5:2_500_005], data[:3], b"last"), 4
                )
            )
            assert await client.response() == (3, expected)
            assert await client.response() == (4, expected)
            client.close()

    run(scenario)
    disk.close()


def test_a_reader_that_does_not_read_holds_a_piece_and_not_its_answer(
    run: Run, tmp_path: Path
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([bytes(1_000_000)])
    whole = fetched(*(FileSlice(file, 0, 1_000_000) for _ in range(60)))

    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(call, whole)
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(1))
            await until(lambda: world.server.held_bytes > 0)
            assert world.server.held_bytes <= PIECE_BYTES + 64 * 1024
            correlation_id, body = await client.response()
            assert (correlation_id, len(body) > 60_000_000) == (1, True)
            await until(lambda: world.server.held_bytes == 0)
            client.close()

    run(scenario)
    disk.close()


def test_when_all_together_hold_too_much_pieces_become_small(run: Run, tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    file = disk.open("a")
    file.append([bytes(8_000_000)])

    async def scenario() -> None:
        async with serving() as world:
            world.server.held_bytes = FETCH_ANSWERS_BYTES_MAX + 1  # as if others held it
            world.on_call = lambda call: world.server.answer(
                call, fetched(FileSlice(file, 0, 8_000_000))
            )
            client = await Client.connected(world.port, receive_buffer_bytes=4096)
            await client.send(fetch_request(1))
            await until(lambda: world.server.held_bytes > FETCH_ANSWERS_BYTES_MAX + 1)
            held_bytes = world.server.held_bytes - FETCH_ANSWERS_BYTES_MAX - 1
            assert held_bytes <= 2 * 64 * 1024 + LEAN_PIECE_BYTES
            assert len((await client.response())[1]) > 8_000_000
            client.close()

    run(scenario)
    disk.close()


def test_a_file_that_cannot_be_read_ends_the_connection_midway(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=4)

    async def scenario() -> None:
        async with serving() as world:
            for name, said in (("removed", "cannot be read"), ("short", "ends before byte 20")):
                file = disk.open(name)
                file.append([b"0123456789"])
                part = FileSlice(file, 0, 20 if name == "short" else 10)
                if name == "removed":
                    disk.remove(name)
                world.on_call = lambda call, part=part: world.server.answer(call, fetched(part))
                client = await Client.connected(world.port)
                await client.send(fetch_request(1))
                assert b"0123456789" not in await client.rest()
                assert f"{name} {said}" in caplog.text
                client.close()
            assert await still_served(world)

    run(scenario)
    disk.close()


async def still_served(world: World) -> bool:
    world.on_call = lambda call: world.server.answer(call, ApiVersionsResponse())
    client = await Client.connected(world.port)
    await client.send(request(1))
    correlation_id, _ = await client.response()
    client.close()
    return correlation_id == 1


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


BAD_FRAMES = {
    "giant": struct.pack(">i", 2**31 - 1),
    "above the limit": struct.pack(">i", LIMIT_BYTES + 1),
    "negative": struct.pack(">i", -1),
    "zero": struct.pack(">i", 0),
    "unknown api": struct.pack(">ihhi", 8, 999, 0, 0),
    "garbage": bytes(range(200, 256)) * 3,
    "cut header": struct.pack(">ihhihb", 11, 18, 0, 0, 100, 65),
}


@pytest.mark.parametrize("name", list(BAD_FRAMES))
def test_a_bad_frame_ends_its_connection_and_no_other(
    run: Run, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: None
            bystander = await Client.connected(world.port)
            await bystander.send(request(5))
            await until(lambda: len(world.calls) == 1)
            bad = await Client.connected(world.port)
            await bad.send(BAD_FRAMES[name])
            assert await bad.rest() == b""
            peer_port = bad.socket.getsockname()[1] if bad.socket.fileno() >= 0 else 0
            warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
            assert len(warnings) == 1
            assert f":{peer_port}" in warnings[0].getMessage()
            assert world.broken == []
            world.server.answer(world.calls[0], ApiVersionsResponse())
            assert (await bystander.response())[0] == 5
            bad.close()
            bystander.close()

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


def test_a_browser_is_told_what_this_is(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as world:
            client = await Client.connected(world.port)
            await client.send(b"GET /topics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = (await client.rest()).decode()
            head, _, text = answer.partition("\r\n\r\n")
            assert head.startswith("HTTP/1.1 400 Bad Request\r\n")
            assert f"Content-Length: {len(text)}" in head
            assert f"bootstrap.servers=127.0.0.1:{world.port}" in text
            assert "HTTP" in caplog.text
            client.close()
            assert await still_served(world)

    run(scenario)


def test_a_tls_client_gets_an_alert_and_the_log_says_why(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        import ssl

        async with serving() as world:
            context = ssl.create_default_context()
            with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
                await asyncio.open_connection("127.0.0.1", world.port, ssl=context)
            assert "TLS" in caplog.text
            assert "PLAINTEXT" in caplog.text
            assert await still_served(world)

    run(scenario)


def test_a_failed_request_costs_one_connection(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with serving() as world:

            def fail(call: Call) -> None:
                raise KeyError("a mistake of ours")

            world.on_call = fail
            client = await Client.connected(world.port)
            await client.send(request(0))
            assert await client.rest() == b""
            assert "a mistake of ours" in caplog.text
            assert world.broken == []
            client.close()
            assert await still_served(world)

    run(scenario)


@pytest.mark.parametrize("error", [AssertionError("a > b"), Bug("twice")])
def test_a_broken_invariant_is_reported_and_nothing_more_is_handed_over(
    run: Run, error: Exception
) -> None:
    async def scenario() -> None:
        async with serving() as world:

            def fail(call: Call) -> None:
                world.server.abort()  # what the broker does when it is told
                raise error

            world.on_call = fail
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1))
            await client.rest()
            assert world.broken == [error]
            assert len(world.calls) == 1
            client.close()

    run(scenario)


def test_an_answer_that_cannot_be_encoded_costs_its_connection(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.answer(
                call, ApiVersionsResponse(error_code=1_000_000)
            )
            client = await Client.connected(world.port)
            await client.send(request(0))
            assert await client.rest() == b""
            assert "cannot be encoded" in caplog.text
            client.close()
            assert await still_served(world)

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


def test_ending_a_connection_warns_once_and_others_go_on(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with serving() as world:
            world.on_call = lambda call: world.server.end(call.origin.connection_id, "no reason")
            client = await Client.connected(world.port)
            await client.send(request(0) + request(1))
            assert await client.rest() == b""
            assert len(world.calls) == 1
            assert caplog.text.count("connection closed: no reason") == 1
            world.server.end(99, "nobody")
            world.server.answer(world.calls[0], ApiVersionsResponse())
            client.close()

    run(scenario)


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


# Binding


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
