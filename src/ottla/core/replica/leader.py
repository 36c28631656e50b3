"""One partition that lives on this broker: its log, who leads it, and how far it is committed.

`high_watermark` is the first offset that could still be lost; consumers see nothing from there on,
and an acknowledgment is due once it has passed an append's last record. With one replica it is the
log's end, except where the operator asked for more: it never runs `Policy.unflushed_max` or more
records ahead of the disk. So with `ottla.flush=ack` (or flush.messages=1) it is the flushed end, and
what a consumer has seen is still there after a power cut.

A partition that can't serve says why in `error`. Once a flush has failed, none of the directory's
logs serves again in this process: what the page cache holds is no longer what the disk holds
(KAFKA_STORAGE_ERROR). A write or a read that the disk refuses fails alone, and may work the next time.

Source: KIP-101, KIP-320 (leader epochs), design D9. Elsewhere: who lives here, see `table.py`; who
is in sync, see `isr.py`; parked calls, see `core/waiting.py`.
"""

import logging
from typing import Final, final

from ottla import probe
from ottla.core.effect import Flush
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.log import Appended, Log, TimestampOffset
from ottla.core.log.producer_state import Refused
from ottla.core.metadata.partition import PartitionImage
from ottla.core.port import FileSlice
from ottla.core.replica.isr import Isr
from ottla.core.replica.policy import Policy
from ottla.core.replica.recompress import recompressed
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch
from ottla.types import NO_EPOCH, BrokerId, TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

_TOLD_MAX: Final = 16
_TELL_PAUSE_MS: Final = 10_000

CONSUMER: Final = -1
"""The replica id of an ordinary consumer; every other negative one sees the log to its end."""


