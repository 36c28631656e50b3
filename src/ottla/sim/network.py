"""Connections between clients and nodes, made of bytes: what one end sends arrives at the other late,
in order, or never.

Order holds within a connection and nowhere else, so a request on a clogged old connection may arrive
after its repetition on a new one. A reset takes what is under way in both directions. A connection
may be half-open: one direction swallows everything and nobody is told.

The node's end is `wire.server.ServerConnection`, as in production; the client's is its own affair
(`caller/client.py`). Elsewhere: what the node does with a request, `process.py`.
"""

from collections.abc import Callable
from random import Random
from typing import Final, Protocol, final
from zlib import crc32

from ottla.core.port import FileSlice
from ottla.sim.clock import Events
from ottla.types import Payload
from ottla.wire.frame import BufferPool
from ottla.wire.server import Origin, ServerConnection

CLIENT_HOST: Final = "10.0.0.2"
"""Where all clients are, as the node sees it."""

_POOL: Final = BufferPool()


class Listener(Protocol):
    """A node's side, as far as connections are concerned."""

    def accepts(self) -> bool: ...

    def holds(self, what: Callable[[], None]) -> bool:
        """Whether nothing is handled now; `what` is called as soon as it is."""

    def arrived(self, connection: "Connection", data: bytes) -> None: ...

    def disconnected(self, connection: "Connection") -> None: ...


class Caller(Protocol):
    """A client's side."""

    def answered(self, connection: "Connection", data: bytes) -> None: ...

    def lost(self, connection: "Connection", reason: str) -> None: ...


@final
class Wire:
    """One client's way to the nodes: how slow it is, and what stands still on it."""

    __slots__ = ("chance", "down_free_us", "latency_us", "up_free_us")

    def __init__(self, chance: Random, latency_us: int) -> None:
        self.chance = chance
        self.latency_us = latency_us
        self.up_free_us = 0  # bytes stand still until then
        self.down_free_us = 0

    def delay_us(self) -> int:
        latency_us = self.latency_us
        delay_us = latency_us // 2 + int(self.chance.random() * latency_us)
        return delay_us if self.chance.random() < 0.97 else delay_us * 20


