"""A whole node that is being attacked, beside an honest client; what is legal, and what is a defect.

Legal outcomes of a frame: an answer, a closed connection, nothing where Kafka answers nothing
(acks=0), or a call that waits and is answered when its time is up. Everything else is a `Defect`: any
exception but RemoteProtocolError out of the codec, any exception at all out of the node, an answer
that cannot be encoded or that our own client cannot read, UNKNOWN_SERVER_ERROR, a call never answered,
a frame that takes longer than a second, a broken invariant, honest data that changed.

The frame's bytes are overwritten after each arrival, as the shell does: what kept a view is found out.
"""

import time
from random import Random
from typing import Final

from ottla.broker.node import Node
from ottla.broker.wiring import Premises, assemble
from ottla.core.effect import Close, Effect, Flush, Halt, LimitAccepts, Mute, Reply, WriteWhole
from ottla.core.event import Disconnected, Event, Flushed, Received, Ticked
from ottla.core.log.recovery import Shutdown
from ottla.core.port import FileSlice
from ottla.errors import RemoteProtocolError
from ottla.settings.broker import broker_settings
from ottla.settings.definition import Source
from ottla.settings.parse import Resolved
from ottla.wire.api import APIS, Message
from ottla.wire.frame import BufferPool
from ottla.wire.header import response_body_at_untrusted
from ottla.wire.server import Call, Origin, ServerConnection
from ottla.wire.shape import Struct
from tests.fuzz.batches import NOW_MS
from tests.unit.core.replica.house import Counting
from tests.unit.fakes.disk import MemoryDisk
from tests.unit.fakes.quotas import SetStopwatch

FRAME_SECONDS_MAX: Final = 1.0
FRAME_BYTES_MAX: Final = 100 * 1024 * 1024
_FILLER: Final = b"\xee" * 4096
_RESPONSES_READ_OF: Final = 4
"""One answer in so many is read again by our own codec."""


class Defect(Exception):
    """Something a hostile caller must not be able to bring about."""


class Caller:
    """One connection."""

    __slots__ = ("connection_id", "frames", "open", "server", "waiting")

    def __init__(self, connection_id: int, pool: BufferPool) -> None:
        origin = Origin(
            connection_id=connection_id,
            listener="PLAINTEXT",
            peer_host="127.0.0.1",
            peer_port=50_000,
            local_host="127.0.0.1",
            local_port=9092,
        )
        self.connection_id = connection_id
        self.server = ServerConnection(origin, frame_bytes_max=FRAME_BYTES_MAX, pool=pool)
        self.waiting: set[int] = set()  # slots of calls without an answer
        self.open = True
        self.frames = 0


