"""A broker inside a program: `from ottla import Broker`.

    with Broker(port=0) as broker:
        producer = KafkaProducer(bootstrap_servers=broker.bootstrap_servers)

It is the broker of `ottla serve` on a loop of its own, in whichever thread calls `start`. Any number of
them run in one process. What differs is only where its words come from: settings are those that the
program gives, never the environment; signals are the program's business; and without a folder for its
data it keeps them in one that goes with it.

Elsewhere: what a start and a stop are, `broker.py`.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Final, NamedTuple, final

from ottla.aio.broker import Broker as Served
from ottla.aio.broker import new_loop, serve
from ottla.aio.log_directory import CannotStart
from ottla.errors import OttlaError
from ottla.settings.broker import KNOWN, BrokerSettings, base_name, broker_settings, nearest
from ottla.settings.definition import ConfigurationError
from ottla.settings.listener import HostPort
from ottla.settings.parse import Resolved, text_of, value_of

READY_S_MAX: Final = 60.0
"""How long is waited for a start: one that examines many logs takes its time."""


class NotNow(OttlaError):
    """What was asked for does not fit what the broker is doing: it runs already, or not at all."""


class Halted(OttlaError):
    """The broker had to give up by itself, or could not stop cleanly. The log says more."""


class _Configured(NamedTuple):
    settings: BrokerSettings
    given: Mapping[str, Resolved]


@final
class _Run:
    """One start, to its stop. Changed under the broker's lock only."""

    __slots__ = ("address", "ask_to_stop", "failure", "is_over", "stop_is_wanted")

    def __init__(self) -> None:
        self.address: HostPort | None = None  # while clients can connect
        self.ask_to_stop: Callable[[], object] | None = None  # while its loop can be asked
        self.stop_is_wanted = False
        self.is_over = False
        self.failure: OttlaError | None = None


