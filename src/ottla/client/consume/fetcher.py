"""Positions -> Fetch requests -> bytes that are held until somebody wants records.

A request per broker is under way at any time, and asks for all that may be read there: a partition
that is left out of a long wait would have to wait for its end. So a broker is left alone as long as
one of its partitions holds more than half an answer that was not handed out; what is paused does not
count. Where a broker sends on to a follower (KIP-392), that one is asked for a while.

Promises: of what was asked before a seek nothing is kept; after a failure positions are as they were.

Elsewhere: which partitions may be fetched, `partition.py`; the records in the bytes, `held.py`.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.client.consume.held import Held
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.partition import Reading, Stage
from ottla.client.consume.session import Session, Wanted
from ottla.client.metadata import Address, ClusterView, LeaderHint, told_address
from ottla.errors import (
    INVALIDATES_METADATA,
    RETRIABLE,
    ApiError,
    ErrorCode,
    RemoteProtocolError,
)
from ottla.types import NO_EPOCH, ZERO_UUID, TopicPartition, Uuid
from ottla.wire.client import CORRELATION_ID_MAX
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)

NAMED_TOPIC_MAX: Final = 12
"""The last Fetch version that names topics: from 13 on they have ids (KIP-516)."""
ANY_VERSION: Final = CORRELATION_ID_MAX
REPLICA_MS_MAX: Final = 300_000
"""How long a follower is preferred before the leader is asked again, as metadata ages."""

_PASSING: Final = frozenset({ErrorCode.UNKNOWN_SERVER_ERROR}) | RETRIABLE
"""Tried again without a word. Kafka's consumer counts the server's unknown error among them."""


class FetchAsk(NamedTuple):
    """One request to one broker. `asked`: by partition, (seeks, offset) it was made from."""

    broker_id: int
    request: FetchRequest
    version_max: int
    asked: Mapping[TopicPartition, tuple[int, int]]
    names: Mapping[Uuid, str]


@final
class Fetcher:
    """Works on the `readings` that its owner adds and removes."""

    __slots__ = (
        "_busy",
        "_hold_bytes_max",
        "_options",
        "_readings",
        "_ready",
        "_retry_ms",
        "_sessions",
        "_silent_until_ms",
        "addresses",
        "hints",
        "must_refresh",
        "next_ms",
        "out_of_range",
    )

    def __init__(
        self,
        options: ConsumerOptions,
        readings: dict[TopicPartition, Reading],
        ready: deque[Reading],
        retry_ms: int,
    ) -> None:
        """`ready`: where readings go that begin to hold something."""
        self._options = options
        self._readings = readings
        self._ready = ready
        self._retry_ms = retry_ms
        self._hold_bytes_max = options.partition_fetch_bytes_max // 2
        self._sessions: dict[int, Session] = {}
        self._busy: set[int] = set()
        self._silent_until_ms: dict[int, int] = {}
        self.must_refresh: set[str] = set()
        """Topics of which newer metadata is needed. Whoever gets it clears them."""
        self.next_ms: int | None = None
        """When `asks` may have something again though nothing happened."""
        self.hints: list[LeaderHint] = []
        """Leaders that answers told of (KIP-951), at `addresses`."""
        self.addresses: dict[int, Address] = {}
        self.out_of_range: set[TopicPartition] = set()
        """Positions that the leader's log does not have. The owner decides, and clears them."""

    def asks(self, now_ms: int, cluster: ClusterView) -> list[FetchAsk]:
        """A request for each broker that has something to read for us and is not asked already."""
        self.next_ms = None
        wanted: dict[int, dict[TopicPartition, Wanted]] = {}
        full: set[int] = set()
        for place, reading in self._readings.items():
            if reading.stage is not Stage.FETCH or reading.is_paused:
                continue
            broker_id = self._broker_of(reading, now_ms, cluster)
            if broker_id is None or broker_id in self._busy:
                continue
            if reading.held_bytes > self._hold_bytes_max:
                full.add(broker_id)
            elif max(reading.retry_at_ms, self._silent_until_ms.get(broker_id, 0)) > now_ms:
                self._wake_at(max(reading.retry_at_ms, self._silent_until_ms.get(broker_id, 0)))
            else:
                topic = cluster.topics[place.topic]
                wanted.setdefault(broker_id, {})[place] = Wanted(
                    topic.topic_id,
                    reading.fetch_offset,
                    reading.leader_epoch,
                    self._options.partition_fetch_bytes_max,
                )
        return [
            self._ask(broker_id, places)
            for broker_id, places in wanted.items()
            if broker_id not in full
        ]

    def answered_untrusted(self, ask: FetchAsk, response: FetchResponse, now_ms: int) -> None:
        """What the answer brought is held; what it refused is asked again, or is a trouble."""
        self._busy.discard(ask.broker_id)
        session = self._sessions[ask.broker_id]
        session.answered(response.error_code, response.session_id)
        for node in response.node_endpoints:
            if (address := told_address(node.host, node.port)) is not None:
                self.addresses[node.node_id] = address
        if response.error_code != ErrorCode.NONE:
            self._refused(ask, response.error_code, now_ms)
            return
        for topic in response.responses:
            name = _name_of(ask, topic)
            for part in topic.partitions:
                place = TopicPartition(name, part.partition_index)
                reading = self._readings.get(place)
                asked = ask.asked.get(place)
                if asked is None:
                    raise RemoteProtocolError(
                        f"the answer to Fetch holds {place}, which was not asked for"
                    )
                is_current = reading is not None and (reading.seeks, reading.fetch_offset) == asked
                if probe.MUTANTS and probe.mutant("C3-answer-from-before-a-seek"):
                    is_current = reading is not None and reading.stage is Stage.FETCH
                if reading is not None and is_current:
                    self._take_untrusted(reading, part, now_ms)

    def lost(self, ask: FetchAsk, now_ms: int) -> None:
        """No answer came: the broker is left alone for a moment, and leaders are looked up."""
        self._busy.discard(ask.broker_id)
        self._sessions[ask.broker_id].lost()
        self._silent_until_ms[ask.broker_id] = now_ms + self._retry_ms
        for place in ask.asked:
            reading = self._readings.get(place)
            if reading is not None:
                reading.replica = None
            self.must_refresh.add(place.topic)

    def refused(self, ask: FetchAsk, error: ApiError, now_ms: int) -> None:
        """The request could not even be made: the broker is too old, or forbids us."""
        self.lost(ask, now_ms)
        for place in ask.asked:
            if place in self._readings:
                self._readings[place].trouble = error

    def _refused(self, ask: FetchAsk, code: int, now_ms: int) -> None:
        self._silent_until_ms[ask.broker_id] = now_ms
        if code in (
            ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
            ErrorCode.INVALID_FETCH_SESSION_EPOCH,
            ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
        ):
            return
        self._silent_until_ms[ask.broker_id] = now_ms + self._retry_ms
        if code in INVALIDATES_METADATA:
            self.must_refresh.update(place.topic for place in ask.asked)
        elif code not in _PASSING:
            for place in ask.asked:
                if place in self._readings:
                    self._readings[place].trouble = ApiError(code, f"partition {place}")

    def _broker_of(self, reading: Reading, now_ms: int, cluster: ClusterView) -> int | None:
        """Whom to ask; None: nobody is known, or the position has to be looked at first."""
        topic, partition = reading.place
        leader = cluster.leader_of(topic, partition)
        if leader is None:
            self.must_refresh.add(topic)
            return None
        epoch = cluster.leader_epoch_of(topic, partition)
        if epoch != reading.leader_epoch:
            was_another = NO_EPOCH not in (epoch, reading.leader_epoch)
            reading.leader_epoch = epoch
            if probe.MUTANTS and probe.mutant("KIP320-position-not-checked"):
                was_another = False
            if was_another and reading.fetch_epoch != NO_EPOCH:
                reading.stage = Stage.VALIDATE
                reading.replica = None
                return None
        if reading.replica is not None:
            if reading.replica_until_ms > now_ms and reading.replica in cluster.brokers:
                return reading.replica
            reading.replica = None
        return leader

    def _ask(self, broker_id: int, wanted: dict[TopicPartition, Wanted]) -> FetchAsk:
        options = self._options
        session = self._sessions.get(broker_id)
        if session is None:
            session = self._sessions[broker_id] = Session(is_used=options.fetch_sessions)
        plan = session.plan(wanted)
        self._busy.add(broker_id)
        topics: dict[tuple[str, Uuid], list[FetchPartition]] = {}
        names: dict[Uuid, str] = {}
        for place, want in plan.send.items():
            topics.setdefault((place.topic, want.topic_id), []).append(
                FetchPartition(
                    partition=place.partition,
                    current_leader_epoch=want.leader_epoch,
                    fetch_offset=want.offset,
                    partition_max_bytes=want.bytes_max,
                )
            )
        for place, want in wanted.items():
            names[want.topic_id] = place.topic
        forgotten: dict[tuple[str, Uuid], list[int]] = {}
        for place, topic_id in plan.forget.items():
            forgotten.setdefault((place.topic, topic_id), []).append(place.partition)
        request = FetchRequest(
            max_wait_ms=options.fetch_wait_ms_max,
            min_bytes=options.fetch_bytes_min,
            max_bytes=options.fetch_bytes_max,
            isolation_level=options.isolation_level,
            session_id=plan.session_id,
            session_epoch=plan.epoch,
            topics=[
                FetchTopic(topic=name, topic_id=topic_id, partitions=parts)
                for (name, topic_id), parts in topics.items()
            ],
            forgotten_topics_data=[
                ForgottenTopic(topic=name, topic_id=topic_id, partitions=parts)
                for (name, topic_id), parts in forgotten.items()
            ],
            rack_id=options.client_rack,
        )
        has_ids = ZERO_UUID not in names and all(topic_id != ZERO_UUID for _, topic_id in forgotten)
        readings = self._readings
        return FetchAsk(
            broker_id,
            request,
            ANY_VERSION if has_ids else NAMED_TOPIC_MAX,
            {place: (readings[place].seeks, readings[place].fetch_offset) for place in wanted},
            names,
        )

    def _take_untrusted(self, reading: Reading, part: PartitionData, now_ms: int) -> None:
        if part.error_code != ErrorCode.NONE:
            self._take_refusal(reading, part, now_ms)
            return
        reading.high_watermark = part.high_watermark
        reading.last_stable = part.last_stable_offset
        reading.log_start = part.log_start_offset
        if part.preferred_read_replica >= 0:
            reading.replica = part.preferred_read_replica
            reading.replica_until_ms = now_ms + REPLICA_MS_MAX
        data = part.records
        if data is None or not len(data):
            return
        assert isinstance(data, bytes | bytearray | memoryview), type(data)
        aborted: tuple[tuple[int, int], ...] = ()
        if self._options.isolation_level and part.aborted_transactions:
            aborted = tuple(
                (one.first_offset, one.producer_id) for one in part.aborted_transactions
            )
        held = Held(
            reading.place,
            data,
            reading.fetch_offset,
            reading.fetch_epoch,
            check_crcs=self._options.check_crcs,
            aborted=aborted,
        )
        if held.holds_something:
            if not reading.held and reading.batch is None:
                self._ready.append(reading)
            reading.held.append(held)
            reading.held_bytes += held.size_bytes
            reading.fetch_offset, reading.fetch_epoch = held.end_offset, held.end_epoch

    def _take_refusal(self, reading: Reading, part: PartitionData, now_ms: int) -> None:
        code = part.error_code
        place = reading.place
        reading.retry_at_ms = now_ms + self._retry_ms
        hint = part.current_leader
        if hint.leader_id >= 0:
            self.hints.append(
                LeaderHint(place.topic, place.partition, hint.leader_id, hint.leader_epoch)
            )
        if code == ErrorCode.OFFSET_OUT_OF_RANGE:
            if reading.replica is not None:
                # A follower may be behind, or have less: only the leader's word counts.
                reading.replica = None
                reading.retry_at_ms = now_ms
            elif not reading.held:
                self.out_of_range.add(place)
        elif code in _PASSING:
            reading.replica = None
            if code in INVALIDATES_METADATA:
                self.must_refresh.add(place.topic)
        else:
            reading.trouble = ApiError(code, f"partition {place}")

    def _wake_at(self, at_ms: int) -> None:
        self.next_ms = at_ms if self.next_ms is None else min(self.next_ms, at_ms)


def _name_of(ask: FetchAsk, topic: FetchableTopicResponse) -> str:
    if topic.topic:
        return topic.topic
    name = ask.names.get(topic.topic_id)
    if name is None:
        raise RemoteProtocolError("the answer to Fetch holds a topic id that was not asked for")
    return name