class Target:
    """The node, its disk in memory, and everybody who is connected to it."""

    def __init__(self, random: Random, *overrides: str) -> None:
        self.disk = MemoryDisk(NOW_MS)
        self.now_ms = NOW_MS
        self.random = random
        self.answered: list[Message | None] = []
        self.counts = dict.fromkeys(("answered", "silent", "refused", "closed", "expired"), 0)
        self.slowest_s = 0.0
        self._overrides = overrides
        self._pool = BufferPool()
        self._callers: dict[int, Caller] = {}
        self._flushes: list[Flush] = []
        self._last_connection_id = 0
        self.node = self._started(Shutdown.CLEAN)

    def _started(self, shutdown: Shutdown) -> Node:
        pairs = dict(one.split("=", 1) for one in self._overrides)
        given = {key: Resolved(text, Source.STATIC_BROKER, "fuzz") for key, text in pairs.items()}
        self.node = assemble(
            Premises(
                settings=broker_settings(given),
                given=given,
                topics_wanted=(),
                cluster_id="5L6g3nShT-eMCtK--X86sw",
                directory_id=bytes(15) + b"\x09",
                shutdown=shutdown,
                disk=self.disk,
                entropy=Counting(),
                stopwatch=SetStopwatch(),
                now_ms=self.now_ms,
            )
        )
        self._perform(self.node.start(self.now_ms))
        self.flush()
        return self.node

    def restart(self) -> None:
        """Stop cleanly, and start again on the same directory."""
        for caller in list(self._callers.values()):
            self.disconnect(caller)
        self._perform(self.node.stop(self.now_ms))
        self.flush()
        self._perform(self.node.close(self.now_ms))
        self.flush()
        self._started(Shutdown.CLEAN)

    # Callers

    def connect(self) -> Caller:
        self._last_connection_id += 1
        caller = Caller(self._last_connection_id, self._pool)
        self._callers[caller.connection_id] = caller
        return caller

    def disconnect(self, caller: Caller) -> None:
        """The peer goes; what it waited for is dropped."""
        if not caller.open:
            return
        caller.open = False
        caller.server.closed()
        del self._callers[caller.connection_id]
        self._step(Disconnected(caller.connection_id))

    def arrive(self, caller: Caller, data: bytes) -> None:
        """Bytes come in, in as many pieces as the buffers ask for. Judged is CPU time: a busy machine is
        no defect."""
        started_s = time.thread_time()
        view = memoryview(data)
        while view and caller.open:
            buffer = caller.server.get_buffer()
            size = min(len(buffer), len(view))
            buffer[:size] = view[:size]
            view = view[size:]
            self._received(caller, size)
            filler = _FILLER[: min(size, len(_FILLER))]
            self._pool.scratch[: len(filler)] = filler
        took_s = time.thread_time() - started_s
        self.slowest_s = max(self.slowest_s, took_s)
        if took_s > FRAME_SECONDS_MAX:
            raise Defect(f"an arrival of {len(data):,} bytes took {took_s:.2f} s")

    def _received(self, caller: Caller, size: int) -> None:
        requests = caller.server.received(size)
        while caller.open:
            try:
                call, message = next(requests)
            except StopIteration:
                return
            except RemoteProtocolError:
                self.counts["refused"] += 1
                self.disconnect(caller)
                return
            caller.waiting.add(call.slot)
            self._step(Received(call, message))

    # The node

    def _step(self, event: Event) -> None:
        try:
            effects = self.node.step(self.now_ms, event)
        except RemoteProtocolError as error:
            raise Defect("a RemoteProtocolError left the node") from error
        self._perform(effects)

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Reply):
                self._reply(effect.call, effect.response)
            elif isinstance(effect, Flush):
                self._flushes.append(effect)
            elif isinstance(effect, WriteWhole):
                self.disk.write_whole(effect.path, effect.data)
            elif isinstance(effect, Close):
                self._close(effect.connection_id)
            elif isinstance(effect, Mute | LimitAccepts):
                pass  # the hostile do not listen: what they send next comes all the same
            else:
                assert isinstance(effect, Halt)
                raise Defect(f"the node halts: {effect.reason}")

    def flush(self) -> None:
        while self._flushes:
            flush = self._flushes.pop(0)
            self.disk.sync(flush.files, flush.directory)
            self._step(Flushed(flush.partition, flush.end_offset, None))

    def pass_time(self, ms: int) -> None:
        self.now_ms += ms
        due_ms = self.node.next_deadline_ms()
        if due_ms is not None and due_ms <= self.now_ms:
            self._step(Ticked())

    def _reply(self, call: Call, response: Message | None) -> None:
        caller = self._callers.get(call.origin.connection_id)
        if caller is None:
            return
        if call.slot not in caller.waiting:
            raise Defect(f"{call!r} is answered twice")
        caller.waiting.remove(call.slot)
        self.counts["silent" if response is None else "answered"] += 1
        chunks = caller.server.reply(call, response)
        self.answered.append(response)
        for chunk in chunks:
            if isinstance(chunk, FileSlice) and len(chunk.read()) != len(chunk):
                raise Defect(f"{call!r}: a slice is longer than its file")
        if response is not None and self.random.randrange(_RESPONSES_READ_OF) == 0:
            _read_again(call, response)

    def _close(self, connection_id: int) -> None:
        caller = self._callers.get(connection_id)
        if caller is not None:
            self.counts["closed"] += 1
            self.disconnect(caller)

    # Judging

    def check(self) -> None:
        """Invariants, and that nobody is owed an answer who does not wait for one."""
        node = self.node
        node.waiting.check_invariants()
        node.replicas.check_invariants()
        node.controller.check_invariants()
        node.quotas.check_invariants()
        node.metadata_log.check_invariants()

    def check_owed(self, caller: Caller) -> None:
        """Who has no answer is parked, with a deadline."""
        self.flush()
        parked = self.node.waiting._by_connection.get(caller.connection_id, {})
        if caller.open and len(parked) != len(caller.waiting):
            raise Defect(
                f"{len(caller.waiting)} calls without an answer, of which {len(parked)} wait"
            )

    def check_all_answered(self) -> None:
        """When everybody's time is up and all is flushed, every call has its answer."""
        while True:
            self.flush()
            due_ms = self.node.waiting.next_ms()
            if due_ms is None:
                break
            self.counts["expired"] += 1
            self.now_ms = max(self.now_ms, due_ms)
            self._step(Ticked())
        for caller in self._callers.values():
            if caller.waiting:
                raise Defect(f"calls {sorted(caller.waiting)} of a connection are never answered")
            if caller.server.in_flight:
                raise Defect("an answer was given and never left")


def _read_again(call: Call, response: Message) -> None:
    api = APIS[call.api_key]
    chunks = api.encode_response(response, call.version)
    data = memoryview(b"\0\0\0\0" + b"".join(map(_bytes, chunks)))
    if api.response_header_version(call.version):
        data = memoryview(b"\0\0\0\0\0" + bytes(data[4:]))
    at = response_body_at_untrusted(api, call.version, data)
    try:
        read = api.decode_response_untrusted(data, at, call.version)
    except RemoteProtocolError as error:
        raise Defect(f"the answer to {call!r} is not readable: {error}") from error
    _no_server_error(call, read)


def _no_server_error(call: Call, answer: object) -> None:
    if isinstance(answer, Struct):
        for name, value in answer._values():
            if name == "error_code" and value == -1:
                raise Defect(f"{call!r} is answered with UNKNOWN_SERVER_ERROR")
            _no_server_error(call, value)
    elif isinstance(answer, list):
        for one in answer:
            _no_server_error(call, one)


def _bytes(chunk: object) -> bytes:
    if isinstance(chunk, FileSlice):
        return chunk.read()
    assert isinstance(chunk, bytes | bytearray | memoryview)
    return bytes(chunk)
