"""Batches of one topic -> Produce requests, until every batch is acknowledged or refused.

One batch per partition is under way at a time, so order is kept without further care. With an
identity (KIP-98) a batch keeps its sequence however often it is sent, and a broker that has it
already says so: what was in doubt is never stored twice. A batch that is too large for its topic is
split in two, as Kafka's producer does (KIP-126).

Promises: each record ends in exactly one of `acknowledged_count` and `failures`; the sequence of a
partition moves on only with an acknowledgment. Time, waiting and connections are the shell's,
`aio/client.py`; which partition a record goes to, `accumulator.py`.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from ottla.client.accumulator import Draft
from ottla.client.metadata import ClusterView
from ottla.errors import INVALIDATES_METADATA, RETRIABLE, ErrorCode, RemoteProtocolError, error_name
from ottla.record.builder import BatchBuilder
from ottla.types import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, ZERO_UUID
from ottla.wire.message.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

_SEQUENCES: Final = 2**31
_TOO_LARGE: Final = frozenset({ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE})
_IDENTITY_IS_GONE: Final = frozenset(
    {
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.UNKNOWN_PRODUCER_ID,
        ErrorCode.INVALID_PRODUCER_EPOCH,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the broker takes this producer for; the defaults are nobody in particular."""

    producer_id: int = NO_PRODUCER_ID
    producer_epoch: int = NO_PRODUCER_EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Records of one partition that were not acknowledged."""

    partition: int
    record_count: int
    error_code: int
    reason: str


class Outgoing(NamedTuple):
    """One request to one broker, and which partitions are in it."""

    broker_id: int
    request: ProduceRequest
    partitions: tuple[int, ...]
    has_topic_id: bool


class _Lane:
    """One partition's batches, in order. The first is built when it is first sent."""

    __slots__ = ("built", "drafts", "in_flight", "next_sequence")

    def __init__(self) -> None:
        self.drafts: deque[Sequence[Draft]] = deque()
        self.built: bytearray | None = None
        self.in_flight = False
        self.next_sequence = 0


