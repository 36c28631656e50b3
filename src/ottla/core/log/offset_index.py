"""Where in a segment an offset is found: 8-byte entries (relative offset, file position).

An entry names the last offset of a batch and the position where that batch (or, in files Kafka's
followers and cleaner wrote, a run of batches) begins. Whoever looks up an offset scans from the
greatest entry at most that offset.

Promise: after `load`, offsets and positions are inside the segment at both ends. Whether an entry
in the middle is right shows when its position is read; then the segment rebuilds its indexes.
"""

from struct import Struct
from typing import Final, final

from ottla.core.log.entry_file import EntryFile
from ottla.core.port import Disk, File

ENTRY_BYTES: Final = 8
_ENTRY: Final = Struct(">ii")
_OFFSET: Final = Struct(">i")
_POSITION: Final = Struct(">4xi")


@final
class OffsetIndex:
    """The `.index` file of one segment."""

    __slots__ = ("_base_offset", "_entries", "_last_offset")

    def __init__(self, disk: Disk, path: str, base_offset: int) -> None:
        self._entries = EntryFile(disk, path, ENTRY_BYTES)
        self._base_offset = base_offset
        self._last_offset: int = -1

    @property
    def count(self) -> int:
        return self._entries.count

    @property
    def file(self) -> File:
        return self._entries.file

    @property
    def block_is_full(self) -> bool:
        return self._entries.block_is_full

    def load(self, log_size_bytes: int) -> bool:
        """Drop what can't be an entry of a log of this size. False: rebuild it, it is no index."""
        entries = self._entries
        entries.cut_remainder()
        entries.drop_zero_tail()
        if entries.count:
            entries.keep(entries.last_at_most(_POSITION, log_size_bytes - 1) + 1)
        self._read_last()
        if entries.count == 0:
            return True
        first_offset, first_position = _ENTRY.unpack(entries.entry(0))
        offset, position = _ENTRY.unpack(entries.entry(entries.count - 1))
        if first_offset < 0 or first_position < 0 or position >= log_size_bytes:
            return False
        return entries.count == 1 or (offset > first_offset and position > first_position)

    def append(self, offset: int, position: int) -> None:
        """Add an entry, unless one for as much is there: Kafka's followers index runs of batches,
        and a scan that begins at the last entry meets the batches of its run again."""
        if offset > self._last_offset:
            self._entries.append(_ENTRY.pack(offset - self._base_offset, position))
            self._last_offset = offset

    def entry(self, slot: int) -> tuple[int, int]:
        """(offset, position)"""
        offset, position = _ENTRY.unpack(self._entries.entry(slot))
        return self._base_offset + offset, position

    @property
    def last_offset(self) -> int:
        """The last entry's offset, with which a batch at its position or behind it ends; -1: none."""
        return self._last_offset

    def last_position(self) -> int:
        """Where a scan for the end of the segment may begin."""
        count = self._entries.count
        return self.entry(count - 1)[1] if count else 0

    def position_at_most(self, offset: int) -> int:
        """Where a scan for `offset` may begin."""
        slot = self._entries.last_at_most(_OFFSET, offset - self._base_offset)
        return self.entry(slot)[1] if slot >= 0 else 0

    def batch_start_at_most(self, position: int) -> int:
        """The greatest position at most `position` where an entry says that a batch begins."""
        slot = self._entries.last_at_most(_POSITION, position)
        return self.entry(slot)[1] if slot >= 0 else 0

    def keep_below(self, offset: int) -> None:
        """Drop the entries of `offset` and all later ones."""
        slot = self._entries.last_at_most(_OFFSET, offset - self._base_offset - 1)
        self._entries.keep(slot + 1)
        self._read_last()

    def clear(self) -> None:
        self._entries.keep(0)
        self._last_offset = -1

    def write_out(self) -> None:
        self._entries.write_out()

    def close(self) -> None:
        self._entries.close()

    def check_invariants(self, log_size_bytes: int) -> None:
        last_offset, last_position = self._base_offset - 1, -1
        for slot in range(self.count):
            offset, position = self.entry(slot)
            assert offset > last_offset
            assert position > last_position
            last_offset, last_position = offset, position
        assert last_position < log_size_bytes or self.count == 0

    def _read_last(self) -> None:
        count = self._entries.count
        self._last_offset = self.entry(count - 1)[0] if count else -1
