"""One partition's log: append, read, look up, truncate, delete. It owns the segments.

A log is a run of segments, of which the last one is active. Appending assigns offsets, stamps the
leader's epoch, asks the producer state, begins a new segment when the active one is full, and writes
to the page cache; what has to reach the disk is returned by `flush_request`.

Promises: after an OSError in `append` the log is as it was. `start_offset <= end_offset`; a read
never begins inside a batch nor ends inside one. Files that are deleted are renamed first and removed
later, so that answers under way can still be sent.

Source: KIP-74, KIP-98, KIP-101, KIP-107; when a segment is full, and what its indexes hold, is what
Apache Kafka does. Elsewhere: what is believed after a crash, `recovery.py`; who may read how far,
the replica. Left whole on purpose: appending, reading and truncating change the same few fields, and
who changes one has to see the others.
"""

import logging
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, final

from ottla import probe
from ottla.core.effect import Flush
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.epoch_history import EpochHistory
from ottla.core.log.lookup import TimestampOffset, first_offset, first_since, largest
from ottla.core.log.producer_state import Completed, ProducerState, Refused
from ottla.core.log.recovery import Recovery, Shutdown
from ottla.core.log.retention import expired_by_policy, expired_by_start
from ottla.core.log.segment import (
    DELETED,
    RELATIVE_OFFSET_MAX,
    Entry,
    Segment,
    segment_path,
)
from ottla.core.log.snapshot import SNAPSHOT, restore, snapshot_offsets
from ottla.core.log.sound import Inspection, Sound, is_sound
from ottla.core.log.tested import Stretches
from ottla.core.log.unsynced import Unsynced
from ottla.core.port import Disk, File, FileSlice
from ottla.errors import ErrorCode, LocalProtocolError, RemoteProtocolError
from ottla.record.batch import (
    LOG_OVERHEAD_BYTES,
    Batch,
    batches_untrusted,
    crc_is_right,
    stamp,
    stamp_append_time,
)
from ottla.record.validate import ValidBatch
from ottla.settings.topic import TopicSettings
from ottla.types import NO_TIMESTAMP, TopicPartition

__all__ = ["Appended", "Log", "Refused", "Shutdown", "TimestampOffset"]

_PREFIX: Final = Struct(">qii")
"""What a leader writes before the magic: base offset, length, leader epoch."""

_RESUMES_MAX: Final = 8
"""Readers at the end of a log are few positions, however many readers there are."""

log: Final = logging.getLogger(__name__)


@final
class Appended:
    """Where a batch stands. `log_append_time_ms` -1: records keep the producer's time."""

    __slots__ = ("base_offset", "duplicate", "last_offset", "log_append_time_ms")

    def __init__(
        self, base_offset: int, last_offset: int, log_append_time_ms: int, duplicate: bool
    ) -> None:
        self.base_offset = base_offset
        self.last_offset = last_offset
        self.log_append_time_ms = log_append_time_ms
        self.duplicate = duplicate
        """A retry: nothing was written, the offsets are those of the first time."""


