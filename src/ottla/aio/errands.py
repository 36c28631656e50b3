"""Tasks that somebody looks after, and an alarm: the background of a client's shells.

Promises: after `close` no task runs. One that ends by a bug is told: the loop reports it, and the owner
learns that what it was to bring will never come.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import final

from ottla.errors import Bug


@final
class Errands:
    """`on_bug` is called, before the loop reports it, with what to tell whoever waits."""

    def __init__(self, on_bug: Callable[[Bug], None]) -> None:
        self._on_bug = on_bug
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    async def settled(self) -> None:
        """What is under way now has ended. Who is cancelled here cancels nothing else."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        self.cancel()
        await self.settled()

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._on_bug(Bug("this client broke its own promise; the log says where"))
            task.result()


@final
class Alarm:
    """Calls `ring` once at a time, or not at all, if another time is set before."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, wait_ms: int | None) -> None:
        """None: never."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wait_ms is not None:
            seconds = max(1, wait_ms) / 1000
            self._timer = asyncio.get_running_loop().call_later(seconds, self._ring)
