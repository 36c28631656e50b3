"""Fetch, API key 1: records from many partitions, or a wait until there are some.

An answer never carries the records themselves, only slices of files that the shell moves. It holds
whole batches up to the high watermark, at most `max_bytes` of them, except that the first batch of
the first partition that has one is sent whatever its size (KIP-74): no batch can block a consumer.
When there is less than `min_bytes` the call is parked, counts what arrives in the partitions that
moved, and reads everything once more when it answers. Errors are told at once.

Replicas of other brokers are refused: there are none, and a client that calls itself one would move
a high watermark (CVE-2018-1288). Transactions can't be begun here, but a directory that Apache Kafka
wrote may hold some: readers of committed records are told the aborted ones.

Source: KIP-74, KIP-227 (sessions), KIP-320 and KIP-595 (epochs), KIP-516 (ids), KIP-951 (hints).
Elsewhere: sessions, see `core/replica/fetch_session.py`; which bytes, see `core/log/log.py`.
"""

from collections.abc import Collection
from typing import Final, TypeAlias, final

from ottla import probe
from ottla.core.effect import Effect, Reply
from ottla.core.port import FileSlice
from ottla.core.quota.quotas import Quotas
from ottla.core.replica.fetch_session import Asked, Interest, Sessions, rotate
from ottla.core.replica.heads import Heads
from ottla.core.replica.leader import CONSUMER, Leader
from ottla.core.replica.old_reader import MAGIC_2_SINCE, OldReader
from ottla.core.replica.table import ReplicaTable
from ottla.core.waiting import WaitList
from ottla.errors import ErrorCode
from ottla.types import NO_EPOCH, Payload, TopicPartition
from ottla.wire.message.fetch import (
    AbortedTransaction,
    EpochEndOffset,
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    PartitionData,
)
from ottla.wire.server import Call

API_KEY: Final = 1
VERSIONS: Final = (0, 18)
GAPS: Final[tuple[str, ...]] = (
    "an answer to versions 0-3 holds 2 MiB at most, its first batch aside: it is converted at once",
    "fetches of replicas are refused: TOPIC_AUTHORIZATION_FAILED",
)

REPLICA_STATE_SINCE: Final = 15
ZSTD_SINCE: Final = 10
LEADER_HINTS_SINCE: Final = 16
STORAGE_ERROR_SINCE: Final = 6

_READ_COMMITTED: Final = 1

Row: TypeAlias = tuple[Interest, PartitionData]


@final
class HandleFetch:
    """`bytes_max`: this broker's fetch.max.bytes."""

    __slots__ = ("bytes_max", "heads", "quotas", "replicas", "sessions", "waiting")

    def __init__(
        self,
        replicas: ReplicaTable,
        sessions: Sessions,
        waiting: WaitList,
        bytes_max: int,
        quotas: Quotas,
        heads: Heads,
    ) -> None:
        self.replicas = replicas
        self.sessions = sessions
        self.waiting = waiting
        self.bytes_max = bytes_max
        self.quotas = quotas
        self.heads = heads

    def __call__(self, now_ms: int, call: Call, request: FetchRequest) -> list[Effect]:
        replica_id = request.replica_id
        if call.version >= REPLICA_STATE_SINCE:
            replica_id = request.replica_state.replica_id
        if replica_id >= 0:
            return [Reply(call, _replica_refused(request))]
        asked = self.sessions.resolve(now_ms, call.version, request)
        if isinstance(asked, ErrorCode):
            return [Reply(call, FetchResponse(error_code=asked))]
        fetch = AwaitingBytes(
            self, call, asked, request, replica_id, self._bytes_max(call, request)
        )
        rows, size_bytes, urgent = fetch.read(now_ms)
        if (
            urgent
            or size_bytes >= fetch.min_bytes
            or request.max_wait_ms <= 0
            or not asked.interests()
        ):
            return fetch.answer(now_ms, rows)
        if not fetch.may_grow(rows, size_bytes):
            return fetch.answer(now_ms, rows)
        self.waiting.park(fetch, fetch.awaited, now_ms + request.max_wait_ms)
        return []

    def _bytes_max(self, call: Call, request: FetchRequest) -> int:
        bytes_max = max(0, min(request.max_bytes, self.bytes_max))
        if self.quotas.is_set:
            allowed = self.quotas.fetch_bytes_max(call)
            if allowed is not None:
                return min(bytes_max, allowed)
        return bytes_max


