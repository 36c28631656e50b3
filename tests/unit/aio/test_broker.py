"""A broker around a node that is a script: the order at the start and at the end, flushes and their
outcomes, deadlines, and what a broken invariant leaves behind."""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ottla.aio import broker as broker_module
from ottla.aio.broker import Assemble, Broker
from ottla.aio.disk import RealDisk
from ottla.aio.flusher import Flusher
from ottla.aio.log_directory import CannotStart
from ottla.broker.wiring import Premises
from ottla.core.effect import Close, Effect, Flush, Halt, Reply, WriteWhole
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.log.recovery import Shutdown
from ottla.core.port import File
from ottla.errors import Bug
from ottla.settings.broker import BrokerSettings, broker_settings
from ottla.settings.parse import Resolved
from ottla.types import TopicPartition
from ottla.wire.message.api_versions import ApiVersionsResponse
from tests.unit.aio.serving import LOOPS, Client, Run, request, until

PARTITION = TopicPartition("t", 0)


class ScriptedNode:
    """Answers every call at once, unless `on_received` says otherwise."""

    def __init__(self) -> None:
        self.premises: Premises
        self.events: list[str] = []
        self.received: list[Received] = []
        self.flushed: list[Flushed] = []
        self.deadline_ms: int | None = None
        self.on_received: Callable[[Received], list[Effect]] = answered
        self.on_event: Callable[[Event], None] = lambda event: None
        self.on_start: list[Effect] = []
        self.on_stop: list[Effect] = []
        self.on_close: list[Effect] = []
        self.is_ready = True
        self.is_durable = True
        self.is_examined = True
        self.broker_epoch = 42

    def start(self, now_ms: int) -> list[Effect]:
        self.events.append("start")
        return self.on_start

    def step(self, now_ms: int, event: Event) -> list[Effect]:
        self.events.append(type(event).__name__)
        self.on_event(event)
        if isinstance(event, Received):
            self.received.append(event)
            return self.on_received(event)
        if isinstance(event, Flushed):
            self.flushed.append(event)
            self.is_ready = True
        if isinstance(event, Ticked):
            assert self.deadline_ms is not None
            assert now_ms >= self.deadline_ms
            self.deadline_ms = None
        return []

    def is_dir_durable(self, log_dir: int) -> bool:
        return self.is_durable

    def next_deadline_ms(self) -> int | None:
        return self.deadline_ms

    def stop(self, now_ms: int) -> list[Effect]:
        self.events.append("stop")
        return self.on_stop

    def close(self, now_ms: int) -> list[Effect]:
        self.events.append("close")
        return self.on_close

    @property
    def file(self) -> File:
        return self.premises.disk.open("file")


def answered(event: Received) -> list[Effect]:
    return [Reply(event.call, ApiVersionsResponse())]


def assembled(node: ScriptedNode) -> Assemble:
    def assemble(premises: Premises) -> ScriptedNode:
        node.premises = premises
        return node

    return assemble


def settings(directory: Path, listeners: str = "PLAINTEXT://127.0.0.1:0") -> BrokerSettings:
    return broker_settings({"log.dirs": Resolved(str(directory)), "listeners": Resolved(listeners)})


def broker_of(directory: Path, node: ScriptedNode) -> Broker:
    return Broker(settings(directory), given={}, assemble=assembled(node))


@pytest.fixture(params=list(LOOPS))
def run(request: pytest.FixtureRequest) -> Run:
    def running(scenario: Callable[[], Awaitable[None]]) -> None:
        async def within_time() -> None:
            async with asyncio.timeout(30):
                await scenario()

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(within_time())

    return running


async def connected(broker: Broker) -> Client:
    return await Client.connected(broker.bound["PLAINTEXT"].port)


