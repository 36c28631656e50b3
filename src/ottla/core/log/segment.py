"""One stretch of a log: the batches from a base offset on, and the two indexes that find them.

The data file is the truth. The indexes are caches: they are opened when they are first needed, a
look-up checks what it finds, and an index that lied is rebuilt. A segment below a few blocks is
scanned without its indexes, so that many small partitions cost nothing.

Damage to one batch is no reason to lose those behind it: where the bytes are no batch, a scan goes on
at the next one whose checksum is right, and what lies between is reported as an ERROR.

Entries are Kafka's: when more than index.interval.bytes were written since the last entry, the next
batch gets one, naming its last offset and its position; the first batch of a segment gets none.

Elsewhere: which segments there are and when a new one begins, `log.py`; what is believed after a
crash, `recovery.py`; what may be served, `sound.py`. Left whole on purpose: data and indexes are
written, read and cut together, and the ways around damage are part of reading.
"""

import logging
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple, TypeAlias, final

from ottla import probe
from ottla.core.log.aborted_index import AbortedIndex
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.offset_index import OffsetIndex
from ottla.core.log.read_ahead import PIECE_BYTES, ReadAhead
from ottla.core.log.time_index import TimeIndex
from ottla.core.port import Disk, File
from ottla.errors import RemoteProtocolError
from ottla.record.batch import (
    HEADER_BYTES,
    LOG_OVERHEAD_BYTES,
    MAGIC_AT,
    Batch,
    crc_is_right,
    header_untrusted,
)
from ottla.record.legacy import ENTRY_BYTES_MIN, LegacyEntry, entry_untrusted
from ottla.types import NO_TIMESTAMP

RELATIVE_OFFSET_MAX: Final = 0x7FFFFFFF
"""A segment's offsets are kept relative to its base, in 31 bits."""

DELETED: Final = ".deleted"
"""Appended to the names of files that are about to be removed."""

CLEANED: Final = ".cleaned"
SWAP: Final = ".swap"
"""Appended to the names of what compaction writes, until it is complete, and until it is in place."""

REBUILT: Final = ".rebuilt" + DELETED
"""The name of an empty file: until the next clean stop, the segment's indexes may not be on the disk.
Who does not know it removes it at the next start."""

_SUFFIXES: Final = (".log", ".index", ".timeindex", ".txnindex")
_SCAN_BYTES: Final = 8192
"""What a look-up reads at once: the gap between two index entries, and some."""
_ORDER_BYTES: Final = 32 * 1024
_DAMAGES_REMEMBERED: Final = 64

# Base offset, length, magic, last offset delta.
_SCAN: Final = Struct(">qi4xb6xi")
_LENGTH_MIN: Final = ENTRY_BYTES_MIN - LOG_OVERHEAD_BYTES
_NOT_LOADED: Final = -2

log: Final = logging.getLogger(__name__)

Entry: TypeAlias = Batch | LegacyEntry
"""A batch of any magic; those before 2 are only read."""


class Found(NamedTuple):
    """Where a batch stands."""

    position: int
    size_bytes: int
    base_offset: int


def segment_path(directory: str, base_offset: int, suffix: str) -> str:
    return f"{directory}/{base_offset:020d}{suffix}"


def largest_timestamp(entry: Entry) -> int:
    return entry.max_timestamp if isinstance(entry, Batch) else entry.timestamp_ms


