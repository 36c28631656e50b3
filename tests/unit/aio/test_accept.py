"""Connections are taken from the kernel's queue: many in a turn, none for a while, none any more."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ottla.aio import accept as accept_module
from ottla.aio.accept import Acceptor
from ottla.aio.complaint import Complaints
from ottla.limits import ACCEPTS_PER_TURN_MAX
from ottla.settings.broker import QuotaSettings
from tests.unit.aio.serving import Client, Run, request, run, serving, settings, until

__all__ = ["run"]


class Listening(socket.socket):
    """Its `accept` fails as often as the test says."""

    failures: list[int]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            number = self.failures.pop()
            raise OSError(number, os.strerror(number))
        return super().accept()


@dataclass
class World:
    """An acceptor, what it took, and what it is told to wait before each."""

    acceptor: Acceptor = field(init=False)
    listening: Listening = field(init=False)
    made: list[asyncio.Protocol] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)

    def protocol(self) -> asyncio.Protocol:
        self.made.append(asyncio.Protocol())
        return self.made[-1]

    def pause_s(self) -> float:
        return self.pauses_s.pop(0) if self.pauses_s else 0.0

    def connect(self, count: int) -> list[socket.socket]:
        address = self.listening.getsockname()
        return [socket.create_connection(address) for _ in range(count)]


@asynccontextmanager
async def accepting(pauses_s: list[float]) -> AsyncIterator[World]:
    world = World(pauses_s=pauses_s)
    world.listening = listening = Listening()
    listening.failures = []
    listening.setblocking(False)
    listening.bind(("127.0.0.1", 0))
    listening.listen(500)
    loop = asyncio.get_running_loop()
    world.acceptor = Acceptor(
        listening,
        "PLAINTEXT",
        protocol=world.protocol,
        pause_s=world.pause_s,
        complaints=Complaints(loop.call_later),
        loop=loop,
    )
    try:
        yield world
    finally:
        world.acceptor.close()


def close_all(clients: list[socket.socket]) -> None:
    for one in clients:
        one.close()


def test_a_burst_is_taken_in_few_turns(run: Run) -> None:
    async def scenario() -> None:
        async with accepting([]) as world:
            clients = world.connect(3 * ACCEPTS_PER_TURN_MAX)
            turns = 0
            while len(world.made) < len(clients):
                turns += 1
                await asyncio.sleep(0)
            assert turns < 20
            close_all(clients)

    run(scenario)


def test_none_is_taken_during_a_pause_and_all_after_it(run: Run) -> None:
    async def scenario() -> None:
        async with accepting([0.0, 0.0, 0.001, 0.0, 0.001, 3_600.0]) as world:
            clients = world.connect(5)
            await until(lambda: not world.pauses_s)
            await asyncio.sleep(0)
            await until(lambda: len(world.made) == 3)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(world.made) == 3  # the last pause is long
            close_all(clients)

    run(scenario)


def test_without_descriptors_it_waits_and_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept_module, "_RETRY_S", 0.001)

    async def scenario() -> None:
        async with accepting([]) as world:
            world.listening.failures = [errno.EMFILE] * 3
            clients = world.connect(2)
            await until(lambda: len(world.made) == 2)
            close_all(clients)

    run(scenario)
    assert caplog.messages == ["connections cannot be accepted: Too many open files"]


def test_one_that_is_gone_again_costs_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with accepting([]) as world:
            world.listening.failures = [errno.ECONNABORTED]
            clients = world.connect(2)
            await until(lambda: len(world.made) == 2)
            close_all(clients)

    run(scenario)


def test_more_connections_a_second_than_the_setting_says_wait_in_the_queue(run: Run) -> None:
    quotas = QuotaSettings(
        windows=2, window_ms=10_000, mutation_windows=2, mutation_window_ms=10_000
    )

    async def scenario() -> None:
        async with serving(settings(per_second_max=1), quotas) as world:
            clients = [await Client.connected(world.port) for _ in range(12)]
            for client in clients:
                await client.send(request(7))
            for client in clients[:10]:  # a window's worth at once
                assert (await client.response())[0] == 7
            for _ in range(20):
                await clients[0].send(request(8))
                await clients[0].response()
            assert world.server.connections == 10
            assert len(world.calls) == 30
            for client in clients:
                client.close()

    run(scenario)
