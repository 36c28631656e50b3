"""Two threads take turns: while one waits for a coroutine, it runs what the coroutine wants run there.

A program's callbacks of a rebalance belong on the thread that polls: it holds the program's state.
So the polling thread does not just wait; it takes calls from the loop until the coroutine has ended.
A callback may itself wait for a coroutine: turns nest.
"""

import asyncio
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Final, TypeVar, final

from ottla.kafka.loop import LoopThread

T = TypeVar("T")

_Call = Callable[[], object]


@final
class Handoff:
    """Of one consumer."""

    def __init__(self, thread: LoopThread) -> None:
        self._thread: Final = thread
        self._turns: list[SimpleQueue[_Call | None]] = []

    def run(self, work: Coroutine[object, object, T]) -> T:
        """What `work` comes to; meanwhile this thread runs what `call` asks for."""
        self._thread.must_not_be_current(work)
        turn: SimpleQueue[_Call | None] = SimpleQueue()
        self._turns.append(turn)
        future = asyncio.run_coroutine_threadsafe(work, self._thread.loop)
        future.add_done_callback(lambda _: turn.put(None))
        try:
            while (wanted := turn.get()) is not None:
                wanted()
            return future.result()
        except BaseException:
            # A Ctrl-C: nothing is left running there, and what it does to end is waited for.
            if not future.done():
                future.cancel()
                while (wanted := turn.get()) is not None:
                    wanted()
            raise
        finally:
            self._turns.remove(turn)

    def tell(self, f: Callable[[], object]) -> None:
        """`f` runs on the thread that waits, soon; on this one if none does."""
        if self._turns:
            self._turns[-1].put(f)
        else:
            f()

    async def call(self, f: Callable[[], object]) -> None:
        """`f` has run on the thread that waits. What it raised is raised here."""
        if not self._turns:
            f()
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def run() -> None:
            problem: BaseException | None = None
            try:
                f()
            except BaseException as error:
                problem = error
                raise
            finally:
                loop.call_soon_threadsafe(_settle, done, problem)

        self._turns[-1].put(run)
        await done


def _settle(done: "asyncio.Future[None]", problem: BaseException | None) -> None:
    if done.done():
        return
    if problem is None:
        done.set_result(None)
    else:
        done.set_exception(problem)