@final
class Segment:
    """One base offset: data file and indexes. The last one of a log is active, the others sealed."""

    __slots__ = (
        "_bytes_since_entry",
        "_damages",
        "_directory",
        "_disk",
        "_file",
        "_first_timestamp_ms",
        "_max_timestamp_ms",
        "_max_timestamp_offset",
        "_offsets",
        "_times",
        "base_offset",
        "created_ms",
        "index_interval_bytes",
        "name_end",
        "size_bytes",
    )

    def __init__(
        self,
        disk: Disk,
        directory: str,
        base_offset: int,
        size_bytes: int,
        *,
        index_interval_bytes: int,
        created_ms: int,
        file: File | None = None,
        name_end: str = "",
    ) -> None:
        """A segment whose files are there; nothing is opened yet.

        `file`: the data, when it does not stand under its final name. `name_end`: what the names of
        all its files end in, as long as they are not final.
        """
        self._disk = disk
        self._directory = directory
        self.base_offset = base_offset
        self.size_bytes = size_bytes
        self.index_interval_bytes = index_interval_bytes
        self.created_ms = created_ms
        self.name_end = name_end
        self._file = file
        self._offsets: OffsetIndex | None = None
        self._times: TimeIndex | None = None
        self._bytes_since_entry: int = 0
        self._damages: dict[int, int] | None = None  # where no batch begins -> where the next does
        self._first_timestamp_ms: int = _NOT_LOADED
        self._max_timestamp_ms: int = _NOT_LOADED
        self._max_timestamp_offset: int = base_offset

    # Its files

    def path(self, suffix: str = ".log") -> str:
        return segment_path(self._directory, self.base_offset, suffix) + self.name_end

    @property
    def file(self) -> File:
        if self._file is None:
            self._file = self._disk.open(self.path())
        return self._file

    @property
    def offsets(self) -> OffsetIndex:
        """The offset index, checked when it is first used."""
        if self._offsets is None:
            index = OffsetIndex(self._disk, self.path(".index"), self.base_offset)
            sane = index.load(self.size_bytes)
            self._offsets = index
            if not sane:
                self._distrust(".index", "it is not sorted, or points outside the segment")
        return self._offsets

    @property
    def times(self) -> TimeIndex:
        """The time index, checked when it is first used."""
        if self._times is None:
            index = TimeIndex(self._disk, self.path(".timeindex"), self.base_offset)
            sane = index.load()
            self._times = index
            try:
                if not sane:
                    self._distrust(".timeindex", "it is not sorted")
                elif index.count and not self._holds(*index.last()):
                    self._distrust(".timeindex", "no batch has the timestamp of its last entry")
                elif not index.count and self.size_bytes:
                    # Whoever was rebuilding it did not get far: entries would be missed for ever.
                    self.rebuild_indexes()
            except CorruptSegment as error:
                # Told to whoever reads there; a start only wants the file, and must not fail.
                log.error("a segment is damaged", extra={"problem": str(error)})
        return self._times

    def _holds(self, timestamp_ms: int, offset: int) -> bool:
        """Is that the largest timestamp of the batch that holds `offset`?"""
        found = self.find(offset)
        if found is None:
            return False
        _, entry = next(self.walk(found.position))
        return largest_timestamp(entry) == timestamp_ms

    @property
    def aborted(self) -> AbortedIndex:
        return AbortedIndex(self._disk, self.path(".txnindex"))

    def create_files(self) -> None:
        """Make the empty files of a new segment; what a failed attempt left is emptied."""
        for suffix in (".log", ".index", ".timeindex"):
            file = self._disk.open(self.path(suffix))
            if file.size_bytes:
                file.truncate(0)
            file.close()
        self._disk.remove(self.path(".txnindex"))
        self._first_timestamp_ms = self._max_timestamp_ms = NO_TIMESTAMP

    def flushable(self) -> list[File]:
        """The files that must reach the disk before a sealed segment may be trusted."""
        return [self.file, self.offsets.file, self.times.file]

    def end_names_with(self, name_end: str) -> None:
        """Rename all its files, the data first, so that their names end so. Handles stay valid."""
        for suffix in _SUFFIXES:
            path = self.path(suffix)
            if self._disk.exists(path):
                self._disk.rename(
                    path, segment_path(self._directory, self.base_offset, suffix) + name_end
                )
        self.name_end = name_end

    def retire_data(self) -> str:
        """Rename the data file to `.deleted`; returns the new path. Open slices keep working."""
        return self._retire(self.path())

    def _retire(self, path: str) -> str:
        # A segment that compaction replaces may have left its name to one replaced since.
        aside, turn = path + DELETED, 1
        while self._disk.exists(aside):
            aside, turn = f"{path}.{turn}{DELETED}", turn + 1
        self._disk.rename(path, aside)
        return aside

    def retire_indexes(self) -> list[str]:
        """Rename the other files as well; returns the new paths. A restart would remove them."""
        renamed: list[str] = []
        for suffix in _SUFFIXES[1:]:
            path = self.path(suffix)
            if self._disk.exists(path):
                renamed.append(self._retire(path))
        return renamed

    def remove_files(self) -> None:
        """Remove the files at once, the data first."""
        for suffix in _SUFFIXES:
            self._disk.remove(self.path(suffix))

    def close(self) -> None:
        """Give descriptors back; a later call opens what it needs."""
        for file in (self._file, self._offsets, self._times):
            if file is not None:
                file.close()

    # Writing

    def append(
        self, chunks: Sequence[bytes | memoryview], size_bytes: int, last_offset: int, max_ms: int
    ) -> None:
        """Add one batch. After an OSError the segment is as before."""
        self.load_max_timestamp()
        offsets, times = self.offsets, self.times
        if offsets.block_is_full or times.block_is_full:
            # Before the data, so that a failing index leaves nothing half done.
            self.write_indexes()
        position = self.size_bytes
        self.file.append(chunks)
        if probe.MUTANTS and probe.mutant("M37-index-after-data"):
            self.write_indexes()
        self.size_bytes = position + size_bytes
        self.note(position, size_bytes, last_offset, max_ms)

    def extend(self, batches: Sequence[Batch]) -> None:
        """Add whole batches at once. After an OSError the segment is not to be used."""
        if self.offsets.block_is_full or self.times.block_is_full:
            self.write_indexes()
        position = self.size_bytes
        chunks: list[bytes | memoryview] = []
        for batch in batches:
            assert batch.data is not None
            chunks.append(batch.data)
        self.file.append(chunks)
        for batch in batches:
            self.note(position, batch.size_bytes, batch.last_offset, batch.max_timestamp)
            position += batch.size_bytes
        self.size_bytes = position

    def note(self, position: int, size_bytes: int, last_offset: int, max_ms: int) -> None:
        """Index a batch that was written at `position`."""
        if position == 0:
            self._first_timestamp_ms = max_ms
        if max_ms > self._max_timestamp_ms:
            self._max_timestamp_ms = max_ms
            self._max_timestamp_offset = last_offset
        if self._bytes_since_entry > self.index_interval_bytes:
            self.offsets.append(last_offset, position)
            self.times.append(self._max_timestamp_ms, self._max_timestamp_offset)
            self._bytes_since_entry = 0
        self._bytes_since_entry += size_bytes

    def write_indexes(self) -> None:
        # The time index first: a scan from the last offset entry then misses no timestamp before it.
        self.times.write_out()
        self.offsets.write_out()

    def seal(self) -> None:
        """Complete the indexes: nothing more will be appended, or not by this process."""
        if self.size_bytes:
            self.load_max_timestamp()
            if not (probe.MUTANTS and probe.mutant("M39-last-time-missing")):
                self.times.append(self._max_timestamp_ms, self._max_timestamp_offset)
            self.write_indexes()

    def is_full(
        self, size_bytes: int, last_offset: int, *, segment_bytes: int, index_bytes: int
    ) -> bool:
        """Is there no room for a batch of that size and last offset?"""
        if self.size_bytes > segment_bytes - size_bytes:
            return True
        if last_offset - self.base_offset > RELATIVE_OFFSET_MAX:
            return True
        # Every entry stands for more than the interval, so small segments have room.
        if self.size_bytes // (self.index_interval_bytes + 1) < index_bytes // 12 - 1:
            return False
        return self.offsets.count >= index_bytes // 8 or self.times.count >= index_bytes // 12 - 1

    def age_ms(self, now_ms: int, max_timestamp_ms: int) -> int:
        """How long the segment has been filled when a batch with that timestamp arrives."""
        first_ms = self.first_timestamp_ms()
        return max_timestamp_ms - first_ms if first_ms >= 0 else now_ms - self.created_ms

    def truncate_to(self, offset: int) -> None:
        """Cut everything from the batch on that holds `offset`."""
        found = self.find(offset)
        if found is None:
            return
        max_ms, max_offset = self.times.last_below(offset)
        for position, entry in self.walk(self.offsets.position_at_most(offset - 1)):
            if position >= found.position:
                break
            if largest_timestamp(entry) > max_ms:
                max_ms, max_offset = largest_timestamp(entry), entry.next_offset - 1
        self.cut_at(found.position, offset)
        self._max_timestamp_ms, self._max_timestamp_offset = max_ms, max_offset

    def cut_at(self, position: int, offset: int) -> None:
        """Cut the file at `position`, where the first batch of `offset` or later begins."""
        # Indexes first: an index that is too short is only slow, one that is too long is wrong.
        self.offsets.keep_below(offset)
        self.times.keep_below(offset)
        if self._disk.exists(self.path(".txnindex")):
            self.aborted.keep_below(offset)
        if not (probe.MUTANTS and probe.mutant("M02-torn-tail-stays")):
            self.file.truncate(position)
        self.size_bytes = position
        self._damages = None
        self._bytes_since_entry = 0
        if position == 0:
            self._first_timestamp_ms = self._max_timestamp_ms = NO_TIMESTAMP
            self._max_timestamp_offset = self.base_offset

    def find_max_timestamp(self, end_offset: int) -> None:
        """After a cut at `end_offset`: the largest timestamp is one of what was left."""
        if self._max_timestamp_offset < end_offset or not self.size_bytes:
            return
        max_ms, max_offset = self.times.last()
        try:
            for _, entry in self.walk(self.offsets.last_position()):
                if largest_timestamp(entry) > max_ms:
                    max_ms, max_offset = largest_timestamp(entry), entry.next_offset - 1
        except CorruptSegment as error:
            log.error("a segment is damaged", extra={"problem": str(error)})
        self._max_timestamp_ms, self._max_timestamp_offset = max_ms, max_offset

    # Reading

    def find(self, offset: int) -> Found | None:
        """The first batch whose last offset is at least `offset`; None: there is none."""
        if self.size_bytes <= _SCAN_BYTES:
            return self._find_past_damage(0, offset)
        position = self.offsets.position_at_most(offset)
        if position == 0:
            return self._find_past_damage(0, offset)
        if not 0 < position < self.size_bytes:
            self._distrust(".index", f"offset {offset} is said to be at byte {position}")
            return self._find_past_damage(self.offsets.position_at_most(offset), offset)
        problem = ""
        try:
            found = self.find_from(position, offset)
            if found is not None and found.position == position and found.base_offset > offset:
                problem = f"offset {offset} is said to be at byte {position} or later"
        except CorruptSegment as error:
            if error.position > position:
                return self._find_past_damage(position, offset)
            problem = str(error)
        if problem:
            self._distrust(".index", problem)
            return self._find_past_damage(self.offsets.position_at_most(offset), offset)
        return found

    def _find_past_damage(self, position: int, offset: int) -> Found | None:
        """`find_from`, going on behind bytes that are no batch."""
        while True:
            try:
                return self.find_from(position, offset)
            except CorruptSegment as damage:
                position = self._behind(damage)

    def _behind(self, damage: CorruptSegment) -> int:
        """Where the next whole batch begins; raises `damage` when there is none."""
        if self._damages is None:
            self._damages = {}
        behind = self._damages.get(damage.position)
        if behind is None:
            behind = self.whole_after(damage.position)
            if behind is None:
                raise damage
            if len(self._damages) >= _DAMAGES_REMEMBERED:
                self._damages.clear()
            self._damages[damage.position] = behind
            log.error(
                "a segment is damaged; the batches behind the damage are kept",
                extra={
                    "file": self.path(),
                    "position": damage.position,
                    "bytes": behind - damage.position,
                    "problem": damage.problem,
                },
            )
        return behind

    def whole_after(self, position: int) -> int | None:
        """The first position behind `position` where a batch of magic 2 stands, checksum and all."""
        at, end = position + 1, self.size_bytes
        while at + HEADER_BYTES <= end:
            block = self.file.read(at, min(PIECE_BYTES, end - at))
            found = block.find(b"\2", MAGIC_AT)
            while found >= 0:
                size = int.from_bytes(block[found - 8 : found - 4], "big") + LOG_OVERHEAD_BYTES
                here = at + found - MAGIC_AT
                if HEADER_BYTES <= size <= end - here and self._is_whole(here, size):
                    return here
                found = block.find(b"\2", found + 1)
            if at + len(block) >= end or len(block) <= MAGIC_AT:
                break
            at += len(block) - MAGIC_AT
        return None

    def _is_whole(self, position: int, size_bytes: int) -> bool:
        try:
            entry = self.entry_at(position, size_bytes)
        except CorruptSegment:
            return False
        return isinstance(entry, Batch) and crc_is_right(entry)

    def sound_holder(self, offset: int, behind: int) -> int | None:
        """Where, after `behind`, a batch stands that holds `offset`, going from batch to batch by
        what checksums say instead of what headers claim: the way when a scan has met damage."""
        position: int | None = 0
        if self.size_bytes > _SCAN_BYTES:
            position = self.offsets.position_at_most(offset)
        while position is not None and position < self.size_bytes:
            try:
                _, header = next(self._walk(position, whole=False))
            except CorruptSegment:
                position = self.whole_after(position)
                continue
            if not self._is_whole(position, header.size_bytes):
                position = self.whole_after(position)
                continue
            base = header.base_offset if isinstance(header, Batch) else header.last_offset
            if base <= offset < header.next_offset and position > behind:
                return position
            position += header.size_bytes
        return None

    def before(self, position: int) -> tuple[int, Entry] | None:
        """The batch that ends at `position`, whole; None: nothing does. CorruptSegment: the batches
        on the way there overlap, or do not lead there."""
        if position == 0:
            return None
        start = max(0, position - _ORDER_BYTES)
        if start:
            start = self.batch_start_at_most(0, start)
        end_offset = self.base_offset
        last: tuple[int, Entry] | None = None
        for here, entry in self.walk(start, strictly=True):
            first_offset = entry.base_offset if isinstance(entry, Batch) else entry.last_offset
            if first_offset < end_offset:
                raise CorruptSegment(self.path(), here, f"offset {first_offset} is out of order")
            end_offset = entry.next_offset
            last = (here, entry)
            if here + entry.size_bytes >= position:
                break  # what stands behind may be no batch, and is not asked about
        if last is None or last[0] + last[1].size_bytes != position:
            raise CorruptSegment(self.path(), position, "the batches before it do not end here")
        return last[0], self.entry_at(last[0], last[1].size_bytes)

    def find_from(self, position: int, offset: int) -> Found | None:
        """As `find`, scanning headers from `position` on.

        Hot: a plain loop over blocks of the file, one unpack per batch.
        """
        end = self.size_bytes
        file = self.file
        unpack_from = _SCAN.unpack_from
        while position < end:
            block = file.read(position, _SCAN_BYTES)
            if len(block) < _SCAN.size:
                # The smallest message of magic 0 has one byte less than is unpacked.
                block += b"\0"
            at = 0
            last = len(block) - _SCAN.size
            if last < 0:
                raise CorruptSegment(self.path(), position, "no batch begins here")
            while at <= last:
                base, length, magic, delta = unpack_from(block, at)
                if magic != 2:
                    delta = 0 if 0 <= magic < 2 else -1
                size = length + LOG_OVERHEAD_BYTES
                if length < _LENGTH_MIN or delta < 0 or position + at + size > end:
                    raise CorruptSegment(self.path(), position + at, "no batch begins here")
                if base + delta >= offset:
                    return Found(position + at, size, base)
                at += size
            position += at
        return None

    def batch_start_at_most(self, position: int, limit: int) -> int:
        """A batch's start between `position` and `limit`, as far as can be told without a scan."""
        if self.size_bytes <= _SCAN_BYTES:
            return position
        return max(position, self.offsets.batch_start_at_most(limit))

    def base_offset_at(self, position: int) -> int:
        """What the batch at `position` begins with; -1: it is older than magic 2, and does not say."""
        front = self.file.read(position, MAGIC_AT + 1)
        if len(front) <= MAGIC_AT or front[MAGIC_AT] != 2:
            return -1
        return int.from_bytes(front[:8], "big", signed=True)

    def whole_until(self, position: int, limit: int) -> int:
        """The end of the last batch that ends at or before `limit`, scanning from `position`."""
        file = self.file
        end = position
        while True:
            block = file.read(end, min(_SCAN_BYTES, self.size_bytes - end))
            at = 0
            while at <= len(block) - LOG_OVERHEAD_BYTES:
                size = int.from_bytes(block[at + 8 : at + 12], "big") + LOG_OVERHEAD_BYTES
                if end + at + size > limit:
                    return end + at
                at += size
            if at == 0:
                return end
            end += at

    def walk(
        self, position: int = 0, *, whole: bool = False, strictly: bool = False
    ) -> Iterator[tuple[int, Entry]]:
        """(position, batch) from `position` to the end; `whole`: with its data.

        Raises CorruptSegment where the bytes are no batch, or one that does not end; when only the
        headers are wanted, and not `strictly`, only where no whole batch follows.
        """
        last: tuple[int, Entry] | None = None
        while True:
            try:
                for here, entry in self._walk(position, whole=whole):
                    last = (here, entry)
                    yield here, entry
                return
            except CorruptSegment as error:
                if whole or strictly:
                    raise
                damage = error
                # It may be the batch before that has misled the walk, by its length.
                if last is not None and not self._is_whole(last[0], last[1].size_bytes):
                    damage = CorruptSegment(self.path(), last[0], "the checksum is wrong")
                last = None
                position = self._behind(damage)

    def _walk(self, position: int, *, whole: bool) -> Iterator[tuple[int, Entry]]:
        end = self.size_bytes
        file = self.file
        ahead = ReadAhead(file, position, end) if whole else None
        read = file.read if ahead is None else ahead.read
        block_bytes = _SCAN_BYTES if ahead is None else PIECE_BYTES
        block = b""
        block_at = position
        while position < end:
            at = position - block_at
            if at + HEADER_BYTES > len(block) and block_at + len(block) < end:
                block = read(position, min(block_bytes, end - position))
                block_at, at = position, 0
            entry = self._entry(block, at, position)
            if whole and entry.data is None:
                block = read(position, min(max(block_bytes, entry.size_bytes), end - position))
                block_at, at = position, 0
                entry = self._entry(block, at, position)
                if entry.data is None:
                    raise CorruptSegment(self.path(), position, "the file ends inside a batch")
            yield position, entry
            position += entry.size_bytes
        if ahead is not None:
            ahead.finish()

    def entry_at(self, position: int, size_bytes: int) -> Entry:
        """One whole batch."""
        entry = self._entry(self.file.read(position, size_bytes), 0, position)
        if entry.data is None:
            raise CorruptSegment(self.path(), position, "the file ends inside a batch")
        return entry

    def end_offset(self) -> int:
        """The offset after the last batch, from the last index entry on."""
        if self.size_bytes == 0:
            return self.base_offset
        position = 0 if self.size_bytes <= _SCAN_BYTES else self.offsets.last_position()
        end_offset = self.base_offset
        for _, entry in self.walk(position):
            end_offset = entry.next_offset
        return end_offset

    # Timestamps

    def load_max_timestamp(self) -> tuple[int, int]:
        """(largest timestamp, last offset of the first batch that has it); -1: there is none."""
        if self._max_timestamp_ms == _NOT_LOADED:
            if self.size_bytes == 0:
                self._max_timestamp_ms = NO_TIMESTAMP
            else:
                self._max_timestamp_ms, self._max_timestamp_offset = self.times.last()
        return self._max_timestamp_ms, self._max_timestamp_offset

    def first_timestamp_ms(self) -> int:
        """The first batch's largest timestamp; -1: none."""
        if self._first_timestamp_ms == _NOT_LOADED:
            self._first_timestamp_ms = NO_TIMESTAMP
            for _, entry in self.walk():
                self._first_timestamp_ms = largest_timestamp(entry)
                break
        return self._first_timestamp_ms

    def age_timestamp_ms(self) -> int:
        """What retention goes by: the largest timestamp, else when the file was last written."""
        max_ms, _ = self.load_max_timestamp()
        return max_ms if max_ms >= 0 else self._disk.modified_ms(self.path())

    def position_since(self, timestamp_ms: int, offset: int) -> int:
        """Where to scan from for the first record at or after both."""
        if self.size_bytes <= _SCAN_BYTES:
            return 0
        timed = self.times.at_most(timestamp_ms)
        if timed is not None and not self._holds(*timed):
            self._distrust(".timeindex", f"no batch has the timestamp {timed[0]} of an entry")
            timed = self.times.at_most(timestamp_ms)
        found = self.find(offset if timed is None else max(offset, timed[1]))
        return 0 if found is None else found.position

    # Trust

    def rebuild_indexes(self) -> None:
        """Build both indexes anew from the batches' headers.

        They are new files, made after `REBUILT`: of a directory's names, a power cut takes the last
        ones. Where indexes are seen afterwards that did not reach the disk, so is that.
        """
        try:
            self._disk.open(self.path(REBUILT)).close()
            self._offsets = self._times = None
            for suffix in (".index", ".timeindex"):
                self._disk.remove(self.path(suffix))
            self.begin_rebuild()
            for position, entry in self.walk():
                end_offset = entry.next_offset
                self.note(position, entry.size_bytes, end_offset - 1, largest_timestamp(entry))
            self.end_rebuild()
        except CorruptSegment:
            raise
        except OSError:
            self._offsets = self._times = None  # half done; whoever needs them next begins anew
            self._max_timestamp_ms = _NOT_LOADED
            raise

    def begin_rebuild(self) -> None:
        """Empty both indexes; every batch has to be passed to `note` again."""
        if self._offsets is None:
            self._offsets = OffsetIndex(self._disk, self.path(".index"), self.base_offset)
        if self._times is None:
            self._times = TimeIndex(self._disk, self.path(".timeindex"), self.base_offset)
        self._offsets.clear()
        self._times.clear()
        self._bytes_since_entry = 0
        self._first_timestamp_ms = _NOT_LOADED
        self._max_timestamp_ms, self._max_timestamp_offset = NO_TIMESTAMP, self.base_offset

    def resume_indexes(self) -> int:
        """Get ready to index on where the indexes end; returns the position to scan from."""
        if self._times is None:
            index = TimeIndex(self._disk, self.path(".timeindex"), self.base_offset)
            if index.load() and not index.count:
                self.begin_rebuild()
                return 0
        position = self.offsets.last_position()
        self._max_timestamp_ms, self._max_timestamp_offset = self.times.last()
        # The batch of the last entry is scanned again, and must get no second entry.
        self._bytes_since_entry = 0
        return position

    def end_rebuild(self) -> None:
        self.times.append(self._max_timestamp_ms, self._max_timestamp_offset)
        self.write_indexes()
        self._bytes_since_entry = 0

    def check_invariants(self) -> None:
        assert self.size_bytes == self.file.size_bytes
        self.offsets.check_invariants(self.size_bytes)
        self.times.check_invariants()

    def _distrust(self, suffix: str, problem: str) -> None:
        log.warning(
            "an index is wrong and is rebuilt",
            extra={"file": self.path(suffix), "problem": problem, "log_bytes": self.size_bytes},
        )
        self.rebuild_indexes()

    def _entry(self, block: bytes, at: int, position: int) -> Entry:
        """The header at `at` of `block`, which stands at `position` and must end in the file."""
        try:
            entry: Entry
            if len(block) > at + MAGIC_AT and block[at + MAGIC_AT] < 2:
                entry = entry_untrusted(block, at)
                base_offset = entry.last_offset
            else:
                entry = header_untrusted(block, at)
                base_offset = entry.base_offset
                if entry.last_offset_delta < 0:
                    raise RemoteProtocolError(f"last offset delta {entry.last_offset_delta}")
        except RemoteProtocolError as error:
            raise CorruptSegment(self.path(), position, str(error)) from error
        if position + entry.size_bytes > self.size_bytes:
            raise CorruptSegment(self.path(), position, "the file ends inside a batch")
        relative = entry.next_offset - 1 - self.base_offset
        if base_offset < self.base_offset or relative > RELATIVE_OFFSET_MAX:
            raise CorruptSegment(
                self.path(), position, f"offset {base_offset} does not belong in this segment"
            )
        return entry
