"""Real sockets on loopback, and a node that is a function: what reaches it, what leaves it, in which
order, and how much memory it may cost. Everything is asked of both event loops."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop

from ottla.aio.server import Callers, Server
from ottla.core.quota.accepts import Accepts
from ottla.limits import INT_MAX
from ottla.settings.broker import ConnectionSettings, QuotaSettings
from ottla.settings.listener import Listener
from ottla.types import Payload
from ottla.wire.api import API_VERSIONS, APIS, FETCH, Message
from ottla.wire.header import encode_request
from ottla.wire.message.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ottla.wire.server import Call
from tests.unit.fakes.quotas import WINDOWS

LIMIT_BYTES = 1_000_000


def settings(
    connections_max: int = 100,
    per_host_max: int = 100,
    idle_ms: int | None = None,
    unfinished_bytes_max: int | None = None,
    per_second_max: int = INT_MAX,
    send_buffer_bytes: int = 102_400,
    receive_buffer_bytes: int = 102_400,
) -> ConnectionSettings:
    return ConnectionSettings(
        connections_max=connections_max,
        connections_per_host_max=per_host_max,
        per_host_max_overrides={},
        connections_per_second_max=per_second_max,
        idle_ms=idle_ms,
        request_bytes_max=LIMIT_BYTES,
        queued_request_bytes_max=unfinished_bytes_max,
        listen_backlog=50,
        send_buffer_bytes=send_buffer_bytes,
        receive_buffer_bytes=receive_buffer_bytes,
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
async def serving(
    given: ConnectionSettings | None = None, quotas: QuotaSettings = WINDOWS
) -> AsyncIterator[World]:
    world = World()
    callers = Callers(
        requested=world.requested,
        turn_ended=world.turn_ended,
        disconnected=world.gone.append,
        broken=world.broken.append,
    )
    world.server = Server(given or settings(), callers, asyncio.get_running_loop(), Accepts(quotas))
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


async def still_served(world: World) -> bool:
    world.on_call = lambda call: world.server.answer(call, ApiVersionsResponse())
    client = await Client.connected(world.port)
    await client.send(request(1))
    correlation_id, _ = await client.response()
    client.close()
    return correlation_id == 1
