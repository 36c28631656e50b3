"""Since when a segment has a timestamp: 12-byte entries (timestamp, relative offset).

An entry says: up to this offset, this is the largest timestamp. Both grow from entry to entry. The
offset is the last one of the batch that holds the timestamp. When a segment is sealed or closed, its
largest timestamp is added, so that the last entry tells how old the segment is.
"""

from struct import Struct
from typing import Final, final

from ottla.core.log.entry_file import EntryFile
from ottla.core.port import Disk, File
from ottla.types import NO_TIMESTAMP

ENTRY_BYTES: Final = 12
_ENTRY: Final = Struct(">qi")
_TIMESTAMP: Final = Struct(">q")
_OFFSET: Final = Struct(">8xi")


@final
class TimeIndex:
    """The `.timeindex` file of one segment."""

    __slots__ = ("_base_offset", "_entries", "last_timestamp_ms")

    def __init__(self, disk: Disk, path: str, base_offset: int) -> None:
        self._entries = EntryFile(disk, path, ENTRY_BYTES)
        self._base_offset = base_offset
        self.last_timestamp_ms: int = NO_TIMESTAMP

    @property
    def count(self) -> int:
        return self._entries.count

    @property
    def file(self) -> File:
        return self._entries.file

    @property
    def block_is_full(self) -> bool:
        return self._entries.block_is_full

    def load(self) -> bool:
        """Drop a torn end and a zero tail. False: rebuild it, it is no index."""
        entries = self._entries
        entries.cut_remainder()
        entries.drop_zero_tail()
        if entries.count:
            first_timestamp_ms, first_offset = _ENTRY.unpack(entries.entry(0))
            timestamp_ms, offset = _ENTRY.unpack(entries.entry(entries.count - 1))
            if first_offset < 0 or offset < first_offset or timestamp_ms < first_timestamp_ms:
                return False
        self._read_last()
        return True

    def last(self) -> tuple[int, int]:
        """(largest timestamp, offset); (-1, base offset): there is none."""
        count = self._entries.count
        return self.entry(count - 1) if count else (NO_TIMESTAMP, self._base_offset)

    def last_below(self, offset: int) -> tuple[int, int]:
        """As `last`, of the entries whose offset is smaller."""
        slot = self._entries.last_at_most(_OFFSET, offset - self._base_offset - 1)
        return self.entry(slot) if slot >= 0 else (NO_TIMESTAMP, self._base_offset)

    def entry(self, slot: int) -> tuple[int, int]:
        """(timestamp, offset)"""
        timestamp_ms, offset = _ENTRY.unpack(self._entries.entry(slot))
        return timestamp_ms, self._base_offset + offset

    def append(self, timestamp_ms: int, offset: int) -> None:
        """Add an entry, unless its timestamp is no larger than the last one's."""
        if timestamp_ms > self.last_timestamp_ms:
            self._entries.append(_ENTRY.pack(timestamp_ms, offset - self._base_offset))
            self.last_timestamp_ms = timestamp_ms

    def at_most(self, timestamp_ms: int) -> tuple[int, int] | None:
        """The last entry of at most `timestamp_ms`: before its batch, every timestamp is smaller."""
        slot = self._entries.last_at_most(_TIMESTAMP, timestamp_ms)
        return self.entry(slot) if slot >= 0 else None

    def keep_below(self, offset: int) -> None:
        """Drop the entries of `offset` and all later ones."""
        slot = self._entries.last_at_most(_OFFSET, offset - self._base_offset - 1)
        self._entries.keep(slot + 1)
        self._read_last()

    def clear(self) -> None:
        self._entries.keep(0)
        self.last_timestamp_ms = NO_TIMESTAMP

    def write_out(self) -> None:
        self._entries.write_out()

    def close(self) -> None:
        self._entries.close()

    def check_invariants(self) -> None:
        last_timestamp_ms, last_offset = NO_TIMESTAMP, self._base_offset - 1
        for slot in range(self.count):
            timestamp_ms, offset = self.entry(slot)
            assert timestamp_ms > last_timestamp_ms
            assert offset >= last_offset
            last_timestamp_ms, last_offset = timestamp_ms, offset
        assert last_timestamp_ms == self.last_timestamp_ms

    def _read_last(self) -> None:
        self.last_timestamp_ms = self.last()[0]
