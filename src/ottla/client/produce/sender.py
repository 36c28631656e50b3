"""Batches -> Produce requests -> fates: the producer's machine, and what an answer means.

A machine without clock, socket or wait. Its owner calls `ready` whenever something may have changed
(a batch was opened, an answer came, the cluster is another, `schedule.next_ms` has come), sends what
it is given, and tells how that ended: `answered_untrusted`, `lost` or `refused`. What it wants
meanwhile stands in `schedule.must_refresh`, `wants_identity`, `hints` and `take_finished`.

Order and uniqueness are the lanes' (`lane.py`): up to `max_in_flight` requests per broker, in order
by sequence where the producer has an identity, else one batch per partition if `max_in_flight` is 1,
else as in Kafka: a retry may overtake. What a broker did not get, or refuses for now, is sent again
after a backoff with jitter until `delivery_timeout_ms` has passed. A batch that is too large for its
topic is split (KIP-126).

Promises: every batch ends exactly once; a batch whose answer is not known is never called delivered.
"""

from collections.abc import Callable, Container
from typing import Final, final

from ottla.backoff import Backoff
from ottla.client.metadata import Address, ClusterView, LeaderHint, told_address
from ottla.client.produce.accumulator import Accumulator
from ottla.client.produce.batch import NOBODY, Identity, RecordBatch
from ottla.client.produce.fate import DeliveryTimedOut, ProducerFenced
from ottla.client.produce.lane import Lane
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.outgoing import Outgoing
from ottla.client.produce.schedule import NEVER_MS, Schedule
from ottla.errors import (
    INVALIDATES_METADATA,
    RETRIABLE,
    ApiError,
    ErrorCode,
    OttlaError,
    error_name,
)
from ottla.types import NO_SEQUENCE
from ottla.wire.message.produce import (
    PartitionProduceResponse,
    ProduceResponse,
)

_EPOCH_MAX: Final = 32_767
_STORED: Final = frozenset({ErrorCode.NONE, ErrorCode.DUPLICATE_SEQUENCE_NUMBER})
"""A duplicate is an acknowledgment that was lost once."""
_TOO_LARGE: Final = frozenset({ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.RECORD_LIST_TOO_LARGE})
_OUT_OF_LINE: Final = frozenset(
    {ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, ErrorCode.UNKNOWN_PRODUCER_ID}
)
"""The broker remembers other sequences; the batch is not stored."""
_FENCED: Final = frozenset({ErrorCode.PRODUCER_FENCED, ErrorCode.INVALID_PRODUCER_ID_MAPPING})


