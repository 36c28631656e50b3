"""Histories written by hand, for checkers to find fault with. Times are milliseconds."""

from collections.abc import Sequence

from ottla.sim.checker.judge import judge
from ottla.sim.history import (
    ConnectionEnd,
    Create,
    Delete,
    DeleteBefore,
    FaultMark,
    FlushMark,
    Grow,
    History,
    Life,
    LifeMark,
    Listing,
    LookUp,
    Outcome,
    ProducerIdGiven,
    ProducersLost,
    Read,
    ReadBatch,
    Record,
    Send,
    TopicSeen,
)
from ottla.types import ZERO_UUID, Uuid

TOPIC_ID = b"\x01" * 16
TOPIC = "t"


class Tale:
    def __init__(self, *, flush_on_ack: bool = False, ended: bool = True) -> None:
        self.history = History(1, flush_on_ack=flush_on_ack)
        self.history.ended = ended
        self._bytes: dict[bytes, bytes] = {}
        self.create(0, 1)
        self.listed(9_000, {TOPIC: TopicSeen(TOPIC_ID, 1, 0)}, final=True)

    def create(
        self,
        asked: int,
        ended: int,
        *,
        topic: str = TOPIC,
        topic_id: Uuid = TOPIC_ID,
        partitions: int = 1,
        configs: dict[str, str] | None = None,
        outcome: Outcome = Outcome.OK,
    ) -> Create:
        one = Create(1, asked * 1000, topic=topic, partitions=partitions, configs=configs or {})
        one.topic_id = topic_id if outcome is Outcome.OK else ZERO_UUID
        one.end(ended * 1000, outcome)
        self.history.note(one)
        return one

    def delete(self, asked: int, ended: int, topic_id: Uuid = TOPIC_ID) -> None:
        one = Delete(1, asked * 1000, topic=TOPIC, topic_id=topic_id, by_name=False)
        one.end(ended * 1000, Outcome.OK)
        self.history.note(one)

    def grow(self, asked: int, ended: int, partitions: int) -> None:
        one = Grow(1, asked * 1000, topic=TOPIC, partitions=partitions)
        one.end(ended * 1000, Outcome.OK)
        self.history.note(one)

    def listed(self, asked: int, topics: dict[str, TopicSeen], *, final: bool = False) -> None:
        one = Listing(1, asked * 1000, final=final)
        one.topics = topics
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def send(
        self,
        asked: int,
        ended: int,
        base: int,
        *values: bytes,
        client: int = 1,
        outcome: Outcome = Outcome.OK,
        producer_id: int = -1,
        attempts: int = 1,
        topic_id: Uuid = TOPIC_ID,
        append_ms: int = -1,
        error: int = 0,
        times_ms: Sequence[int] | None = None,
    ) -> Send:
        times = times_ms or [1_000 + asked] * len(values)
        records = [
            Record(at, time, value)
            for at, (value, time) in enumerate(zip(values, times, strict=True))
        ]
        one = Send(
            client,
            asked * 1000,
            topic=TOPIC,
            topic_id=topic_id,
            partition=0,
            acks=-1,
            codec=0,
            records=tuple(records),
        )
        one.producer_id = producer_id
        one.attempts = attempts
        one.base_offset = base if outcome is Outcome.OK else -1
        one.log_append_time_ms = append_ms
        one.end(ended * 1000, outcome, error)
        self.history.note(one)
        return one

    def batch(
        self,
        base: int,
        *values: bytes,
        epoch: int = 0,
        producer_id: int = -1,
        sequence: int = -1,
        times_ms: Sequence[int] | None = None,
        crc_is_right: bool = True,
        log_append: bool = False,
    ) -> ReadBatch:
        """As sent: times are looked up in the history unless they are given."""
        sent = {
            record.value: record.timestamp_ms
            for entry in self.history.entries
            if isinstance(entry, Send)
            for record in entry.records
        }
        times = times_ms or [sent.get(value, 0) for value in values]
        text = repr((base, values, epoch, producer_id, sequence, times, crc_is_right)).encode()
        data = self._bytes.setdefault(text, text)
        records = tuple(
            Record(base + at, time, value)
            for at, (value, time) in enumerate(zip(values, times, strict=True))
        )
        return ReadBatch(
            data,
            base_offset=base,
            last_offset=base + len(values) - 1,
            leader_epoch=epoch,
            max_timestamp_ms=max(times),
            producer_id=producer_id,
            producer_epoch=0 if producer_id >= 0 else -1,
            base_sequence=sequence,
            is_log_append_time=log_append,
            crc_is_right=crc_is_right,
            records=records if crc_is_right else (),
        )

    def read(
        self,
        asked: int,
        offset: int,
        end: int,
        *batches: ReadBatch,
        start: int = 0,
        final: bool = False,
        session: int = 0,
        epoch: int = -1,
        left_out: bool = False,
        topic_id: Uuid = TOPIC_ID,
    ) -> Read:
        """`end`: the high watermark that was told."""
        one = Read(
            2,
            asked * 1000,
            topic=TOPIC,
            topic_id=topic_id,
            partition=0,
            fetch_offset=offset,
            final=final,
        )
        one.batches = batches
        one.session_id, one.session_epoch, one.left_out = session, epoch, left_out
        if not left_out:
            one.high_watermark = one.last_stable_offset = end
            one.log_start_offset = start
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)
        return one

    def look_up(self, asked: int, asked_ms: int, offset: int, found_ms: int = -1) -> None:
        one = LookUp(
            2, asked * 1000, topic=TOPIC, topic_id=TOPIC_ID, partition=0, asked_ms=asked_ms
        )
        one.offset, one.found_ms = offset, found_ms
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def delete_before(self, asked: int, before: int, low_watermark: int) -> None:
        one = DeleteBefore(
            1, asked * 1000, topic=TOPIC, topic_id=TOPIC_ID, partition=0, before_offset=before
        )
        one.low_watermark = low_watermark
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def producer_id(self, asked: int, producer_id: int) -> None:
        one = ProducerIdGiven(1, asked * 1000)
        one.producer_id, one.producer_epoch = producer_id, 0
        one.end(asked * 1000 + 500, Outcome.OK)
        self.history.note(one)

    def life(self, at: int, life: Life, *, uncertain: bool = False) -> None:
        self.history.mark(LifeMark(at * 1000, 0, life, uncertain_disk=uncertain))

    def flushed(self, at: int, end: int) -> None:
        self.history.mark(
            FlushMark(at * 1000, 0, topic=TOPIC, topic_id=TOPIC_ID, partition=0, end_offset=end)
        )

    def fault(self, at: int, kind: str, note: str, *, unopened: bool = False) -> None:
        self.history.mark(FaultMark(at * 1000, 0, kind, note, (TOPIC, 0), unopened=unopened))

    def flipped(self, at: int, *, unopened: bool = False) -> None:
        self.fault(at, "flip-log", f"{TOPIC}-0/{0:020d}.log", unopened=unopened)

    def producers_lost(self, at: int, begin_offset: int) -> None:
        self.history.mark(
            ProducersLost(at * 1000, 0, topic=TOPIC, partition=0, begin_offset=begin_offset)
        )

    def closed(self, at: int, unanswered: int) -> None:
        self.history.mark(
            ConnectionEnd(at * 1000, 1, by_node=False, reason="", unanswered=unanswered)
        )

    def judged(self) -> list[str]:
        """The promises that are broken, each once, and nothing else about them."""
        return sorted({one.promise for one in judge(self.history)})
