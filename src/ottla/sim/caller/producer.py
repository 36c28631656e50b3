"""A producer as real ones are: batches in lanes per partition, several on their way, retries that
keep the order, sequence numbers that survive them.

A batch is given up after a while; if any attempt may have written it, it ends as `INFO`, and a
producer with idempotence takes the next epoch, so that what is still on its way can't come between.
Errors that say "not written" end it as `FAIL`, unless an earlier attempt is uncertain.

Source: KIP-98, KIP-360 (the bump). Elsewhere: connections, `client.py`.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, final
from zlib import crc32

from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.sim.caller.client import Client, Connect, expect
from ottla.sim.clock import Events
from ottla.sim.history import History, Outcome, ProducerIdGiven, Record, Send
from ottla.sim.network import Wire
from ottla.sim.plan import EPOCH_MS, Ask, ClientPlan
from ottla.types import ZERO_UUID
from ottla.wire.api import INIT_PRODUCER_ID, PRODUCE, Message
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

_BY_ID: Final = 13
_BY_NAME: Final = 12

_GIVEN_UP_AFTER_US: Final = 8_000_000
_RETRY_PAUSE_US: Final = 100_000
_LEARN_PAUSE_US: Final = 200_000  # a topic that is not there yet
_LINGER_US: Final = 1_000

_TOMBSTONE_EVERY: Final = 5

_RETRIABLE: Final = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.REQUEST_TIMED_OUT,
        ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    }
)
UNCERTAIN: Final = _RETRIABLE
"""After these the batch may stand in the log: the wait for it ended otherwise than it should."""

_OF_ANOTHER_PAST: Final = frozenset(
    {
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode.UNKNOWN_PRODUCER_ID,
        ErrorCode.INVALID_PRODUCER_EPOCH,
    }
)
"""The partition remembers this producer otherwise than it does itself: it begins anew."""

_FORGOTTEN: Final = frozenset({ErrorCode.UNKNOWN_PRODUCER_ID, ErrorCode.INVALID_PRODUCER_EPOCH})
"""The id is of no use any more."""


@final
class _Batch:
    __slots__ = ("data", "given_up_us", "send", "uncertain", "under_way")

    def __init__(self, send: Send, given_up_us: int) -> None:
        self.send = send
        self.given_up_us = given_up_us
        self.data: bytes | None = None
        self.under_way = False
        self.uncertain = False


@final
class _Lane:
    """The batches of one partition, oldest first."""

    __slots__ = ("batches", "next_sequence", "not_before_us")

    def __init__(self) -> None:
        self.batches: deque[_Batch] = deque()
        self.next_sequence = 0
        self.not_before_us = 0


@final
class Producer(Client):
    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._pumping = False
        self._learning = False
        self._learn_from_us = 0
        self._sent_count = 0
        self._producer_id = -1
        self._producer_epoch = -1
        self._asking_for_id = False

    def is_idle(self) -> bool:
        return super().is_idle() and not any(lane.batches for lane in self._lanes.values())

    def ask(self, ask: Ask) -> None:
        """SEND: a batch for the partition."""
        now_us = self.events.now_us
        time_ms = EPOCH_MS + now_us // 1000 - ask.time_ms
        records = []
        for index in range(ask.count):
            self._sent_count += 1
            name = b"%d.%d" % (self.number, self._sent_count)
            value = name + b"." * max(0, ask.size_bytes - len(name))
            # Within a batch time may run back a little: the last record is not always the latest.
            key, is_tombstone = keyed(ask, index)
            records.append(
                Record(
                    index,
                    time_ms + (index * 7) % 5,
                    value if not is_tombstone else name,
                    key,
                    is_tombstone=is_tombstone,
                )
            )
        send = Send(
            self.number,
            now_us,
            topic=ask.topic,
            topic_id=ZERO_UUID,
            partition=ask.partition,
            acks=self.plan.acks,
            codec=self.plan.codec,
            records=tuple(records),
        )
        send.by_name = self.plan.by_name
        send.in_order = self.plan.in_flight_max == 1 or self.plan.idempotent
        self.history.note(send)
        lane = self._lanes.setdefault((ask.topic, ask.partition), _Lane())
        lane.batches.append(_Batch(send, now_us + _GIVEN_UP_AFTER_US))
        self._pump_after(_LINGER_US)

    # Sending

    def _pump_after(self, delay_us: int) -> None:
        if not self._pumping:
            self._pumping = True
            self.events.after(delay_us, self._pump_lanes)

    def _pump_lanes(self) -> None:
        self._pumping = False
        if self.plan.idempotent and self._producer_id < 0:
            self._ask_for_id()
            return
        now_us = self.events.now_us
        chosen: list[tuple[_Lane, _Batch]] = []
        for (topic, partition), lane in self._lanes.items():
            self._drop_overdue(lane)
            if not lane.batches or lane.not_before_us > now_us:
                continue
            known = self.topics.get(topic)
            if known is None or partition >= known.partitions:
                self._learn_then_pump()
                continue
            batch = self._next_of(lane)
            if batch is not None:
                if batch.send.attempts == 0:
                    batch.send.topic_id = known.topic_id
                elif batch.send.topic_id != known.topic_id:
                    self._give_up(lane, batch, ErrorCode.UNKNOWN_TOPIC_ID)
                    continue
                chosen.append((lane, batch))
        if chosen:
            self._send_batches(chosen)
        if any(lane.batches for lane in self._lanes.values()):
            self._pump_after(_LINGER_US if chosen else _RETRY_PAUSE_US // 4)

    def _next_of(self, lane: _Lane) -> _Batch | None:
        """The oldest batch that is not on its way, if as many as allowed are."""
        for under_way, batch in enumerate(lane.batches):
            if not batch.under_way:
                return batch if under_way < self.plan.in_flight_max else None
        return None

    def _learn_then_pump(self) -> None:
        if not self._learning and self.events.now_us >= self._learn_from_us:
            self._learning = True
            self.learn_topics(self._learned)

    def _learned(self) -> None:
        self._learning = False
        self._learn_from_us = self.events.now_us + _LEARN_PAUSE_US
        self._pump_after(_RETRY_PAUSE_US)

    def _send_batches(self, chosen: list[tuple[_Lane, _Batch]]) -> None:
        by_topic: dict[str, list[tuple[_Lane, _Batch]]] = {}
        for lane, batch in chosen:
            batch.under_way = True
            batch.send.attempts += 1
            if batch.data is None:
                batch.data = self._built(lane, batch.send)
            by_topic.setdefault(batch.send.topic, []).append((lane, batch))
        topic_data = []
        for topic, parts in by_topic.items():
            data = [PartitionProduceData(one.send.partition, one.data) for _, one in parts]
            known = self.topics[topic]
            topic_data.append(
                TopicProduceData(name=topic, topic_id=known.topic_id, partition_data=data)
            )
        request = ProduceRequest(
            acks=self.plan.acks, timeout_ms=self.plan.timeout_ms // 2, topic_data=topic_data
        )
        version = _BY_NAME if self.plan.by_name else _BY_ID
        if self.plan.acks == 0:
            sent = self.send_unanswered(PRODUCE, version, request)
            self._fired(chosen, sent=sent)
            return
        self.request(PRODUCE, version, request, self._answer_to(chosen))

    def _built(self, lane: _Lane, send: Send) -> bytes:
        builder = BatchBuilder()
        for record in send.records:
            if record.is_tombstone:
                builder.append(record.timestamp_ms, record.key, None, (("name", record.value),))
            else:
                builder.append(record.timestamp_ms, record.key, record.value)
        if self.plan.idempotent:
            send.producer_id = self._producer_id
            send.producer_epoch = self._producer_epoch
            send.base_sequence = lane.next_sequence
            lane.next_sequence += len(send.records)
        return bytes(
            builder.build(
                codec=send.codec,
                producer_id=send.producer_id,
                producer_epoch=send.producer_epoch,
                base_sequence=send.base_sequence,
            )
        )

    def _fired(self, chosen: list[tuple[_Lane, _Batch]], *, sent: bool) -> None:
        for lane, batch in chosen:
            batch.under_way = False
            if sent:
                lane.batches.remove(batch)
                batch.send.end(self.events.now_us, Outcome.OK)
            else:
                batch.send.attempts -= 1
                lane.not_before_us = self.events.now_us + _RETRY_PAUSE_US

    # Answers

    def _answer_to(self, chosen: list[tuple[_Lane, _Batch]]) -> Callable[[Message | None], None]:
        def done(message: Message | None) -> None:
            answer = expect(message, ProduceResponse)
            parts: dict[tuple[str, int], PartitionProduceResponse] = {}
            names = {one.topic_id: name for name, one in self.topics.items()}
            for topic in answer.responses if answer is not None else ():
                for part in topic.partition_responses:
                    name = topic.name or sent_names.get(topic.topic_id, "")
                    parts[name or names.get(topic.topic_id, ""), part.index] = part
            for lane, batch in chosen:
                self._judge(lane, batch, parts.get((batch.send.topic, batch.send.partition)))
            self._pump_after(_LINGER_US)

        sent_names = {
            self.topics[batch.send.topic].topic_id: batch.send.topic for _, batch in chosen
        }
        return done

    def _judge(self, lane: _Lane, batch: _Batch, part: PartitionProduceResponse | None) -> None:
        if batch not in lane.batches:
            return  # given up meanwhile
        batch.under_way = False
        send = batch.send
        if part is None:
            batch.uncertain = True
            self._retry(lane, batch, 0)
            return
        error = ErrorCode(part.error_code)
        if error is ErrorCode.NONE:
            lane.batches.remove(batch)
            send.base_offset = part.base_offset
            send.log_append_time_ms = part.log_append_time_ms
            send.end(self.events.now_us, Outcome.OK)
        elif error in _RETRIABLE:
            batch.uncertain = batch.uncertain or error in UNCERTAIN
            if error in (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID):
                self.topics.pop(send.topic, None)
            self._retry(lane, batch, error)
        elif error in _OF_ANOTHER_PAST and lane.batches[0] is not batch:
            self._retry(lane, batch, error)  # an earlier one is missing, not this one wrong
        elif error is ErrorCode.DUPLICATE_SEQUENCE_NUMBER:
            lane.batches.remove(batch)  # it is there, and nobody knows any more where
            send.end(self.events.now_us, Outcome.INFO, error)
        else:
            self._give_up(lane, batch, error)
            if self.plan.idempotent:
                # Its sequence numbers are gone for good; another epoch begins with 0.
                self._begin_anew(new_id=error in _FORGOTTEN)

    def _retry(self, lane: _Lane, batch: _Batch, error: int) -> None:
        if not self.plan.retries:
            self._give_up(lane, batch, error)
            if self.plan.idempotent:
                self._begin_anew(new_id=False)
            return
        lane.not_before_us = self.events.now_us + _RETRY_PAUSE_US

    def _drop_overdue(self, lane: _Lane) -> None:
        while lane.batches and lane.batches[0].given_up_us <= self.events.now_us:
            batch = lane.batches[0]
            batch.uncertain = batch.uncertain or batch.under_way
            numbered = batch.data is not None
            self._give_up(lane, batch, 0)
            if numbered and self.plan.idempotent:
                self._begin_anew(new_id=False)

    def _give_up(self, lane: _Lane, batch: _Batch, error: int) -> None:
        lane.batches.remove(batch)
        never_sent = batch.send.attempts == 0
        certain = never_sent or not batch.uncertain
        batch.send.end(self.events.now_us, Outcome.FAIL if certain else Outcome.INFO, error)

    def _begin_anew(self, *, new_id: bool) -> None:
        """Another epoch, or another id, with sequences from 0.

        What is on its way under the old one is lost to this producer: it may have been written.
        """
        for lane in self._lanes.values():
            lane.next_sequence = 0
            for batch in [one for one in lane.batches if one.data is not None]:
                batch.uncertain = True
                lane.batches.remove(batch)
                batch.send.end(self.events.now_us, Outcome.INFO)
        if new_id:
            self._producer_id = -1
        else:
            self._producer_epoch += 1

    def _ask_for_id(self) -> None:
        if self._asking_for_id:
            return
        self._asking_for_id = True
        given = ProducerIdGiven(self.number, self.events.now_us)
        self.history.note(given)

        def done(message: Message | None) -> None:
            self._asking_for_id = False
            answer = expect(message, InitProducerIdResponse)
            if answer is None:
                given.end(self.events.now_us, Outcome.INFO)
            elif answer.error_code != ErrorCode.NONE:
                given.end(self.events.now_us, Outcome.FAIL, answer.error_code)
            else:
                given.producer_id = self._producer_id = answer.producer_id
                given.producer_epoch = self._producer_epoch = answer.producer_epoch
                given.end(self.events.now_us, Outcome.OK)
            self._pump_after(_LINGER_US if self._producer_id >= 0 else _RETRY_PAUSE_US)

        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
        self.request(INIT_PRODUCER_ID, 4, request, done)


def keyed(ask: Ask, index: int) -> tuple[bytes, bool]:
    """The key of a send's record, and whether it deletes it. Depends on the ask alone."""
    if not ask.keys:
        return b"k", False
    draw = crc32(b"%d/%d/%d" % (ask.client, ask.at_us, index))
    number = draw % ask.keys
    # A long key is remembered by its digest.
    key = b"k%d" % number if number % 3 else b"k%d of more than a few bytes" % number
    return key, draw // 1000 % _TOMBSTONE_EVERY == 0