def test_it_serves_and_stops_cleanly(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)
        await broker.start()
        assert node.premises.shutdown is Shutdown.CLEAN
        assert node.premises.cluster_id == broker.directory.cluster_id
        assert not (tmp_path / ".kafka_cleanshutdown").exists()
        client = await connected(broker)
        await client.send(request(7))
        assert (await client.response())[0] == 7
        assert await broker.stop()
        assert await client.rest() == b""
        assert node.events[:2] == ["start", "Received"]
        assert node.events[2:4] == ["stop", "close"]
        marker = (tmp_path / ".kafka_cleanshutdown").read_text()
        assert '"brokerEpoch":42' in marker.replace(" ", "")
        assert not await broker.stop()
        client.close()

        again = ScriptedNode()
        broker = broker_of(tmp_path, again)
        await broker.start()
        assert again.premises.shutdown is Shutdown.CLEAN
        assert again.premises.cluster_id == node.premises.cluster_id
        await broker.stop()

    run(scenario)


def test_a_stop_answers_what_waits_and_flushes_before_it_closes(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_received = lambda event: []
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        await client.send(request(7))
        await until(lambda: len(node.received) == 1)
        node.file.append([b"1"])
        node.on_stop = [
            Reply(node.received[0].call, ApiVersionsResponse()),
            Flush(PARTITION, 1, (node.file,)),
            WriteWhole("checkpoint", b"0\n0\n"),
        ]
        assert await broker.stop()
        assert (await client.response())[0] == 7
        assert node.events[:5] == ["start", "Received", "stop", "Flushed", "close"]
        assert (tmp_path / "checkpoint").read_bytes() == b"0\n0\n"
        client.close()

    run(scenario)


def test_what_closing_asks_for_is_on_the_disk_too(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_close = [WriteWhole("checkpoint", b"0\n0\n")]
        broker = broker_of(tmp_path, node)
        await broker.start()
        assert await broker.stop()
        assert (tmp_path / "checkpoint").read_bytes() == b"0\n0\n"

    run(scenario)


def test_a_node_that_is_not_durable_is_not_called_clean(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.is_durable = False
        broker = broker_of(tmp_path, node)
        await broker.start()
        assert not await broker.stop()
        assert not (tmp_path / ".kafka_cleanshutdown").exists()

    run(scenario)


def test_nobody_is_let_in_before_the_start_is_on_the_disk(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.is_ready = False
        broker = broker_of(tmp_path, node)
        starting = asyncio.ensure_future(broker.start())
        await until(lambda: node.events == ["start"])
        for _ in range(100):
            await asyncio.sleep(0)
        assert broker.bound == {}
        broker._directories.flush(Flush(PARTITION, 1, (node.file,)))
        broker._directories.dispatch()
        await starting
        assert node.events == ["start", "Flushed"]
        assert len(broker.bound) == 1
        await broker.stop()

    run(scenario)


def test_a_flush_comes_back_as_an_event(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_received = lambda event: [Flush(PARTITION, 5, (node.file,), "")]
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        await client.send(request(7))
        await until(lambda: len(node.flushed) == 1)
        flushed = node.flushed[0]
        assert (flushed.partition, flushed.end_offset, flushed.error) == (PARTITION, 5, None)
        await broker.stop()
        client.close()

    run(scenario)


def test_any_free_port_is_advertised_as_the_one_that_was_taken(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)
        await broker.start()
        (listener,) = node.premises.settings.listeners
        port = broker.bound["PLAINTEXT"].port
        assert listener.advertised is not None
        assert (listener.port, listener.advertised.port) == (port, port)
        assert port > 0
        await broker.stop()

    run(scenario)


def test_flushes_of_one_turn_are_one(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    all_came = threading.Event()  # the bytes of fifty calls may come in any number of pieces

    def sync(descriptor: int) -> None:
        assert all_came.wait(20)
        syncs.append(descriptor)

    monkeypatch.setattr(os, "fdatasync", sync)

    async def scenario() -> None:
        node = ScriptedNode()

        def received(event: Received) -> list[Effect]:
            if len(node.received) == 50:
                all_came.set()
            return [Flush(PARTITION, len(node.received), (node.file,))]

        node.on_received = received
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        await client.send(b"".join(request(number) for number in range(50)))
        await until(lambda: bool(node.flushed) and node.flushed[-1].end_offset == 50)
        # The first turn's, and what came while the disk was busy with them.
        assert len(syncs) == len(node.flushed) <= 2
        await broker.stop()
        client.close()

    run(scenario)


def test_a_failed_flush_says_what_the_disk_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_received = lambda event: [Flush(PARTITION, 5, (node.file,))]
        broker = broker_of(tmp_path, node)
        await broker.start()

        def refuse(descriptor: int) -> None:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "fdatasync", refuse)
        client = await connected(broker)
        await client.send(request(7))
        await until(lambda: len(node.flushed) == 1)
        path = tmp_path / node.file.path
        assert node.flushed[0].error == f"[Errno 5] Input/output error: '{path}'"
        assert not (tmp_path / ".ottla_boot").exists()  # nor is the page cache believed again
        node.file.append([b"1"])
        assert not await broker.stop()  # what cannot be synced must not be called clean
        assert not (tmp_path / ".kafka_cleanshutdown").exists()
        client.close()

    run(scenario)


def test_the_node_is_woken_at_its_deadline(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)
        await broker.start()

        def soon(event: Received) -> list[Effect]:
            # A farther deadline first, so that the nearer one has to move the timer.
            late = node.deadline_ms is None
            node.deadline_ms = node.premises.now_ms + (60_000 if late else 1)
            return answered(event)

        node.on_received = soon
        client = await connected(broker)
        await client.send(request(1))
        await client.response()
        await client.send(request(2))
        await until(lambda: "Ticked" in node.events)
        assert node.events.count("Ticked") == 1
        await broker.stop()
        client.close()

    run(scenario)


def test_a_disk_that_refuses_outside_a_request_ends_the_broker(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)
        await broker.start()

        def refuse(event: Event) -> None:
            if isinstance(event, Disconnected):
                raise OSError(30, "Read-only file system")

        node.on_event = refuse
        client = await connected(broker)
        client.close()
        assert "Read-only file system" in await broker.ended
        assert not await broker.stop()
        assert not (tmp_path / ".kafka_cleanshutdown").exists()

    run(scenario)


def test_a_disconnect_is_told(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        client.close()
        await until(lambda: "Disconnected" in node.events)
        await broker.stop()

    run(scenario)


def test_the_node_can_close_a_connection(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_received = lambda event: [
            Close(event.call.origin.connection_id, "unknown api key 999")
        ]
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        await client.send(request(1))
        assert await client.rest() == b""
        assert "unknown api key 999" in caplog.text
        await broker.stop()
        client.close()

    run(scenario)


@pytest.mark.parametrize("how", ["halt", "assertion", "bug"])
def test_a_broken_promise_ends_the_broker_without_an_answer_and_without_a_marker(
    run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    def end(event: Received) -> list[Effect]:
        if how == "halt":
            return [Halt("the disk lies"), *answered(event)]
        raise AssertionError("the disk lies") if how == "assertion" else Bug("the disk lies")

    async def scenario() -> None:
        node = ScriptedNode()
        node.on_received = end
        broker = broker_of(tmp_path, node)
        await broker.start()
        client = await connected(broker)
        await client.send(request(1) + request(2))
        assert "the disk lies" in await broker.ended
        assert await client.rest() == b""
        assert len(node.received) == 1
        assert any(record.levelno == logging.ERROR for record in caplog.records)
        assert not await broker.stop()
        assert set(node.events) == {"start", "Received"}  # nothing more was told it
        assert not (tmp_path / ".kafka_cleanshutdown").exists()
        client.close()

        again = ScriptedNode()
        broker = broker_of(tmp_path, again)
        await broker.start()
        assert again.premises.shutdown is Shutdown.KILLED
        await broker.stop()

    run(scenario)


def test_a_taken_port_leaves_everything_as_it_was(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        first = broker_of(tmp_path / "first", ScriptedNode())
        await first.start()
        node = ScriptedNode()
        second = Broker(
            settings(tmp_path / "second", f"PLAINTEXT://{first.bound['PLAINTEXT']}"),
            given={},
            assemble=assembled(node),
        )
        with pytest.raises(CannotStart, match="the port is taken"):
            await second.start()
        assert node.events == []
        assert [path.name for path in (tmp_path / "second").iterdir()] == [".lock"]
        await first.stop()


def test_a_port_taken_while_the_node_opens_is_explained(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        broker = broker_of(tmp_path, node)

        def assemble(premises: Premises) -> ScriptedNode:
            (address,) = [one[0].getsockname() for _, one in broker._server._bound]
            thief.bind(address)  # both may, as long as neither listens
            thief.listen()
            return node

        broker._assemble = assemble
        with socket.socket() as thief:
            thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with pytest.raises(CannotStart, match="the port is taken"):
                await broker.start()
        assert node.events == ["start", "stop", "close"]
        assert (tmp_path / ".kafka_cleanshutdown").exists()

    run(scenario)


def test_a_directory_in_use_is_left_alone(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        first = broker_of(tmp_path, ScriptedNode())
        await first.start()
        node = ScriptedNode()
        with pytest.raises(CannotStart, match="already served"):
            await broker_of(tmp_path, node).start()
        assert node.events == []
        assert await first.stop()

    run(scenario)


def test_a_node_that_cannot_be_built_frees_the_directory(run: Run, tmp_path: Path) -> None:
    def refuse(premises: Premises) -> ScriptedNode:
        raise OSError(5, "Input/output error")

    async def scenario() -> None:
        with pytest.raises(CannotStart, match=r"cannot be opened: .*Input"):
            await Broker(settings(tmp_path), given={}, assemble=refuse).start()
        assert not (tmp_path / ".kafka_cleanshutdown").exists()
        broker = broker_of(tmp_path, ScriptedNode())
        await broker.start()
        await broker.stop()

    run(scenario)


def test_a_node_that_halts_at_its_start_never_listens(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        node = ScriptedNode()
        node.on_start = [Halt("the metadata log is damaged")]
        with pytest.raises(CannotStart, match=r"the metadata log is damaged\."):
            await broker_of(tmp_path, node).start()
        assert not (tmp_path / ".kafka_cleanshutdown").exists()
        broker = broker_of(tmp_path, ScriptedNode())
        await broker.start()
        await broker.stop()

    run(scenario)


def test_connections_stay_within_the_limit_of_open_files(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(broker_module, "descriptors_allowed", lambda: 100)

    async def scenario() -> None:
        broker = broker_of(tmp_path, ScriptedNode())
        await broker.start()
        assert "is 100: at most 50 connections, not 10000" in caplog.text
        await broker.stop()

    run(scenario)


def test_a_second_signal_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", leave)
    loop = asyncio.new_event_loop()
    stop: asyncio.Future[None] = loop.create_future()
    broker_module._signaled(stop, signal.SIGTERM)
    assert stop.done()
    assert codes == []
    with pytest.raises(SystemExit):
        broker_module._signaled(stop, signal.SIGINT)
    assert codes == [130]
    loop.close()


# Group commit


def test_flushes_that_wait_together_are_done_once_for_the_highest_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=8)
    files = tuple(disk.open(str(number)) for number in range(3))
    outcomes: list[Flushed] = []
    may_sync, syncing = threading.Event(), threading.Event()
    syncs: list[int] = []

    def slow(descriptor: int) -> None:
        syncs.append(descriptor)
        syncing.set()
        assert may_sync.wait(20)

    monkeypatch.setattr(os, "fdatasync", slow)
    others = set(threading.enumerate())
    flusher = Flusher(disk, outcomes.append)
    flusher.flush(Flush(PARTITION, 1, files[:1]))
    flusher.dispatch()
    assert syncing.wait(20)
    for end_offset in (2, 9, 3):  # they wait while the first one runs
        flusher.flush(Flush(PARTITION, end_offset, files[:2]))
    flusher.flush(Flush(TopicPartition("t", 1), 4, files[2:]))
    flusher.write_whole(WriteWhole("checkpoint", b"old"))
    flusher.write_whole(WriteWhole("checkpoint", b"new"))
    flusher.dispatch()
    assert not flusher.idle()
    assert not flusher.wait_idle(0)
    may_sync.set()
    assert flusher.close(20)
    of_first = [outcome.end_offset for outcome in outcomes if outcome.partition == PARTITION]
    assert of_first == [1, 9]
    assert len(outcomes) == 3
    assert len(syncs) == 1 + 2 + 1 + 1
    assert disk.read_whole("checkpoint") == b"new"
    assert not set(threading.enumerate()) - others
    disk.close()
