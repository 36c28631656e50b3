"""One connection of a client to one broker, once there is a socket: requests out, answers in.

Sending is synchronous (`post`), so that requests leave in the order in which they were made; the
answer is a future. A connection that failed stays failed: what was asked on it is told so, and who
goes on opens another (`client.py`).

Promises: no request waits longer than its time-out, and one that did costs the connection, because
answers come in order and what is asked later would wait behind it. A broker that says how long it
wants to be left alone is left alone for so long (KIP-219). What is idle for long is closed.

Elsewhere: sockets, TLS and SASL, `dial.py`; bytes, `wire/client.py`; the broker's side, `connection.py`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Final, cast, final

from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.reach import AuthenticationFailed, ConnectionLost
from ottla.errors import ApiError, OttlaError, RemoteProtocolError
from ottla.types import Payload
from ottla.version import __version__
from ottla.wire.api import API_VERSIONS, Message
from ottla.wire.client import CORRELATION_ID_MAX, ClientConnection

ANY_VERSION: Final = CORRELATION_ID_MAX

_CLOSE_SECONDS_MAX: Final = 5
_TLS_RECORD: Final = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin: a listener with TLS answers so to what is none."""
_THROTTLES_AFTER_ANSWERING: Final = 2
"""The ApiVersions version of brokers that answer first and expect the client to wait (KIP-219)."""


@final
class _Waiting:
    """One request without its answer."""

    __slots__ = ("deadline", "future")

    def __init__(self, future: "asyncio.Future[Message]", deadline: float) -> None:
        self.future = future
        self.deadline = deadline


