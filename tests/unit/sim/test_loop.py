"""asyncio in a world's time: order, timers, ends, and what should not have been raised."""

import asyncio

from ottla.errors import OttlaError
from ottla.sim.clock import Events
from ottla.sim.loop import WorldLoop


def world() -> tuple[Events, list[str], WorldLoop]:
    events, broken = Events(1), list[str]()
    return events, broken, WorldLoop(events, "client 1", broken)


def run_all(events: Events, loop: WorldLoop) -> None:
    while events.next_us() is not None:
        events.run_next()
    loop.end()


def test_whoever_sleeps_wakes_when_the_world_says() -> None:
    events, broken, loop = world()
    woken: list[tuple[str, int]] = []

    async def sleep(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append((name, events.now_us))

    loop.run(lambda: [loop.create_task(sleep("late", 3600)), loop.create_task(sleep("soon", 0.25))])
    run_all(events, loop)
    assert woken == [("soon", 250_000), ("late", 3_600_000_000)]
    assert not broken


def test_what_becomes_ready_runs_in_that_order_and_at_once() -> None:
    events, _, loop = world()
    seen: list[int] = []
    loop.call_soon(seen.append, 1)
    loop.call_soon(lambda: loop.call_soon(seen.append, 3))
    loop.call_soon(seen.append, 2)
    run_all(events, loop)
    assert (seen, events.now_us) == ([1, 2, 3], 0)


def test_time_limits_and_cancelled_timers_are_asyncios_own() -> None:
    events, broken, loop = world()
    told: list[str] = []

    async def wait() -> None:
        try:
            async with asyncio.timeout(0.1):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            told.append(f"over at {events.now_us}")
        async with asyncio.timeout(5):
            told.append("in time")

    loop.run(lambda: loop.create_task(wait()))
    run_all(events, loop)
    assert told == ["over at 100000", "in time"]
    assert not broken


def test_a_mistake_in_a_task_is_told_and_a_clients_own_error_is_not() -> None:
    events, broken, loop = world()

    async def fail(error: Exception) -> None:
        raise error

    loop.run(lambda: [loop.create_task(fail(one)) for one in (OttlaError("no"), KeyError("oh"))])
    loop.call_soon(lambda: 1 // 0)
    run_all(events, loop)
    assert [one.rpartition(" at ")[0] for one in broken] == [
        "client 1: KeyError: 'oh'",
        "client 1: ZeroDivisionError: integer division or modulo by zero",
    ]


def test_a_loop_that_never_comes_to_rest_is_told() -> None:
    events, broken, loop = world()

    def again() -> None:
        loop.call_soon(again)

    loop.call_soon(again)
    events.run_next()
    loop.end()
    assert set(broken) == {"client 1: its loop never comes to rest"}


def test_nothing_runs_after_the_end_but_what_is_cancelled() -> None:
    events, broken, loop = world()
    seen: list[str] = []

    async def live() -> None:
        try:
            await asyncio.sleep(1)
            seen.append("it lives")
        finally:
            seen.append("its end")

    loop.run(lambda: loop.create_task(live()))
    loop.end()
    while events.next_us() is not None:
        events.run_next()
    assert seen == ["its end"]
    assert loop.is_closed()
    assert not broken