@final
class Broker:
    """A Kafka broker of one node in this process.

    `host` and `port`: where it listens; port 0 is any free port. `data`: the folder of its records,
    which are there again at the next start; None: a temporary folder, which is removed at the stop
    with all that is in it. `settings`: by Kafka's names, as `{"num.partitions": 3}`; they win over
    host, port and data.

    `start` serves in the calling thread; `with` does it in a thread of its own and goes on when
    clients can connect. All of it may be called from any thread, also again after a stop. What keeps it from
    starting is a ConfigurationError, when it is made, or a CannotStart; both say what to do, and both are
    OttlaErrors.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9092,
        *,
        data: str | os.PathLike[str] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        self._texts = {"listeners": f"PLAINTEXT://{HostPort(host, port)}"}
        if data is not None:
            self._texts["log.dirs"] = os.path.abspath(data)
        self._texts |= {name: _text(name, value) for name, value in (settings or {}).items()}
        _configured(self._texts)  # what is wrong with it is told here
        self._changed = threading.Condition()
        self._run: _Run | None = None

    def start(self) -> None:
        """Serve until `stop`. Ctrl-C in the main thread stops it, too, before it is raised here.

        Raises CannotStart, NotNow while it is running, Halted when it had to give up.
        """
        self._serve(self._begin())

    def stop(self) -> None:
        """It has stopped, as after SIGTERM: what was acknowledged is on the disk.

        One that is starting stops when it is up; one that has stopped stays so. Raises NotNow
        if it was never started, Halted if it had given up, or could not stop cleanly.
        """
        with self._changed:
            run = self._run
            if run is None:
                raise NotNow("The broker was never started.")
            run.stop_is_wanted = True
            if run.ask_to_stop is not None:
                run.ask_to_stop()
            self._changed.wait_for(lambda: run.is_over)
        if isinstance(run.failure, Halted):
            raise run.failure

    def wait_until_ready(self, timeout_s: float = READY_S_MAX) -> None:
        """Clients can connect, be it that `start` is still to come in another thread. Raises what `start`
        raised, or TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(self._is_settled, timeout_s):
                raise TimeoutError(f"The broker is not ready after {timeout_s:g} s.")
            if self._run is not None and self._run.failure is not None:
                raise self._run.failure

    @property
    def address(self) -> HostPort:
        """Where clients on this machine find it: host and port. Raises NotNow unless it is ready."""
        with self._changed:
            address = None if self._run is None else self._run.address
        if address is None:
            raise NotNow(
                "The broker is not up, so it has no address yet: wait_until_ready() waits."
            )
        return address

    @property
    def bootstrap_servers(self) -> str:
        """The address as clients are told it: `127.0.0.1:9092`."""
        return str(self.address)

    def __enter__(self) -> "Broker":
        run = self._begin()
        # A daemon: a program that forgets it ends all the same, and what it kept is examined then.
        threading.Thread(
            target=self._serve_and_keep, args=(run,), name="ottla-broker", daemon=True
        ).start()
        with self._changed:
            self._changed.wait_for(lambda: run.address is not None or run.is_over)
        if run.is_over:
            raise run.failure or NotNow("The broker was stopped while it started.")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # Within

    def _is_settled(self) -> bool:
        run = self._run
        return run is not None and (run.address is not None or run.failure is not None)

    def _begin(self) -> _Run:
        with self._changed:
            if self._run is not None and not self._run.is_over:
                raise NotNow(
                    "The broker is running already: stop() it first, or make another Broker with "
                    "another port and folder."
                )
            self._run = run = _Run()
            return run

    def _serve_and_keep(self, run: _Run) -> None:
        """In the broker's own thread, whose end nobody sees."""
        try:
            self._serve(run)
        except OttlaError:
            pass  # it is the run's failure

    def _serve(self, run: _Run) -> None:
        try:
            _refuse_on_a_loop()
            with _folder(self._texts) as texts, asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(self._until_stopped(run, _configured(texts)))
        except OttlaError as error:
            with self._changed:
                run.failure = error
            raise
        finally:
            with self._changed:
                run.is_over = True
                self._changed.notify_all()

    async def _until_stopped(self, run: _Run, configured: _Configured) -> None:
        loop = asyncio.get_running_loop()
        stop: asyncio.Future[None] = loop.create_future()
        broker = Served(configured.settings, given=configured.given)

        def asked() -> None:
            if not stop.done():
                stop.set_result(None)

        def started(served: Served) -> None:
            with self._changed:
                run.address = next(iter(served.bound.values())).from_here
                run.ask_to_stop = lambda: loop.call_soon_threadsafe(asked)
                if run.stop_is_wanted:
                    asked()
                self._changed.notify_all()

        try:
            clean = await serve(broker, stop, started)
        finally:
            with self._changed:
                run.address = run.ask_to_stop = None
        if not clean:
            reason = broker.ended.result() if broker.ended.done() else "the stop was not clean"
            raise Halted(f"The broker has ended: {reason}.")


def _refuse_on_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise NotNow(
        "start() serves until stop(), and this thread has an event loop that would stand still: use "
        "`with`, or threading.Thread(target=broker.start)."
    )


@contextmanager
def _folder(texts: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The settings with a place for the data: a temporary one if there is none."""
    if "log.dirs" in texts or "log.dir" in texts:
        yield texts
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="ottla-", ignore_cleanup_errors=True)
    except OSError as error:
        raise CannotStart(
            f"No temporary folder for the data can be made: {error.strerror}. Name one: data=..."
        ) from None
    with folder as path:
        yield {**texts, "log.dirs": path}


def _configured(texts: Mapping[str, str]) -> _Configured:
    """Raises ConfigurationError, for a name that nobody knows too: no file or image is to blame."""
    for name, text in texts.items():
        setting = KNOWN.get(base_name(name))
        if setting is None:
            near = nearest(name)
            hint = f"; did you mean {near}?" if near else ""
            raise ConfigurationError(f"settings: {name} is not a setting{hint}")
        value_of(setting, text)
    given = {name: Resolved(text, where="settings") for name, text in texts.items()}
    return _Configured(broker_settings(given), given)


def _text(name: str, value: object) -> str:
    """A setting's text as a properties file would have it."""
    if isinstance(value, (bool, int, float, str)):
        return text_of(value)
    if isinstance(value, (list, tuple)):
        return ",".join(_text(name, one) for one in value)
    raise ConfigurationError(
        f"settings: {name}={value!r}: text, a number, True, False or a list of texts is expected"
    )