@final
class Connection(asyncio.BufferedProtocol):
    """`on_closed` is called once, when it has ended for whatever reason."""

    def __init__(
        self,
        address: Address,
        options: ConnectionOptions,
        on_closed: "Callable[[Connection], None]" = lambda _: None,
    ) -> None:
        self.address = address
        self._options = options
        self._on_closed = on_closed
        self._loop = asyncio.get_running_loop()
        self._wire = ClientConnection(
            options.client_id,
            software_version=__version__,
            frame_bytes_max=options.response_bytes_max,
        )
        self._transport: asyncio.Transport | None = None
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._awaited: dict[int, _Waiting] = {}
        self._failure: OttlaError | None = None
        self._answered_count = 0
        self._used_at = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._muted_until = 0.0
        self._is_held = False
        self._is_full = False
        self._for_room: deque[asyncio.Future[None]] = deque()
        self._renewal: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._failure is None and self._opened.done()

    @property
    def in_flight(self) -> int:
        return len(self._awaited)

    @property
    def has_room(self) -> bool:
        """May a request be posted now?"""
        return (
            not self._is_held
            and not self._is_full
            and len(self._awaited) < self._options.in_flight_max
            and self._muted_until <= self._loop.time()
        )

    @property
    def muted_ms(self) -> float:
        """How long the broker wants to be left alone."""
        return max(0.0, (self._muted_until - self._loop.time()) * 1000)

    # ---- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do all that this type says, without being a subclass of it.
        self._transport = cast(asyncio.Transport, transport)
        self._write(self._wire.opening())

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._wire.room()

    def buffer_updated(self, nbytes: int) -> None:
        if not self._opened.done() and bytes(self._wire.room()[:2]) in _TLS_RECORD:
            self._fail(
                ConnectionLost(
                    f"{self.address} speaks TLS, and this client does not: say SSL or SASL_SSL as "
                    "the security protocol, or use the port of a listener without TLS"
                )
            )
            return
        try:
            responses = self._wire.filled(nbytes)
        except (RemoteProtocolError, ApiError) as error:
            self._fail(
                RemoteProtocolError(f"{self.address} answers, but not as Kafka does: {error}")
            )
            return
        self._write(self._wire.outgoing())
        if self._wire.broker is not None and not self._opened.done():
            self._opened.set_result(None)
        for correlation_id, message in responses:
            self._answered_count += 1
            throttle_ms: int = getattr(message, "throttle_time_ms", 0)
            if throttle_ms > 0:
                self._mute(throttle_ms)
            waiting = self._awaited.pop(correlation_id, None)
            if waiting is not None and not waiting.future.done():
                waiting.future.set_result(message)
        self._used_at = self._loop.time()
        if self._for_room:
            self._wake()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        alert: str | None = getattr(exc, "reason", None)  # of an ssl.SSLError
        if alert is not None and not self._opened.done():
            # TLS 1.3: a client's certificate is judged when it takes the handshake for done.
            self._fail(
                AuthenticationFailed(
                    str(self.address),
                    f"it ended TLS with {alert}. Does it want a certificate of this client "
                    "(ssl_certfile, ssl_keyfile), or one that another authority signed?",
                )
            )
        self._fail(ConnectionLost(self._why_closed(exc)))
        if not self._closed.done():
            self._closed.set_result(None)
        self._on_closed(self)

    # ---- called by the client

    async def wait_opened(self) -> None:
        """The broker has said which versions it speaks."""
        await self._opened

    async def wait_room(self) -> None:
        """`has_room`. Raises what ended the connection, if it ended."""
        while self._failure is None and not self.has_room:
            turn = self._loop.create_future()
            self._for_room.append(turn)
            await turn
        if self._failure is not None:
            raise self._failure

    def version_for(self, api_key: int, version_max: int = ANY_VERSION) -> int:
        """Raises ApiError(UNSUPPORTED_VERSION) if there is none."""
        try:
            return self._wire.version_for(api_key, at_most=version_max)
        except ApiError as error:
            raise ApiError(error.code, f"{self.address}: {error.message}") from None

    def speaks(self, api_key: int) -> bool:
        return api_key in self._wire.negotiated

    def post(
        self,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
    ) -> "asyncio.Future[Message]":
        """Send now, whether or not there is room; the answer to come.

        Raises at once what ended the connection, ApiError for no common version, LocalProtocolError
        for what the version cannot say. The future's failure is ConnectionLost or RemoteProtocolError.
        """
        correlation_id = self._send(api_key, message, version_max)
        future: asyncio.Future[Message] = self._loop.create_future()
        ms_max = self._options.request_ms_max if timeout_ms is None else timeout_ms
        deadline = self._used_at + ms_max / 1000
        self._awaited[correlation_id] = _Waiting(future, deadline)
        self._watch(min(deadline, self._used_at + self._options.idle_ms_max / 1000))
        return future

    async def ask(
        self,
        api_key: int,
        message: Message,
        *,
        version_max: int = ANY_VERSION,
        timeout_ms: int | None = None,
    ) -> Message:
        """The response, after waiting for room. Raises as `post` and its future do."""
        if not self.has_room:
            await self.wait_room()
        return await self.post(api_key, message, version_max=version_max, timeout_ms=timeout_ms)

    def tell(self, api_key: int, message: Message, *, version_max: int = ANY_VERSION) -> None:
        """Send what is answered by nothing: a Produce with acks=0."""
        self._send(api_key, message, version_max)

    def renew_after(
        self, seconds: float, renew: "Callable[[], Coroutine[None, None, None]]"
    ) -> None:
        """`renew` runs then, unless the connection has ended."""

        def begin() -> None:
            if self._failure is None:
                self._renewing = self._loop.create_task(renew())

        self._renewal = self._loop.call_later(seconds, begin)

    def hold(self) -> None:
        """Nobody has room until `release`: who we are is said anew (KIP-368)."""
        self._is_held = True

    def release(self) -> None:
        self._is_held = False
        self._wake()

    def fail(self, failure: OttlaError) -> None:
        """End it; whoever waits for an answer is told why."""
        self._fail(failure)

    async def close(self) -> None:
        """What was written is sent, then the socket is closed."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                await asyncio.shield(self._closed)
        except TimeoutError:
            self._transport.abort()

    def abort(self) -> None:
        """The socket is closed, whatever was written."""
        if self._transport is not None:
            self._transport.abort()

    # ---- inside

    def _send(self, api_key: int, message: Message, version_max: int) -> int:
        if self._failure is not None:
            raise self._failure
        version = self.version_for(api_key, version_max)
        correlation_id, chunks = self._wire.request(api_key, version, message)
        self._used_at = self._loop.time()
        self._write(chunks)
        return correlation_id

    def _write(self, payloads: Iterable[Payload]) -> None:
        chunks = []
        for payload in payloads:
            assert isinstance(payload, bytes | bytearray | memoryview), type(payload)
            chunks.append(payload)
        if chunks and self._transport is not None:
            self._transport.writelines(chunks)

    def _mute(self, throttle_ms: int) -> None:
        _, known_max = self._wire.negotiated.get(API_VERSIONS, (0, 0))
        if known_max < _THROTTLES_AFTER_ANSWERING:
            return
        self._muted_until = max(self._muted_until, self._loop.time() + throttle_ms / 1000)
        self._watch(self._muted_until)

    def _watch(self, when: float) -> None:
        """The clock is looked at no later than then."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._looked_at_clock)

    def _looked_at_clock(self) -> None:
        self._timer = None
        if self._failure is not None:
            return
        # A timer may be a little early.
        now = self._loop.time() + 0.001
        if self._muted_until <= now:
            self._muted_until = 0.0
            self._wake()
        else:
            self._watch(self._muted_until)
        if self._awaited:
            first = min(waiting.deadline for waiting in self._awaited.values())
            if first <= now:
                self._fail(ConnectionLost(f"{self.address} did not answer in time"))
                return
        else:
            first = self._used_at + self._options.idle_ms_max / 1000
            if first <= now:
                self._fail(ConnectionLost(f"the connection to {self.address} was idle"))
                return
        self._watch(first)

    def _wake(self) -> None:
        while self._for_room and (self._failure is not None or self.has_room):
            turn = self._for_room.popleft()
            if not turn.done():
                turn.set_result(None)

    def _why_closed(self, exc: Exception | None) -> str:
        why = "" if exc is None else f" ({exc})"
        transport = self._transport
        if transport is not None and transport.get_extra_info("sslcontext"):
            if not self._opened.done():
                return (
                    f"{self.address} closed the connection after the TLS handshake{why}. "
                    "Does it want a certificate of this client (ssl_certfile, ssl_keyfile)?"
                )
        elif not self._opened.done():
            return (
                f"{self.address} closed the connection instead of saying which versions it speaks"
                f"{why}. Is it a Kafka listener, one without TLS, and Kafka 0.10 or newer?"
            )
        if self._awaited and not self._answered_count:
            return (
                f"{self.address} closed the connection at the first request{why}. "
                "Does this listener expect SASL?"
            )
        return f"{self.address} closed the connection{why}"

    def _fail(self, failure: OttlaError) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._renewal is not None:
            self._renewal.cancel()
        for waiting in self._awaited.values():
            if not waiting.future.done():
                waiting.future.set_exception(failure)
                # Who asked may have gone away since.
                waiting.future.exception()
        self._awaited.clear()
        if not self._opened.done():
            self._opened.set_exception(failure)
        # Whoever opened this may be gone already; its failure is kept above.
        if self._opened.done() and not self._opened.cancelled():
            self._opened.exception()
        self._wake()
        if self._transport is not None:
            self._transport.abort()
