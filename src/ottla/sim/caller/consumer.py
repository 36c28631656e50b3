"""A consumer: fetches from where it stands, with or without a session, and looks up offsets by time.

It reads topics whole, all partitions of one with each fetch, and follows a topic's id: a topic that
was made anew is read from its start. The last reader of a world is one too (`Sweep`).

Source: KIP-227 (sessions), KIP-516 (ids). Elsewhere: what served bytes are, `reading.py`.
"""

from collections.abc import Callable
from typing import Final, final

from ottla.core.port import FileSlice
from ottla.errors import ErrorCode
from ottla.sim.caller.client import Client, Connect, TopicKnown, expect
from ottla.sim.clock import Events
from ottla.sim.history import History, LookUp, Outcome, Read
from ottla.sim.network import Wire
from ottla.sim.plan import EPOCH_MS, Ask, ClientPlan, Verb
from ottla.sim.reading import Reader
from ottla.types import ZERO_UUID, Payload, Uuid
from ottla.wire.api import FETCH, LIST_OFFSETS, Message
from ottla.wire.message.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

_BY_ID: Final = 17
_BY_NAME: Final = 12
_LIST_OFFSETS_VERSION: Final = 8

_MISCOUNTS: Final = 0.05
_ENDS_SESSION: Final = 0.05

END: Final = -1
START: Final = -2
MAX_TIMESTAMP: Final = -3

_GONE: Final = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
    }
)

_Key = tuple[Uuid, int]


