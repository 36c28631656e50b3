"""Produce, API key 0: append a producer's batches and acknowledge them.

Each partition succeeds or fails on its own. `acks=0` is answered by nothing, and an error closes the
connection, because nothing else could tell the producer. `acks=1` and `acks=all` are answered once
the high watermark has passed the batch: at once with one replica in the page cache, after the flush
where the flush policy asks for one. What the disk could not take is never acknowledged.

Source: KIP-98 (idempotence), KIP-467 (record errors), KIP-516 (topic ids), KIP-951 (leader hints).
Elsewhere: what may be appended, see `record/validate.py`, and `record/up_convert.py` for message
sets; sequences, see `core/log`; the flush
policy and the high watermark, see `core/replica/leader.py`.
"""

from collections.abc import Sequence
from typing import Final, final

from ottla import probe
from ottla.core.effect import Close, Effect, Reply
from ottla.core.log.log import Appended
from ottla.core.log.producer_state import Refused
from ottla.core.replica.isr import ACKS_ALL
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import HostedTopic, ReplicaTable
from ottla.core.waiting import WaitList
from ottla.errors import ErrorCode
from ottla.record.batch import MAGIC_AT
from ottla.record.up_convert import message_set_untrusted
from ottla.record.validate import (
    ONE_BATCH_SINCE,
    Rejected,
    Verdict,
    retried_untrusted,
    validate_untrusted,
)
from ottla.types import TopicPartition
from ottla.wire.message.produce import (
    BatchIndexAndErrorMessage,
    LeaderIdAndEpoch,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.wire.server import Call

API_KEY: Final = 0
VERSIONS: Final = (0, 13)
GAPS: Final[tuple[str, ...]] = (
    "transactional batches are refused: INVALID_TXN_STATE, as no transaction can be begun",
    "internal topics are refused to every client, also to one with client id __admin_client",
)

TOPIC_IDS_SINCE: Final = 13

_ACKS: Final = (-1, 0, 1)
_ATTRIBUTES_AT: Final = 22  # the low byte
_TRANSACTIONAL: Final = 0x10


@final
class HandleProduce:
    __slots__ = ("replicas", "waiting")

    def __init__(self, replicas: ReplicaTable, waiting: WaitList) -> None:
        self.replicas = replicas
        self.waiting = waiting

    def __call__(self, now_ms: int, call: Call, request: ProduceRequest) -> list[Effect]:
        acks = request.acks
        refusal = None
        if acks not in _ACKS:
            refusal = ErrorCode.INVALID_REQUIRED_ACKS
        elif request.transactional_id is None and _any_transactional(request.topic_data):
            refusal = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        effects: list[Effect] = []
        unsafe: list[_Unsafe] = []
        topics = []
        by_id = call.version >= TOPIC_IDS_SINCE
        for asked in request.topic_data:
            if by_id:
                topic = self.replicas.topic_by_id(asked.topic_id)
            else:
                topic = self.replicas.topic(asked.name)
            rows = []
            for part in asked.partition_data:
                leader = _leader(topic, part.index, refusal, by_id=by_id)
                if not isinstance(leader, Leader):
                    row = _failed(topic, part.index, leader)
                else:
                    row = self._append(now_ms, call, acks, leader, part, unsafe, effects)
                rows.append(row)
            topics.append(TopicProduceResponse(asked.name, asked.topic_id, rows))
        if acks == 0:
            effects.append(_unanswered(call, topics))
            return effects
        response = ProduceResponse(topics)
        if unsafe:
            # A flush is under way that the disk may finish before this step ends; the outcome
            # comes as an event all the same.
            parked = AwaitingAcks(call, response, unsafe)
            targets = [one.leader.partition for one in unsafe]
            self.waiting.park(parked, targets, now_ms + max(0, request.timeout_ms))
        else:
            effects.append(Reply(call, response))
        return effects

    def _append(
        self,
        now_ms: int,
        call: Call,
        acks: int,
        leader: Leader,
        part: PartitionProduceData,
        unsafe: "list[_Unsafe]",
        effects: list[Effect],
    ) -> PartitionProduceResponse:
        """Append one partition's batch; the row of the answer, which may still have to wait."""
        if leader.internal:
            why = f"{leader.partition.topic} is internal: the broker alone writes it"
            return _refused(leader, ErrorCode.INVALID_TOPIC_EXCEPTION, why)
        if acks == ACKS_ALL and not leader.has_enough_in_sync():
            why = (
                f"{leader.partition} has {len(leader.isr.members)} replicas in sync; "
                f"min.insync.replicas is {leader.policy.settings.min_insync_replicas}"
            )
            return _refused(leader, ErrorCode.NOT_ENOUGH_REPLICAS, why)
        records = part.records
        assert records is None or isinstance(records, memoryview)
        policy = leader.policy
        batch: Verdict
        if call.version < ONE_BATCH_SINCE and _is_message_set(records):
            assert records is not None
            batch = message_set_untrusted(
                records,
                now_ms=now_ms,
                settings=policy.checks,
                codec=policy.codec,
                level=policy.codec_level,
            )
        else:
            batch = validate_untrusted(
                records, api_version=call.version, now_ms=now_ms, settings=policy.checks
            )
        appended: Appended | Refused | None
        if isinstance(batch, Rejected):
            appended = _stored_before(leader, records, call.version)
            if appended is None:
                return _refused(leader, batch.error, batch.message, batch.record_errors)
        elif batch.is_transactional:
            why = f"{leader.partition} was not added to a transaction: there are none here yet"
            return _refused(leader, ErrorCode.INVALID_TXN_STATE, why)
        else:
            appended = leader.append(batch, now_ms)
        if isinstance(appended, Refused):
            return _refused(leader, appended.error, appended.message)
        effects += self.replicas.appended(leader, now_ms)
        row = PartitionProduceResponse(
            part.index,
            0,
            appended.base_offset,
            appended.log_append_time_ms,
            leader.log.start_offset,
        )
        if appended.last_offset >= leader.high_watermark:
            unsafe.append(_Unsafe(leader, appended.last_offset + 1, row))
        return row


def _stored_before(leader: Leader, records: memoryview | None, version: int) -> Appended | None:
    """Where a batch stands that was refused now, and stored before the limits were altered: its
    producer, told that it is too large, would divide it and send it a second time."""
    again = retried_untrusted(records, api_version=version)
    known = None if again is None else leader.log.known(again)
    return known if isinstance(known, Appended) else None


@final
class _Unsafe:
    """An append that may not be acknowledged yet."""

    __slots__ = ("end_offset", "leader", "row")

    def __init__(self, leader: Leader, end_offset: int, row: PartitionProduceResponse) -> None:
        self.leader = leader
        self.end_offset = end_offset
        self.row = row


@final
class AwaitingAcks:
    """A Produce whose batches are in the log, but not yet as safe as its answer would claim."""

    __slots__ = ("call", "response", "unsafe")

    def __init__(self, call: Call, response: ProduceResponse, unsafe: list[_Unsafe]) -> None:
        self.call = call
        self.response = response
        self.unsafe = unsafe

    def poll(self, now_ms: int, moved: TopicPartition) -> list[Effect] | None:
        still = []
        for one in self.unsafe:
            if one.leader.high_watermark >= one.end_offset:
                continue
            error = one.leader.gave_up()
            if error is None:
                still.append(one)
            else:
                _fail(one.row, error)
        self.unsafe = still
        return None if still else [Reply(self.call, self.response)]

    def expire(self, now_ms: int) -> list[Effect]:
        for one in self.unsafe:
            if not (probe.MUTANTS and probe.mutant("D9-timeout-acknowledged")):
                one.row.error_code = ErrorCode.REQUEST_TIMED_OUT
        return [Reply(self.call, self.response)]


def _leader(
    topic: HostedTopic | None, partition: int, refusal: ErrorCode | None, *, by_id: bool
) -> Leader | ErrorCode:
    if topic is None:
        return ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    leader = topic.leader(partition)
    if refusal is not None and leader is not ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return refusal
    return leader


def _any_transactional(topics: Sequence[TopicProduceData]) -> bool:
    """Whether any batch claims to be part of a transaction."""
    for topic in topics:
        for part in topic.partition_data:
            records = part.records
            if not isinstance(records, memoryview) or len(records) <= _ATTRIBUTES_AT:
                continue
            if records[_ATTRIBUTES_AT] & _TRANSACTIONAL and records[MAGIC_AT] == 2:
                return True
    return False


def _is_message_set(records: memoryview | None) -> bool:
    """Whether what is sent begins like magic 0 or 1. Versions 0-2 may carry any magic."""
    return records is not None and len(records) > MAGIC_AT and records[MAGIC_AT] < 2


def _failed(
    topic: HostedTopic | None, partition: int, error: ErrorCode
) -> PartitionProduceResponse:
    row = PartitionProduceResponse(partition, error, -1)
    if error is ErrorCode.NOT_LEADER_OR_FOLLOWER and topic is not None:
        row.current_leader = LeaderIdAndEpoch(*topic.known_leader(partition))
    return row


def _refused(
    leader: Leader,
    error: ErrorCode,
    message: str,
    record_errors: tuple[tuple[int, str], ...] = (),
) -> PartitionProduceResponse:
    return PartitionProduceResponse(
        index=leader.partition.partition,
        error_code=error,
        base_offset=-1,
        log_start_offset=leader.log.start_offset,
        record_errors=[BatchIndexAndErrorMessage(at, why) for at, why in record_errors],
        error_message=message,
    )


def _fail(row: PartitionProduceResponse, error: ErrorCode) -> None:
    row.error_code = error
    row.base_offset = -1
    row.log_append_time_ms = -1
    row.log_start_offset = -1


def _unanswered(call: Call, topics: Sequence[TopicProduceResponse]) -> Effect:
    """acks=0: silence means success, so an error ends the connection."""
    for topic in topics:
        for row in topic.partition_responses:
            if row.error_code:
                error = ErrorCode(row.error_code).name
                return Close(
                    call.origin.connection_id,
                    f"Produce with acks=0 to {topic.name or topic.topic_id.hex()}-{row.index}: "
                    f"{error}; without an answer, closing is the only way to tell",
                )
    return Reply(call, None)
