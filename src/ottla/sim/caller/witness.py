"""What passes between a product's client and a node, as operations of a history.

The client is not asked: a request is what its bytes say, and so is its answer. That of a connection
which ended before is uncertain. What a Fetch of a session means depends on those before it, and ids on
the Metadata that the client has seen, so one witness hears all connections of a process.

Elsewhere: what the application was handed, `own_consumer.py`.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar, final

from ottla.errors import ErrorCode
from ottla.sim.caller import embedded
from ottla.sim.caller.client import expect, metered_answer
from ottla.sim.caller.positions import end_op, read_positions
from ottla.sim.clock import Events
from ottla.sim.group_operation import Beat, Committing, Joining, Leaving, Positions, Syncing
from ottla.sim.history import Entry, History, LookUp, Outcome, Read
from ottla.sim.operation import Op
from ottla.sim.quota_operation import Metered
from ottla.sim.reading import Reader
from ottla.types import ZERO_UUID, TopicPartition, Uuid
from ottla.wire.api import API_VERSIONS, Api, Message
from ottla.wire.header import decode_request_header_untrusted, response_body_at_untrusted
from ottla.wire.message.fetch import FetchRequest, FetchResponse, PartitionData
from ottla.wire.message.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.message.join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.message.leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.message.list_offsets import ListOffsetsRequest, ListOffsetsResponse
from ottla.wire.message.metadata import MetadataResponse
from ottla.wire.message.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.message.offset_fetch import OffsetFetchRequest, OffsetFetchResponse
from ottla.wire.message.sync_group import SyncGroupRequest, SyncGroupResponse

A = TypeVar("A", bound=Message)
Told = Callable[[Message | None], None]
"""Takes the answer, or that there is none."""

_LENGTH_BYTES: Final = 4
_BY_ID_SINCE: Final = 13
_BEATS: Final = 2
_OUT: Final = frozenset(
    {
        ErrorCode.UNKNOWN_MEMBER_ID,
        ErrorCode.ILLEGAL_GENERATION,
        ErrorCode.FENCED_INSTANCE_ID,
        ErrorCode.REBALANCE_IN_PROGRESS,
    }
)
_DAMAGED: Final = frozenset({ErrorCode.CORRUPT_MESSAGE, ErrorCode.KAFKA_STORAGE_ERROR})
_Key = tuple[Uuid, str, int]
"""A partition as a Fetch names it: by the topic's id, or by its name."""


