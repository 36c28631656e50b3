"""A broker that answers as a test says: real bytes over loopback, nothing behind them.

It listens on a free port of 127.0.0.1 and speaks through the same sans-IO connection as the real
one. `answers`: by API key, what to answer; a call whose answer is None is answered by nothing.
`versions`: the newest of an API, where it is not the newest there is. `context`: it speaks TLS.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import cast, final

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
    """Use it as `async with`. `calls`: every API key that was asked, in order. `opened_count`: the
    connections that were ever made."""

    def __init__(
        self,
        answers: Mapping[int, Answer],
        *,
        versions: Mapping[int, int] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._answers = dict(answers)
        self._versions = versions or {}
        self._context = context
        self.opened_count = 0
        self._server: asyncio.Server | None = None
        self._transports: list[asyncio.Transport] = []
        self.calls: list[int] = []

    @property
    def address(self) -> Address:
        assert self._server is not None
        return Address("127.0.0.1", self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> "ScriptedBroker":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Peer(self), "127.0.0.1", 0, ssl=self._context
        )
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

    def replace(self, api_key: int, answer: Answer) -> None:
        """From now on, answer so."""
        self._answers[api_key] = answer

    def opened(self, transport: asyncio.Transport) -> None:
        self._transports.append(transport)
        self.opened_count += 1

    def answer(self, api_key: int, message: Message) -> Message | None:
        self.calls.append(api_key)
        if api_key == API_VERSIONS:
            keys = [API_VERSIONS, *self._answers]
            return ApiVersionsResponse(
                api_keys=[
                    ApiVersion(
                        key,
                        APIS[key].min_version,
                        self._versions.get(key, APIS[key].max_version),
                    )
                    for key in keys
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
        # uvloop's transports do all that this type says, without being a subclass of it.
        self._transport = cast(asyncio.Transport, transport)
        self._broker.opened(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        assert self._transport is not None
        if self._transport.is_closing():
            return
        for call, message in self._wire.received(nbytes):
            assert message is not None
            chunks = self._wire.reply(call, self._broker.answer(call.api_key, message))
            self._transport.write(b"".join(bytes(chunk) for chunk in chunks))
