"""A client of a world: one connection at a time over the real wire, requests with their answers,
and what it knows of the topics.

A request ends exactly once: with its answer, or with None when the connection was lost or the client
ran out of patience. Running out of patience closes the connection, so that everything else on it is
lost too, as in real clients. What was sent may then still reach the node.

Elsewhere: what is asked and what an answer means, `producer.py`, `consumer.py`, `administrator.py`.
"""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar, final

from ottla.errors import ErrorCode
from ottla.sim.clock import Events
from ottla.sim.history import History
from ottla.sim.network import Caller, Connection, Wire
from ottla.sim.plan import ClientPlan
from ottla.sim.quota_operation import Metered
from ottla.types import Payload, Uuid
from ottla.wire.api import APIS, METADATA, Message
from ottla.wire.client import ClientConnection
from ottla.wire.message.fetch import FetchResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataResponse, MetadataResponseTopic

M = TypeVar("M", bound=Message)

Done = Callable[[Message | None], None]
Connect = Callable[["Party"], Connection | None]

METADATA_VERSION: Final = 12

_LENGTH_BYTES: Final = 4

_TELLING: Final[dict[tuple[int, int], bool]] = {}
"""By API and version: found out once, the same in every world."""

RECONNECT_US: Final = 100_000
"""How long a client waits before it tries to connect again."""


@final
class TopicKnown:
    __slots__ = ("partitions", "topic_id")

    def __init__(self, topic_id: Uuid, partitions: int) -> None:
        self.topic_id = topic_id
        self.partitions = partitions


class Party(Caller, Protocol):
    """Whoever wants a connection."""

    @property
    def plan(self) -> ClientPlan: ...

    @property
    def wire(self) -> Wire: ...