@final
class AwaitingBytes:
    """One Fetch: reads its partitions, and waits until there is enough to read."""

    __slots__ = (
        "_asked",
        "_available_bytes",
        "_bytes_max",
        "_committed",
        "_counted",
        "_handler",
        "_replica_id",
        "_special",
        "awaited",
        "call",
        "min_bytes",
    )

    def __init__(
        self,
        handler: HandleFetch,
        call: Call,
        asked: Asked,
        request: FetchRequest,
        replica_id: int,
        bytes_max: int,
    ) -> None:
        self.call = call
        self._handler = handler
        self._asked = asked
        self._replica_id = replica_id
        self._bytes_max = bytes_max
        self._committed = request.isolation_level == _READ_COMMITTED
        self._special = self._committed or replica_id != CONSUMER
        self.min_bytes = min(request.min_bytes, self._bytes_max)
        self.awaited: dict[TopicPartition, Interest] = {}
        self._available_bytes = 0
        # What there is to read, and base offset and size of the active segment when it was counted.
        self._counted: dict[TopicPartition, tuple[int, int, int]] = {}

    # --- waiting ----------------------------------------------------------------------------------

    def may_grow(self, rows: list[Row], size_bytes: int) -> bool:
        """Remember what there is, so that waiting only counts what is added.

        False: an answer holds one segment's bytes per partition, and one is at its end.
        """
        readable = {interest: len(data.records) for interest, data in rows if data.records}
        for interest in self._asked.interests():
            leader = interest.leader
            if leader is None:
                continue
            self.awaited[leader.partition] = interest
            if self.min_bytes > 1:
                active = leader.log.segments[-1]
                read_bytes = readable.get(interest, 0)
                if read_bytes and interest.fetch_offset < active.base_offset:
                    return False
                end = leader.readable_end(self._replica_id, committed=self._committed)
                counted = read_bytes, active.base_offset, _size_before(leader, end)
                self._counted[leader.partition] = counted
        self._available_bytes = size_bytes
        return True

    def poll(self, now_ms: int, moved: TopicPartition) -> list[Effect] | None:
        interest = self.awaited[moved]
        leader = interest.leader
        assert leader is not None
        if leader.error is not None or leader.check_epoch(interest.current_leader_epoch):
            return self.expire(now_ms)
        end = leader.readable_end(self._replica_id, committed=self._committed)
        offset = interest.fetch_offset
        if not leader.log.start_offset <= offset <= leader.log.end_offset:
            return self.expire(now_ms)
        if offset >= end:
            return None
        if self.min_bytes > 1:
            # Hot: thousands may wait for a partition, and every append asks them all.
            active = leader.log.segments[-1]
            available_bytes, base_offset, counted_bytes = self._counted[moved]
            if active.base_offset == base_offset:
                size_bytes = _size_before(leader, end)
                room_bytes = max(0, interest.max_bytes - available_bytes)
                added_bytes = min(size_bytes - counted_bytes, room_bytes)
                self._counted[moved] = available_bytes + added_bytes, base_offset, size_bytes
                self._available_bytes += added_bytes
                if self._available_bytes < self.min_bytes:
                    return None
        return self.expire(now_ms)

    def expire(self, now_ms: int) -> list[Effect]:
        rows, _, _ = self.read(now_ms)
        return self.answer(now_ms, rows)

    # --- reading ----------------------------------------------------------------------------------

    def read(self, now_ms: int) -> tuple[list[Row], int, bool]:
        """What is to be told, how many bytes of records that is, and whether it can't wait.

        A client before Kafka 0.11 has no way to ask for another order each time; its answers are
        bounded more tightly, so its partitions take turns at being read first.
        """
        interests = self._asked.interests()
        if self.call.version >= MAGIC_2_SINCE:
            return self._read(now_ms, interests, None)
        turn = self.call.correlation_id % max(1, len(interests))
        ordered = list(interests)
        rows, size_bytes, urgent = self._read(
            now_ms, [*ordered[turn:], *ordered[:turn]], OldReader(self.call.version)
        )
        return [*rows[len(rows) - turn :], *rows[: len(rows) - turn]], size_bytes, urgent

    def _read(
        self, now_ms: int, interests: Collection[Interest], old: OldReader | None
    ) -> tuple[list[Row], int, bool]:
        """As `read`, in this order. In a session nothing is told of a partition that is as the client
        knows it; most are, so that is decided first, on a few numbers. Whole on purpose: a call per
        partition is what it would cost to divide it."""
        rows: list[Row] = []
        left_bytes = self._bytes_max
        first = True
        urgent = False
        incremental = self._asked.incremental
        past_watermark = probe.MUTANTS and probe.mutant("C6-read-past-watermark")
        for interest in interests:
            leader = interest.leader
            if leader is None or leader.error is not None:
                led = self._find(interest)
                if not isinstance(led, Leader):
                    rows.append((interest, self._failed(interest, led)))
                    urgent = True
                    continue
                interest.leader = leader = led
            offset = interest.fetch_offset
            end = leader.high_watermark
            known = (
                incremental
                and interest.told_high_watermark == end
                and interest.told_log_start == leader.log.start_offset
            )
            if past_watermark:
                end = leader.log.end_offset
            if self._special:
                end = leader.readable_end(self._replica_id, committed=self._committed)
            if (
                known
                and offset == end
                and interest.current_leader_epoch in (NO_EPOCH, leader.leader_epoch)
                and interest.last_fetched_epoch < 0
            ):
                continue
            refusal = self._refusal(leader, interest)
            if refusal is not None:
                rows.append((interest, refusal))
                urgent = True
                continue
            records = None
            if offset < end and (first or left_bytes > 0):
                size_bytes_max = min(interest.max_bytes, left_bytes)
                found: Payload | ErrorCode | None
                if old is None:
                    found = leader.slice(
                        offset, end, size_bytes_max, at_least_one=first, now_ms=now_ms
                    )
                else:
                    found = old.read(leader, offset, end, size_bytes_max, at_least_one=first)
                if isinstance(found, ErrorCode):
                    rows.append((interest, self._failed(interest, found)))
                    urgent = True
                    continue
                records = found
                if isinstance(found, FileSlice) and found.head:
                    self._handler.heads.keep(found)
            if known and not records:
                continue
            row = self._row(leader, interest, end, records)
            rows.append((interest, row))
            if row.error_code:
                urgent = True
            elif records:
                left_bytes -= len(records)
                first = False
        return rows, self._bytes_max - left_bytes, urgent

    def _row(
        self, leader: Leader, interest: Interest, end: int, records: Payload | None
    ) -> PartitionData:
        aborted: list[AbortedTransaction] | None = None
        if self._committed:
            aborted = []
            if records is not None:
                found = self._handler.replicas.aborted(leader, interest.fetch_offset, end)
                if isinstance(found, ErrorCode):
                    return self._failed(interest, found)
                aborted = [AbortedTransaction(one.producer_id, one.first_offset) for one in found]
        return PartitionData(
            partition_index=interest.partition,
            high_watermark=leader.high_watermark,
            last_stable_offset=leader.stable_end,
            log_start_offset=leader.log.start_offset,
            aborted_transactions=aborted,
            records=b"" if records is None else records,
        )

    def _refusal(self, leader: Leader, interest: Interest) -> PartitionData | None:
        """Why nothing is read for a client that may ask, or where its log parts from this one."""
        error = leader.check_epoch(interest.current_leader_epoch)
        if error is not None:
            return self._failed(interest, error)
        if self.call.version < ZSTD_SINCE and leader.policy.settings.compression_type == "zstd":
            return self._failed(interest, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        if self.call.version < MAGIC_2_SINCE and not leader.policy.settings.down_conversion:
            return self._failed(interest, ErrorCode.UNSUPPORTED_VERSION)
        if not leader.log.start_offset <= interest.fetch_offset <= leader.log.end_offset:
            return self._failed(interest, ErrorCode.OFFSET_OUT_OF_RANGE)
        if interest.last_fetched_epoch < 0:
            return None
        epoch, end_offset = leader.epoch_end(interest.last_fetched_epoch)
        if epoch < 0 or end_offset < 0:
            return self._failed(interest, ErrorCode.OFFSET_OUT_OF_RANGE)
        if epoch >= interest.last_fetched_epoch and end_offset >= interest.fetch_offset:
            return None
        row = self._row(leader, interest, interest.fetch_offset, None)
        row.diverging_epoch = EpochEndOffset(epoch, end_offset)
        return row

    def _find(self, interest: Interest) -> Leader | ErrorCode:
        replicas = self._handler.replicas
        if not self._asked.uses_ids:
            return replicas.leader(interest.topic, interest.partition)
        topic = replicas.topic_by_id(interest.topic_id)
        if probe.MUTANTS and probe.mutant("M60-name-for-id"):
            topic = topic or replicas.topic(interest.topic)
        if topic is not None:
            interest.topic = topic.name
            return topic.leader(interest.partition)
        if not interest.topic:
            return ErrorCode.UNKNOWN_TOPIC_ID
        if replicas.topic(interest.topic) is not None:
            return ErrorCode.INCONSISTENT_TOPIC_ID  # made anew since the session named it
        return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION

    def _failed(self, interest: Interest, error: ErrorCode) -> PartitionData:
        version = self.call.version
        hint = None
        if version >= LEADER_HINTS_SINCE and error in (
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            ErrorCode.FENCED_LEADER_EPOCH,
        ):
            topic = self._handler.replicas.topic(interest.topic)
            if topic is not None:
                hint = LeaderIdAndEpoch(*topic.known_leader(interest.partition))
        if version < STORAGE_ERROR_SINCE and error is ErrorCode.KAFKA_STORAGE_ERROR:
            error = ErrorCode.NOT_LEADER_OR_FOLLOWER  # the one that makes such a client look again
        data = _error_row(interest.partition, error)
        if hint is not None:
            data.current_leader = hint
        return data

    # --- answering --------------------------------------------------------------------------------

    def answer(self, now_ms: int, rows: list[Row]) -> list[Effect]:
        asked = self._asked
        session = asked.session
        quotas = self._handler.quotas
        if quotas.is_set:
            size_bytes = sum(len(data.records) for _, data in rows if data.records)
            throttle_ms = quotas.fetch(now_ms, self.call, size_bytes)
            if throttle_ms:
                return [Reply(self.call, self._throttled(throttle_ms))]
        session_id = self._handler.sessions.answer(now_ms, asked)
        if session_id is None:
            assert session is not None
            error = ErrorCode.INVALID_FETCH_SESSION_EPOCH
            return [Reply(self.call, FetchResponse(error_code=error, session_id=session.id))]
        topics: list[FetchableTopicResponse] = []
        partitions: list[PartitionData] = []
        served = []
        last: tuple[str, bytes] | None = None
        for interest, data in rows:
            interest.tell(data.high_watermark, data.log_start_offset, failed=data.error_code != 0)
            if data.records:
                served.append(interest)
            topic = (interest.topic, interest.topic_id)
            if topic != last:
                last = topic
                partitions = []
                topics.append(FetchableTopicResponse(*topic, partitions))
            partitions.append(data)
        if session is not None and served:
            rotate(session, served)
        return [Reply(self.call, FetchResponse(session_id=session_id, responses=topics))]

    def _throttled(self, throttle_ms: int) -> FetchResponse:
        """Nothing, and when to come again; the session stays as it was, and none begins."""
        asked = self._asked
        session = asked.session
        if session is None:
            return FetchResponse(throttle_time_ms=throttle_ms)
        error = ErrorCode.NONE
        if session.epoch != asked.epoch:
            error = ErrorCode.INVALID_FETCH_SESSION_EPOCH
        return FetchResponse(throttle_ms, error, session.id)


def _size_before(leader: Leader, end: int) -> int:
    """How much of the active segment is before an offset that reading ends at."""
    active = leader.log.segments[-1]
    if end < leader.log.end_offset:
        try:
            found = active.find(end)
        except OSError:  # told to who reads there
            found = None
        if found is not None:
            return found.position
    return active.size_bytes


def _error_row(partition: int, error: ErrorCode) -> PartitionData:
    return PartitionData(
        partition_index=partition,
        error_code=error,
        high_watermark=-1,
        aborted_transactions=None,
        records=b"",
    )


def _replica_refused(request: FetchRequest) -> FetchResponse:
    return FetchResponse(
        responses=[
            FetchableTopicResponse(
                topic.topic,
                topic.topic_id,
                [
                    _error_row(asked.partition, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
                    for asked in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
