"""What of a partition's directory is believed when it is opened, and what is rebuilt.

How the last process ended decides. *Clean*: everything is as it was closed. *Killed*: the page cache
survived, so only the tail of the active segment may be torn, and only what its indexes held back is
missing. *Power lost*: nothing that was not synced is believed: from the recovery point on, every
batch's checksum is tested, and the log ends before the first one that is wrong.

Promises: a recovered log is a prefix of what was written and holds everything up to the recovery
point; recovering twice changes nothing more; damage to an index, a snapshot or a checkpoint never
stops a start. What is cut is told as a WARNING, with file, position, offset and number of bytes.

Source: KIP-101 (epochs), KIP-98 (snapshots), the bugs behind KAFKA-520, 12520, 16541. Elsewhere:
who knows how the process ended, `aio/log_directory.py`.
"""

import logging
from enum import Enum
from typing import Final, final

from ottla import probe
from ottla.core.log import checkpoint
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.epoch_history import EpochHistory
from ottla.core.log.epoch_turns import EpochTurns
from ottla.core.log.producer_state import ProducerState
from ottla.core.log.segment import (
    CLEANED,
    DELETED,
    REBUILT,
    SWAP,
    Entry,
    Segment,
    largest_timestamp,
    segment_path,
)
from ottla.core.log.snapshot import (
    OFFSET_DIGITS,
    SNAPSHOT,
    base_offset_of,
    is_good,
    remove_strays,
    restore,
    snapshot_offsets,
)
from ottla.core.log.tail import Tail, checksum_is_right
from ottla.core.port import Disk, File
from ottla.record.batch import Batch

log: Final = logging.getLogger(__name__)


class Shutdown(Enum):
    """How the last process that had this directory ended."""

    CLEAN = "clean"
    KILLED = "killed"
    POWER_LOST = "power lost"


