"""An event loop whose clock is a world's and whose turns are events of it: asyncio code lives in a world
as it is.

A loop is one process of a caller's. All that is ready runs in one turn, in the order in which it became
ready; a timer is an event. `end` is a SIGKILL as far as the process itself is concerned: nothing of it
runs any more but what its tasks do when they are cancelled, at once.

Promises: what a callback or a task lets out that is none of the client's own errors is in `broken`.
Elsewhere: what leaves the process, `dialing.py`.
"""

import asyncio
from asyncio import events as asyncio_events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Final, TypeVar, TypeVarTuple, final

from ottla.errors import OttlaError
from ottla.sim.clock import Events

T = TypeVar("T")
A = TypeVarTuple("A")

_IN_ONE_TURN_MAX: Final = 20_000
_US: Final = 1_000_000


@final
class WorldLoop(asyncio.BaseEventLoop):
    """`broken`: where it is written down what should not have been raised, behind `name`."""

    def __init__(self, events: Events, name: str, broken: list[str]) -> None:
        self._is_running = self.has_ended = False
        super().__init__()
        self._events = events
        self._name = name
        self._broken = broken
        self._ready_now: deque[asyncio.Handle] = deque()
        self._has_turn = False
        self._tasks: dict[asyncio.Task[object], None] = {}

    def run(self, work: Callable[[], object]) -> None:
        """`work` is done with this loop running, and then what it made ready."""
        asyncio_events._set_running_loop(self)
        self._is_running = True
        try:
            work()
            for _ in range(_IN_ONE_TURN_MAX):
                if not self._ready_now:
                    return
                handle = self._ready_now.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            self._is_running = False
            asyncio_events._set_running_loop(None)
        self._broken.append(f"{self._name}: its loop never comes to rest")

    def end(self) -> None:
        """No task is left."""
        self.has_ended = True
        for _ in range(2):  # who is cancelled may begin something in its `finally`
            tasks = list(self._tasks)
            self.run(partial(_cancel, tasks))
        self._ready_now.clear()
        self.close()

    # What asyncio calls

    def time(self) -> float:
        return self._events.now_us / _US

    def call_soon(
        self,
        callback: Callable[[*A], object],
        *args: *A,
        context: Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready_now.append(handle)
        if not self._has_turn and not self.has_ended:
            self._has_turn = True
            self._events.after(0, self._turn)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[*A], object],
        *args: *A,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*A], object],
        *args: *A,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._events.at(round(when * _US), self._ring, handle)
        return handle

    def create_task(  # type: ignore[override]  # what it is called with may be Any there
        self,
        coro: Coroutine[object, object, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=f"{self._name}: {coro!r}", context=context)
        self._tasks[task] = None
        task.add_done_callback(self._task_ended)
        return task

    def is_running(self) -> bool:
        return self._is_running

    def call_exception_handler(self, context: dict[str, object]) -> None:
        error = context.get("exception")
        if not isinstance(error, OttlaError | asyncio.CancelledError | None):
            self._broken.append(f"{self._name}: {type(error).__name__}: {error}{_where(error)}")

    # Inside

    def _turn(self) -> None:
        self._has_turn = False
        if not self.has_ended:
            self.run(_nothing)

    def _ring(self, handle: asyncio.TimerHandle) -> None:
        if not self.has_ended and not handle.cancelled():
            self.run(handle._run)

    def _task_ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.call_exception_handler({"exception": error})


def _nothing() -> None:
    pass


def _cancel(tasks: list[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()


def _where(error: object) -> str:
    trace = error.__traceback__ if isinstance(error, BaseException) else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f" at {code.co_filename.rpartition('/ottla/')[2]}:{trace.tb_lineno}"
