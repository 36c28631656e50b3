"""Connections of the product's clients in a world: transports whose bytes take the world's network.

They stand where `aio/dial.py` has sockets; all above is the product's own. What passes is witnessed.
"""

import asyncio
from collections.abc import Callable
from typing import Final, final

from ottla.aio.client_connection import Connection as ClientSide
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.reach import Unreachable
from ottla.sim.caller.client import Connect
from ottla.sim.caller.witness import Overheard, Witness
from ottla.sim.loop import WorldLoop
from ottla.sim.network import Connection, Wire
from ottla.sim.plan import ClientPlan

_US: Final = 1_000_000


@final
class WorldDialer:
    """Of one process (`aio.dial.Dials`). `transports`: those that are open, the oldest first."""

    def __init__(
        self,
        plan: ClientPlan,
        wire: Wire,
        loop: WorldLoop,
        connect: Connect,
        witness: Witness,
        options: ConnectionOptions,
    ) -> None:
        self._plan = plan
        self._wire = wire
        self._loop = loop
        self._connect = connect
        self._witness = witness
        self._options = options
        self.transports: list[WorldTransport] = []

    async def dial(
        self, address: Address, on_closed: Callable[[ClientSide], None] = lambda _: None
    ) -> ClientSide:
        await asyncio.sleep(self._wire.delay_us() / _US)
        transport = WorldTransport(self._plan, self._wire, self._loop, self.transports)
        line = self._connect(transport)
        if line is None:
            raise Unreachable(str(address), "connection refused")
        protocol = ClientSide(address, self._options, on_closed)
        transport.begin(line, protocol, self._witness.hears(line.number))
        opened = False
        try:
            async with asyncio.timeout(self._options.connect_ms_max / 1000):
                await protocol.wait_opened()
            opened = True
        except TimeoutError:
            raise Unreachable(str(address), "it says nothing") from None
        finally:
            if not opened:
                protocol.abort()
        return protocol

    def end(self, *, closes: bool) -> None:
        """The process is gone. `closes`: the node is told so, as by an operating system."""
        for transport in list(self.transports):
            transport.end(closes=closes)


@final
class WorldTransport(asyncio.Transport):
    """One connection, as its client's end has it."""

    def __init__(
        self, plan: ClientPlan, wire: Wire, loop: WorldLoop, open_ones: "list[WorldTransport]"
    ) -> None:
        super().__init__()
        self.plan = plan
        self.wire = wire
        self._loop = loop
        self._open_ones = open_ones
        self._is_open = False

    def begin(self, line: Connection, protocol: ClientSide, overheard: Overheard) -> None:
        self.line = line
        self._protocol = protocol
        self._overheard = overheard
        self._is_open = True
        self._open_ones.append(self)
        protocol.connection_made(self)

    # What the client's end calls

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._is_open:
            whole = bytes(data)
            self._overheard.sent(whole)
            self.line.send(whole)

    def close(self) -> None:
        if self._is_open:
            self.line.close_by_client()
            self._is_over(None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return not self._is_open

    # What the network calls

    def answered(self, connection: Connection, data: bytes) -> None:
        if self._is_open:
            self._overheard.received(data)
            self._loop.call_soon(self._feed, data)

    def lost(self, connection: Connection, reason: str) -> None:
        if self._is_open:
            self._is_over(ConnectionResetError(reason))

    def end(self, *, closes: bool) -> None:
        if closes:
            self.close()
        elif self._is_open:
            self._is_over(None)

    def _is_over(self, error: Exception | None) -> None:
        self._is_open = False
        self._open_ones.remove(self)
        self._overheard.ended()
        self._loop.call_soon(self._protocol.connection_lost, error)

    def _feed(self, data: bytes) -> None:
        while data and self._is_open:
            room = self._protocol.get_buffer(-1)
            count = min(len(room), len(data))
            room[:count] = data[:count]
            data = data[count:]
            self._protocol.buffer_updated(count)