@final
class Connection:
    """Both ends. Each has its own idea of whether it is open."""

    def __init__(
        self,
        events: Events,
        wire: Wire,
        caller: Caller,
        listener: Listener,
        number: int,
        *,
        lazy: bool,
        ended: Callable[["Connection", str, bool], None],
    ) -> None:
        self._events = events
        self._wire = wire
        self._caller = caller
        self._listener = listener
        self.number = number
        self._lazy = lazy
        self._ended = ended
        self._up_last_us = 0
        self._down_last_us = 0
        self.client_open = True
        self.node_open = True
        self.mute_up = False
        self.mute_down = False
        self.server = ServerConnection(
            Origin(
                connection_id=number,
                listener="PLAINTEXT",
                peer_host=CLIENT_HOST,
                peer_port=40_000 + number,
                local_host="10.0.0.1",
                local_port=9092,
            ),
            frame_bytes_max=16 * 1024 * 1024,
            pool=_POOL,
        )

    # The client's end

    @property
    def is_sending(self) -> bool:
        """Whether something that the client sent is still on its way."""
        return self._up_last_us > self._events.now_us

    def send(self, data: bytes) -> None:
        if self.client_open and not self.mute_up:
            self._events.at(self._up_us(), self._reach_node, data)

    def close_by_client(self) -> None:
        """What was sent before still arrives, and then the end."""
        if self.client_open:
            self.client_open = False
            if not self.mute_up:
                self._events.at(self._up_us(), self._reach_node, b"")

    # The node's end

    def reply(self, chunks: list[Payload]) -> None:
        if not self.node_open or self.mute_down or not chunks:
            return
        if self._lazy:
            self._events.at(self._down_us(), self._reach_client_lazily, _headless(chunks))
            return
        data = _joined(chunks)
        if data is None:
            self.close_by_node("an answer could not be read from the disk")
            return
        split = self._wire.chance.random()
        if split < 0.05 and len(data) > 8:
            at = int(len(data) * split * 20)
            self._events.at(self._down_us(), self._reach_client, data[:at])
            data = data[at:]
        self._events.at(self._down_us(), self._reach_client, data)

    def close_by_node(self, reason: str) -> None:
        if self.node_open:
            self.node_open = False
            self.server.closed()
            self._ended(self, reason, True)
            self._listener.disconnected(self)
            if not self.mute_down:
                self._events.at(self._down_us(), self._lose_client, reason)

    def process_ended(self, reason: str, notice_us: int) -> None:
        """The node's process is gone; the client hears of it, or finds out by waiting."""
        if self.node_open:
            self.node_open = False
            self._ended(self, reason, True)
            if not self.mute_down:
                self._events.at(self._down_us() + notice_us, self._lose_client, reason)

    # From outside

    def reset(self) -> None:
        """Both ends are told, and what is under way is gone."""
        delay_us = self._wire.delay_us()
        if self.client_open:
            self._events.after(delay_us, self._lose_client, "reset")
        if self.node_open:
            self._events.after(delay_us, self._reset_node)
        self.mute_up = self.mute_down = True

    # What the wire does

    def _reach_node(self, data: bytes) -> None:
        if not self.node_open or self._listener.holds(lambda: self._reach_node(data)):
            return
        if data:
            self._events.trace(f"up {self.number} {crc32(data)}")
            self._listener.arrived(self, data)
            return
        self.node_open = False
        self.server.closed()
        self._ended(self, "closed", False)
        self._listener.disconnected(self)

    def _reset_node(self) -> None:
        if self.node_open and not self._listener.holds(self._reset_node):
            self.node_open = False
            self.server.closed()
            self._ended(self, "reset", False)
            self._listener.disconnected(self)

    def _reach_client(self, data: bytes) -> None:
        if self.client_open and not self.mute_down:
            self._events.trace(f"down {self.number} {crc32(data)}")
            self._caller.answered(self, data)

    def _reach_client_lazily(self, chunks: list[Payload]) -> None:
        # A slow reader: what the answer refers to may be gone by the time it is sent.
        if not self.node_open:
            return  # nobody is there who would send it
        data = _joined(chunks)
        if data is not None:
            self._reach_client(data)
        else:
            self.close_by_node("an answer could not be read from the disk")
            self.mute_down = True  # later answers must not pass for this one

    def _lose_client(self, reason: str) -> None:
        if self.client_open:
            self.client_open = False
            self._caller.lost(self, reason)

    def _up_us(self) -> int:
        wire = self._wire
        at_us = max(self._events.now_us, wire.up_free_us) + wire.delay_us()
        self._up_last_us = at_us = max(at_us, self._up_last_us + 1)
        return at_us

    def _down_us(self) -> int:
        wire = self._wire
        at_us = max(self._events.now_us, wire.down_free_us) + wire.delay_us()
        self._down_last_us = at_us = max(at_us, self._down_last_us + 1)
        return at_us


def _headless(chunks: list[Payload]) -> list[Payload]:
    """As they are when others have been read for since."""
    return [
        FileSlice(one.file, one.position, one.size_bytes) if isinstance(one, FileSlice) else one
        for one in chunks
    ]


def _joined(chunks: list[Payload]) -> bytes | None:
    """The chunks' bytes; None when a file no longer gives them."""
    pieces: list[bytes] = []
    for chunk in chunks:
        if isinstance(chunk, FileSlice):
            try:
                piece = chunk.read()
            except OSError:
                return None
            if len(piece) < chunk.size_bytes:
                return None
            pieces.append(piece)
        else:
            assert isinstance(chunk, (bytes, bytearray, memoryview))
            pieces.append(bytes(chunk))
    return b"".join(pieces)
