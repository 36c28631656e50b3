"""The thread that everything runs on: calls, callbacks, forks."""

import asyncio
import os
import sys
import threading

import pytest

from ottla.kafka import loop
from ottla.kafka.errors import IllegalStateError
from ottla.kafka.future import Future
from ottla.kafka.handoff import Handoff
from ottla.kafka.loop import Logged, loop_thread

SECONDS_MAX = 10


async def returned(value: int) -> int:
    await asyncio.sleep(0)
    return value


def test_a_coroutine_runs_on_the_one_thread() -> None:
    thread = loop_thread()
    assert thread is loop_thread()
    assert thread.run(returned(3)) == 3
    assert thread.call(threading.current_thread).name == "ottla-kafka"
    with pytest.raises(KeyError):
        thread.call(lambda: {}["x"])


def test_what_takes_too_long_is_cancelled() -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        loop_thread().run(forever(), 0.01)
    assert cancelled.wait(SECONDS_MAX)


def test_a_wait_in_the_loop_itself_is_refused() -> None:
    thread = loop_thread()
    handoff = Handoff(thread)
    for run in (thread.run, handoff.run):
        with pytest.raises(IllegalStateError, match="must not wait"):
            thread.call(lambda run=run: run(returned(1)))  # type: ignore[misc]


def test_the_waiting_thread_runs_what_it_is_asked_to() -> None:
    handoff = Handoff(loop_thread())
    ran: list[str] = []

    async def work() -> int:
        await handoff.call(lambda: ran.append(threading.current_thread().name))
        # A callback may wait for a coroutine itself.
        await handoff.call(lambda: ran.append(str(handoff.run(returned(5)))))
        handoff.tell(lambda: ran.append("told"))
        return 7

    assert handoff.run(work()) == 7
    assert ran == [threading.current_thread().name, "5", "told"]


def test_a_callback_that_raises_ends_the_wait() -> None:
    handoff = Handoff(loop_thread())
    ended: list[str] = []

    async def work() -> None:
        try:
            await handoff.call(lambda: {}["x"])  # type: ignore[misc]
        except KeyError:
            ended.append("seen")
            raise

    with pytest.raises(KeyError):
        handoff.run(work())
    assert ended in (["seen"], [])


def test_what_a_callback_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with Logged("test callback"):
        raise ValueError("x")
    assert "a test callback raised: x" in caplog.text
    with pytest.raises(KeyboardInterrupt), Logged("test callback"):
        raise KeyboardInterrupt


def test_a_future_tells_each_its_part() -> None:
    told: list[object] = []
    good, bad = Future(), Future()
    chained = Future()
    good.add_callback(lambda mark, value: told.append((mark, value)), "m")
    good.add_errback(told.append).chain(chained)
    bad.add_callback(told.append)
    error = ValueError("x")
    bad.add_errback(told.append)
    good.success(1)
    bad.failure(error)
    good.add_both(told.append)
    assert told == [("m", 1), error, 1]
    assert (good.succeeded(), bad.failed(), chained.value, bad.retriable()) == (
        True,
        True,
        1,
        False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_has_a_thread_of_its_own() -> None:
    before = loop_thread()
    generation = loop.generation()
    child = os.fork()
    if child == 0:
        right = (
            loop.generation() == generation + 1
            and loop_thread() is not before
            and loop_thread().run(returned(3)) == 3
        )
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert loop_thread() is before
