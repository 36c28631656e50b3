"""The broker's end of a connection: received bytes to calls, responses to bytes, without a socket.

Promises: responses leave in the order of their requests, whatever the order in which they are given;
a request that is answered by nothing (acks=0) still keeps its place. Whatever breaks the protocol is
a RemoteProtocolError that names the peer; the connection is of no use after it.

An ApiVersions request of a version nobody here knows is handed out as version 0 without a message, so
that its answer is one that every client can read (KIP-511).

Elsewhere: buffers and sizes, see `frame.py`; what a version means, `api.py`.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple, final

from ottla.errors import Bug, RemoteProtocolError
from ottla.types import Payload
from ottla.wire.api import API_VERSIONS, APIS, Message
from ottla.wire.frame import BufferPool, ForeignProtocol, ForeignProtocolError, FrameReader
from ottla.wire.header import decode_request_header_untrusted, encode_response

__all__ = ["Call", "ForeignProtocol", "ForeignProtocolError", "Origin", "ServerConnection"]


class Origin(NamedTuple):
    """Where a connection comes from, and which listener took it."""

    connection_id: int
    listener: str
    peer_host: str
    peer_port: int
    local_host: str
    local_port: int


@final
class Call:
    """One request's identity: what its answer needs. `slot` is its place in the connection's order;
    `size_bytes` is what it takes on the wire, but for the length before it."""

    __slots__ = (
        "api_key",
        "client_id",
        "correlation_id",
        "origin",
        "size_bytes",
        "slot",
        "version",
    )

    def __init__(
        self,
        origin: Origin,
        api_key: int,
        version: int,
        correlation_id: int,
        client_id: str | None,
        slot: int,
        size_bytes: int = 0,
    ) -> None:
        self.origin = origin
        self.api_key = api_key
        self.version = version
        self.correlation_id = correlation_id
        self.client_id = client_id
        self.slot = slot
        self.size_bytes = size_bytes

    def __repr__(self) -> str:
        return (
            f"Call({APIS[self.api_key].name} version {self.version}, "
            f"connection {self.origin.connection_id}, slot {self.slot})"
        )


_HELD_NOTHING: Final[list[Payload]] = []


@final
class ServerConnection:
    """Requests in, responses out, in order. `pool` None: its buffers are shared with nobody."""

    __slots__ = (
        "_answered_slot",
        "_frames",
        "_held",
        "_is_borrowed",
        "_left",
        "_left_bytes",
        "_next_slot",
        "origin",
        "pending_reply_bytes",
    )

    def __init__(
        self, origin: Origin, *, frame_bytes_max: int, pool: BufferPool | None = None
    ) -> None:
        self.origin = origin
        self.pending_reply_bytes = 0
        peer = f"{origin.peer_host}:{origin.peer_port}"
        self._frames = FrameReader(peer, frame_bytes_max, pool)
        self._next_slot = 0
        self._answered_slot = 0
        self._held: dict[int, list[Payload]] = {}
        self._left: deque[memoryview] = deque()  # frames that came and were not handed out
        self._left_bytes = 0
        self._is_borrowed = False  # some of them are still in the buffer

    @property
    def in_flight(self) -> int:
        """Requests whose answer has not left, be it unknown or held back by an earlier one."""
        return self._next_slot - self._answered_slot

    @property
    def unfinished_bytes(self) -> int:
        """What is allocated for a request whose end has not come, and for requests that were left."""
        return self._frames.held_bytes + self._left_bytes

    @property
    def has_left(self) -> bool:
        """Whether requests have come that nobody took, or what is none and nobody was told of."""
        return bool(self._left) or self._frames.failure is not None

    def limit_frames(self, frame_bytes_max: int) -> None:
        """The largest request from now on."""
        self._frames.limit_frames(frame_bytes_max)

    def get_buffer(self) -> memoryview:
        """Where to receive. Ends the validity of all views in earlier requests."""
        return self._frames.get_buffer()

    def received(self, size_bytes: int) -> Iterator[tuple[Call, Message | None]]:
        """The requests that the next `size_bytes` in the buffer complete, decoded one by one.

        Views in them (record batches) are valid until a connection calls `get_buffer` again. A message
        is None if its version is not one the codec knows. Raises RemoteProtocolError where what follows
        is no request: those before it have been handed out by then. Whoever stops before the end must
        `leave` the rest.
        """
        frames = self._frames.received(size_bytes)
        self._left.extend(frames)
        self._left_bytes += sum(map(len, frames))
        self._is_borrowed = True
        return self.left()

    def left(self) -> Iterator[tuple[Call, Message | None]]:
        """The requests that have come and were not taken yet, as `received` hands them out."""
        left = self._left
        while left:
            frame = left.popleft()
            self._left_bytes -= len(frame)
            yield self._request_untrusted(frame)
        if self._frames.failure is not None:
            raise self._frames.failure

    def leave(self) -> None:
        """Keep what was not taken, outside the buffer: for `left`, at another time."""
        if self._is_borrowed:  # once: thousands may be left, and taken some at a time
            self._is_borrowed = False
            self._left = deque(memoryview(bytes(frame)) for frame in self._left)

    def reply(self, call: Call, response: Message | None) -> list[Payload]:
        """The chunks that may be sent now: none while an earlier request waits for its answer.

        `response` None: the request is answered by nothing. Every call is answered exactly once.
        """
        chunks = _HELD_NOTHING
        if response is not None:
            api = APIS[call.api_key]
            body = api.encode_response(response, call.version)
            chunks = encode_response(api, call.version, call.correlation_id, body)
        slot = call.slot
        if not self._answered_slot <= slot < self._next_slot or slot in self._held:
            raise Bug(f"{call!r} is answered twice, or is not of this connection")
        if slot != self._answered_slot:
            self._held[slot] = chunks
            self.pending_reply_bytes += sum(len(chunk) for chunk in chunks)
            return []
        self._answered_slot = slot = slot + 1
        if slot not in self._held:
            return chunks
        released = list(chunks)
        while (held := self._held.pop(slot, None)) is not None:
            self.pending_reply_bytes -= sum(len(chunk) for chunk in held)
            released += held
            slot += 1
        self._answered_slot = slot
        return released

    def closed(self) -> None:
        """The socket is gone: give buffers back and forget held answers."""
        self._frames.release()
        self._held.clear()
        self._left.clear()
        self._left_bytes = 0
        self.pending_reply_bytes = 0

    def _request_untrusted(self, frame: memoryview) -> tuple[Call, Message | None]:
        origin = self.origin
        try:
            api, version, correlation_id, client_id, at = decode_request_header_untrusted(frame)
            message: Message | None = None
            if api.knows(version):
                message = api.decode_request_untrusted(frame, at, version)
            elif api.key == API_VERSIONS:
                version = 0
        except RemoteProtocolError as error:
            raise RemoteProtocolError(f"{origin.peer_host}:{origin.peer_port}: {error}") from None
        slot = self._next_slot
        self._next_slot = slot + 1
        size_bytes = len(frame)
        return Call(origin, api.key, version, correlation_id, client_id, slot, size_bytes), message