@final
class Sender:
    """`acks`: 0, 1 or -1. `identity` may be replaced only while nothing is pending."""

    __slots__ = (
        "_acks",
        "_codec",
        "_lanes",
        "_timeout_ms",
        "acknowledged_count",
        "failures",
        "identity",
        "last_error",
        "must_refresh",
        "must_renew_identity",
        "topic",
    )

    def __init__(self, topic: str, *, acks: int, codec: int, timeout_ms: int) -> None:
        self.topic = topic
        self._acks = acks
        self._codec = codec
        self._timeout_ms = timeout_ms
        self._lanes: dict[int, _Lane] = {}
        self.identity = Identity()
        self.acknowledged_count = 0
        self.failures: list[Failure] = []
        self.last_error: str | None = None
        """Why the last attempt of something that is still pending did not succeed."""
        self.must_refresh = False
        self.must_renew_identity = False

    @property
    def pending_count(self) -> int:
        """Records whose fate is open."""
        return sum(len(drafts) for lane in self._lanes.values() for drafts in lane.drafts)

    def renew(self, identity: Identity) -> None:
        """Go on as someone else, whose sequences begin at 0."""
        assert self.pending_count == 0, (
            "batches under way belong to the identity they were built with"
        )
        self.identity = identity
        self.must_renew_identity = False
        self._lanes.clear()

    def enqueue(self, partition: int, batches: Iterable[Sequence[Draft]]) -> None:
        """Take batches over, behind those the partition has already."""
        self._lanes.setdefault(partition, _Lane()).drafts.extend(batches)

    def requests(self, cluster: ClusterView) -> list[Outgoing]:
        """What can be sent now, one request per leader. A leader that is missing sets `must_refresh`."""
        by_broker: dict[int, list[int]] = {}
        for partition, lane in self._lanes.items():
            if not lane.drafts or lane.in_flight:
                continue
            leader = cluster.leader_of(self.topic, partition)
            if leader is None:
                self._keep(ErrorCode.LEADER_NOT_AVAILABLE, f"partition {partition} has no leader")
                self.must_refresh = True
            else:
                by_broker.setdefault(leader, []).append(partition)
        topic = cluster.topic(self.topic)
        topic_id = ZERO_UUID if topic is None else topic.topic_id
        outgoing = []
        for broker_id, partitions in by_broker.items():
            data = [
                PartitionProduceData(index=part, records=memoryview(self._built(self._lanes[part])))
                for part in partitions
            ]
            request = ProduceRequest(
                acks=self._acks,
                timeout_ms=self._timeout_ms,
                topic_data=[
                    TopicProduceData(name=self.topic, topic_id=topic_id, partition_data=data)
                ],
            )
            for part in partitions:
                self._lanes[part].in_flight = True
            has_topic_id = topic_id != ZERO_UUID
            outgoing.append(Outgoing(broker_id, request, tuple(partitions), has_topic_id))
        return outgoing

    def answered_untrusted(self, sent: Outgoing, response: ProduceResponse | None) -> None:
        """Take a response over; None: the broker was asked for no acknowledgment."""
        if response is None:
            for partition in sent.partitions:
                self._acknowledged(self._lanes[partition])
            return
        answers = {
            part.index: part for topic in response.responses for part in topic.partition_responses
        }
        for partition in sent.partitions:
            answer = answers.get(partition)
            if answer is None:
                raise RemoteProtocolError(
                    f"the answer to Produce says nothing of partition {self.topic}-{partition}"
                )
            self._judge(partition, answer)

    def lost(self, sent: Outgoing, reason: str) -> None:
        """No answer came: whether the batches are stored is not known. They are sent again."""
        for partition in sent.partitions:
            self._lanes[partition].in_flight = False
        self.nobody_reached(reason)

    def nobody_reached(self, reason: str) -> None:
        """Nothing could be asked or sent; what is pending stays so."""
        self.last_error = reason
        self.must_refresh = True

    def give_up(self) -> None:
        """What is pending has failed. An identity is renewed, because its sequences are in doubt."""
        for partition, lane in self._lanes.items():
            count = sum(len(drafts) for drafts in lane.drafts)
            if count:
                reason = self.last_error or error_name(ErrorCode.REQUEST_TIMED_OUT)
                self._failed(partition, count, ErrorCode.REQUEST_TIMED_OUT, reason)
        self._lanes.clear()
        self.must_renew_identity = True

    def _built(self, lane: _Lane) -> bytearray:
        if lane.built is None:
            builder = BatchBuilder()
            for draft in lane.drafts[0]:
                builder.append(draft.timestamp_ms, draft.key, draft.value, draft.headers)
            known = self.identity.producer_id != NO_PRODUCER_ID
            lane.built = builder.build(
                codec=self._codec,
                producer_id=self.identity.producer_id,
                producer_epoch=self.identity.producer_epoch,
                base_sequence=lane.next_sequence if known else NO_SEQUENCE,
            )
        return lane.built

    def _judge(self, partition: int, answer: PartitionProduceResponse) -> None:
        lane = self._lanes[partition]
        code = answer.error_code
        # A duplicate is an acknowledgment that was lost once.
        if code in (ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER):
            self._acknowledged(lane)
            return
        lane.in_flight = False
        drafts = lane.drafts[0]
        if code in _TOO_LARGE and len(drafts) > 1:
            middle = len(drafts) // 2
            lane.built = None
            lane.drafts[0] = drafts[middle:]
            lane.drafts.appendleft(drafts[:middle])
        elif code in RETRIABLE:
            self._keep(code, answer.error_message)
            self.must_refresh = self.must_refresh or code in INVALIDATES_METADATA
        else:
            lane.drafts.popleft()
            lane.built = None
            reasons = [answer.error_message or error_name(code)]
            reasons += [
                f"record {error.batch_index}: {error.batch_index_error_message}"
                for error in answer.record_errors[:1]
                if error.batch_index_error_message
            ]
            self._failed(partition, len(drafts), code, "; ".join(reasons))
            if code in _IDENTITY_IS_GONE:
                self.must_renew_identity = True

    def _acknowledged(self, lane: _Lane) -> None:
        count = len(lane.drafts.popleft())
        lane.built = None
        lane.in_flight = False
        lane.next_sequence = (lane.next_sequence + count) % _SEQUENCES
        self.acknowledged_count += count

    def _keep(self, code: int, message: str | None) -> None:
        name = error_name(code)
        self.last_error = name if message is None else f"{name}: {message}"

    def _failed(self, partition: int, count: int, code: int, reason: str) -> None:
        self.failures.append(
            Failure(partition=partition, record_count=count, error_code=code, reason=reason)
        )