@final
class Witness:
    """Of one process of one client."""

    def __init__(self, number: int, events: Events, history: History, reader: Reader) -> None:
        self._number = number
        self._events = events
        self._history = history
        self._reader = reader
        self._names: dict[Uuid, str] = {}
        self._session: dict[_Key, int] = {}
        self._last_reads: dict[TopicPartition, Read] = {}
        self._reads_before: dict[TopicPartition, Read] = {}
        self._unknown: set[TopicPartition] = set()  # nobody can say where to begin there
        self._beats = 0
        self.joins = 0
        self.member_id = ""
        self.is_in = False

    @property
    def is_settled(self) -> bool:
        """It is a member, and was told so again and again."""
        return self.is_in and self._beats > _BEATS

    def is_read(self, place: TopicPartition) -> bool:
        """Was it told that there is nothing more, or that what there is can't be read?"""
        read = self._last_reads.get(place)
        if read is None or read.outcome is Outcome.OPEN:
            read = self._reads_before.get(place)
        if read is None or read.outcome is Outcome.INFO:
            return place in self._unknown
        return read.error in _DAMAGED or (read.outcome is Outcome.OK and not read.batches)

    def doubt(self) -> None:
        """What was heard until now may not hold any more."""
        self._beats = 0
        self._last_reads.clear()
        self._reads_before.clear()
        self._unknown.clear()

    def hears(self, connection: int) -> "Overheard":
        return Overheard(self._number, connection, self._events, self._history, self._asked)

    def _asked(self, request: Message, version: int) -> Told:
        """Note what is asked."""
        match request:
            case FetchRequest():
                return self._fetch(request, version)
            case ListOffsetsRequest():
                return self._look_ups(request)
            case JoinGroupRequest():
                return self._join(request)
            case SyncGroupRequest():
                return self._sync(request)
            case HeartbeatRequest():
                beat = Beat(
                    self._number,
                    self._events.now_us,
                    group=request.group_id,
                    member_id=request.member_id,
                    instance=request.group_instance_id or "",
                    generation=request.generation_id,
                )
                return self._one(beat, HeartbeatResponse, self._beaten)
            case LeaveGroupRequest():
                return self._leave(request)
            case OffsetCommitRequest():
                return self._commit(request)
            case OffsetFetchRequest():
                return self._positions(request, version)
            case _:
                return self._others

    def _others(self, message: Message | None) -> None:
        if isinstance(message, MetadataResponse):
            self._names.update({one.topic_id: one.name for one in message.topics if one.name})

    def _one(self, op: Entry, kind: type[A], read: Callable[[A], int]) -> Told:
        """One operation, and which error code of the answer is its own."""
        self._history.note(op)

        def told(message: Message | None) -> None:
            end_op(op, self._events.now_us, expect(message, kind), read)

        return told

    # Records

    def _fetch(self, request: FetchRequest, version: int) -> Told:
        asked = {
            (one.topic_id, one.topic or self._names.get(one.topic_id, ""), part.partition): (
                part.fetch_offset
            )
            for one in request.topics
            for part in one.partitions
        }
        epoch = request.session_epoch
        if epoch <= 0:
            self._session = {}
        for gone in request.forgotten_topics_data:
            name = gone.topic or self._names.get(gone.topic_id, "")
            for partition in gone.partitions:
                self._session.pop((gone.topic_id, name, partition), None)
        self._session.update(asked)
        reads: dict[_Key, Read] = {}
        for (topic_id, name, partition), offset in self._session.items():
            read = Read(
                self._number,
                self._events.now_us,
                topic=name,
                topic_id=topic_id if version >= _BY_ID_SINCE else ZERO_UUID,
                partition=partition,
                fetch_offset=offset,
                final=False,
            )
            reads[topic_id, name, partition] = read
            place = TopicPartition(name, partition)
            if place in self._last_reads:
                self._reads_before[place] = self._last_reads[place]
            self._last_reads[place] = read
            self._history.note(read)
        return lambda message: self._fetched(expect(message, FetchResponse), reads, epoch)

    def _fetched(self, answer: FetchResponse | None, reads: dict[_Key, Read], epoch: int) -> None:
        now_us = self._events.now_us
        if answer is None or answer.error_code != ErrorCode.NONE:
            error = 0 if answer is None else answer.error_code
            for read in reads.values():
                read.end(now_us, Outcome.INFO if answer is None else Outcome.FAIL, error)
            return
        for topic in answer.responses:
            name = topic.topic or self._names.get(topic.topic_id, "")
            for part in topic.partitions:
                served = reads.get((topic.topic_id, name, part.partition_index))
                if served is None:
                    self._history.broken.append(
                        f"client {self._number}: {name}-{part.partition_index} is in the answer to "
                        "a fetch that did not ask for it"
                    )
                else:
                    self._take(served, part, answer.session_id, epoch)
        for read in reads.values():
            if read.ended_us >= 0:
                continue
            if answer.throttle_time_ms:
                read.end(now_us, Outcome.INFO)  # what is throttled says nothing of partitions
            else:
                read.session_id, read.session_epoch = answer.session_id, epoch
                read.left_out = True
                read.end(now_us, Outcome.OK)

    def _take(self, read: Read, part: PartitionData, session_id: int, epoch: int) -> None:
        read.session_id, read.session_epoch = session_id, epoch
        read.high_watermark = part.high_watermark
        read.last_stable_offset = part.last_stable_offset
        read.log_start_offset = part.log_start_offset
        if part.error_code != ErrorCode.NONE:
            read.end(self._events.now_us, Outcome.FAIL, part.error_code)
            return
        records = part.records or b""
        assert isinstance(records, bytes | bytearray | memoryview)
        read.batches, read.truncated = self._reader.batches(bytes(records))
        read.end(self._events.now_us, Outcome.OK)

    def _look_ups(self, request: ListOffsetsRequest) -> Told:
        ops = {
            (topic.name, part.partition_index): LookUp(
                self._number,
                self._events.now_us,
                topic=topic.name,
                topic_id=ZERO_UUID,
                partition=part.partition_index,
                asked_ms=part.timestamp,
            )
            for topic in request.topics
            for part in topic.partitions
        }
        for op in ops.values():
            self._history.note(op)

        def told(message: Message | None) -> None:
            answer = expect(message, ListOffsetsResponse)
            for topic in [] if answer is None else answer.topics:
                for part in topic.partitions:
                    op = ops[topic.name, part.partition_index]
                    if part.error_code in _DAMAGED:
                        self._unknown.add(TopicPartition(topic.name, part.partition_index))
                    op.offset, op.found_ms = part.offset, part.timestamp
                    outcome = Outcome.OK if part.error_code == ErrorCode.NONE else Outcome.FAIL
                    op.end(self._events.now_us, outcome, part.error_code)
            self._end_rest(list(ops.values()))

        return told

    # Groups

    def _join(self, request: JoinGroupRequest) -> Told:
        op = Joining(
            self._number,
            self._events.now_us,
            group=request.group_id,
            member_id=request.member_id,
            instance=request.group_instance_id or "",
            session_ms=request.session_timeout_ms,
            rebalance_ms=request.rebalance_timeout_ms,
            wanted=embedded.subscribed(bytes(request.protocols[0].metadata)),
        )

        self.is_in, self._beats = False, 0
        self.joins += 1

        def read(answer: JoinGroupResponse) -> int:
            op.generation, op.given_id = answer.generation_id, answer.member_id
            op.leader = answer.leader
            op.shown = tuple((one.member_id, one.group_instance_id or "") for one in answer.members)
            return answer.error_code

        return self._one(op, JoinGroupResponse, read)

    def _sync(self, request: SyncGroupRequest) -> Told:
        op = Syncing(
            self._number,
            self._events.now_us,
            group=request.group_id,
            member_id=request.member_id,
            instance=request.group_instance_id or "",
            generation=request.generation_id,
            naming="",
            parts={
                one.member_id: embedded.assigned(bytes(one.assignment))[1]
                for one in request.assignments
            },
        )

        def read(answer: SyncGroupResponse) -> int:
            op.named, op.got = embedded.assigned(bytes(answer.assignment))
            self.is_in = answer.error_code == ErrorCode.NONE
            self.member_id = op.member_id
            return answer.error_code

        return self._one(op, SyncGroupResponse, read)

    def _beaten(self, answer: HeartbeatResponse) -> int:
        self._beats = 0 if answer.error_code else self._beats + 1
        if answer.error_code in _OUT:
            self.is_in = False
        return answer.error_code

    def _leave(self, request: LeaveGroupRequest) -> Told:
        (one,) = request.members
        self.is_in = False
        op = Leaving(
            self._number,
            self._events.now_us,
            group=request.group_id,
            member_id=one.member_id,
            instance=one.group_instance_id or "",
            generation=-1,
        )

        def read(answer: LeaveGroupResponse) -> int:
            return answer.error_code or (answer.members[0].error_code if answer.members else 0)

        return self._one(op, LeaveGroupResponse, read)

    def _commit(self, request: OffsetCommitRequest) -> Told:
        ops = {
            (topic.name, part.partition_index): Committing(
                self._number,
                self._events.now_us,
                group=request.group_id,
                member_id=request.member_id,
                instance=request.group_instance_id or "",
                generation=request.generation_id_or_member_epoch,
                place=(topic.name, part.partition_index),
                offset=part.committed_offset,
                metadata=part.committed_metadata or "",
                expires=False,
            )
            for topic in request.topics
            for part in topic.partitions
        }
        for op in ops.values():
            self._history.note(op)

        def told(message: Message | None) -> None:
            answer = expect(message, OffsetCommitResponse)
            for topic in [] if answer is None else answer.topics:
                for part in topic.partitions:
                    code = part.error_code
                    op = ops[topic.name, part.partition_index]
                    end_op(op, self._events.now_us, answer, partial(_known, code))
            self._end_rest(list(ops.values()))

        return told

    def _positions(self, request: OffsetFetchRequest, version: int) -> Told:
        wanted = tuple(
            (topic.name, partition)
            for topic in request.topics or ()
            for partition in topic.partition_indexes
        )
        op = Positions(self._number, self._events.now_us, group=request.group_id, wanted=wanted)
        return self._one(
            op, OffsetFetchResponse, lambda answer: read_positions(op, answer, version, {})
        )

    def _end_rest(self, ops: list[Op]) -> None:
        for op in ops:
            if op.ended_us < 0:
                op.end(self._events.now_us, Outcome.INFO)


