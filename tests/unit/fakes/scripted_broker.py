"""A broker that answers as a test says: real bytes over loopback, nothing behind them.

It listens on a free port of 127.0.0.1 and speaks through the same sans-IO connection as the real
one. `answers`: by API key, what to answer; a call whose answer is None is answered by nothing.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import final

from ottla.client.metadata import Address
from ottla.wire.api import API_VERSIONS, APIS, Message
from ottla.wire.frame import BufferPool
from ottla.wire.message.api_versions import ApiVersion, ApiVersionsResponse
from ottla.wire.server import Origin, ServerConnection

Answer = Callable[[Message], Message | None]

_ORIGIN = Origin(
    connection_id=1,
    listener="PLAINTEXT",
    peer_host="127.0.0.1",
    peer_port=1,
    local_host="127.0.0.1",
    local_port=2,
)


@final
class ScriptedBroker:
    """Use it as `async with`. `calls`: every API key that was asked, in order."""

    def __init__(self, answers: Mapping[int, Answer]) -> None:
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._transports: list[asyncio.Transport] = []
        self.calls: list[int] = []

    @property
    def address(self) -> Address:
        assert self._server is not None
        return Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> "ScriptedBroker":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Peer(self), "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()

    def hang_up(self) -> None:
        """Every connection ends."""
        for transport in self._transports:
            transport.abort()
        self._transports.clear()

    def opened(self, transport: asyncio.Transport) -> None:
        self._transports.append(transport)

    def answer(self, api_key: int, message: Message) -> Message | None:
        self.calls.append(api_key)
        if api_key == API_VERSIONS:
            keys = [API_VERSIONS, *self._answers]
            return ApiVersionsResponse(
                api_keys=[
                    ApiVersion(key, APIS[key].min_version, APIS[key].max_version) for key in keys
                ]
            )
        return self._answers[api_key](message)


@final
class _Peer(asyncio.BufferedProtocol):
    def __init__(self, broker: ScriptedBroker) -> None:
        self._broker = broker
        self._wire = ServerConnection(_ORIGIN, frame_bytes_max=1_000_000, pool=BufferPool())
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._broker.opened(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        assert self._transport is not None
        for call, message in self._wire.received(nbytes):
            assert message is not None
            chunks = self._wire.reply(call, self._broker.answer(call.api_key, message))
            self._transport.write(b"".join(bytes(chunk) for chunk in chunks))