@final
class Consumer(Client):
    """`final`: its reads are the last reading of a world."""

    def __init__(
        self,
        plan: ClientPlan,
        events: Events,
        wire: Wire,
        connect: Connect,
        history: History,
        reader: Reader,
        *,
        final: bool = False,
    ) -> None:
        super().__init__(plan, events, wire, connect, history)
        self._reader = reader
        self._final = final
        self.positions: dict[_Key, int] = {}
        self._session_id = 0
        self._session_epoch = 0
        # What the session's node has been told: position by partition, in the order of telling.
        self._told: dict[tuple[str, Uuid, int], int] = {}
        self._fetching = False
        self._whims = events.chance(f"whims/{plan.number}")
        self._steps: dict[_Key, int] = {}  # over damage, the last of a row

    def ask(self, ask: Ask) -> None:
        known = self.topics.get(ask.topic)
        if known is None:
            self.learn_topics()
        elif ask.verb is Verb.LOOK_UP:
            is_name = ask.time_ms in (END, START, MAX_TIMESTAMP)
            asked_ms = ask.time_ms if is_name else EPOCH_MS + ask.time_ms
            self.look_up(ask.topic, known, ask.partition % known.partitions, asked_ms)
        elif not self._fetching:  # a real consumer has one fetch on its way
            for partition in range(known.partitions if ask.count else 0):
                self.positions[known.topic_id, partition] = ask.count
            self.fetch({ask.topic: known}, wait_ms=ask.wait_ms, size_bytes=ask.size_bytes)

    # Look-ups

    def look_up(
        self,
        topic: str,
        known: TopicKnown,
        partition: int,
        asked_ms: int,
        then: Callable[[LookUp], None] | None = None,
    ) -> None:
        op = LookUp(
            self.number,
            self.events.now_us,
            topic=topic,
            topic_id=known.topic_id,
            partition=partition,
            asked_ms=asked_ms,
        )
        self.history.note(op)

        def done(message: Message | None) -> None:
            answer = expect(message, ListOffsetsResponse)
            now_us = self.events.now_us
            if answer is None:
                op.end(now_us, Outcome.INFO)
            else:
                part = answer.topics[0].partitions[0]
                outcome = Outcome.OK if part.error_code == ErrorCode.NONE else Outcome.FAIL
                op.offset, op.found_ms = part.offset, part.timestamp
                op.end(now_us, outcome, part.error_code)
                if part.error_code in _GONE:
                    self.topics.pop(topic, None)
            if then is not None:
                then(op)

        asked = ListOffsetsPartition(partition_index=partition, timestamp=asked_ms)
        request = ListOffsetsRequest(
            replica_id=-1, topics=[ListOffsetsTopic(name=topic, partitions=[asked])]
        )
        self.request(LIST_OFFSETS, _LIST_OFFSETS_VERSION, request, done)

    # Fetches

    def fetch(
        self,
        topics: dict[str, TopicKnown],
        *,
        wait_ms: int,
        size_bytes: int,
        then: Callable[[list[Read]], None] | None = None,
    ) -> None:
        """One fetch of all partitions of the topics from where this consumer stands."""
        self._fetching = True
        reads: dict[_Key, Read] = {}
        wanted: dict[tuple[str, Uuid, int], int] = {}
        for name, known in topics.items():
            # A session by name knows no ids: a topic made anew is the same interest.
            named_by = ZERO_UUID if self.plan.by_name else known.topic_id
            for partition in range(known.partitions):
                position = self.positions.setdefault((known.topic_id, partition), 0)
                wanted[name, named_by, partition] = position
                read = Read(
                    self.number,
                    self.events.now_us,
                    topic=name,
                    topic_id=named_by,
                    partition=partition,
                    fetch_offset=position,
                    final=self._final,
                )
                reads[known.topic_id, partition] = read
                self.history.note(read)
        request = self._request(wanted, wait_ms, size_bytes)
        epoch = request.session_epoch

        def done(message: Message | None) -> None:
            self._fetching = False
            self._take(expect(message, FetchResponse), reads, topics, epoch)
            if then is not None:
                then(list(reads.values()))

        self.request(FETCH, _BY_NAME if self.plan.by_name else _BY_ID, request, done)

    def _request(
        self, wanted: dict[tuple[str, Uuid, int], int], wait_ms: int, size_bytes: int
    ) -> FetchRequest:
        epoch = self._session_epoch if self.plan.session else -1
        session_id = self._session_id if epoch > 0 else 0
        if epoch > 0 and self.plan.whims:
            whim = self._whims.random()
            if whim < _MISCOUNTS:
                epoch += 1
            elif whim < _MISCOUNTS + _ENDS_SESSION:
                epoch = -1
        changed = wanted
        forgotten: dict[tuple[str, Uuid], list[int]] = {}
        if epoch > 0:
            changed = {key: at for key, at in wanted.items() if self._told.get(key) != at}
            for name, topic_id, partition in self._told:
                if (name, topic_id, partition) not in wanted:
                    forgotten.setdefault((name, topic_id), []).append(partition)
        self._told = dict(wanted)
        by_topic: dict[tuple[str, Uuid], list[FetchPartition]] = {}
        for (name, topic_id, partition), position in changed.items():
            part = FetchPartition(
                partition=partition,
                fetch_offset=position,
                partition_max_bytes=max(1, size_bytes // 2),
            )
            by_topic.setdefault((name, topic_id), []).append(part)
        return FetchRequest(
            max_wait_ms=wait_ms,
            min_bytes=1,
            isolation_level=int(self.plan.committed),
            max_bytes=max(1, size_bytes),
            session_id=session_id,
            session_epoch=epoch,
            topics=[
                FetchTopic(topic=name, topic_id=topic_id, partitions=parts)
                for (name, topic_id), parts in by_topic.items()
            ],
            forgotten_topics_data=[
                ForgottenTopic(topic=name, topic_id=topic_id, partitions=parts)
                for (name, topic_id), parts in forgotten.items()
            ],
        )

    def _take(
        self,
        answer: FetchResponse | None,
        reads: dict[_Key, Read],
        topics: dict[str, TopicKnown],
        epoch: int,
    ) -> None:
        now_us = self.events.now_us
        if answer is None or answer.error_code != ErrorCode.NONE:
            self._session_id = self._session_epoch = 0
            error = 0 if answer is None else answer.error_code
            for read in reads.values():
                read.end(now_us, Outcome.INFO if answer is None else Outcome.FAIL, error)
            return
        if self.plan.session:
            # A broker that keeps no session for this consumer says 0: every fetch is a full one.
            self._session_id = answer.session_id
            self._session_epoch = 0 if answer.session_id == 0 else max(0, epoch) + 1
        ids = {name: known.topic_id for name, known in topics.items()}
        for topic in answer.responses:
            topic_id = ids[topic.topic] if self.plan.by_name else topic.topic_id
            for part in topic.partitions:
                key = topic_id, part.partition_index
                if key in reads:
                    self._take_partition(reads[key], key, part, answer.session_id, epoch)
        for read in reads.values():
            if read.ended_us >= 0:
                continue
            if answer.throttle_time_ms:
                read.end(now_us, Outcome.INFO)  # what is throttled says nothing of partitions
            else:
                read.session_id, read.session_epoch = answer.session_id, epoch
                read.left_out = True
                read.end(now_us, Outcome.OK)

    def _take_partition(
        self, read: Read, key: _Key, part: PartitionData, session_id: int, epoch: int
    ) -> None:
        read.session_id, read.session_epoch = session_id, epoch
        read.high_watermark = part.high_watermark
        read.last_stable_offset = part.last_stable_offset
        read.log_start_offset = part.log_start_offset
        if part.error_code != ErrorCode.NONE:
            read.end(self.events.now_us, Outcome.FAIL, part.error_code)
            if part.error_code in _GONE:
                self.topics.pop(read.topic, None)
            elif part.error_code == ErrorCode.OFFSET_OUT_OF_RANGE:
                self._seek_to_start(read.topic, key)
            elif part.error_code == ErrorCode.CORRUPT_MESSAGE:
                # What is damaged is lost; go on behind it, wherever that is.
                step = self._steps[key] = self._steps.get(key, 0) * 2 or 1
                self.positions[key] += step
            return
        self._steps.pop(key, None)
        read.batches, read.truncated = self._reader.batches(_bytes(part.records))
        if read.batches:
            self.positions[key] = max(self.positions[key], read.batches[-1].last_offset + 1)
        read.end(self.events.now_us, Outcome.OK)

    def _seek_to_start(self, topic: str, key: _Key) -> None:
        known = self.topics.get(topic)
        if known is None or known.topic_id != key[0]:
            return

        def found(op: LookUp) -> None:
            if op.outcome is Outcome.OK:
                self.positions[key] = op.offset

        self.look_up(topic, known, key[1], START, found)


def _bytes(records: Payload | None) -> bytes:
    if records is None:
        return b""
    assert not isinstance(records, FileSlice)
    assert isinstance(records, (bytes, bytearray, memoryview))
    return bytes(records)
