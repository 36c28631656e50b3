"""The product's own producer in a world: `client/produce`'s machine, with a shell that a world can run.

Records are appended one by one, as an application does, and gathered by the machine; each of its
batches is one `Send`. The shell does what `aio/producer.py` and `aio/posting.py` do there: turns,
identities, the picture of the cluster, requests while there is a connection. It knows of each batch
whether any attempt may have been written, and calls failed what certainly has no effect.

Promises that are judged here: each `Delivery` says what its batch says; nobody is fenced who has no
rival. Everything else is judged by the checkers, as of any other producer. Elsewhere: connections,
`client.py`; a producer that is written by hand, `producer.py`.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from math import ceil
from typing import Final, final

from ottla.backoff import Backoff
from ottla.client.metadata import NOTHING_KNOWN, ClusterView, cluster_untrusted, updated
from ottla.client.produce.accumulator import Accumulator
from ottla.client.produce.batch import Identity, RecordBatch
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.fate import NO_OFFSET, BufferFull
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.client.produce.schedule import NEVER_MS
from ottla.client.produce.sender import Sender
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
from ottla.limits import INT_MAX
from ottla.sim.caller.client import METADATA_VERSION, Client, Connect, expect
from ottla.sim.caller.producer import UNCERTAIN, keyed
from ottla.sim.clock import Events
from ottla.sim.history import History, Outcome, ProducerIdGiven, Record, Send
from ottla.sim.network import Wire
from ottla.sim.plan import EPOCH_MS, Ask, ClientPlan
from ottla.types import ZERO_UUID
from ottla.wire.api import INIT_PRODUCER_ID, METADATA, PRODUCE, Message
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.message.produce import ProduceResponse

_BY_ID: Final = 13
_BY_NAME: Final = 12
_IDENTITY_VERSION: Final = 4

_DELIVERY_MS: Final = 8_000
_BLOCKED_US_MAX: Final = 4_000_000  # how long an application waits for a topic, or for room
_TURN_US: Final = 10
_PAUSE_US: Final = 100_000
_CONNECT_US: Final = 5_000


@final
class _Waiting:
    """Records that can not be appended yet; `begun`: how many of them were."""

    __slots__ = ("ask", "begun", "give_up_us")

    def __init__(self, ask: Ask, give_up_us: int) -> None:
        self.ask = ask
        self.begun = 0
        self.give_up_us = give_up_us


@final
class _Sent:
    """A batch, as its application and as the history know it."""

    __slots__ = ("deliveries", "send", "uncertain")

    def __init__(self, send: Send) -> None:
        self.send = send
        self.deliveries: list[Delivery] = []
        self.uncertain = False


@final
class OwnProducer(Client):
    """`ask` takes SEND: records for a partition, or for where their keys belong (-1)."""

    def __init__(
        self, plan: ClientPlan, events: Events, wire: Wire, connect: Connect, history: History
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self._options = options_of(plan)
        chance = events.chance(f"own-producer/{plan.number}")
        self._records = Accumulator(
            self._options, below=chance.randrange, wake=self._wake, wait=_nobody_waits
        )
        self._sender = Sender(
            self._records,
            self._options,
            backoff=Backoff(initial_ms=100, max_ms=1_000),
            request_ms_max=plan.timeout_ms // 2,
            chance=chance.random,
        )
        self._cluster: ClusterView = NOTHING_KNOWN
        self._sent: dict[RecordBatch, _Sent] = {}
        self._waiting_asks: deque[_Waiting] = deque()
        self._value_count = 0
        self._is_awake = False
        self._timer_us = 0  # of the one that counts; 0: none
        self._refreshing = False
        self._refresh_from_us = 0
        self._identifying = False

    def is_idle(self) -> bool:
        return super().is_idle() and not self._records.incomplete and not self._waiting_asks

    def ask(self, ask: Ask) -> None:
        self._waiting_asks.append(_Waiting(ask, self.events.now_us + _BLOCKED_US_MAX))
        self._wake()

    # Records

    def _append_waiting(self) -> None:
        """Whatever there is a topic and room for, in order for each topic."""
        left: deque[_Waiting] = deque()
        stuck: set[str] = set()
        while self._waiting_asks:
            one = self._waiting_asks.popleft()
            if self._records.refusal is not None or one.give_up_us <= self.events.now_us:
                continue
            # As long as somebody is short of room, asking again only wakes the machine.
            starved = self._records.is_starved
            if starved or one.ask.topic in stuck or not self._append(one):
                stuck.add(one.ask.topic)
                left.append(one)
        self._waiting_asks = left

    def _append(self, one: _Waiting) -> bool:
        """Was all of it appended?"""
        ask = one.ask
        if self._records.topic_view(ask.topic) is None:
            view = self._cluster.topic(ask.topic)
            if view is None or self._cluster.obstacle(ask.topic) != ErrorCode.NONE:
                self._refresh()
                return False
            self._records.learn(view)
        time_ms = EPOCH_MS + self.events.now_us // 1000 - ask.time_ms
        while one.begun < ask.count:
            index = one.begun
            name = b"%d.%d" % (self.number, self._value_count + 1)
            key, is_tombstone = keyed(ask, index)
            value = name + b"." * max(0, ask.size_bytes - len(name))
            at_ms = time_ms + (index * 7) % 5
            try:
                delivery = self._records.append(
                    ask.topic,
                    None if is_tombstone else value,
                    key,
                    (("name", name),) if is_tombstone else (),
                    None if ask.partition < 0 else ask.partition,
                    at_ms,
                )
            except BufferFull:
                return False
            except LocalProtocolError:  # the partition may yet come
                self._refresh()
                return False
            self._value_count += 1
            one.begun += 1
            shown = name if is_tombstone else value
            self._note(delivery, Record(0, at_ms, shown, key, is_tombstone=is_tombstone))
        return True

    def _note(self, delivery: Delivery, record: Record) -> None:
        batch = delivery._batch
        sent = self._sent.get(batch)
        if sent is None:
            sent = self._sent[batch] = _Sent(self._new_send(batch.topic, batch.partition))
            self.history.note(sent.send)
        record.offset = len(sent.deliveries)
        sent.deliveries.append(delivery)
        sent.send.records += (record,)

    def _new_send(self, topic: str, partition: int) -> Send:
        send = Send(
            self.number,
            self.events.now_us,
            topic=topic,
            topic_id=ZERO_UUID,
            partition=partition,
            acks=self._options.acks,
            codec=self._options.codec,
            records=(),
        )
        send.by_name = self.plan.by_name
        send.in_order = self._options.enable_idempotence or self._options.max_in_flight == 1
        return send

    # Turns

    def _wake(self) -> None:
        if not self._is_awake:
            self._is_awake = True
            self.events.after(_TURN_US, self._turn)

    def _turn(self) -> None:
        self._is_awake = False
        self._append_waiting()
        sender = self._sender
        can_send = self.is_connected
        blocked = () if can_send else self._cluster.brokers
        for one in sender.ready(self._now_ms(), self._cluster, blocked):
            self._post(one)
        self._tell()
        for lane in self._records.busy:
            lane.check_invariants()
        if not self._records.incomplete:
            assert self._records.room_bytes == self._options.buffer_memory, "room was lost"
        if sender.schedule.must_refresh:
            self._refresh()
        if self._records.busy or self._waiting_asks:
            if sender.wants_identity:
                self._identify()
            elif not can_send:
                self.connect()
                self._look_at_us(self.events.now_us + _CONNECT_US)
        if sender.schedule.next_ms != NEVER_MS:
            self._look_at_us(ceil(sender.schedule.next_ms * 1000))
        if self._waiting_asks:
            self._look_at_us(min(one.give_up_us for one in self._waiting_asks))

    def _look_at_us(self, at_us: int) -> None:
        """A turn is taken then, or before."""
        at_us = max(at_us, self.events.now_us + _TURN_US)
        if not self.events.now_us < self._timer_us <= at_us:
            self._timer_us = at_us
            self.events.at(at_us, self._wake)

    def _now_ms(self) -> float:
        return self.events.now_us / 1000

    # Requests

    def _post(self, one: Outgoing) -> None:
        request = one.request()
        for lane, batch in one.batches:
            send = self._sent[batch].send
            send.attempts += 1
            topic_id = one.topic_ids[lane.topic]
            if send.topic_id == ZERO_UUID:
                send.topic_id = topic_id
            elif send.topic_id != topic_id:
                # Part of what it may have met is another topic of that name.
                send.by_name = True
            send.producer_id, send.producer_epoch = batch.identity
            send.base_sequence = batch.base_sequence
        version = _BY_NAME if self.plan.by_name else _BY_ID
        if one.version_max is not None:
            version = min(version, one.version_max)
        if self._options.acks == 0:
            if self.send_unanswered(PRODUCE, version, request):
                self._sender.answered_untrusted(one, None, self._now_ms())
            else:
                self._sender.lost(one, "there is no connection", self._now_ms())
            self._wake()
        else:
            self.request(PRODUCE, version, request, self._answer_to(one))

    def _answer_to(self, one: Outgoing) -> Callable[[Message | None], None]:
        def done(message: Message | None) -> None:
            answer = expect(message, ProduceResponse)
            if answer is None:
                for _, batch in one.batches:
                    self._doubt(batch)
                self._sender.lost(one, "the connection was lost", self._now_ms())
            else:
                for (topic, partition), part in one.answers_untrusted(answer).items():
                    if part.error_code in UNCERTAIN:
                        for lane, batch in one.batches:
                            if (lane.topic, lane.partition) == (topic, partition):
                                self._doubt(batch)
                self._sender.answered_untrusted(one, answer, self._now_ms())
                for _, batch in one.batches:
                    if batch.parts:
                        self._divide(batch)
            self._wake()

        return done

    def _doubt(self, batch: RecordBatch) -> None:
        sent = self._sent.get(batch)
        if sent is not None:
            sent.uncertain = True

    def _divide(self, batch: RecordBatch) -> None:
        """The batch was too large: its records go on in several."""
        whole = self._sent.pop(batch, None)
        if whole is None:
            return
        records, deliveries = list(whole.send.records), list(whole.deliveries)
        for leaf in batch.leaves():
            if leaf is batch.leaves()[0]:
                send = whole.send
            else:
                send = self._new_send(batch.topic, batch.partition)
                send.asked_us = whole.send.asked_us
                send.topic_id, send.by_name = whole.send.topic_id, whole.send.by_name
                send.attempts = whole.send.attempts
                self.history.note(send)
            sent = self._sent[leaf] = _Sent(send)
            sent.uncertain = whole.uncertain
            sent.deliveries = deliveries[: leaf.record_count]
            send.records = tuple(records[: leaf.record_count])
            for offset, record in enumerate(send.records):
                record.offset = offset
            del records[: leaf.record_count], deliveries[: leaf.record_count]

    def _tell(self) -> None:
        """What ended is written down as it ended."""
        sender = self._sender
        finished = sender.take_finished()
        for batch in finished:
            sent = self._sent.pop(batch)
            if batch.is_sent:
                sent.uncertain = True
            batch.announce()
            self._end(batch, sent)
        if finished and self._waiting_asks:
            self._wake()  # there is room again
        if sender.fatal is not None and self._records.refusal is None:
            self.history.broken.append(f"client {self.number}: {sender.fatal}")
            self._refuse(sender.fatal.code if isinstance(sender.fatal, ApiError) else 0)

    def _end(self, batch: RecordBatch, sent: _Sent) -> None:
        send, now_us = sent.send, self.events.now_us
        error = batch.error
        for index, delivery in enumerate(sent.deliveries):
            expected = NO_OFFSET if batch.base_offset < 0 else batch.base_offset + index
            if not delivery.done or (
                delivery.error is None and delivery.result().offset != expected
            ):
                self.history.broken.append(f"client {self.number}: {delivery!r} of {batch!r}")
        if error is not None:
            code = error.code if isinstance(error, ApiError) else 0
            send.end(now_us, Outcome.INFO if sent.uncertain else Outcome.FAIL, code)
        elif batch.base_offset < 0 and send.acks != 0:
            # It is there, and nobody knows any more where.
            send.end(now_us, Outcome.INFO, ErrorCode.DUPLICATE_SEQUENCE_NUMBER)
        else:
            send.base_offset = batch.base_offset
            send.log_append_time_ms = batch.log_append_time_ms
            send.end(now_us, Outcome.OK)

    # Who leads, who we are

    def _refresh(self) -> None:
        if self._refreshing:
            return
        self._refreshing = True
        wait_us = max(0, self._refresh_from_us - self.events.now_us)
        self.events.after(wait_us, self._ask_who_leads)

    def _ask_who_leads(self) -> None:
        names = dict.fromkeys([*self._records.topics, *(w.ask.topic for w in self._waiting_asks)])
        self._sender.schedule.must_refresh = False
        self._refresh_from_us = self.events.now_us + _PAUSE_US
        request = MetadataRequest(
            topics=[MetadataRequestTopic(name=name) for name in names],
            allow_auto_topic_creation=False,
        )
        self.request(METADATA, METADATA_VERSION, request, self._told_who_leads)

    def _told_who_leads(self, message: Message | None) -> None:
        self._refreshing = False
        answer = expect(message, MetadataResponse)
        if answer is None or answer.error_code != ErrorCode.NONE:
            self._refresh_from_us = self.events.now_us + _PAUSE_US
            self._sender.schedule.must_refresh = True
        else:
            self._cluster = updated(self._cluster, cluster_untrusted(answer), is_whole=False)
        self._wake()

    def _identify(self) -> None:
        if self._identifying:
            return
        self._identifying = True
        given = ProducerIdGiven(self.number, self.events.now_us)
        self.history.note(given)

        def done(message: Message | None) -> None:
            answer = expect(message, InitProducerIdResponse)
            now_us = self.events.now_us
            if answer is None:
                given.end(now_us, Outcome.INFO)
            elif answer.error_code != ErrorCode.NONE:
                given.end(now_us, Outcome.FAIL, answer.error_code)
                if not ApiError(answer.error_code).retriable:
                    self._refuse(answer.error_code)
            else:
                given.producer_id = answer.producer_id
                given.producer_epoch = answer.producer_epoch
                given.end(now_us, Outcome.OK)
                self._sender.identified(Identity(answer.producer_id, answer.producer_epoch))
            identified = not self._sender.wants_identity
            self.events.after(0 if identified else _PAUSE_US, self._identified)

        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=INT_MAX)
        self.request(INIT_PRODUCER_ID, _IDENTITY_VERSION, request, done)

    def _identified(self) -> None:
        self._identifying = False
        self._wake()

    def _refuse(self, code: int) -> None:
        """The producer is of no use any more."""
        error = ApiError(code, "the producer gave up")
        self._records.refusal = error
        self._sender.give_up(error)
        self._tell()


def options_of(plan: ClientPlan) -> ProducerOptions:
    return ProducerOptions(
        acks=plan.acks,
        linger_ms=plan.linger_ms,
        batch_size=plan.batch_bytes or 16_384,
        buffer_memory=plan.buffer_bytes or 32 * 1024 * 1024,
        codec=plan.codec,
        max_in_flight=plan.in_flight_max,
        retries=INT_MAX if plan.retries else 0,
        delivery_timeout_ms=_DELIVERY_MS,
        enable_idempotence=plan.idempotent,
    )


def _nobody_waits(_: RecordBatch) -> Awaitable[None]:
    raise AssertionError("a machine does not wait")
