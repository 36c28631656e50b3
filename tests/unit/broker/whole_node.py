"""A whole node on a disk in memory, spoken to in bytes: what `aio/broker.py` is, without a loop.

Flushes wait until a test performs them, so that a test can look at the moment between an append and
its fsync, and can cut the power there.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from ottla.broker.node import Node
from ottla.broker.wiring import Premises, assemble
from ottla.core.effect import Close, Effect, Flush, Halt, LimitAccepts, Mute, Reply, WriteWhole
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.log.recovery import Shutdown
from ottla.core.replica.log_dirs import GivenDir
from ottla.settings.broker import broker_settings
from ottla.settings.definition import Source
from ottla.settings.environment import TopicToCreate
from ottla.settings.parse import Resolved
from ottla.types import Payload
from ottla.wire.api import APIS, Message
from ottla.wire.client import ClientConnection
from ottla.wire.server import Origin, ServerConnection
from tests.unit.core.replica.house import Counting
from tests.unit.fakes.disk import MemoryDisk
from tests.unit.fakes.quotas import SetStopwatch

A = TypeVar("A", bound=Message)

NOW_MS = 1_700_000_000_000


class WholeNode:
    def __init__(
        self,
        disk: MemoryDisk,
        *overrides: str,
        shutdown: Shutdown = Shutdown.CLEAN,
        wanted: tuple[TopicToCreate, ...] = (),
        now_ms: int = NOW_MS,
        flushing: bool = True,
        others: Sequence[MemoryDisk | None] = (),
        keeps_partitions: bool = True,
    ) -> None:
        """`others`: further log directories, numbered from 1; None: one that can't be opened."""
        self._disks = [disk, *others]
        self.entropy = Counting()
        pairs = dict(one.split("=", 1) for one in overrides)
        given = {key: Resolved(text, Source.STATIC_BROKER, "a test") for key, text in pairs.items()}
        self.disk = disk
        self.now_ms = now_ms
        self.flushes: list[Flush] = []
        self.closed: dict[int, str] = {}
        self.halted: str | None = None
        self.stopwatch = SetStopwatch()
        self.mutes: list[tuple[int, int]] = []  # connection and milliseconds
        self.accept_rates: Mapping[str | None, float] = {}
        self._connections: dict[int, Peer] = {}
        self.node: Node = assemble(
            Premises(
                settings=broker_settings(given),
                given=given,
                topics_wanted=wanted,
                cluster_id="5L6g3nShT-eMCtK--X86sw",
                directory_id=bytes(15) + b"\x09",
                shutdown=shutdown,
                disk=disk,
                entropy=self.entropy,
                stopwatch=self.stopwatch,
                now_ms=now_ms,
                keeps_partitions=keeps_partitions,
                other_dirs=tuple(
                    GivenDir(
                        path=f"/memory-{number}",
                        disk=one,
                        directory_id=bytes([16 + number]) * 16,
                        shutdown=shutdown,
                    )
                    for number, one in enumerate(others, 1)
                ),
            )
        )
        self.perform(self.node.start(now_ms))
        if flushing:
            self.flush()

    def connect(self) -> "Peer":
        peer = Peer(self, len(self._connections) + 1)
        self._connections[peer.connection_id] = peer
        return peer

    def step(self, event: Event) -> None:
        self.perform(self.node.step(self.now_ms, event))

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Reply():
                    self._connections[effect.call.origin.connection_id].answered(effect)
                case Flush():
                    self.flushes.append(effect)
                case WriteWhole():
                    with suppress(OSError):  # the shell tries again later
                        self.disk_of(effect.log_dir).write_whole(effect.path, effect.data)
                case Close():
                    self.closed[effect.connection_id] = effect.reason
                case Mute():
                    self.mutes.append((effect.connection_id, effect.duration_ms))
                case LimitAccepts():
                    self.accept_rates = effect.rates
                case Halt():
                    self.halted = effect.reason

    def flush(self, error: str | None = None) -> None:
        """What is to be flushed is, or fails with `error`."""
        while self.flushes:
            flush = self.flushes.pop(0)
            if error is None:
                disk = self.disk_of(flush.log_dir)
                disk.sync(flush.files, flush.directory)  # type: ignore[arg-type]
            self.step(Flushed(flush.partition, flush.end_offset, error, flush.log_dir))

    def disk_of(self, log_dir: int) -> MemoryDisk:
        disk = self._disks[log_dir]
        assert disk is not None
        return disk

    def pass_time(self, ms: int) -> None:
        """To every deadline on the way, and to the end of it."""
        end_ms = self.now_ms + ms
        while (due_ms := self.node.next_deadline_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.step(Ticked())
            self.flush()
        self.now_ms = end_ms

    def stop(self) -> None:
        self.perform(self.node.stop(self.now_ms))
        self.flush()
        self.perform(self.node.close(self.now_ms))
        self.flush()


class Peer:
    """A client: our own sans-IO client on one side, the node's connection on the other."""

    def __init__(self, whole: WholeNode, connection_id: int) -> None:
        self.connection_id = connection_id
        self._whole = whole
        origin = Origin(
            connection_id=connection_id,
            listener="PLAINTEXT",
            peer_host="127.0.0.1",
            peer_port=50_000 + connection_id,
            local_host="127.0.0.1",
            local_port=9092,
        )
        self._server = ServerConnection(origin, frame_bytes_max=100 * 1024 * 1024)
        self._client = ClientConnection("a test")
        self._answers: dict[int, Message] = {}
        self.raw: list[bytes] = []

    def send(self, request: Message, version: int) -> int:
        """Send, and let the node work on it; the correlation id."""
        correlation_id, chunks = self._client.request(request.API_KEY, version, request)
        self.send_bytes(b"".join(_bytes(chunk) for chunk in chunks))
        return correlation_id

    def send_bytes(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            buffer = self._server.get_buffer()
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            view = view[size:]
            for call, message in self._server.received(size):
                self._whole.step(Received(call, message))

    def answered(self, reply: Reply) -> None:
        data = b"".join(_bytes(chunk) for chunk in self._server.reply(reply.call, reply.response))
        self.raw.append(data)
        if self._client.in_flight:
            self._answers.update(self._client.received(data))

    def answer(self, correlation_id: int) -> Message | None:
        return self._answers.get(correlation_id)

    def ask(self, request: Message, version: int, kind: type[A]) -> A:
        """Ask, flush, and have the answer."""
        correlation_id = self.send(request, version)
        self._whole.flush()
        answer = self._answers[correlation_id]
        assert isinstance(answer, kind)
        return answer

    def disconnect(self) -> None:
        self._whole.step(Disconnected(self.connection_id))


def _bytes(chunk: Payload) -> bytes:
    if isinstance(chunk, (bytes, memoryview)):
        return bytes(chunk)
    return chunk.read()  # type: ignore[attr-defined, no-any-return]


def request_bytes(api_key: int, version: int, correlation_id: int, body: bytes = b"") -> bytes:
    """A framed request with any key and version, known or not."""
    header = (
        api_key.to_bytes(2, "big", signed=True)
        + version.to_bytes(2, "big", signed=True)
        + correlation_id.to_bytes(4, "big")
        + b"\x00\x01c"
    )
    if api_key in APIS and APIS[api_key].request_header_version(version) == 2:
        header += b"\0"
    return len(header + body).to_bytes(4, "big") + header + body