def _known(code: int, _: Message) -> int:
    return code


@final
class Overheard:
    """One connection. Requests come whole; answers as the network brings them, in order."""

    def __init__(
        self,
        number: int,
        connection: int,
        events: Events,
        history: History,
        asked: Callable[[Message, int], Told],
    ) -> None:
        self._number = number
        self._connection = connection
        self._events = events
        self._history = history
        self._asked = asked
        self._buffer = bytearray()
        self._awaited: deque[tuple[Api, int, Metered, Told]] = deque()

    @property
    def in_flight(self) -> int:
        return len(self._awaited)

    def sent(self, data: bytes) -> None:
        frame = memoryview(data)[_LENGTH_BYTES:]
        api, version, correlation_id, _, at = decode_request_header_untrusted(frame)
        metered = Metered(
            self._number,
            self._connection,
            api.key,
            version,
            correlation_id,
            sent_us=self._events.now_us,
            request_bytes=len(frame),
        )
        request = api.decode_request_untrusted(frame, at, version)
        self._awaited.append((api, version, metered, self._asked(request, version)))

    def received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                return
            frame = memoryview(bytes(self._buffer[_LENGTH_BYTES:end]))
            del self._buffer[:end]
            api, version, metered, told = self._awaited.popleft()
            at = response_body_at_untrusted(api, version, frame)
            message = api.decode_response_untrusted(frame, at, version)
            if api.key != API_VERSIONS:
                self._history.metered.append(metered_answer(metered, message, self._events.now_us))
            told(message)

    def ended(self) -> None:
        """No answer comes any more."""
        awaited, self._awaited = self._awaited, deque()
        for _, _, _, told in awaited:
            told(None)
