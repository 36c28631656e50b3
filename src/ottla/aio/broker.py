"""A node in the real world: events in, `step`, effects out, on one loop.

This is where the node's promises meet the machine's. The order at the start: claim the directories,
take the ports, open the node, then listen, so that nobody is answered by a node that is not there
and a port that is taken costs nothing that is stored. The order at the end is the reverse, with the
disk in between: no more calls, what is parked is answered, everything is flushed, the node closes
its logs, all is synced, and only then the clean marker is written.

A broken invariant (`AssertionError`, `Bug`) or a `Halt` ends the broker without that marker: what
is on the disk is then examined by the next start instead of being believed.

Elsewhere: who builds a node, `broker/wiring.py`; the command, `cli/serve.py`; a broker in a thread of a
program, `embedded.py`.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Set
from typing import Final, Protocol, assert_never, final

from ottla.aio.clock import Clock, ThreadStopwatch
from ottla.aio.disk import SystemEntropy, descriptors_allowed
from ottla.aio.log_directories import LogDirectories
from ottla.aio.log_directory import CannotStart, LogDirectory
from ottla.aio.server import Callers, Server
from ottla.broker.wiring import Premises, assemble
from ottla.core.effect import (
    Close,
    Effect,
    Flush,
    Halt,
    LimitAccepts,
    Mute,
    Reconfigure,
    Reply,
    WriteWhole,
)
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.log.recovery import Shutdown
from ottla.core.quota.accepts import Accepts
from ottla.errors import Bug, RemoteProtocolError
from ottla.limits import OPEN_FILES_MAX
from ottla.settings.broker import BrokerSettings, ConnectionSettings
from ottla.settings.environment import TopicToCreate
from ottla.settings.listener import HostPort
from ottla.settings.parse import Resolved
from ottla.wire.api import Message
from ottla.wire.server import Call

log = logging.getLogger(__name__)

_FLUSH_TIMEOUT_S: Final = 30.0
_FLUSH_POLL_S: Final = 0.002
_FAREWELL_TIMEOUT_S: Final = 1.0
_let_others_run: Final[Callable[[], None]] = getattr(os, "sched_yield", lambda: None)
_TIMER_SLACK_MS: Final = 1  # a loop's timer may fire a little early
_FILES_MIN: Final = 16


class ServedNode(Protocol):
    """`broker.node.Node`, as far as it is used here."""

    def start(self, now_ms: int) -> list[Effect]: ...

    def step(self, now_ms: int, event: Event) -> list[Effect]: ...

    def next_deadline_ms(self) -> int | None: ...

    def stop(self, now_ms: int) -> list[Effect]: ...

    def close(self, now_ms: int) -> list[Effect]: ...

    @property
    def is_ready(self) -> bool: ...

    @property
    def is_examined(self) -> bool: ...

    def is_dir_durable(self, log_dir: int) -> bool: ...

    @property
    def broker_epoch(self) -> int: ...


Assemble = Callable[[Premises], ServedNode]


@final
class Broker:
    """One broker on the running loop. `start`, then `stop`; `ended` tells when it gave up itself."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        given: Mapping[str, Resolved],
        topics_wanted: tuple[TopicToCreate, ...] = (),
        cluster_id: str | None = None,
        assemble: Assemble = assemble,
    ) -> None:
        self._settings = settings
        self._given = given
        self._topics_wanted = topics_wanted
        self._wanted_cluster_id = cluster_id
        self._assemble = assemble
        self._clock = Clock()
        self._timer: asyncio.Handle | None = None
        self._timer_ms = 0
        self._loop: asyncio.AbstractEventLoop
        self._directories: LogDirectories
        self._node: ServedNode
        self._server: Server
        self._is_running = False
        self._ready: asyncio.Future[None]
        self.ended: asyncio.Future[str]
        """Done, with the reason, when the broker had to give up."""

    @property
    def directory(self) -> LogDirectory:
        """The one that keeps the metadata log."""
        return self._directories.first

    @property
    def directories(self) -> list[str]:
        """Where the data is; the one that keeps the metadata log is the first."""
        return [directory.path for directory in self._directories]

    @property
    def bound(self) -> dict[str, HostPort]:
        """Listener name to where it really listens."""
        return self._server.bound

    async def start(self) -> None:
        """Serve. Raises CannotStart, having left everything as it was, with a reason to act on."""
        if not __debug__:
            raise CannotStart(
                "Python's -O (or PYTHONOPTIMIZE) removes the assertions that keep the data safe. "
                "Start without it."
            )
        self._loop = asyncio.get_running_loop()
        self.ended = self._loop.create_future()
        self._ready = self._loop.create_future()
        self._open_directories()
        started = False
        try:
            await self._open()
            started = True
        except CannotStart:
            await self.stop()  # the node is whole: a taken port must not cost a recovery
            raise
        except (OSError, RemoteProtocolError) as error:
            raise CannotStart(f"{self.directory.path} cannot be opened: {error}.") from error
        finally:
            if not started:
                await self._give_up()

    def _open_directories(self) -> None:
        connections, files_max = _within_limits(self._settings.connections)
        accepts = Accepts(self._settings.quotas)
        self._server = Server(connections, self._callers(), self._loop, accepts)
        self._directories = directories = LogDirectories(self._settings)
        directories.claim()
        opened = False
        try:
            # First, so that a taken port leaves what is stored untouched.
            self._server.bind(self._settings.listeners)
            self._settings = _with_bound_ports(self._settings, self._server.ports)
            directories.open(
                SystemEntropy(),
                node_id=self._settings.node_id,
                cluster_id=self._wanted_cluster_id,
                files_max=files_max,
                outcome=self._flushed_elsewhere,
            )
            opened = True
        finally:
            if not opened:
                self._server.stop_accepting()
                directories.release_locks()
        self._is_running = True

    async def _open(self) -> None:
        self._open_node()
        # What the start has decided is on the disk before the first client hears of it.
        await asyncio.wait((self._ready, self.ended), return_when=asyncio.FIRST_COMPLETED)
        if self.ended.done():
            raise CannotStart(f"{self.directory.path}: {self.ended.result()}.")
        if self._node.is_examined:
            self._directories.note_boot()
        await self._server.listen()

    def _open_node(self) -> None:
        for directory in self._directories:
            if directory.shutdown is not Shutdown.CLEAN:
                log.warning(
                    "the last process did not stop cleanly; its logs are examined",
                    extra={"directory": directory.path, "how": directory.shutdown.name},
                )
        first = self.directory
        self._node = self._assemble(
            Premises(
                settings=self._settings,
                given=self._given,
                topics_wanted=self._topics_wanted,
                cluster_id=first.cluster_id,
                directory_id=first.directory_id,
                shutdown=first.shutdown,
                disk=self._directories.disk,
                entropy=SystemEntropy(),
                stopwatch=ThreadStopwatch(),
                now_ms=self._clock.now_ms(),
                keeps_partitions=self._directories.keeps_partitions,
                other_dirs=self._directories.others(),
            )
        )
        self._perform(self._node.start(self._clock.now_ms()))
        self._look_whether_ready()
        self._settle()

    def _look_whether_ready(self) -> None:
        if not self._ready.done() and self._node.is_ready:
            self._ready.set_result(None)

    async def stop(self) -> bool:
        """Stop cleanly. False: it was not clean, the next start examines the logs.

        Whatever happens, connections have ended and the directories are free afterwards.
        """
        if not self._is_running:
            return False
        if self.ended.done():
            await self._give_up()
            return False
        clean: set[int] = set()
        try:
            self._server.stop_reading()
            self._perform(self._node.stop(self._clock.now_ms()))
            if await self._flushes_end() and not self.ended.done():
                self._perform(self._node.close(self._clock.now_ms()))
                self._directories.retry()
                flushed = await self._flushes_end()
                await self._server.close(_FAREWELL_TIMEOUT_S)
                if flushed and not self.ended.done():
                    clean = self._directories.sync(self._node.is_dir_durable)
        except OSError as error:
            log.error("the stop is not clean", extra={"error": str(error)})
        except (AssertionError, Bug) as error:
            self.broken(error)
        await self._give_up(clean=clean)
        return clean == self._directories.numbers

    async def _flushes_end(self) -> bool:
        """Wait until the disk has everything and the node knows it. False: it took too long."""
        ends_s = self._loop.time() + _FLUSH_TIMEOUT_S
        self._directories.dispatch()
        while not self._directories.idle():
            if self._loop.time() > ends_s:
                log.error("the disk does not answer", extra={"seconds": _FLUSH_TIMEOUT_S})
                return False
            await asyncio.sleep(_FLUSH_POLL_S)
            # Outcomes are queued before their work is off the list, so this turn has seen them.
        await asyncio.sleep(0)
        return self._directories.idle() or await self._flushes_end()

    async def _give_up(self, *, clean: Set[int] = frozenset()) -> None:
        """`clean`: the directories that may be believed."""
        self._is_running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        await self._server.close(0.0)
        self._directories.release(clean, self._node.broker_epoch if clean else -1)

    # Events

    def _callers(self) -> Callers:
        return Callers(
            requested=self._requested,
            turn_ended=self._settle,
            disconnected=self._disconnected,
            broken=self.broken,
        )

    def _requested(self, call: Call, message: Message | None) -> None:
        self._perform(self._node.step(self._clock.now_ms(), Received(call, message)))

    def _disconnected(self, connection_id: int) -> None:
        if self._is_running:
            self._step(Disconnected(connection_id))

    def _flushed_elsewhere(self, event: Flushed) -> None:
        """In a flush thread."""
        try:
            self._loop.call_soon_threadsafe(self._step, event)
        except RuntimeError:
            pass  # the loop has ended with the broker, nobody waits any more

    def _step(self, event: Event) -> None:
        """An event that no connection brought."""
        if not self._is_running or self.ended.done():
            return
        try:
            if isinstance(event, Flushed) and event.error is not None:
                self._directories.distrust(event.log_dir)
            self._perform(self._node.step(self._clock.now_ms(), event))
            self._look_whether_ready()
            self._settle()
        except (AssertionError, Bug) as error:
            self.broken(error)
        except OSError as error:
            # Nobody can be answered with it, and what it interrupted is unknown.
            log.error("halted: the disk refuses", exc_info=error)
            self._end(f"the disk refuses: {error}")

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                self._server.answer(effect.call, effect.response)
            elif isinstance(effect, Flush):
                self._directories.flush(effect)
            elif isinstance(effect, WriteWhole):
                self._directories.write_whole(effect)
            elif isinstance(effect, Close):
                self._server.end(effect.connection_id, effect.reason)
            elif isinstance(effect, Reconfigure):
                connections, _ = _within_limits(effect.settings.connections)
                self._server.obey(connections)
            elif isinstance(effect, Mute):
                self._server.mute(effect.connection_id, effect.duration_ms)
            elif isinstance(effect, LimitAccepts):
                self._server.limit_accepts(effect.rates)
            elif isinstance(effect, Halt):
                log.error("halted: %s", effect.reason)
                self._end(effect.reason)
                return
            else:
                assert_never(effect)

    def broken(self, error: BaseException) -> None:
        """An invariant does not hold, so nothing that follows from it can be trusted: stop."""
        log.error("broken invariant, the broker stops", exc_info=error)
        self._end(f"broken invariant: {error}")

    def _end(self, reason: str) -> None:
        # No answer may leave any more, not even those this turn has prepared.
        self._server.abort()
        if not self.ended.done():
            self.ended.set_result(reason)

    def _settle(self) -> None:
        """After the steps of a turn: what they gathered for the disk goes there together."""
        self._directories.dispatch()
        self._set_timer()

    # Time

    def _set_timer(self) -> None:
        """One timer for the node's next deadline. One that fires too early looks again."""
        deadline_ms = self._node.next_deadline_ms()
        if deadline_ms is None:
            return
        if self._timer is not None:
            if self._timer_ms <= deadline_ms:
                return
            self._timer.cancel()
        self._timer_ms = deadline_ms
        delay_ms = deadline_ms - self._clock.now_ms()
        if delay_ms < 0:
            # Overdue: after those who have asked meanwhile.
            self._timer = self._loop.call_soon(self._tick)
        else:
            self._timer = self._loop.call_later((delay_ms + _TIMER_SLACK_MS) / 1000, self._tick)

    def _tick(self) -> None:
        self._timer = None
        deadline_ms = self._node.next_deadline_ms()
        if deadline_ms is not None and deadline_ms <= self._clock.now_ms():
            # Whoever was answered just now may have been woken on our processor, and wait for it.
            _let_others_run()
            self._step(Ticked())
        else:
            self._set_timer()