@final
class Leader:
    """A partition on this broker; it leads it while `error` is None."""

    __slots__ = (
        "closed",
        "error",
        "flush_timed",
        "flushes",
        "has_aborted",
        "high_watermark",
        "holds_flushes",
        "internal",
        "is_settled",
        "isr",
        "leader_epoch",
        "leader_id",
        "log",
        "log_dir",
        "partition",
        "policy",
        "refusal_told_ms",
        "refuses_writes",
        "segment_count",
        "told",
        "topic_id",
        "under_way",
    )

    def __init__(
        self,
        partition: TopicPartition,
        topic_id: Uuid,
        log: Log,
        policy: Policy,
        *,
        internal: bool,
        log_dir: int = 0,
    ) -> None:
        """`log_dir`: the number of the log directory that the log is in."""
        self.partition = partition
        self.topic_id = topic_id
        self.log = log
        self.log_dir = log_dir
        self.policy = policy
        self.internal = internal
        self.isr = Isr((), ())
        self.leader_id = -1
        self.leader_epoch = NO_EPOCH
        self.error: ErrorCode | None = ErrorCode.NOT_LEADER_OR_FOLLOWER
        self.is_settled = True
        self.closed = False
        self.flushes = 0  # asked for, outcome not known
        self.under_way: Flush | None = None  # the last of them, while it may be widened
        self.holds_flushes = False  # while its log changes places
        self.flush_timed = False  # a flush.ms deadline is set
        self.segment_count = log.segment_count  # when it was last looked at
        self.has_aborted: bool | None = None  # None: nobody has asked yet
        self.refuses_writes = False  # the disk does, and the operator was told
        self.refusal_told_ms = 0
        self.told: set[str] = set()  # reads that failed, as the operator was told
        self.high_watermark = log.start_offset
        self.advance()

    def follow(self, image: PartitionImage, node_id: BrokerId) -> None:
        """Take over what the image says of the partition; `node_id` is this broker."""
        replicas = tuple(BrokerId(one) for one in image.replicas)
        if self.isr.members != image.isr or self.isr.replicas != replicas:
            self.isr = Isr(tuple(BrokerId(one) for one in image.isr), replicas)
        self.leader_id = image.leader
        self.leader_epoch = image.leader_epoch
        if self.error is not ErrorCode.KAFKA_STORAGE_ERROR:
            leads = image.leader == node_id
            if leads:
                self.log.epochs.settle(image.leader_epoch)
            serves = leads and self.is_settled
            self.error = None if serves else ErrorCode.NOT_LEADER_OR_FOLLOWER

    def append(self, batch: ValidBatch, now_ms: int) -> Appended | Refused:
        """Append at the end of the log. A disk that refuses is the answer KAFKA_STORAGE_ERROR.

        The caller then asks `ReplicaTable.appended` for what follows from it.
        """
        policy = self.policy
        if policy.codec is not None and batch.batch.codec != policy.codec:
            batch = recompressed(
                batch, policy.codec, policy.checks.decompressed_bytes_max, policy.codec_level
            )
            header = batch.batch
            if header.size_bytes > policy.checks.bytes_max:
                known = self.log.known(header) if header.producer_id >= 0 else None
                return known or Refused(
                    ErrorCode.MESSAGE_TOO_LARGE,
                    f"a batch of {header.size_bytes:,} bytes in the topic's compression.type; "
                    f"max.message.bytes is {policy.checks.bytes_max:,}",
                )
        try:
            appended = self.log.append(batch, leader_epoch=self.leader_epoch, now_ms=now_ms)
        except OSError as error:
            # A nearly full disk takes one batch and refuses the next.
            if not self.refuses_writes and now_ms >= self.refusal_told_ms + _TELL_PAUSE_MS:
                self.refuses_writes = True
                self.refusal_told_ms = now_ms
                logger.error(
                    "append failed: writes are refused until the disk takes them",
                    extra={"partition": self.partition, "error": str(error)},
                )
            return Refused(ErrorCode.KAFKA_STORAGE_ERROR, f"{self.partition}: {error}")
        if self.refuses_writes:
            self.refuses_writes = False
            logger.warning("the disk takes writes again", extra={"partition": self.partition})
        return appended

    def slice(
        self,
        start: int,
        end: int,
        size_bytes_max: int,
        *,
        at_least_one: bool,
        now_ms: int | None = None,
    ) -> FileSlice | ErrorCode | None:
        """`Log.slice`, or why the disk does not give it."""
        try:
            return self.log.slice(
                start, end, size_bytes_max, at_least_one=at_least_one, now_ms=now_ms
            )
        except OSError as error:
            return self.unreadable(error)

    def find(self, timestamp_ms: int | None, end: int) -> TimestampOffset | ErrorCode | None:
        """The first record before `end` at or after a time, or (None) with the largest one; or
        why the disk does not give it."""
        try:
            if timestamp_ms is None:
                return self.log.max_timestamp(end)
            return self.log.offset_for_timestamp(timestamp_ms, end)
        except OSError as error:
            return self.unreadable(error)

    def unreadable(self, error: OSError) -> ErrorCode:
        """What the client is told of records that can't be read; the operator is told more.

        Damage does not heal: CORRUPT_MESSAGE tells a consumer to give up there, or to go elsewhere.
        """
        told = str(error)
        if told not in self.told:  # clients ask again ten times a second
            if len(self.told) >= _TOLD_MAX:
                self.told.clear()
            self.told.add(told)
            logger.error("read failed", extra={"partition": self.partition, "error": told})
        if isinstance(error, CorruptSegment):
            return ErrorCode.CORRUPT_MESSAGE
        return ErrorCode.KAFKA_STORAGE_ERROR

    def has_enough_in_sync(self) -> bool:
        """Whether what every in-sync replica must have may be appended; if not,
        NOT_ENOUGH_REPLICAS."""
        return self.isr.suffices(self.policy.settings.min_insync_replicas)

    def check_epoch(self, current_leader_epoch: int) -> ErrorCode | None:
        """What a client with this idea of the leader epoch is told (KIP-320); -1: it has none."""
        if current_leader_epoch in (NO_EPOCH, self.leader_epoch):
            return None
        if current_leader_epoch < self.leader_epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        return ErrorCode.UNKNOWN_LEADER_EPOCH

    def epoch_end(self, leader_epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the largest epoch up to this one; (-1, -1): not known here.

        The leader's own epoch begins at the log's end until something is appended in it; whatever
        wrote before it ended there.
        """
        if leader_epoch == self.leader_epoch:
            return leader_epoch, self.log.end_offset
        last_epoch = self.log.last_epoch
        if last_epoch < leader_epoch < self.leader_epoch:
            return (leader_epoch if last_epoch < 0 else last_epoch), self.log.end_offset
        return self.log.epoch_end(leader_epoch)

    @property
    def stable_end(self) -> int:
        """The high watermark, or where the oldest transaction begins that is still open."""
        first_open = self.log.producers.first_open_offset
        return self.high_watermark if first_open is None else min(first_open, self.high_watermark)

    def readable_end(self, replica_id: int, *, committed: bool) -> int:
        """Where reading ends (exclusive). `committed`: without records of open transactions."""
        if replica_id != CONSUMER:
            return self.log.end_offset
        return self.stable_end if committed else self.high_watermark

    def advance(self) -> bool:
        """Move the high watermark as far as the disk allows; True: it moved.

        It never stands inside a batch: what it is short of is told when it can be read.
        """
        end = self.log.end_offset
        ahead_max = self.policy.unflushed_max
        if ahead_max is not None and not (probe.MUTANTS and probe.mutant("D9-ack-before-flush")):
            if end - self.log.flushed_offset >= ahead_max:
                end = self.log.flushed_offset
        if end <= self.high_watermark:
            return False
        self.high_watermark = end
        return True

    def widen_flush(self) -> None:
        """A flush that nobody has begun with takes what was appended since along."""
        flush = self.under_way
        if flush is not None:
            if flush.gathering:
                flush.end_offset = self.log.end_offset
            else:
                self.under_way = None

    def flush_due(self) -> Flush | None:
        """The flush that the policy asks for now. At most one is under way: the group commit."""
        ahead_max = self.policy.unflushed_max
        if ahead_max is None or self.log.end_offset - self.log.flushed_offset < ahead_max:
            return None
        return self.flush_now()

    def flush_now(self) -> Flush | None:
        """Everything to the disk, unless a flush is under way or nothing is unflushed."""
        return None if self.flushes or self.holds_flushes else self._flush()

    def _flush(self) -> Flush | None:
        if self.error is ErrorCode.KAFKA_STORAGE_ERROR:
            return None
        flush = self.log.flush_request()
        if flush is not None:
            flush.log_dir = self.log_dir
            self.flushes += 1
            self.under_way = flush
        return flush

    def settle_first(self) -> Flush | None:
        """The flush, if one is due, that what was found is to have before anybody is served: until
        then the high watermark may be below one that somebody has seen."""
        flush = self.flush_due()
        if flush is not None:
            self.is_settled = False
            self.error = ErrorCode.NOT_LEADER_OR_FOLLOWER
        return flush

    def settle(self, node_id: BrokerId) -> None:
        """The flush is done."""
        self.is_settled = True
        if self.error is ErrorCode.NOT_LEADER_OR_FOLLOWER and self.leader_id == node_id:
            self.error = None

    def flushed(self, end_offset: int) -> None:
        self.flushes -= 1
        self.under_way = None
        self.log.flushed(end_offset)

    def moved(self, log: Log, log_dir: int) -> None:
        """The same records stand in another directory from now on."""
        self.log = log
        self.log_dir = log_dir
        self.segment_count = log.segment_count
        self.has_aborted = None
        self.under_way = None

    def close(self, now_ms: int) -> Flush | None:
        """End the log, and everything to the disk, also what a flush under way does not cover.

        What was not written to since it was flushed is left alone: thousands of idle logs end
        without touching the disk.
        """
        if self.error is ErrorCode.KAFKA_STORAGE_ERROR:
            return None
        if self.error is None:
            self.error = ErrorCode.NOT_LEADER_OR_FOLLOWER
        if self.log.end_offset <= self.log.flushed_offset:
            return None
        self.close_log(now_ms)
        return self._flush()

    def close_log(self, now_ms: int) -> None:
        """End the log, once."""
        if self.closed or self.error is ErrorCode.KAFKA_STORAGE_ERROR:
            return
        self.closed = True
        try:
            self.log.close(now_ms)
        except OSError as error:
            self.fail()
            logger.error(
                "a log can't be closed", extra={"partition": self.partition, "error": str(error)}
            )

    def gave_up(self) -> ErrorCode | None:
        """Why nobody waits any longer for what was appended to be safe; None: it may yet be.

        At the end of the process it still is: the last flush is under way.
        """
        if self.closed and self.error is ErrorCode.NOT_LEADER_OR_FOLLOWER:
            return None
        return self.error

    @property
    def durable(self) -> bool:
        """Whether a power cut would take nothing of it."""
        if self.error is ErrorCode.KAFKA_STORAGE_ERROR:
            return False
        return self.log.flushed_offset >= self.log.end_offset

    def fail(self) -> None:
        """Take the partition out of service for the rest of this process."""
        self.flushes = 0
        self.error = ErrorCode.KAFKA_STORAGE_ERROR

    def check_invariants(self) -> None:
        assert self.log.start_offset <= self.high_watermark
        assert self.high_watermark <= self.log.end_offset
        assert self.log.flushed_offset <= self.log.end_offset
