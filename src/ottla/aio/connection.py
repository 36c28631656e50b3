"""One client's connection: bytes in, calls out, answers in order, never more memory than is granted.

The way of a request has no await, and a queue only for who asks much (`turns.py`): `buffer_updated`
decodes what arrived, hands over each call, and sends what was answered in the same turn with one write. What a reply takes from a
file is read when the transport has room for it, in pieces: a consumer that does not read holds one
piece, not its whole answer.

Promises: reading pauses while too many calls wait for an answer or too many answers wait for the
peer, and while the client is above a quota. A peer that breaks the protocol loses its connection, and
only that. `except Exception` stands here and nowhere else: a failed request costs one connection, a broken invariant stops the node.

Elsewhere: framing and order, `wire/server.py`; how many connections, `server.py`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from itertools import chain
from time import perf_counter
from typing import Final, Protocol, assert_never, cast, final

from ottla.aio.complaint import Complaints
from ottla.aio.past_transport import PastTransport
from ottla.aio.turns import TURN_S, Turns
from ottla.core.port import FileSlice
from ottla.errors import Bug, RemoteProtocolError
from ottla.limits import (
    CALLS_PER_TURN_MAX,
    IN_FLIGHT_PER_CONNECTION_MAX,
    TESTED_BYTES_MAX,
    WRITE_BUFFER_BYTES_MAX,
)
from ottla.types import Payload
from ottla.wire.api import FETCH, Message
from ottla.wire.frame import BufferPool, ForeignProtocol, ForeignProtocolError
from ottla.wire.server import Call, Origin, ServerConnection

log = logging.getLogger(__name__)

PIECE_BYTES: Final = TESTED_BYTES_MAX + 64 * 1024
"""What is read from a file at once, and what a slow reader holds: a quarter of it costs twice the
CPU per byte. What was kept from being tested leaves whole, with what stands around it."""

LEAN_PIECE_BYTES: Final = 16 * 1024
"""The same, while all connections together hold too much."""

TURN_BYTES_MAX: Final = 1024 * 1024
"""What one connection sends before the others get their turn."""

HELD_BYTES_PAUSE: Final = 1024 * 1024
"""Answers in memory that the peer has not taken: above this its requests wait in its own socket."""

_HIGH_WATER_BYTES: Final = 64 * 1024
_JOIN_BYTES_MAX: Final = 64 * 1024  # below it one copy is cheaper than a second chunk
_TLS_FAREWELL: Final = bytes((21, 3, 1, 0, 2, 2, 40))  # an alert record: fatal, handshake failure


class Host(Protocol):
    """What a connection asks of the server it belongs to."""

    pool: BufferPool
    """Of all connections: where they receive."""

    complaints: Complaints
    turns: Turns
    request_bytes_max: int
    held_bytes: int
    """Of all connections: answers in memory."""

    unfinished_bytes: int
    """Of all connections: requests of which the end has not come yet."""

    unfinished_bytes_max: int | None

    def opened(self, connection: "Connection") -> bool:
        """False: there are too many; the host ends it, at once or later."""

    def closed(self, connection: "Connection") -> None: ...

    def lean(self) -> bool:
        """True: all connections together hold too much."""

    def requested(self, call: Call, message: Message | None) -> None: ...

    def turn_ended(self) -> None:
        """All calls of one arrival were handed over."""

    def broken(self, error: BaseException) -> None:
        """An invariant is broken: the node must stop."""


@final
class Connection(asyncio.BufferedProtocol):
    """Made for each accepted connection; the transport drives it."""

    __slots__ = (
        "_going_on_later",
        "_held_bytes",
        "_host",
        "_in_turn",
        "_is_counted",
        "_is_open",
        "_loop",
        "_outbox",
        "_outbox_bytes",
        "_past_transport",
        "_postponed",
        "_pumping_later",
        "_reading_ended",
        "_reading_paused",
        "_sent_of_slice_bytes",
        "_transport",
        "_unfinished_bytes",
        "_unmute",
        "_untaken_bytes",
        "_wire",
        "_writing_paused",
        "connection_id",
        "idle_sweeps",
        "listener",
        "peer_host",
        "peer_port",
    )

    def __init__(
        self, host: Host, loop: asyncio.AbstractEventLoop, connection_id: int, listener: str
    ) -> None:
        self._host = host
        self._loop = loop
        self.listener = listener
        self._outbox: deque[Payload] = deque()
        self._outbox_bytes = 0  # without what still is in files
        self._held_bytes = 0  # as last told to the host
        self._sent_of_slice_bytes = 0  # of the file slice at the outbox's head
        self._unfinished_bytes = 0  # of a request whose end has not come yet
        self._untaken_bytes = 0  # by the peer, at the last sweep
        self._in_turn = False
        self._is_counted = False  # the host knows it
        self._is_open = False  # its calls are taken and answered
        self._going_on_later = False
        self._postponed: tuple[Call, Message | None] | None = None  # a Fetch whose turn comes
        self._pumping_later = False
        self._reading_ended = False
        self._reading_paused = False
        self._unmute: asyncio.TimerHandle | None = None  # no calls are taken until then
        self._writing_paused = False
        self.connection_id = connection_id
        self.idle_sweeps = 0
        self.peer_host = "?"
        self.peer_port = 0
        self._past_transport: PastTransport
        self._transport: asyncio.Transport
        self._wire: ServerConnection

    # What the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do all that this type says, without being a subclass of it.
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        if not peer or not local:  # gone again before we could ask
            transport.abort()
            return
        self.peer_host, self.peer_port = _plain(peer[0]), peer[1]
        self._wire = ServerConnection(
            Origin(
                connection_id=self.connection_id,
                listener=self.listener,
                peer_host=self.peer_host,
                peer_port=self.peer_port,
                local_host=_plain(local[0]),
                local_port=local[1],
            ),
            frame_bytes_max=self._host.request_bytes_max,
            pool=self._host.pool,
        )
        if not self._host.opened(self):
            return
        self._is_counted = self._is_open = True
        self._past_transport = PastTransport(transport)
        # Files are sent while it holds nothing; what the kernel still has keeps the peer busy.
        transport.set_write_buffer_limits(high=_HIGH_WATER_BYTES, low=0)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        if not self._is_open:
            return
        self.idle_sweeps = 0
        requests = self._wire.received(nbytes)
        if self._postponed is None:
            self._take(requests)
        else:
            self._wire.leave()

    def _take(
        self, requests: Iterable[tuple[Call, Message | None]], granted: Call | None = None
    ) -> None:
        """One turn: hand over calls, send what was answered. What is too much for it is left.

        `granted`: the Fetch that has waited for others.
        """
        self._in_turn = True
        try:
            ends_s = perf_counter() + TURN_S
            for taken, (call, message) in enumerate(requests, 1):
                is_asking = call.api_key == FETCH and call is not granted
                if is_asking and not self._host.turns.may_read(self._fetch_now):
                    self._postponed = call, message
                    self._wire.leave()
                    break
                self._host.requested(call, message)
                if not self._is_open:
                    break
                if self._unmute is not None:
                    self._wire.leave()
                    break
                if (
                    taken == CALLS_PER_TURN_MAX
                    or self._outbox_bytes > HELD_BYTES_PAUSE
                    or perf_counter() >= ends_s
                ):
                    self._wire.leave()
                    break
            self._gather(self._wire.unfinished_bytes)
        except RemoteProtocolError as error:
            self._refuse(error)
        except (AssertionError, Bug) as error:
            self._host.broken(error)
        except Exception:  # noqa: BLE001
            self.fail("a request failed")
        self._in_turn = False
        if self._outbox:
            self.pump()
        if self._wire.in_flight or self._held_bytes or self._wire.has_left or self._reading_paused:
            self._regulate()
        self._host.turn_ended()

    def eof_received(self) -> bool:
        return False  # the peer is done; the transport closes after what was written

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        self.idle_sweeps = 0
        if self._is_open:
            self.pump()
            self._regulate()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_open = False
        if self._unmute is not None:
            self._unmute.cancel()
            self._unmute = None
        if self._is_counted:
            self._is_counted = False
            self._wire.closed()
            self._postponed = None
            self._outbox.clear()
            self._hold(0)
            self._gather(0)
            self._host.closed(self)

    # What the server asks for

    def swept(self) -> int:
        """A sweep passes: how many have, since the peer sent something or took something of ours.

        Who waits for an answer that is not there yet is not idle; who does not take one that is, is.
        """
        untaken_bytes = self._transport.get_write_buffer_size()
        is_owed = self._wire.in_flight or self._wire.has_left
        is_our_turn = self._is_open and is_owed and not untaken_bytes
        if is_our_turn or untaken_bytes != self._untaken_bytes:
            self.idle_sweeps = 0
        else:
            self.idle_sweeps += 1
        self._untaken_bytes = untaken_bytes
        return self.idle_sweeps

    def end_idle(self) -> None:
        """Nothing has moved for too long. What the peer has not taken by now it will not take."""
        self._is_over(abort=self._untaken_bytes > 0)

    def answer(self, call: Call, response: Message | None) -> None:
        """Send the response when its turn comes. Within `buffer_updated`: at the turn's end."""
        if not self._is_open:
            return
        try:
            chunks = self._wire.reply(call, response)
        except (AssertionError, Bug):
            raise
        except Exception:  # noqa: BLE001
            self.fail(f"the answer to api key {call.api_key} cannot be encoded")
            return
        outbox = self._outbox
        for chunk in chunks:
            outbox.append(chunk)
            if not isinstance(chunk, FileSlice):
                self._outbox_bytes += len(chunk)
        if self._held_now() > WRITE_BUFFER_BYTES_MAX:
            self.end(
                f"more than {WRITE_BUFFER_BYTES_MAX:,} bytes of answers wait for it to read them"
            )
            return
        if not self._in_turn and not self._pumping_later and (outbox or self._reading_paused):
            # Several answers of one turn leave together.
            self._pumping_later = True
            self._loop.call_soon(self._pump_later)

    def end(self, reason: str) -> None:
        """Close the connection, with a WARNING. What was already answered is still sent."""
        if self._is_open:
            self.pump()
        if self._is_open:
            self._host.complaints.tell(log, self.listener, "connection closed", reason, self.peer)
            self._is_over()

    def fail(self, what: str) -> None:
        """Our own mistake, in an `except` block: log it, and end this connection alone."""
        log.exception("%s", what, extra={"peer": self.peer, "listener": self.listener})
        self._is_over(abort=True)

    def stop_reading(self) -> None:
        """What the peer sends from now on stays in its socket."""
        self._reading_ended = True
        if self._is_open and not self._reading_paused:
            self._transport.pause_reading()

    def mute(self, duration_s: float) -> None:
        """Take no more calls for so long; what comes stays in the peer's socket."""
        if not self._is_open:
            return
        ends_s = self._loop.time() + duration_s
        if self._unmute is not None:
            if self._unmute.when() >= ends_s:
                return
            self._unmute.cancel()
        self._unmute = self._loop.call_at(ends_s, self._unmuted)
        self._pause_reading()

    def hold(self) -> None:
        """Read nothing from a connection that is not let in, until its host ends it."""
        # Some transports begin to read after `connection_made`, whatever was said in it.
        self._loop.call_soon(self._stay_unread)

    def _stay_unread(self) -> None:
        if not self._transport.is_closing():
            self._pause_reading()

    def end_quietly(self) -> None:
        """Send what the transport takes, then close."""
        if self._is_open:
            self.pump()
            self._is_over()

    def abort(self) -> None:
        self._is_over(abort=True)

    @property
    def peer(self) -> str:
        host = f"[{self.peer_host}]" if ":" in self.peer_host else self.peer_host
        return f"{host}:{self.peer_port}"

    def pump(self) -> None:
        """Hand the transport what it may hold now; the rest follows when it has room again."""
        outbox = self._outbox
        turn_bytes = self._sent_past_transport()
        while outbox and not self._writing_paused and self._is_open:
            if turn_bytes >= TURN_BYTES_MAX:
                if not self._pumping_later:
                    self._pumping_later = True
                    self._loop.call_soon(self._pump_later)
                break
            chunks, size_bytes = self._next_chunks()
            if not chunks:
                break
            turn_bytes += size_bytes
            if len(chunks) == 1:
                self._transport.write(chunks[0])
            elif size_bytes <= _JOIN_BYTES_MAX:
                self._transport.write(b"".join(chunks))
            else:
                self._transport.writelines(chunks)
        self._hold(self._held_now())

    # Within

    def _sent_past_transport(self) -> int:
        past = self._past_transport
        if not (self._is_open and self._waits_for_files() and past.may()):
            return 0
        sent = past.send(self._outbox, self._sent_of_slice_bytes, TURN_BYTES_MAX)
        self._sent_of_slice_bytes = sent.at
        self._outbox_bytes -= sent.of_memory_bytes
        return sent.size_bytes

    def _waits_for_files(self) -> bool:
        return self._past_transport.has_work(self._outbox, self._sent_of_slice_bytes)

    def _next_chunks(self) -> tuple[list[bytes | memoryview], int]:
        """Up to a piece's worth of bytes from the outbox. Empty: the connection has just ended."""
        outbox = self._outbox
        chunks: list[bytes | memoryview] = []
        size_bytes = 0
        is_lean = self._host.lean() or self._waits_for_files()
        piece_bytes = LEAN_PIECE_BYTES if is_lean else PIECE_BYTES
        while outbox and size_bytes < piece_bytes:
            chunk = outbox[0]
            if isinstance(chunk, FileSlice):
                piece = self._read_piece(chunk, piece_bytes - size_bytes)
                if piece is None:
                    return [], 0
                chunks.append(piece)
                size_bytes += len(piece)
            else:
                assert isinstance(chunk, (bytes, memoryview)), type(chunk)
                outbox.popleft()
                chunks.append(chunk)
                size_bytes += len(chunk)
                self._outbox_bytes -= len(chunk)
        return chunks, size_bytes

    def _read_piece(self, part: FileSlice, piece_bytes: int) -> bytes | memoryview | None:
        at = self._sent_of_slice_bytes
        wanted_bytes = min(piece_bytes, part.size_bytes - at)
        piece = part.head
        if at or not 0 < len(piece) <= wanted_bytes:
            try:
                piece = part.file.read(part.position + at, wanted_bytes)
            except OSError as error:
                self._cut_off(f"{part.file.path} cannot be read: {error.strerror or error}")
                return None
            if len(piece) < wanted_bytes:
                end = part.position + part.size_bytes
                self._cut_off(f"{part.file.path} ends before byte {end:,}")
                return None
        at += len(piece)
        if at == part.size_bytes:
            self._outbox.popleft()
            at = 0
        self._sent_of_slice_bytes = at
        return piece

    def _cut_off(self, reason: str) -> None:
        # The answer's length has already been sent; all that is left is to say so by closing.
        log.warning("answer cut off: %s", reason, extra={"peer": self.peer})
        self._is_over(abort=True)

    def _pump_later(self) -> None:
        self._pumping_later = False
        if self._is_open:
            self.pump()
            self._regulate()

    def _regulate(self) -> None:
        """Pause or resume reading; what was read and left comes first."""
        if not self._is_open or self._reading_ended or self._unmute is not None:
            return
        if self._postponed is not None:
            self._pause_reading()
            return
        in_flight, held_bytes = self._wire.in_flight, self._held_bytes
        full = in_flight >= IN_FLIGHT_PER_CONNECTION_MAX or held_bytes > HELD_BYTES_PAUSE
        if self._wire.has_left:
            self._pause_reading()
            if not full and not self._going_on_later:
                self._going_on_later = True
                self._host.turns.wait(self._go_on)
        elif full:
            self._pause_reading()
        elif (
            self._reading_paused
            and in_flight <= IN_FLIGHT_PER_CONNECTION_MAX // 2
            and held_bytes <= HELD_BYTES_PAUSE // 2
        ):
            self._reading_paused = False
            self._transport.resume_reading()

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _unmuted(self) -> None:
        self._unmute = None
        self._regulate()

    def _go_on(self) -> None:
        self._going_on_later = False
        if self._is_open and not self._reading_ended and self._unmute is None:
            if self._postponed is None:
                self._take(self._wire.left())

    def _fetch_now(self) -> None:
        postponed, self._postponed = self._postponed, None
        if postponed is not None and self._is_open and not self._reading_ended:
            self._take(chain((postponed,), self._wire.left()), granted=postponed[0])

    def _held_now(self) -> int:
        held_bytes = self._outbox_bytes + self._wire.pending_reply_bytes
        if self._writing_paused:  # else the transport's part is small, and no news when it is gone
            held_bytes += self._transport.get_write_buffer_size()
        return held_bytes

    def _hold(self, held_bytes: int) -> None:
        self._host.held_bytes += held_bytes - self._held_bytes
        self._held_bytes = held_bytes

    def _gather(self, unfinished_bytes: int) -> None:
        """So much has come of a request whose end has not. All of them together have a bound."""
        more_bytes = unfinished_bytes - self._unfinished_bytes
        if not more_bytes:
            return
        self._unfinished_bytes = unfinished_bytes
        self._host.unfinished_bytes += more_bytes
        bytes_max = self._host.unfinished_bytes_max
        if more_bytes > 0 and bytes_max is not None and self._host.unfinished_bytes > bytes_max:
            # Waiting could be for ever: each of them may need the room that the others hold.
            self.end(f"unfinished requests are above queued.max.request.bytes={bytes_max:,} in all")

    def _refuse(self, error: RemoteProtocolError) -> None:
        reason = str(error)
        if isinstance(error, ForeignProtocolError):
            origin = self._wire.origin
            match error.protocol:
                case ForeignProtocol.HTTP:
                    self._transport.write(_http_farewell(origin))
                case ForeignProtocol.TLS:
                    self._transport.write(_TLS_FAREWELL)
                    reason += f" without TLS: listener {origin.listener} is PLAINTEXT"
                case _:
                    assert_never(error.protocol)
        self.end(reason)

    def _is_over(self, *, abort: bool = False) -> None:
        """No more is read or answered; `connection_lost` follows."""
        self._is_open = False
        self._wire.closed()
        self._outbox.clear()
        self._outbox_bytes = 0
        if abort:
            self._transport.abort()
        else:
            self._transport.close()


def _http_farewell(origin: Origin) -> bytes:
    """What a browser or curl shows. Nothing of the request is repeated, so nothing can be injected."""
    host = f"[{origin.local_host}]" if ":" in origin.local_host else origin.local_host
    text = (
        f"This is Ottla, a broker that speaks Apache Kafka's protocol, not HTTP, at "
        f"{host}:{origin.local_port}.\nPoint a Kafka client here: "
        f"bootstrap.servers={host}:{origin.local_port}\n"
    ).encode()
    return (
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(text), text)
    )


def _plain(host: str) -> str:
    """Without the zone of a link-local address."""
    return host.partition("%")[0]