def run_until_signal(
    settings: BrokerSettings,
    *,
    given: Mapping[str, Resolved],
    topics_wanted: tuple[TopicToCreate, ...],
    cluster_id: str | None,
    started: Callable[[Broker], None],
    around: Callable[[ServedNode], ServedNode] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; returns the process's exit code. Raises CannotStart.

    `started` is called once, when clients can connect. `around`: who stands before the node and sees
    all that goes in and comes out.
    """
    broker = Broker(
        settings,
        given=given,
        topics_wanted=topics_wanted,
        cluster_id=cluster_id,
        assemble=assemble if around is None else lambda premises: around(assemble(premises)),
    )
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return 0 if runner.run(_until_signal(broker, started)) else 1


async def _until_signal(broker: Broker, started: Callable[[Broker], None]) -> bool:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _signaled, stop, number)
    return await serve(broker, stop, started)


async def serve(
    broker: Broker, stop: asyncio.Future[None], started: Callable[[Broker], None]
) -> bool:
    """Serve until `stop` is done or the broker gives up. False: the stop was not clean.

    `started` is called once, when clients can connect. Raises CannotStart.
    """
    await broker.start()
    asyncio.get_running_loop().set_exception_handler(_unhandled(broker))
    try:
        started(broker)
        await asyncio.wait((stop, broker.ended), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not broker.ended.done():
            log.info("stopping")
        clean = await broker.stop()
        log.info("stopped" if clean else "stopped, but not cleanly")
    return clean


def _with_bound_ports(settings: BrokerSettings, ports: Mapping[str, int]) -> BrokerSettings:
    """Where any free port was asked for, the one that was taken is what the others are told."""
    listeners = []
    for listener in settings.listeners:
        port = ports[listener.name]
        shown = listener.advertised
        if shown is not None and shown.port == 0:
            shown = HostPort(shown.host, port)
        listeners.append(listener._replace(port=port, advertised=shown))
    return settings._replace(listeners=tuple(listeners))


def _within_limits(asked: ConnectionSettings) -> tuple[ConnectionSettings, int]:
    """The connections and open files that this process is allowed, in that order."""
    allowed = descriptors_allowed()
    files_max = min(OPEN_FILES_MAX, max(_FILES_MIN, allowed * 3 // 10))
    connections_max = min(asked.connections_max, allowed * 4 // 5 - files_max)
    if connections_max < asked.connections_max:
        log.warning(
            "the limit of open files (ulimit -n) is %d: at most %d connections, not %d",
            allowed,
            connections_max,
            asked.connections_max,
        )
    return asked._replace(connections_max=connections_max), files_max


def _signaled(stop: asyncio.Future[None], number: signal.Signals) -> None:
    if stop.done():
        log.warning("second %s: leaving at once, the next start examines the logs", number.name)
        os._exit(128 + number)
    stop.set_result(None)


def _unhandled(
    broker: Broker,
) -> Callable[[asyncio.AbstractEventLoop, dict[str, object]], None]:
    """An exception in a callback: the machine's refusals are logged, anything else is a bug."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception) and not isinstance(error, OSError):
            broker.broken(error)
        else:
            log.warning("%s", context.get("message"), extra={"error": repr(error)})

    return handle


def new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