@final
class Recovery:
    """Brings one partition's directory back. Used once, by `Log.open`."""

    __slots__ = (
        "_directory",
        "_disk",
        "_gaps_end",
        "_index_interval_bytes",
        "_is_compacted",
        "_names",
        "_now_ms",
        "_rebuilt",
        "_recovery_point",
        "_shutdown",
        "_trusted_offset",
        "_turns",
        "epochs",
        "producers",
        "segments",
    )

    def __init__(
        self,
        disk: Disk,
        directory: str,
        names: list[str],
        *,
        shutdown: Shutdown,
        recovery_point: int,
        index_interval_bytes: int,
        is_compacted: bool,
        cleaned_offset: int,
        now_ms: int,
    ) -> None:
        """`is_compacted`: there may be gaps between its batches. `cleaned_offset`: before it, also
        between the last batch of a segment and the next segment."""
        self._disk = disk
        self._directory = directory
        self._names = set(names)
        self._shutdown = shutdown
        self._recovery_point = recovery_point
        self._index_interval_bytes = index_interval_bytes
        self._is_compacted = is_compacted
        # What was compacted in another directory may have been flushed since, and be known by that.
        self._gaps_end = max(cleaned_offset, recovery_point) if is_compacted else 0
        self._now_ms = now_ms
        self._rebuilt: set[int] = set()  # base offsets: whose indexes may not be on the disk
        self.segments: list[Segment] = []
        self.epochs = EpochHistory(disk, directory, [])
        self.producers = ProducerState(0)
        self._trusted_offset: int = 0  # snapshots above it are not believed
        self._turns = EpochTurns(self.epochs)

    def run(self, log_start: int) -> int:
        """Fill `segments` (at least one), `epochs` and `producers`; returns the end offset."""
        self._settle_leftovers()
        self._find_segments()
        rebuild_epochs = not self._load_epochs()
        end_offset = self._settle_segments()
        knows_producers = self._carry_producers(end_offset, log_start)
        if end_offset < log_start or not self.segments:
            end_offset = self._begin_at(log_start)
            rebuild_epochs = False
        start_offset = max(log_start, self.segments[0].base_offset)
        if rebuild_epochs or self._lacks_epochs(start_offset, end_offset):
            self.epochs.begin_rebuilding()
            self._turns = EpochTurns(self.epochs)
            self._rebuild_epochs()
        self._turns.presume()
        self.epochs.end_rebuilding()
        if not (probe.MUTANTS and probe.mutant("M08-epochs-beyond-end")):
            self.epochs.truncate_to(end_offset)
        self.epochs.truncate_prefix(start_offset)
        if not knows_producers:
            self._load_producers(end_offset)
        return end_offset

    # Files

    def _path(self, name: str) -> str:
        return f"{self._directory}/{name}"

    def _remove(self, name: str) -> None:
        self._disk.remove(self._path(name))
        self._names.discard(name)

    def _settle_leftovers(self) -> None:
        """Finish or undo what a process was doing with whole files when it ended."""
        if any(name.endswith((DELETED, CLEANED, SWAP)) for name in self._names):
            self._settle_renamed()
        for name in [name for name in self._names if name.endswith("index")]:
            if name[:OFFSET_DIGITS] + ".log" not in self._names:
                log.warning("an index without a log is removed", extra={"file": self._path(name)})
                self._remove(name)

    def _settle_renamed(self) -> None:
        for name in sorted(self._names):
            rebuilt = base_offset_of(name, REBUILT)
            if rebuilt is not None and self._shutdown is not Shutdown.CLEAN:
                self._rebuilt.add(rebuilt)
                if f"{rebuilt:020d}.log" in self._names:
                    continue
            # A metadata log's deleted snapshots are its own affair.
            if name.endswith(DELETED) and ".checkpoint" not in name:
                self._remove(name)
        cleaned = [name for name in sorted(self._names) if name.endswith(CLEANED)]
        swapped = [name for name in sorted(self._names) if name.endswith(SWAP)]
        if cleaned:
            # Compaction renames all its output from .cleaned to .swap, then to the final names: a
            # .swap file at or above a .cleaned one belongs to an output that is not complete.
            first = min(name[:OFFSET_DIGITS] for name in cleaned)
            for name in [*[name for name in swapped if name[:OFFSET_DIGITS] >= first], *cleaned]:
                self._remove(name)
            swapped = [name for name in swapped if name in self._names]
        if probe.MUTANTS and probe.mutant("M38-swap-undone"):
            for name in swapped:
                self._remove(name)
            return
        if swapped:
            self._finish_swap(swapped)

    def _finish_swap(self, swapped: list[str]) -> None:
        """Replace the segments that the swapped ones were made of."""
        for name in swapped:
            base_offset = base_offset_of(name, ".log" + SWAP)
            if base_offset is None:
                continue
            end_offset = self._end_of_swapped(name, base_offset)
            for old in sorted(self._names):
                offset = base_offset_of(old, old[OFFSET_DIGITS:])
                if not old.endswith(SWAP) and offset is not None:
                    if base_offset <= offset < end_offset:
                        self._remove(old)
        for name in swapped:
            final_name = name.removesuffix(SWAP)
            self._disk.rename(self._path(name), self._path(final_name))
            self._names.discard(name)
            self._names.add(final_name)
            log.info("a compacted segment is put in place", extra={"file": self._path(final_name)})

    def _end_of_swapped(self, name: str, base_offset: int) -> int:
        file = self._disk.open(self._path(name))
        segment = self._segment(base_offset, file.size_bytes, file)
        end_offset = base_offset
        try:
            for _, entry in segment.walk():
                end_offset = entry.next_offset
        except CorruptSegment as error:
            log.warning("a compacted segment is damaged", extra={"problem": str(error)})
        file.close()
        return end_offset

    def _segment(self, base_offset: int, size_bytes: int, file: File | None = None) -> Segment:
        return Segment(
            self._disk,
            self._directory,
            base_offset,
            size_bytes,
            index_interval_bytes=self._index_interval_bytes,
            created_ms=self._now_ms,
            file=file,
        )

    def _find_segments(self) -> None:
        for name in sorted(self._names):
            base_offset = base_offset_of(name, ".log")
            if base_offset is not None:
                size_bytes = self._disk.size_bytes(self._path(name))
                self.segments.append(self._segment(base_offset, size_bytes))

    # Segments

    def _settle_segments(self) -> int:
        """Bring the segments into a state that can be trusted; returns the end offset."""
        segments = self.segments
        self._trusted_offset = (1 << 63) - 1
        if not segments:
            return -1
        if self._shutdown is Shutdown.POWER_LOST:
            # Also the segment that ends at the recovery point: its batches are on the disk, but its
            # indexes get there only by a flush that was asked for after it was sealed.
            first = max(
                (
                    at
                    for at, segment in enumerate(segments)
                    if segment.base_offset < self._recovery_point
                ),
                default=0,
            )
            self._trusted_offset = segments[first].base_offset
            self._rescan_from(first)
            for segment in segments[:first]:
                self._rebuild_missing(segment)
            return segments[-1].end_offset()
        for segment in segments:
            self._rebuild_missing(segment)
        active = segments[-1]
        if self._shutdown is Shutdown.CLEAN:
            return self._end_of_clean(active)
        try:
            return self._rescan_tail(active, active.resume_indexes())
        except CorruptSegment as error:
            return self._rescan_all(active, error)

    def _end_of_clean(self, active: Segment) -> int:
        """The log's end after a clean stop, which has left it in the recovery point as well.

        Where the last batches do not lead there, one of them is damaged. What was acknowledged must
        not be written over, so the log goes on at the recovery point, in a new segment.
        """
        size_bytes = active.size_bytes
        try:
            end_offset = active.end_offset()
            if self._recovery_point in (0, end_offset):
                return end_offset
            problem = f"it ends at {end_offset}; the recovery point is {self._recovery_point}"
            damage = CorruptSegment(active.path(), size_bytes, problem)
        except CorruptSegment as error:
            damage = error
        end_offset = self._rescan_all(active, damage)
        if active.size_bytes < size_bytes and end_offset < self._recovery_point:
            log.error(
                "records are lost to damage; the log goes on behind them",
                extra={
                    "log": self._directory,
                    "offset": end_offset,
                    "records": self._recovery_point - end_offset,
                },
            )
            end_offset = self._recovery_point
            following = self._segment(end_offset, 0)
            following.create_files()
            self.segments.append(following)
        return end_offset

    def _rescan_from(self, first: int) -> None:
        """Test the segments from `first` on; behind the first damage or gap, nothing is kept, but
        for the gaps that compaction has left: no segment that is begun here leaves one before it."""
        end_offset = -1
        for at in range(first, len(self.segments)):
            segment = self.segments[at]
            is_gap = end_offset not in (-1, segment.base_offset)
            if probe.MUTANTS and probe.mutant("M02-gap-believed"):
                is_gap = False
            if is_gap and segment.base_offset > self._gaps_end:
                # The end of the segment before it was lost, and lost so that no batch is torn.
                self._drop_from(at)
                return
            behind = self.segments[at + 1].base_offset if at + 1 < len(self.segments) else None
            damage, end_offset = self._rescan(segment, behind)
            if damage is not None:
                # What is behind goes first: a cut with something behind it would look like a log.
                if not (probe.MUTANTS and probe.mutant("M02-behind-the-cut")):
                    self._drop_from(at + 1)
                self._cut(segment, damage.position, end_offset, damage.problem)
                segment.end_rebuild()
                return
            segment.end_rebuild()

    def _rebuild_missing(self, segment: Segment) -> None:
        if segment.size_bytes == 0:
            return
        stem = f"{segment.base_offset:020d}"
        missing = [one for one in (".index", ".timeindex") if stem + one not in self._names]
        if not missing and segment.base_offset not in self._rebuilt:
            return
        why = {"file": segment.path(), "missing": missing}
        log.warning("indexes are rebuilt: one is missing, or not surely on the disk", extra=why)
        try:
            segment.rebuild_indexes()
        except CorruptSegment as error:
            # Sealed and damaged: what is readable stays readable.
            log.error("a segment is damaged", extra={"problem": str(error)})

    def _rescan_all(self, segment: Segment, damage: CorruptSegment) -> int:
        """The last index entry leads to no batch that can be believed: begin at the front."""
        log.warning(
            "the active segment is damaged; all of it is examined",
            extra={"file": segment.path(), "position": damage.position, "problem": damage.problem},
        )
        self._trusted_offset = segment.base_offset
        segment.begin_rebuild()
        return self._rescan_tail(segment, 0)

    def _rescan_tail(self, segment: Segment, first: int) -> int:
        """Index what is not indexed from `first` on, and cut a batch that was being written.

        Only the last batch can be one. What is damaged further in front was damaged since, and
        stays: what stands behind it was acknowledged.
        """
        tail = Tail(segment, is_contiguous=not self._is_compacted, first=first)
        indexed = segment.offsets.last_offset if first > 0 else -1
        torn: CorruptSegment | None = None
        # Indexed only when it stays: a time index must not end with a batch that was cut.
        last: tuple[int, int, int, int] | None = None
        try:
            for position, entry in segment.walk(first):
                if last is not None:
                    segment.note(*last)
                tail.add(position, entry)
                if entry.next_offset - 1 == indexed:
                    indexed = -1
                last = position, entry.size_bytes, tail.end_offset - 1, largest_timestamp(entry)
        except CorruptSegment as error:
            if tail.last is None and first > 0:
                raise
            torn = error
        if indexed >= 0:
            # No batch stands before these that would tell that an offset is wrong; the index does.
            problem = f"no batch ends with offset {indexed}, which the index names last"
            raise CorruptSegment(segment.path(), first, problem)
        if torn is None and tail.last is not None and not tail.last_is_sound():
            torn = CorruptSegment(segment.path(), tail.last[0], "the checksum is wrong")
            if first > 0:
                raise torn
            tail.drop_last()
            last = None
        if last is not None:
            segment.note(*last)
        if torn is not None:
            self._cut(segment, torn.position, tail.end_offset, torn.problem)
        segment.end_rebuild()
        return tail.end_offset

    def _rescan(self, segment: Segment, behind: int | None) -> tuple[CorruptSegment | None, int]:
        """Test every batch and index it. Returns the first damage, and the offset where it is.

        No checksum covers a base offset. Where there can't be gaps, a batch that leaves one before it
        is believed only if what follows fits to it: `behind` is where the next segment begins.
        """
        next_offset = segment.base_offset
        damage: CorruptSegment | None = None
        gap: tuple[int, int] | None = None  # before the last batch: its position, what was next
        segment.begin_rebuild()
        try:
            for position, entry in segment.walk(whole=True):
                first_offset = entry.base_offset if isinstance(entry, Batch) else entry.last_offset
                if first_offset < next_offset:
                    raise CorruptSegment(segment.path(), position, "offsets do not grow")
                if not checksum_is_right(entry):
                    raise CorruptSegment(segment.path(), position, "the checksum is wrong")
                segment.note(
                    position, entry.size_bytes, entry.next_offset - 1, largest_timestamp(entry)
                )
                gap = None
                if isinstance(entry, Batch):
                    self._turns.note(entry)
                    if first_offset > next_offset:
                        gap = position, next_offset
                next_offset = entry.next_offset
        except CorruptSegment as error:
            damage = error
        fits = damage is None and behind is not None and behind >= next_offset
        if gap is not None and not fits and not self._is_compacted:
            position, next_offset = gap
            problem = f"its offset is not {next_offset}, which is next"
            damage = CorruptSegment(segment.path(), position, problem)
        return damage, next_offset

    def _cut(self, segment: Segment, position: int, end_offset: int, problem: str) -> None:
        log.warning(
            "the log is cut at its last whole batch",
            extra={
                "file": segment.path(),
                "position": position,
                "offset": end_offset,
                "bytes": segment.size_bytes - position,
                "problem": problem,
            },
        )
        segment.cut_at(position, end_offset)
        segment.find_max_timestamp(end_offset)

    def _drop_from(self, at: int) -> None:
        """Remove the segments behind one that was cut, the last one first."""
        while len(self.segments) > at:
            segment = self.segments[-1]
            log.warning(
                "a segment behind the cut is removed",
                extra={
                    "file": segment.path(),
                    "position": 0,
                    "offset": segment.base_offset,
                    "bytes": segment.size_bytes,
                },
            )
            segment.remove_files()
            self.segments.pop()

    def _begin_at(self, log_start: int) -> int:
        """Start an empty log: there is no segment, or all of them end before the log begins."""
        self._drop_from(0)
        segment = self._segment(log_start, 0)
        segment.create_files()
        self.segments.append(segment)
        self.epochs.clear()
        self._turns = EpochTurns(self.epochs)
        # The next start would believe a snapshot of just there: it is of the segment's base then.
        self._trusted_offset = log_start
        return log_start

    # Epochs and producers

    def _load_epochs(self) -> bool:
        """False: there is no history to be believed."""
        if checkpoint.EPOCHS not in self._names:
            return not any(segment.size_bytes for segment in self.segments)
        path = self._path(checkpoint.EPOCHS)
        try:
            entries = checkpoint.parse_epochs(path, self._disk.read_whole(path) or b"")
        except checkpoint.MalformedFile as error:
            log.warning("the epoch history is rebuilt", extra={"problem": str(error)})
            self._remove(checkpoint.EPOCHS)  # an empty log's history is not written again
            return False
        self.epochs = EpochHistory(self._disk, self._directory, entries)
        self._turns = EpochTurns(self.epochs)
        return True

    def _lacks_epochs(self, start_offset: int, end_offset: int) -> bool:
        """Did the log's start go back, as its checkpoint was lost, and the history did not? One that
        has begun anew, in an older epoch than the batch before, has nothing to say of that one."""
        first_epoch, first_offset = next(iter(self.epochs.entries()), (-1, 0))
        if start_offset >= min(first_offset, end_offset):
            return False
        try:
            entry = self._entry_at(first_offset - 1)
            if isinstance(entry, Batch) and entry.base_offset >= first_offset:  # compacted away
                entry = self._entry_at(start_offset)
        except CorruptSegment:
            return True
        if not isinstance(entry, Batch) or entry.base_offset >= first_offset:
            return entry is None
        return entry.partition_leader_epoch <= first_epoch

    def _entry_at(self, offset: int) -> Entry | None:
        """The batch with this offset, or the next one of its segment."""
        at = max(at for at, one in enumerate(self.segments) if one.base_offset <= offset)
        found = self.segments[at].find(offset)
        return found and self.segments[at].entry_at(found.position, found.size_bytes)

    def _rebuild_epochs(self) -> None:
        for segment in self.segments:
            for _, entry in segment.walk():
                if isinstance(entry, Batch):
                    self._turns.note(entry)

    def _carry_producers(self, end_offset: int, log_start: int) -> bool:
        """Where all segments end before the log's start, what they tell of producers goes on there:
        they may still send again what was deleted. It is written down before the segments go.

        False: there is nothing to carry, or a snapshot at the start, which knows more than they do.
        """
        path = segment_path(self._directory, log_start, SNAPSHOT)
        if not self.segments or end_offset >= log_start or is_good(self._disk, path, log_start):
            return False
        self._load_producers(end_offset)
        self.producers.end_offset = log_start
        try:
            self._disk.write_whole(path, self.producers.encode())
        except OSError as error:
            log.warning("no producer snapshot", extra={"file": path, "error": str(error)})
        return True

    def _load_producers(self, end_offset: int) -> None:
        offsets = snapshot_offsets(self._names)
        self.producers = restore(
            self._disk,
            self._directory,
            offsets,
            self.segments,
            # Also what stands before the log's start: its producers may still send it again.
            start_offset=self.segments[0].base_offset,
            end_offset=end_offset,
            offset_max=self._trusted_offset,
            rebuild_aborted=self._shutdown is not Shutdown.CLEAN,
        )
        if offsets:
            remove_strays(
                self._disk,
                self._directory,
                offsets,
                believed=self.producers.snapshot_offset,
                bases=[segment.base_offset for segment in self.segments],
                end_offset=end_offset,
                suspect=self._shutdown is Shutdown.POWER_LOST,
            )