@final
class Sender:
    """`chance()` draws from 0 up to 1. `request_ms_max`: how long a broker may wait for replicas."""

    __slots__ = (
        "_backoff",
        "_chance",
        "_cluster",
        "_options",
        "_records",
        "_unsettled",
        "acknowledged_count",
        "fatal",
        "finished",
        "hinted",
        "hints",
        "identity",
        "schedule",
        "trouble",
        "wants_identity",
    )

    def __init__(
        self,
        accumulator: Accumulator,
        options: ProducerOptions,
        *,
        backoff: Backoff,
        request_ms_max: int,
        chance: Callable[[], float],
    ) -> None:
        self._records = accumulator
        self._options = options
        self._backoff = backoff
        self.schedule = Schedule(accumulator, options, request_ms_max)
        self._chance = chance
        self._cluster: ClusterView | None = None
        self._unsettled: dict[Lane, None] = {}
        self.identity: Identity | None = None
        """Who the brokers take the producer for; None: it has to be asked for, or is not wanted."""
        self.wants_identity = options.enable_idempotence
        self.finished: list[RecordBatch] = []
        self.hints: list[LeaderHint] = []
        self.hinted: dict[int, Address] = {}
        """What answers said of who leads, and where that is (KIP-951); the owner takes it out."""
        self.fatal: OttlaError | None = None
        self.trouble: str | None = None
        """What keeps everything from being sent, in the owner's words."""
        self.acknowledged_count = 0

    # ---- who we are

    def identified(self, identity: Identity) -> None:
        """The brokers gave the producer an identity that was asked for."""
        self.identity = identity
        self.wants_identity = False

    def cannot_be_identified(self) -> None:
        """The brokers do not know idempotence: go on without."""
        self.identity = None
        self.wants_identity = False

    # ---- sending

    def ready(
        self, now_ms: float, cluster: ClusterView, blocked: Container[int] = ()
    ) -> list[Outgoing]:
        """What can be sent now; it counts as sent. `blocked`: brokers that take nothing now."""
        self.schedule.next_ms = NEVER_MS
        records = self._records
        for batch in records.fresh:
            batch.created_ms = now_ms
        records.fresh.clear()
        self._expire(now_ms)
        if cluster is not self._cluster:
            self._look_at(cluster)
        if not records.busy or self.wants_identity:
            return []
        if self._unsettled and not self._settle():
            return []
        return self.schedule.requests(now_ms, cluster, self.identity, blocked)

    # ---- how it ended

    def answered_untrusted(
        self, sent: Outgoing, response: ProduceResponse | None, now_ms: float
    ) -> None:
        """Take an answer over; None: the broker was asked for none. Raises RemoteProtocolError, and
        then nothing was taken over."""
        if response is None:
            self._returned(sent)
            for lane, batch in sent.batches:
                self._stored(lane, batch, -1, -1)
            return
        answers = sent.answers_untrusted(response)
        self._returned(sent)
        for lane, batch in sent.batches:
            answer = answers[lane.topic, lane.partition]
            self._judge(lane, batch, answer, now_ms)
            if answer.current_leader.leader_id >= 0 and answer.error_code:
                leader = answer.current_leader
                self.hints.append(
                    LeaderHint(lane.topic, lane.partition, leader.leader_id, leader.leader_epoch)
                )
        for node in response.node_endpoints:
            if (address := told_address(node.host, node.port)) is not None:
                self.hinted[node.node_id] = address

    def lost(self, sent: Outgoing, reason: str, now_ms: float) -> None:
        """No answer came, or none that made sense: whether the batches are stored is not known."""
        self._returned(sent)
        self.schedule.must_refresh = True
        for lane, batch in sent.batches:
            if not batch.is_done:
                batch.is_uncertain = True
                self._again(lane, batch, ErrorCode.NETWORK_EXCEPTION, reason, now_ms)

    def refused(self, sent: Outgoing, error: OttlaError) -> None:
        """It could not be sent at all, and never will be."""
        self._returned(sent)
        for lane, batch in sent.batches:
            if not batch.is_done:
                self._fail(lane, batch, error)

    def give_up(self, error: OttlaError) -> None:
        """Whatever has no fate yet has failed for this reason."""
        for batch, lane in list(self._records.incomplete.items()):
            self._fail(lane, batch, error)

    def take_finished(self) -> list[RecordBatch]:
        """The batches that got their fate since; their callbacks are due."""
        finished, self.finished = self.finished, []
        for batch in finished:
            batch.is_announced = True
        return finished

    def _returned(self, sent: Outgoing) -> None:
        self.schedule.in_flight[sent.broker_id] -= 1
        for lane, batch in sent.batches:
            lane.returned(batch)

    def _judge(
        self, lane: Lane, batch: RecordBatch, answer: PartitionProduceResponse, now_ms: float
    ) -> None:
        code = answer.error_code
        if code in _STORED:
            base_offset = answer.base_offset if code == ErrorCode.NONE else -1
            self._stored(lane, batch, base_offset, answer.log_append_time_ms)
            return
        if batch.is_done:
            return
        if code in _TOO_LARGE and batch.record_count > 1:
            self._records.replace(batch, lane)
        elif code in _OUT_OF_LINE and batch.base_sequence != NO_SEQUENCE:
            # One that is not the next in line only says that the one before it is not there yet.
            if lane.has_acknowledged(batch):
                self._deliver(lane, batch, -1, -1)
                return
            if code == ErrorCode.UNKNOWN_PRODUCER_ID:
                self._begin_anew(lane)
            elif batch is lane.next_in_line:
                if lane.pass_over(batch):
                    batch.reason = error_name(code)
                    return
                for one in lane.untraceable():
                    self._end(lane, one, _unknown(lane))
                self._begin_anew(lane)
            if not batch.is_done:
                self._again(lane, batch, code, answer.error_message, now_ms)
        elif code in RETRIABLE:
            if code in INVALIDATES_METADATA:
                self.schedule.must_refresh = True
            batch.is_uncertain = True
            self._again(lane, batch, code, answer.error_message, now_ms)
        elif code in _FENCED:
            self.fatal = ProducerFenced(
                f"{error_name(code)}: brokers accept nothing from this producer any more"
            )
            self._fail(lane, batch, self.fatal)
        else:
            batch.record_errors = named = {
                one.batch_index: one.batch_index_error_message
                for one in answer.record_errors
                if one.batch_index_error_message
            }
            reasons = [f"{lane.topic}-{lane.partition}"]
            reasons += [answer.error_message] if answer.error_message else []
            reasons += [f"record {index}: {text}" for index, text in list(named.items())[:1]]
            self._fail(lane, batch, ApiError(code, ": ".join(reasons)))

    def _stored(self, lane: Lane, batch: RecordBatch, base_offset: int, time_ms: int) -> None:
        lane.acknowledged(batch)
        if lane.in_doubt:
            self._unsettled[lane] = None
        for earlier in lane.vouched_by(batch):
            self._deliver(lane, earlier, -1, -1)
        if not batch.is_done:
            self._deliver(lane, batch, base_offset, time_ms)

    def _deliver(self, lane: Lane, batch: RecordBatch, base_offset: int, time_ms: int) -> None:
        lane.dropped(batch)
        self.acknowledged_count += batch.record_count
        self._records.done(batch)
        batch.succeed(base_offset, time_ms)
        self.finished.append(batch)

    def _again(
        self, lane: Lane, batch: RecordBatch, code: int, message: str | None, now_ms: float
    ) -> None:
        """It is sent again, if it may be."""
        name = error_name(code)
        if code == ErrorCode.NETWORK_EXCEPTION and message is not None:
            batch.reason = message
        else:
            batch.reason = name if message is None else f"{name}: {message}"
        if batch.attempts > self._options.retries:
            error = ApiError(code, f"{lane.topic}-{lane.partition}: {batch.reason}")
            self._fail(lane, batch, error)
            return
        wait_ms = self._backoff.wait_ms(batch.attempts, self._chance())
        batch.retry_at_ms = now_ms + wait_ms
        lane.put_back([batch])
        self._records.busy[lane] = None

    def _fail(self, lane: Lane, batch: RecordBatch, error: OttlaError) -> None:
        """It is given up. What the broker has of it is for those after it to find out: an attempt
        before this one may have been stored, or its sequence is used by nobody."""
        if batch.base_sequence != NO_SEQUENCE:
            lane.in_doubt = True
            self._unsettled[lane] = None
            for earlier in lane.unacked[: lane.passed]:
                earlier.is_untraceable = True
        self._end(lane, batch, error)
        if lane.passed and lane.next_in_line is None:
            for earlier in list(lane.unacked):
                self._end(lane, earlier, _unknown(lane))

    def _end(self, lane: Lane, batch: RecordBatch, error: OttlaError) -> None:
        if not batch.is_closed:
            self._records.close(batch)
        lane.dropped(batch)
        if not lane.queue:
            self._records.busy.pop(lane, None)
        self._records.done(batch)
        batch.fail(error)
        self.finished.append(batch)

    # ---- time, leaders, identities

    def _expire(self, now_ms: float) -> None:
        incomplete = self._records.incomplete
        while incomplete:
            batch, lane = next(iter(incomplete.items()))
            due_ms = batch.created_ms + self._options.delivery_timeout_ms
            if due_ms > now_ms:
                self.schedule.next_ms = min(self.schedule.next_ms, due_ms)
                return
            count = batch.record_count or len(batch.values)
            records = "1 record" if count == 1 else f"{count:,} records"
            reason = batch.reason or (
                "there was no answer" if batch.attempts else self.trouble or "it could not be sent"
            )
            self._fail(
                lane,
                batch,
                DeliveryTimedOut(
                    f"{records} for {lane.topic}-{lane.partition} not delivered within "
                    f"{self._options.delivery_timeout_ms:,} ms: {reason}"
                ),
            )

    def _look_at(self, cluster: ClusterView) -> None:
        self._cluster = cluster
        for name in self._records.topics:
            view = cluster.topic(name)
            if view is not None and view is not self._records.topic_view(name):
                self._records.learn(view)

    def _begin_anew(self, lane: Lane) -> None:
        lane.begin_anew()
        self._records.busy[lane] = None
        self._unsettled[lane] = None

    def _settle(self) -> bool:
        """Lanes whose sequences are in doubt get a newer epoch once nothing of theirs is under way.

        False: there is no newer one, and an identity is wanted.
        """
        for lane in list(self._unsettled):
            identity = self.identity or NOBODY
            if lane.settle(identity):
                # Brokers accept the next epoch from whoever has the id; there is nobody else.
                if identity.producer_epoch >= _EPOCH_MAX:
                    self.wants_identity = True
                    return False
                self.identity = Identity(identity.producer_id, identity.producer_epoch + 1)
                lane.settle(self.identity)
            if not (lane.in_doubt or lane.wants_beginning):
                del self._unsettled[lane]
        return True


def _unknown(lane: Lane) -> ApiError:
    return ApiError(
        ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        f"{lane.topic}-{lane.partition}: nobody can tell any more whether it is stored",
    )