@final
class Log:
    """The log of one partition. Built by `Log.open`."""

    __slots__ = (
        "_bases",
        "_deleted",
        "_disk",
        "_jitter_ms",
        "_resumes",
        "_segments",
        "_settings",
        "_unsynced",
        "cleaned_offset",
        "directory",
        "end_offset",
        "epochs",
        "flushed_offset",
        "producers",
        "start_offset",
        "tested",
    )

    def __init__(
        self,
        disk: Disk,
        directory: str,
        *,
        settings: TopicSettings,
        recovered: Recovery,
        end_offset: int,
        log_start: int,
        flushed_offset: int,
        jitter_ms: int,
        names_changed: bool,
    ) -> None:
        self._disk = disk
        self.directory = directory
        self._settings = settings
        self._jitter_ms = jitter_ms
        self._segments = recovered.segments
        self._bases = [segment.base_offset for segment in recovered.segments]
        self.epochs: EpochHistory = recovered.epochs
        self.producers: ProducerState = recovered.producers
        self.start_offset: int = max(log_start, self._bases[0])
        self.end_offset: int = end_offset
        self.flushed_offset: int = flushed_offset
        """Everything before it is on the disk."""
        self.cleaned_offset: int | None = None
        """Everything before it was compacted; None: nothing ever was."""
        self._resumes: dict[int, tuple[int, int]] = {}  # offset -> (base offset, position)
        self.tested: Stretches = Stretches()
        self._deleted: list[tuple[int | None, str]] = []  # (due, path); None: not yet decided
        # Without a clean stop, the indexes of a segment that ends just there may not be on the disk.
        known_offset = flushed_offset - 1 if names_changed else flushed_offset
        self._unsynced = Unsynced(
            (
                segment
                for segment, next_base in zip(self._segments[:-1], self._bases[1:], strict=True)
                if next_base > known_offset
            ),
            names_changed=names_changed,
        )

    @classmethod
    def open(
        cls,
        disk: Disk,
        directory: str,
        *,
        settings: TopicSettings,
        now_ms: int,
        shutdown: Shutdown,
        recovery_point: int,
        log_start: int,
        jitter_ms: int,
        cleaned_offset: int | None = None,
    ) -> "Log":
        """The log in `directory`, which is created when it is not there.

        `jitter_ms` is taken off segment.ms, so that not all logs begin new segments at once.
        `cleaned_offset`: as checkpointed; a log that was ever compacted may have gaps before it.
        """
        names = disk.names(directory)
        is_new = not any(name.endswith(".log") for name in names)
        if not names:
            disk.make_directory(directory)
        recovery = Recovery(
            disk,
            directory,
            names,
            shutdown=shutdown,
            recovery_point=recovery_point,
            index_interval_bytes=settings.index_interval_bytes,
            is_compacted=settings.cleanup_compact or cleaned_offset is not None,
            cleaned_offset=cleaned_offset or 0,
            now_ms=now_ms,
        )
        end_offset = recovery.run(log_start)
        clean = shutdown is Shutdown.CLEAN and not is_new
        if probe.MUTANTS and probe.mutant("M16-killed-taken-for-flushed"):
            clean = clean or shutdown is Shutdown.KILLED
        opened = cls(
            disk,
            directory,
            settings=settings,
            recovered=recovery,
            end_offset=end_offset,
            log_start=log_start,
            flushed_offset=end_offset if clean else min(recovery_point, end_offset),
            jitter_ms=jitter_ms,
            # A process that was killed may have begun a segment whose name is not on the disk.
            names_changed=is_new or shutdown is not Shutdown.CLEAN,
        )
        if cleaned_offset is not None:
            # Beyond the end it would hide what is written there from now on.
            opened.cleaned_offset = min(cleaned_offset, end_offset)
        if shutdown is not Shutdown.CLEAN:
            # So that what was replayed now is not replayed after the next crash.
            try:
                opened._save_producers()
            except OSError as error:
                log.warning("no producer snapshot", extra={"log": directory, "error": str(error)})
        return opened

    @property
    def settings(self) -> TopicSettings:
        return self._settings

    @settings.setter
    def settings(self, settings: TopicSettings) -> None:
        self._settings = settings
        self._segments[-1].index_interval_bytes = settings.index_interval_bytes

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    @property
    def segment_count(self) -> int:
        return len(self._segments)

    @property
    def segments(self) -> Sequence[Segment]:
        """Oldest first; the last one is active. To be read only."""
        return self._segments

    @property
    def last_epoch(self) -> int:
        """The newest leader epoch that wrote here; -1: none."""
        return self.epochs.last_epoch

    @property
    def recovery_point(self) -> int:
        """Before it, data and indexes are on the disk: where a recovery after a power cut begins."""
        if probe.MUTANTS and probe.mutant("M32-recovery-point-ahead"):
            return self.end_offset
        return self._unsynced.recovery_point(self.flushed_offset)

    # Appending

    def append(self, batch: ValidBatch, *, leader_epoch: int, now_ms: int) -> Appended | Refused:
        """Write a client's batch at the end of the log; it was checked by `record/validate.py`.

        Hot: one write of two chunks, without a copy of the records.
        """
        header = batch.batch
        data = header.data
        assert data is not None
        has_producer = header.producer_id >= 0
        if has_producer:
            known = self.known(header)
            if known is not None:
                return known
        settings = self._settings
        size_bytes = header.size_bytes
        if size_bytes > settings.segment_bytes:
            return Refused(
                ErrorCode.RECORD_LIST_TOO_LARGE,
                f"a batch of {size_bytes:,} bytes; segment.bytes is {settings.segment_bytes:,}",
            )
        base_offset = self.end_offset
        last_offset = base_offset + header.last_offset_delta
        chunks: tuple[bytes | memoryview, ...]
        if settings.timestamp_log_append:
            copy = bytearray(data)
            stamp(copy, base_offset, leader_epoch)
            stamp_append_time(copy, now_ms)
            chunks = (memoryview(copy),)
            max_ms = append_ms = now_ms
        else:
            prefix = _PREFIX.pack(base_offset, size_bytes - LOG_OVERHEAD_BYTES, leader_epoch)
            chunks = (prefix, data[16:])
            max_ms, append_ms = header.max_timestamp, NO_TIMESTAMP
        segment = self._segment_for(size_bytes, base_offset, last_offset, max_ms, now_ms)
        if leader_epoch != self.epochs.last_epoch:
            # Also an older one: a log that was brought here has been written in others.
            self.epochs.assign(leader_epoch, base_offset)
        if probe.MUTANTS and probe.mutant("M75-sequence-before-write") and has_producer:
            self.producers.appended(header, base_offset, last_offset, max_ms)
        if probe.MUTANTS and probe.mutant("M37-end-before-write"):
            self.end_offset = last_offset + 1
        position = segment.size_bytes
        segment.append(chunks, size_bytes, last_offset, max_ms)
        self.tested.add(segment.base_offset, position, position + size_bytes, now_ms)
        self.end_offset = last_offset + 1
        if has_producer:
            self.producers.appended(header, base_offset, last_offset, max_ms)
        self.producers.end_offset = last_offset + 1
        return Appended(base_offset, last_offset, append_ms, False)

    def known(self, header: Batch) -> Appended | Refused | None:
        """What is known already of a batch with a producer id: it is here, or may not be."""
        known = self.producers.check(header)
        if probe.MUTANTS and probe.mutant("M70-retry-appended"):
            known = known if isinstance(known, Refused) else None
        if known is None or isinstance(known, Refused):
            return known
        return Appended(known.base_offset, known.last_offset, known.timestamp_ms, True)

    def append_batches(self, data: bytes, *, now_ms: int) -> None:
        """Write batches that carry their offsets and epochs: a leader's, or the metadata log's.

        LocalProtocolError: an offset that was already written, a wrong checksum, or bytes that are
        no whole batches; nothing is written then. An OSError leaves the batches before it.
        """
        end_offset = self.end_offset
        batches: list[Batch] = []
        size_bytes = 0
        try:
            for batch in batches_untrusted(data):
                if probe.MUTANTS and probe.mutant("M41-any-offset-appended"):
                    end_offset = 0
                if batch.base_offset < end_offset or batch.last_offset_delta < 0:
                    problem = f"offset {batch.base_offset}; the log ends at {end_offset}"
                    raise LocalProtocolError(f"{self.directory}: a batch at {problem}")
                if not crc_is_right(batch):
                    problem = f"the checksum of the batch at {batch.base_offset} is wrong"
                    raise LocalProtocolError(f"{self.directory}: {problem}")
                batches.append(batch)
                size_bytes += batch.size_bytes
                end_offset = batch.next_offset
        except RemoteProtocolError as error:
            raise LocalProtocolError(f"{self.directory}: {error}") from error
        if size_bytes != len(data):
            problem = f"{len(data) - size_bytes} bytes behind the last whole batch"
            raise LocalProtocolError(f"{self.directory}: {problem}")
        for batch in batches:
            self._append_as_it_is(batch, now_ms)

    def _append_as_it_is(self, batch: Batch, now_ms: int) -> None:
        assert batch.data is not None
        segment = self._segment_for(
            batch.size_bytes, batch.base_offset, batch.last_offset, batch.max_timestamp, now_ms
        )
        self.begin_epoch(batch.partition_leader_epoch, batch.base_offset)
        segment.append((batch.data,), batch.size_bytes, batch.last_offset, batch.max_timestamp)
        self.end_offset = batch.next_offset
        completed = self.producers.observe(batch)
        if completed is not None and completed.aborted:
            self._note_aborted(segment, completed)

    def _note_aborted(self, segment: Segment, completed: Completed) -> None:
        segment.aborted.append(self.producers.aborted(completed))
        self._unsynced.add_path(segment.path(".txnindex"))

    def begin_epoch(self, leader_epoch: int, start_offset: int | None = None) -> None:
        """From the log's end on, batches are of `leader_epoch`. An epoch that is known stays."""
        if leader_epoch > self.epochs.last_epoch:
            self.epochs.assign(
                leader_epoch, self.end_offset if start_offset is None else start_offset
            )

    def _segment_for(
        self, size_bytes: int, base_offset: int, last_offset: int, max_ms: int, now_ms: int
    ) -> Segment:
        """The active segment, a new one where the batch has no place in the old."""
        settings = self._settings
        active = self._segments[-1]
        if active.is_full(
            size_bytes,
            last_offset,
            segment_bytes=settings.segment_bytes,
            index_bytes=settings.segment_index_bytes,
        ) or (active.size_bytes and active.age_ms(now_ms, max_ms) > self._segment_ms()):
            # Where the log ends, not where the batch begins: a recovery takes a gap before a segment
            # for a loss. Only a gap that no segment has room for is left there.
            fits = last_offset - self.end_offset <= RELATIVE_OFFSET_MAX
            active = self._roll(self.end_offset if fits else base_offset, now_ms)
        return active

    def _segment_ms(self) -> int:
        """What is in the active segment can't be compacted, so it is sealed in time for that. The
        jitter was drawn when the log was opened, and the settings may be others now."""
        settings = self._settings
        segment_ms, lag_max_ms = settings.segment_ms, settings.max_compaction_lag_ms
        if lag_max_ms is not None and settings.cleanup_compact:
            segment_ms = min(segment_ms, lag_max_ms)
        return segment_ms - self._jitter_ms % segment_ms

    def _roll(self, base_offset: int, now_ms: int) -> Segment:
        """Seal the active segment and begin the next one."""
        active = self._segments[-1]
        if active.size_bytes == 0 and active.base_offset == base_offset:
            return active
        active.seal()
        segment = Segment(
            self._disk,
            self.directory,
            base_offset,
            0,
            index_interval_bytes=self._settings.index_interval_bytes,
            created_ms=now_ms,
        )
        segment.create_files()
        self._segments.append(segment)
        self._bases.append(base_offset)
        if not (probe.MUTANTS and probe.mutant("M39-sealed-unsynced")):
            self._unsynced.segments.append(active)
        self._unsynced.names_changed = True
        active.close()
        self.producers.end_offset = base_offset
        self._save_producers()
        return segment

    def _save_producers(self) -> None:
        producers = self.producers
        if producers.end_offset > producers.snapshot_offset:
            path = segment_path(self.directory, producers.end_offset, SNAPSHOT)
            self._disk.write_whole(path, producers.encode())
            producers.snapshot_offset = producers.end_offset
            if not (probe.MUTANTS and probe.mutant("M34-snapshot-unsynced")):
                self._unsynced.add_path(path)

    # Reading

    def slice(
        self,
        start: int,
        end: int,
        size_bytes_max: int,
        *,
        at_least_one: bool,
        now_ms: int | None = None,
    ) -> FileSlice | None:
        """Whole batches of one segment, from the one that holds `start`, none of them ends behind
        `end` (exclusive). None: there is nothing, or nothing that small.

        `at_least_one`: the first batch even when it is larger than `size_bytes_max` (KIP-74). An
        answer that is cut short ends at an index entry where it can: the next one begins there.
        `now_ms`: what was tested a moment ago is not tested again; None: everything is.
        """
        end = min(end, self.end_offset)
        if start >= end:
            return None
        try:
            at, position = self._locate(start)
        except CorruptSegment:
            at = max(bisect_right(self._bases, start) - 1, 0)
            found = self._segments[at].sound_holder(start, -1)
            if found is None:
                raise
            position = found
        if position < 0:
            return None
        if start < self._bases[at]:
            self._check_end(at - 1)
        try:
            return self._slice_from(at, position, start, end, size_bytes_max, at_least_one, now_ms)
        except CorruptSegment:
            self._forget_places()
            behind = self._segments[at].sound_holder(start, -1)
            if behind == position:  # or so it claims
                behind = self._segments[at].sound_holder(start, position)
            if behind is None:
                raise
            return self._slice_from(at, behind, start, end, size_bytes_max, at_least_one, None)

    def _slice_from(
        self,
        at: int,
        position: int,
        start: int,
        end: int,
        size_bytes_max: int,
        at_least_one: bool,
        now_ms: int | None,
    ) -> FileSlice | None:
        segment = self._segments[at]
        limit = segment.size_bytes
        if end < self._end_of_segment(at):
            bound = segment.find(end)
            if bound is not None and bound.position < position:  # damaged: it holds no such offset
                bound = segment.find_from(position, end)
            if bound is not None:
                limit = bound.position  # where `end` is inside a batch, that batch is left out
                if limit == position:
                    # Or so this one says: damage has to be told, or its reader waits for ever.
                    self._inspected(at, position, start, position + bound.size_bytes)
                    return None
        is_cut = limit - position > size_bytes_max
        if is_cut:
            target = position + size_bytes_max
            limit = segment.batch_start_at_most(position, target)
            if limit == position:
                limit = segment.whole_until(position, target)
        base_offset = segment.base_offset
        if now_ms is not None and self._is_sound_still(at, start, position, limit, now_ms):
            return FileSlice(segment.file, position, limit - position)
        sound = self._inspected(at, position, start, limit)
        if sound.limit <= position and is_cut and at_least_one:
            # The first batch is larger than that, or claims to end before `start`. Then it is damaged,
            # and has to be looked at with what follows: an empty answer would be asked for again.
            found = segment.find_from(position, start)
            whole = segment.size_bytes if found is None else found.position + found.size_bytes
            sound = self._inspected(at, position, start, whole)
        if sound.limit <= position or sound.next_offset > end:
            return None
        self._remember(sound.next_offset, base_offset, sound.limit)
        if now_ms is not None:
            self.tested.add(base_offset, position, sound.limit, now_ms)
        return FileSlice(segment.file, position, sound.limit - position, sound.head)

    def _is_sound_still(self, at: int, start: int, position: int, limit: int, now_ms: int) -> bool:
        """Was what is about to be served tested a moment ago? Not that this is what was asked for: damage
        in front of it may have led here, and where a gap seems to be, more has to be looked at. And an
        index that lies may say `limit`: what is there then reads as no offset that could follow.
        """
        segment = self._segments[at]
        base_offset = segment.base_offset
        if limit <= position or not self.tested.holds(base_offset, position, limit, now_ms):
            return False
        if not 0 <= segment.base_offset_at(position) <= start:
            return False
        following = end_offset = self._end_of_segment(at)
        if limit < segment.size_bytes:
            following = segment.base_offset_at(limit)
            if not start < following <= end_offset:
                return False
        self._remember(following, base_offset, limit)
        return True

    def _inspected(self, at: int, position: int, start: int, limit: int) -> Sound:
        """How far what is about to be served is what was appended. CorruptSegment: not at all."""
        inspection = Inspection(
            self._segments[at],
            position,
            start,
            end_offset=self._end_of_segment(at),
            epochs=self.epochs,
        )
        sound = inspection.run(limit)
        if sound.damage is not None and sound.limit <= position:
            raise sound.damage
        return sound

    def _check_end(self, at: int) -> None:
        """A segment does not hold an offset that should be in it: is its last batch sound?"""
        if at < 0 or self._segments[at].size_bytes == 0:
            return
        segment = self._segments[at]
        found = segment.before(segment.size_bytes)
        assert found is not None
        position, entry = found
        if not is_sound(entry) or entry.next_offset > self._end_of_segment(at):
            raise CorruptSegment(segment.path(), position, "its last batch is damaged")

    def _locate(self, offset: int) -> tuple[int, int]:
        """(index of the segment, position of the first batch that ends behind `offset`), or -1."""
        at = max(bisect_right(self._bases, offset) - 1, 0)
        resume = self._resumes.get(offset)
        if resume is not None:
            base_offset, position = resume
            segment = self._segments[at]
            if probe.MUTANTS and probe.mutant("M23-stale-position"):
                base_offset = segment.base_offset
            if base_offset == segment.base_offset and position < segment.size_bytes:
                return at, position
        while at < len(self._segments):
            found = self._segments[at].find(offset)
            if probe.MUTANTS and probe.mutant("M19-inside-batch-skipped") and found is not None:
                if found.base_offset < offset:
                    found = self._segments[at].find_from(found.position + found.size_bytes, offset)
            if found is not None:
                return at, found.position
            at += 1
        return at, -1

    def _remember(self, offset: int, base_offset: int, position: int) -> None:
        resumes = self._resumes
        if len(resumes) >= _RESUMES_MAX and offset not in resumes:
            del resumes[next(iter(resumes))]
        resumes[offset] = (base_offset, position)

    def _forget_places(self) -> None:
        """Segments are others, or have other bytes, than they had."""
        self._resumes.clear()
        self.tested.clear()

    def _end_of_segment(self, at: int) -> int:
        return self._bases[at + 1] if at + 1 < len(self._bases) else self.end_offset

    def batches(self, start: int, end: int) -> Iterator[Batch]:
        """The whole batches that hold offsets in start..end, with their data.

        CorruptSegment where a batch is of magic 0 or 1: those are only sent and looked up.
        """
        for segment, position, entry in self._entries(start, end, whole=True):
            if not isinstance(entry, Batch):
                raise CorruptSegment(segment.path(), position, f"a batch of magic {entry.magic}")
            yield entry

    def _entries(
        self, start: int, end: int, *, whole: bool = False
    ) -> Iterator[tuple[Segment, int, Entry]]:
        end = min(end, self.end_offset)
        while start < end:
            # By offset: compaction may have put one segment in the place of several meanwhile.
            at, position = self._locate(start)
            if position < 0:
                return
            segment, began = self._segments[at], start
            for here, entry in segment.walk(position, whole=whole):
                if first_offset(entry) >= end:
                    return
                yield segment, here, entry
                start = max(start, entry.next_offset)
            if start == began:  # damaged: what was found holds no such offset
                return

    def aborted(self, start: int, end: int) -> list[AbortedTransaction]:
        """The aborted transactions that reach into start..end, for readers of committed records."""
        found: list[AbortedTransaction] = []
        at = max(bisect_right(self._bases, start) - 1, 0)
        for segment in self._segments[at:]:
            for aborted in segment.aborted.read():
                if aborted.last_offset >= start and aborted.first_offset < end:
                    found.append(aborted)
                if aborted.last_stable_offset >= end:
                    return found
        return found

    # Looking up

    def offset_for_timestamp(self, timestamp_ms: int, end: int) -> TimestampOffset | None:
        """The first record before `end` whose time is at least `timestamp_ms`."""
        return first_since(self._segments, timestamp_ms, start=self.start_offset, end=end)

    def max_timestamp(self, end: int) -> TimestampOffset | None:
        """The first record that has the largest timestamp of all before `end` (KIP-734)."""
        return largest(self._segments, start=self.start_offset, end=end)

    def epoch_end(self, leader_epoch: int) -> tuple[int, int]:
        """(epoch, end offset) of the largest epoch at most `leader_epoch`; (-1, -1): unknown."""
        return self.epochs.end_of(leader_epoch, self.end_offset)

    # Truncating and deleting

    def truncate_to(self, end_offset: int) -> None:
        """Drop everything from `end_offset` on; the log then ends at a batch's end at most there.

        After an OSError the log may have lost more or less than asked, but is a log.
        """
        if end_offset >= self.end_offset:
            # An epoch may have begun here without having written anything.
            self.epochs.truncate_to(self.end_offset)
            return
        if end_offset < self._bases[0]:
            self._restart_at(end_offset)
            return
        offsets = snapshot_offsets(self._disk.names(self.directory))
        at, position = self._locate(end_offset)
        if position >= 0:
            found = self._segments[at].find_from(position, end_offset)
            assert found is not None
            end_offset = min(end_offset, found.base_offset)
        producers = restore(
            self._disk,
            self.directory,
            offsets,
            self._segments,
            start_offset=self._bases[0],
            end_offset=end_offset,
            offset_max=end_offset,
            rebuild_aborted=False,
        )
        self._forget_places()
        if not (probe.MUTANTS and probe.mutant("M17-producers-of-truncated")):
            self.producers = producers
        while self._segments[-1].base_offset > end_offset:
            self._retire_segment(len(self._segments) - 1, None)
        self._segments[-1].truncate_to(end_offset)
        self._ends_at(end_offset, offsets)

    def _ends_at(self, end_offset: int, snapshots: list[int]) -> None:
        """Let everything else know that the log was truncated."""
        self.end_offset = end_offset
        self.start_offset = min(self.start_offset, end_offset)
        self.flushed_offset = min(self.flushed_offset, end_offset)
        self._unsynced.forget(self._segments[-1])
        self._unsynced.truncated(end_offset)
        if self.cleaned_offset is not None:
            self.cleaned_offset = min(self.cleaned_offset, end_offset)
        for offset in snapshots:
            if offset > end_offset:
                self._remove_snapshot(offset)
        self.epochs.truncate_to(end_offset)

    def _restart_at(self, offset: int) -> None:
        """Empty the log and begin it at `offset`."""
        snapshots = snapshot_offsets(self._disk.names(self.directory))
        segment = Segment(
            self._disk,
            self.directory,
            offset,
            0,
            index_interval_bytes=self._settings.index_interval_bytes,
            created_ms=self._segments[-1].created_ms,
        )
        segment.create_files()
        self._unsynced.names_changed = True
        self._forget_places()
        self.producers = ProducerState(offset)
        self._segments.insert(0, segment)
        self._bases.insert(0, offset)
        while len(self._segments) > 1:
            self._retire_segment(len(self._segments) - 1, None)
        self.start_offset = offset
        self._ends_at(offset, snapshots)
        self.epochs.clear()

    def truncate_prefix(self, start_offset: int) -> None:
        """Make `start_offset` the first readable one; it is at most the end (KIP-107).

        Segments [0..9] [10..29] [30..]: truncate_prefix(25) moves the start; `retire` then deletes
        the first segment and keeps the next.
        """
        assert start_offset <= self.end_offset
        if start_offset > self.start_offset:
            if not (probe.MUTANTS and probe.mutant("M07-epochs-of-deleted")):
                self.epochs.truncate_prefix(start_offset)
            self.start_offset = start_offset

    def retire(self, now_ms: int, high_watermark: int) -> int:
        """Delete the oldest segments that may go; returns how many."""
        if probe.MUTANTS and probe.mutant("M18-retention-past-watermark"):
            high_watermark = self.end_offset
        by_start = expired_by_start(self._segments, min(self.start_offset, high_watermark))
        by_policy = expired_by_policy(
            self._segments[by_start:],
            self._settings,
            now_ms=now_ms,
            end_offset=self.end_offset,
            high_watermark=high_watermark,
        )
        count = by_start + by_policy
        if count == 0:
            return 0
        if count == len(self._segments):
            self._roll(self.end_offset, now_ms)
        due_ms = now_ms + self._settings.file_delete_delay_ms
        if probe.MUTANTS and probe.mutant("M72-producers-deleted-with-records"):
            self.producers.producers.clear()
        try:
            for _ in range(count):
                self._retire_segment(0, due_ms)
        finally:
            # Where the disk refuses, the rest stays readable: the next process would find it too.
            self.truncate_prefix(self._bases[0])
        log.info(
            "old segments are deleted",
            extra={
                "log": self.directory,
                "segments": count,
                "behind_start": by_start,
                "start_offset": self.start_offset,
            },
        )
        return count

    def holds(self, segments: Sequence[Segment]) -> bool:
        """Are these still sealed segments of this log, one after the other?"""
        at = bisect_right(self._bases, segments[0].base_offset) - 1
        end = at + len(segments)
        if at < 0 or end >= len(self._segments):
            return False
        pairs = zip(self._segments[at:end], segments, strict=True)
        return all(here is one for here, one in pairs)

    def replace(self, olds: Sequence[Segment], cleaned: Segment, now_ms: int) -> None:
        """Put a compacted segment in the place of those it was made of. It is on the disk, and its
        names end in `.swap`: from here on recovery would finish this, whatever call is the last.

        After an OSError the directory is in between, and this log not to be used.
        """
        assert self.holds(olds)
        at = bisect_right(self._bases, olds[0].base_offset) - 1
        due_ms = now_ms + self._settings.file_delete_delay_ms
        for segment in olds:
            self._deleted.append((due_ms, segment.retire_data()))
            self._deleted.extend((due_ms, path) for path in segment.retire_indexes())
            self._unsynced.forget(segment)
            self._unsynced.forget_path(segment.path(".txnindex"))
            if segment is not olds[0]:
                self._remove_snapshot(segment.base_offset)
        cleaned.end_names_with("")
        self._segments[at : at + len(olds)] = [cleaned]
        self._bases[at : at + len(olds)] = [cleaned.base_offset]
        self._forget_places()
        # Its names may not be on the disk: until they are, recovery has to look at it.
        self._unsynced.segments.append(cleaned)
        self._unsynced.names_changed = True
        cleaned.close()

    def _retire_segment(self, at: int, due_ms: int | None) -> None:
        """Take a segment out of the log and rename its files; `sweep` removes them."""
        segment = self._segments[at]
        # Without its data file a segment is gone, whatever becomes of the other files.
        self._deleted.append((due_ms, segment.retire_data()))
        del self._segments[at]
        del self._bases[at]
        if at == len(self._segments):
            self.end_offset = min(self.end_offset, segment.base_offset)
        self._forget_places()
        self._unsynced.forget(segment)
        self._unsynced.forget_path(segment.path(".txnindex"))
        self._deleted.extend((due_ms, path) for path in segment.retire_indexes())
        self._remove_snapshot(segment.base_offset)

    def _remove_snapshot(self, offset: int) -> None:
        path = segment_path(self.directory, offset, SNAPSHOT)
        self._unsynced.forget_path(path)
        self._disk.remove(path)

    def sweep(self, now_ms: int) -> int | None:
        """Remove the files whose delay is over; returns when the next ones are due."""
        delay_ms = self._settings.file_delete_delay_ms
        waiting: list[tuple[int | None, str]] = []
        while self._deleted:
            due_ms, path = self._deleted[0]
            if due_ms is not None and due_ms <= now_ms:
                assert path.endswith(DELETED)
                self._disk.remove(path)
            else:
                waiting.append((now_ms + delay_ms if due_ms is None else due_ms, path))
            del self._deleted[0]
        self._deleted = waiting
        return min((due_ms for due_ms, _ in waiting if due_ms is not None), default=None)

    # The disk

    def flush_with(self, path: str) -> None:
        """A file of somebody else in this directory is brought to the disk with the next flush."""
        self._unsynced.add_path(path)

    def flush_request(self) -> Flush | None:
        """What to sync so that everything before `end_offset` is durable; None: it is."""
        unsynced, epochs = self._unsynced, self.epochs
        if self.end_offset <= self.flushed_offset and unsynced.is_empty and not epochs.unflushed:
            return None
        files: list[File] = [file for one in unsynced.segments for file in one.flushable()]
        files.extend(self._disk.open(path) for path in unsynced.paths)
        if epochs.unflushed:
            files.append(self._disk.open(epochs.path))
        files.append(self._segments[-1].file)
        request = Flush(
            self._partition(),
            self.end_offset,
            tuple(files),
            self.directory if unsynced.names_changed or epochs.unflushed else None,
        )
        if probe.MUTANTS and probe.mutant("M33-directory-unsynced"):
            request.directory = None
        unsynced.take(self.end_offset)
        epochs.unflushed = False
        return request

    def flushed(self, end_offset: int) -> None:
        """A flush up to `end_offset` succeeded."""
        self.flushed_offset = max(self.flushed_offset, min(end_offset, self.end_offset))
        self._unsynced.done(end_offset)

    def close(self, now_ms: int) -> None:
        """Complete indexes and producer snapshot, and give descriptors back.

        `flush_request` may still be asked afterwards, and then covers what was written here. Where
        all data are on the disk already the recovery point stays the end: after a power cut the
        indexes of the segment that holds it are built anew.
        """
        self._segments[-1].seal()
        self.producers.end_offset = self.end_offset
        self._save_producers()
        if self._segments[-1].size_bytes and self.end_offset > self.flushed_offset:
            self._unsynced.segments.append(self._segments[-1])
        for segment in self._segments:
            segment.close()

    def check_invariants(self) -> None:
        assert self._bases == [segment.base_offset for segment in self._segments]
        assert self._bases == sorted(set(self._bases))
        assert self._bases[0] <= self.start_offset <= self.end_offset
        assert self.flushed_offset <= self.end_offset
        assert self.producers.end_offset == self.end_offset
        for at, segment in enumerate(self._segments):
            segment.check_invariants()
            assert segment.end_offset() <= self._end_of_segment(at)
        self.producers.check_invariants()
        self.epochs.check_invariants(self.end_offset)

    def _partition(self) -> TopicPartition:
        name = self.directory.rpartition("/")[2]
        if name.endswith("-future"):  # <topic>-<partition>.<unique>-future
            name = name.rpartition(".")[0]
        topic, _, number = name.rpartition("-")
        return TopicPartition(topic, int(number))
