"""One thread with one event loop, for all clients of a process; and how a call gets there and back.

The thread starts with the first client and is a daemon: it never keeps a process alive. `run` hands a
coroutine over and waits; a Ctrl-C in between cancels it. After a fork the child has neither the
thread nor what waited on it: `generation` tells a client that it must begin anew, and the next call
makes a new thread. At exit whoever asked for it with `close_at_exit` is closed first.

Elsewhere: what is awaited, `ottla.aio`.
"""

import asyncio
import atexit
import concurrent.futures
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, TypeAlias, TypeVar, final

from ottla.kafka.errors import IllegalStateError

T = TypeVar("T")
Work: TypeAlias = Coroutine[object, object, T]

EXIT_S_MAX: Final = 5.0
"""How long the end of a process may be held up."""

_log: Final = logging.getLogger("ottla.kafka")


class Exiting(Protocol):
    """Who wants to hear that the process ends, or is another one now."""

    async def at_exit(self) -> None:
        """Everything is sent and closed, within `EXIT_S_MAX`."""

    def forked(self) -> None:
        """This process is a child now, and this is the parent's."""


@final
class LoopThread:
    """The thread. Started once, never stopped: a daemon goes with its process."""

    def __init__(self) -> None:
        self.loop: Final = _new_loop()
        self._thread = threading.Thread(target=self._run, name="ottla-kafka", daemon=True)
        self._thread.start()

    def run(self, work: Work[T], timeout_s: float | None = None) -> T:
        """What `work` comes to. TimeoutError when it took too long; then it is cancelled."""
        self.must_not_be_current(work)
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise
        except BaseException:  # a KeyboardInterrupt here leaves nothing running there
            future.cancel()
            raise

    def must_not_be_current(self, work: Work[T]) -> None:
        """Raises IllegalStateError on the thread itself: `work` would wait for its own end."""
        if self.is_current:
            work.close()
            raise IllegalStateError(
                "a callback runs on the client's thread and must not wait for it: send, flush and "
                "poll from another thread"
            )

    def call(self, f: Callable[[], T]) -> T:
        """What `f` returns, called on the thread between two of the loop's turns."""
        if self.is_current:
            return f()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            kept = Kept()
            with kept:
                future.set_result(f())
            if kept.error is not None:
                future.set_exception(kept.error)

        self.loop.call_soon_threadsafe(run)
        return future.result()

    def begin(self, work: Work[None]) -> None:
        """`work` is under way; nobody waits for it here."""
        asyncio.run_coroutine_threadsafe(work, self.loop)

    @property
    def is_current(self) -> bool:
        """Is this called on the thread itself, that is from a callback?"""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


@final
class Logged(AbstractContextManager[None]):
    """What a user's callback raises is logged, not passed on: it must not stop the others."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        _log.error("a %s raised: %s", self._what, error, exc_info=error)
        return True


@final
class Kept(AbstractContextManager[None]):
    """What is raised inside it is kept, for whoever has a right to it."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: Exception | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.error = self.error or error
        return True


class _Process:
    """What this process has; a fork makes it nothing again."""

    def __init__(self) -> None:
        self.generation = 0
        self.lock = threading.Lock()
        self.thread: LoopThread | None = None
        self.open: dict[Exiting, None] = {}

    def forget(self) -> None:
        self.generation += 1
        for client in self.open:
            client.forked()
        self.lock = threading.Lock()
        self.thread = None
        self.open = {}


_process: Final = _Process()


def generation() -> int:
    """How many forks lie between the first process and this one."""
    return _process.generation


def loop_thread() -> LoopThread:
    """The thread of this process; the first call starts it."""
    thread = _process.thread
    if thread is None:
        with _process.lock:
            thread = _process.thread
            if thread is None:
                thread = _process.thread = LoopThread()
    return thread


def close_at_exit(client: Exiting) -> None:
    """`client.at_exit()` is called when the process ends, unless it is forgotten before."""
    _process.open[client] = None


def forget_at_exit(client: Exiting) -> None:
    _process.open.pop(client, None)


def _exit() -> None:
    """All at once: together they take no longer than one."""
    clients = list(_process.open)
    if clients and _process.thread is not None:
        with Logged("close at exit"):
            _process.thread.run(_ended(clients), EXIT_S_MAX * 2)


async def _ended(clients: Sequence[Exiting]) -> None:
    for problem in await asyncio.gather(
        *(client.at_exit() for client in clients), return_exceptions=True
    ):
        if isinstance(problem, BaseException):
            _log.error("close at exit: %s", problem)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


atexit.register(_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget)
