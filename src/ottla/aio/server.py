"""The listeners and their connections: who is let in, who has been silent too long, who is answered.

Promises: never more connections than granted, in all and from one host; a connection too many is
closed at once; one that comes too soon after others from its address is held for a while, unread, and
then closed (KIP-612). A connection that is silent, or takes nothing of its answers, is closed after `idle_ms`;
one that waits for an answer is not. No connection keeps the others waiting for long.

Elsewhere: one connection's bytes, `connection.py`; sockets, `listen.py`, `accept.py`; whose turn it is,
`turns.py`; how often a warning is written, `complaint.py`; what a call does, the node.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, final

from ottla.aio.accept import Acceptor
from ottla.aio.complaint import Complaints
from ottla.aio.connection import Connection
from ottla.aio.listen import bind, explained
from ottla.aio.log_directory import CannotStart
from ottla.aio.turns import Turns
from ottla.core.quota.accepts import Accepts
from ottla.limits import (
    FETCH_ANSWERS_BYTES_MAX,
    HELD_CONNECTIONS_MAX,
)
from ottla.settings.broker import ConnectionSettings
from ottla.settings.listener import HostPort, Listener
from ottla.wire.api import Message
from ottla.wire.frame import BufferPool
from ottla.wire.server import Call

log = logging.getLogger(__name__)

_SWEEPS_PER_IDLE_TIME: Final = 8
_CLOSE_POLL_S: Final = 0.01


@final
class Callers(NamedTuple):
    """Whom the server tells. `turn_ended` follows the calls of one arrival."""

    requested: Callable[[Call, Message | None], None]
    turn_ended: Callable[[], None]
    disconnected: Callable[[int], None]
    broken: Callable[[BaseException], None]


@final
class Server:
    """All listeners of one broker, on one loop. It is each connection's `Host`."""

    def __init__(
        self,
        settings: ConnectionSettings,
        callers: Callers,
        loop: asyncio.AbstractEventLoop,
        accepts: Accepts,
    ) -> None:
        self._settings = settings
        self._callers = callers
        self._loop = loop
        self._accepts = accepts
        self._held: dict[Connection, asyncio.TimerHandle] = {}
        self._connections: dict[int, Connection] = {}
        self._per_host: dict[str, int] = {}
        self._last_connection_id = 0
        self._acceptors: list[Acceptor] = []
        self._bound: list[tuple[Listener, list[socket.socket]]] = []
        self._sweep: asyncio.TimerHandle | None = None
        self.ports: dict[str, int] = {}
        """Listener name to the port that `bind` took."""
        self.bound: dict[str, HostPort] = {}
        """Listener name to the address to try: where it really listens."""

        # What a connection asks of its host
        self.pool = BufferPool()
        self.complaints = Complaints(loop.call_later)
        self.request_bytes_max = settings.request_bytes_max
        self.held_bytes = 0
        self.unfinished_bytes = 0
        self.unfinished_bytes_max = settings.queued_request_bytes_max
        self.requested = callers.requested
        self.turn_ended = callers.turn_ended
        self.broken = callers.broken
        self.turns = Turns(loop.call_soon)

    # Opening and closing

    def bind(self, listeners: tuple[Listener, ...]) -> None:
        """Take the ports, without accepting anybody: whoever connects is refused until `listen`.

        Raises CannotStart, with nothing left open, when one cannot be had.
        """
        assert not self._bound
        for listener in listeners:
            try:
                sockets = bind(
                    listener,
                    send_buffer_bytes=self._settings.send_buffer_bytes,
                    receive_buffer_bytes=self._settings.receive_buffer_bytes,
                )
                self._bound.append((listener, sockets))
                self.ports[listener.name] = int(sockets[0].getsockname()[1])
            except BaseException:
                self.stop_accepting()
                raise

    async def listen(self) -> None:
        """Accept connections at the ports that are bound. Raises CannotStart as `bind` does: until
        here another process could still begin to listen."""
        for listener, sockets in self._bound:
            for one in sockets:
                try:
                    one.listen(self._settings.listen_backlog)
                except OSError as error:
                    self.stop_accepting()
                    raise CannotStart(explained(listener, error)) from None
        for listener, sockets in self._bound:
            for one in sockets:
                acceptor = Acceptor(
                    one,
                    listener.name,
                    protocol=self._factory(listener.name),
                    pause_s=self._pause_s,
                    complaints=self.complaints,
                    loop=self._loop,
                )
                self._acceptors.append(acceptor)
            self.bound[listener.name] = HostPort(
                listener.host or "0.0.0.0", self.ports[listener.name]
            )
        self._bound.clear()  # they are the acceptors' now
        if self._settings.idle_ms is not None:
            self._sweep_later()

    def stop_accepting(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        self._acceptors.clear()
        for _, sockets in self._bound:
            for one in sockets:
                one.close()
        self._bound.clear()
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None

    def stop_reading(self) -> None:
        """Take no more calls; those taken can still be answered."""
        self.stop_accepting()
        for connection in self._connections.values():
            connection.stop_reading()

    async def close(self, timeout_s: float) -> None:
        """End all connections; answers that were given are sent, to peers that read them."""
        self.stop_accepting()
        for connection in list(self._connections.values()):
            connection.end_quietly()
        ends_s = self._loop.time() + timeout_s
        while self._connections and self._loop.time() < ends_s:
            await asyncio.sleep(_CLOSE_POLL_S)
        self.abort()
        while self._connections:
            await asyncio.sleep(0)

    def abort(self) -> None:
        """End all connections at once."""
        self.stop_accepting()
        for connection in list(self._held):
            self._end_held(connection)
        for connection in list(self._connections.values()):
            connection.abort()

    # What the node's effects ask for

    def obey(self, settings: ConnectionSettings) -> None:
        """From now on these bounds hold for new connections; those there are stay."""
        self._settings = settings

    def answer(self, call: Call, response: Message | None) -> None:
        """Nothing happens when the connection is gone."""
        connection = self._connections.get(call.origin.connection_id)
        if connection is not None:
            connection.answer(call, response)

    def end(self, connection_id: int, reason: str) -> None:
        connection = self._connections.get(connection_id)
        if connection is not None:
            connection.end(reason)

    def mute(self, connection_id: int, duration_ms: int) -> None:
        connection = self._connections.get(connection_id)
        if connection is not None:
            connection.mute(duration_ms / 1000)

    def limit_accepts(self, rates: Mapping[str | None, float]) -> None:
        """New connections per second from each address; those there are stay."""
        self._accepts.follow(rates)

    @property
    def connections(self) -> int:
        return len(self._connections)

    # What a connection asks for

    def opened(self, connection: Connection) -> bool:
        # Taken in the last turn of an acceptor that is closed now: nobody would end it.
        if self._acceptors and self._lets_in(connection):
            return True
        if connection not in self._held:
            connection.abort()
        return False

    def _lets_in(self, connection: Connection) -> bool:
        host = connection.peer_host
        of_host = self._per_host.get(host, 0)
        settings = self._settings
        of_host_max = settings.per_host_max_overrides.get(host, settings.connections_per_host_max)
        if len(self._connections) >= settings.connections_max:
            self._report_refused(connection, "max.connections", settings.connections_max)
            return False
        if of_host >= of_host_max:
            self._report_refused(connection, "max.connections.per.ip", of_host_max)
            return False
        hold_ms = self._accepts.hold_ms(int(self._loop.time() * 1000), host)
        if hold_ms:
            self._hold(connection, hold_ms)
            return False
        self._connections[connection.connection_id] = connection
        self._per_host[host] = of_host + 1
        return True

    def _hold(self, connection: Connection, hold_ms: int) -> None:
        """Its peer waits, and then finds the connection closed."""
        if len(self._held) < HELD_CONNECTIONS_MAX:
            connection.hold()
            timer = self._loop.call_later(hold_ms / 1000, self._end_held, connection)
            self._held[connection] = timer

    def _end_held(self, connection: Connection) -> None:
        self._held.pop(connection).cancel()
        connection.abort()

    def closed(self, connection: Connection) -> None:
        del self._connections[connection.connection_id]
        left = self._per_host[connection.peer_host] - 1
        if left:
            self._per_host[connection.peer_host] = left
        else:
            del self._per_host[connection.peer_host]
        self._callers.disconnected(connection.connection_id)

    def lean(self) -> bool:
        # From a quarter of the bound on, so that ten thousand small pieces still fit below it.
        return self.held_bytes > FETCH_ANSWERS_BYTES_MAX // 4

    # Within

    def _factory(self, listener: str) -> Callable[[], Connection]:
        def connection() -> Connection:
            self._accepts.taken(int(self._loop.time() * 1000))
            self._last_connection_id += 1
            return Connection(self, self._loop, self._last_connection_id, listener)

        return connection

    def _pause_s(self) -> float:
        now_ms = int(self._loop.time() * 1000)
        return self._accepts.pause_ms(now_ms, self._settings.connections_per_second_max) / 1000

    def _report_refused(self, connection: Connection, limit: str, limit_value: int) -> None:
        what = f"{limit} is {limit_value:,}"
        self.complaints.tell(log, connection.listener, "connection refused", what, connection.peer)

    def _sweep_later(self) -> None:
        assert self._settings.idle_ms is not None
        interval_s = self._settings.idle_ms / 1000 / _SWEEPS_PER_IDLE_TIME
        self._sweep = self._loop.call_later(interval_s, self._swept)

    def _swept(self) -> None:
        self.sweep()
        self._sweep_later()

    def sweep(self) -> None:
        """Close who has been silent for a whole idle time, which is so many sweeps and one."""
        for connection in list(self._connections.values()):
            if connection.swept() > _SWEEPS_PER_IDLE_TIME:
                log.debug("idle connection closed", extra={"peer": connection.peer})
                connection.end_idle()