class Client:
    """What all clients have in common. `history` is where they write down what they saw."""

    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        self.plan = plan
        self.events = events
        self.wire = wire
        self.history = history
        self.topics: dict[str, TopicKnown] = {}
        self.busy = 0  # requests that have not ended
        self.connection: Connection | None = None
        self._connect = connect
        self._codec = ClientConnection(None)
        self._waiting: dict[int, tuple[Done, Metered]] = {}
        self._queued: list[tuple[int, int, Message, Done]] = []
        self._connecting = False
        self._opening = False

    @property
    def number(self) -> int:
        return self.plan.number

    def is_idle(self) -> bool:
        """Whether nothing is asked that has not ended, nor said that has not arrived."""
        return self.busy == 0 and not self.is_sending

    @property
    def is_sending(self) -> bool:
        return self.connection is not None and self.connection.is_sending

    @property
    def is_connected(self) -> bool:
        """Whether what is asked now is sent at once."""
        connection = self.connection
        return connection is not None and connection.client_open and not self._opening

    def connect(self) -> None:
        """See to it that there is a connection."""
        self._pump()

    def request(self, api_key: int, version: int, message: Message, done: Done) -> None:
        """Send as soon as there is a connection; `done` is told once."""
        self.busy += 1
        self._queued.append((api_key, version, message, done))
        self._pump()

    def send_unanswered(self, api_key: int, version: int, message: Message) -> bool:
        """Send what awaits no answer; False: there is no connection."""
        connection = self.connection
        if connection is None or not connection.client_open or self._opening:
            self._pump()
            return False
        connection.send(_bytes(self._codec.request(api_key, version, message)[1]))
        return True

    def give_up_connection(self, reason: str) -> None:
        """Close it; all that waits on it is lost."""
        connection = self.connection
        if connection is not None:
            connection.close_by_client()
            self.lost(connection, reason)

    def learn_topics(self, then: Callable[[], None] | None = None) -> None:
        """Ask for all topics' metadata; `then` is called whatever comes of it."""

        def done(answer: Message | None) -> None:
            if isinstance(answer, MetadataResponse):
                self.topics = {
                    topic.name or "": TopicKnown(topic.topic_id, len(topic.partitions))
                    for topic in answer.topics
                    if topic.error_code == ErrorCode.NONE and not _is_leaderless(topic)
                }
            if then is not None:
                then()

        self.request(METADATA, METADATA_VERSION, MetadataRequest(topics=None), done)

    # What the network tells

    def answered(self, connection: Connection, data: bytes) -> None:
        if connection is not self.connection:
            return
        for correlation_id, message in self._codec.received(data):
            waiting = self._waiting.pop(correlation_id, None)
            if waiting is not None:
                self.busy -= 1
                done, metered = waiting
                now_us = self.events.now_us
                self.history.metered.append(metered_answer(metered, message, now_us))
                done(message)
        if connection is self.connection and self._opening and self._codec.negotiated:
            self._opening = False
            self._pump()

    def lost(self, connection: Connection, reason: str) -> None:
        if connection is not self.connection:
            return
        self.connection = None
        self._opening = False
        waiting, self._waiting = self._waiting, {}
        for done, _ in waiting.values():
            self.busy -= 1
            done(None)
        if self._queued:
            self._reconnect_later()

    # Its own affairs

    def _pump(self) -> None:
        connection = self.connection
        if connection is None:
            if not self._connecting:
                self._connecting = True
                self.events.after(self.wire.delay_us(), self._try_to_connect)
            return
        if self._opening:
            return
        queued, self._queued = self._queued, []
        for api_key, version, message, done in queued:
            correlation_id, chunks = self._codec.request(api_key, version, message)
            data = _bytes(chunks)
            metered = Metered(
                self.number,
                connection.number,
                api_key,
                version,
                correlation_id,
                sent_us=self.events.now_us,
                request_bytes=len(data) - _LENGTH_BYTES,
            )
            self._waiting[correlation_id] = done, metered
            connection.send(data)
            self.events.after(
                self.plan.timeout_ms * 1000, self._look_for, connection, correlation_id
            )

    def _try_to_connect(self) -> None:
        self._connecting = False
        if self.connection is not None:
            return
        connection = self._connect(self)
        if connection is None:
            self._reconnect_later()
            return
        self.connection = connection
        self._codec = ClientConnection(f"client-{self.number}")
        if self.plan.negotiates:
            self._opening = True
            connection.send(_bytes(self._codec.opening()))
            self.events.after(self.plan.timeout_ms * 1000, self._look_for_opening, connection)
        self._pump()

    def _reconnect_later(self) -> None:
        if not self._connecting:
            self._connecting = True
            self.events.after(RECONNECT_US, self._try_to_connect)

    def _look_for(self, connection: Connection, correlation_id: int) -> None:
        if connection is self.connection and correlation_id in self._waiting:
            self.give_up_connection("no answer in time")

    def _look_for_opening(self, connection: Connection) -> None:
        if connection is self.connection and self._opening:
            self.give_up_connection("no answer in time")


def metered_answer(metered: Metered, message: Message, now_us: int) -> Metered:
    """What its client makes of the answer."""
    metered.answered_us = now_us
    metered.throttle_ms = -1
    if _tells_throttling(metered.api_key, metered.version, type(message)):
        metered.throttle_ms = getattr(message, "throttle_time_ms", -1)
    if isinstance(message, FetchResponse):
        metered.record_bytes = sum(
            len(part.records or b"") for topic in message.responses for part in topic.partitions
        )
    return metered


def _tells_throttling(api_key: int, version: int, kind: type[Message]) -> bool:
    """Whether such an answer has room for the time that its client has to wait."""
    known = _TELLING.get((api_key, version))
    if known is None:
        throttled, other = kind(), kind()
        if hasattr(throttled, "throttle_time_ms"):
            throttled.throttle_time_ms = 1
        encode = APIS[api_key].encode_response
        known = _bytes(encode(throttled, version)) != _bytes(encode(other, version))
        _TELLING[api_key, version] = known
    return known


def expect(message: Message | None, kind: type[M]) -> M | None:
    """The answer, whose kind the request has fixed; None: there was none."""
    if message is None:
        return None
    assert isinstance(message, kind), message
    return message


def _is_leaderless(topic: MetadataResponseTopic) -> bool:
    return any(partition.error_code != ErrorCode.NONE for partition in topic.partitions)


def _bytes(chunks: list[Payload]) -> bytes:
    pieces = []
    for chunk in chunks:
        assert isinstance(chunk, (bytes, bytearray, memoryview))
        pieces.append(chunk)
    return b"".join(pieces)
