"""A file of entries of one size, sorted by their keys: what the indexes of a segment are made of.

New entries wait in memory until a block is full, so that an append costs no second system call;
look-ups read blocks through the page cache and keep the last one. What waited when the process was
killed is rebuilt from the segment (`recovery.py`): an index is a cache of the log, never more.

Kafka preallocates its index files, and leaves them with a zero tail when it is killed:
`drop_zero_tail` gets rid of it.
"""

from struct import Struct
from typing import Final, final

from ottla.core.port import Disk, File

BLOCK_BYTES: Final = 4096
"""Read at once, and held back at most."""

_STEPS_KEPT: Final = 6
"""Of a search by halves among the blocks: the first entries that these steps look at, 63, are kept."""


@final
class EntryFile:
    """`count` entries of `entry_bytes` each; the file is opened when it is first needed."""

    __slots__ = ("_block", "_block_at", "_file", "_firsts", "_stored", "_waiting", "entry_bytes")

    def __init__(self, disk: Disk, path: str, entry_bytes: int) -> None:
        self.entry_bytes = entry_bytes
        self._file: File = disk.open(path)
        self._stored: int = self._file.size_bytes // entry_bytes
        self._waiting = bytearray()
        self._block = b""
        self._block_at: int = 0
        self._firsts: dict[int, bytes] = {}  # by the number of their block

    @property
    def count(self) -> int:
        return self._stored + len(self._waiting) // self.entry_bytes

    @property
    def file(self) -> File:
        return self._file

    @property
    def block_is_full(self) -> bool:
        return len(self._waiting) >= BLOCK_BYTES

    def append(self, entry: bytes) -> None:
        """Add an entry, in memory: this can't fail."""
        self._waiting += entry

    def write_out(self) -> None:
        """Hand what waits to the page cache."""
        if self._waiting:
            self.cut_remainder()
            self._file.append([bytes(self._waiting)])
            self._stored += len(self._waiting) // self.entry_bytes
            self._waiting.clear()
            self._firsts.clear()  # halves of a longer file are others

    def cut_remainder(self) -> None:
        """Cut what is behind the last whole entry: a torn write, or a tail that was refused."""
        size_bytes = self._stored * self.entry_bytes
        if self._file.size_bytes > size_bytes:
            self._file.truncate(size_bytes)

    def keep(self, count: int) -> None:
        """Drop all entries from slot `count` on."""
        if count >= self._stored:
            del self._waiting[(count - self._stored) * self.entry_bytes :]
            return
        self._file.truncate(count * self.entry_bytes)
        self._stored = count
        self._waiting.clear()
        self._block = b""
        self._firsts.clear()

    def entry(self, slot: int) -> bytes:
        size = self.entry_bytes
        if slot >= self._stored:
            at = (slot - self._stored) * size
            return bytes(self._waiting[at : at + size])
        at = slot * size - self._block_at
        if at < 0 or at + size > len(self._block):
            self._load_block(slot // (BLOCK_BYTES // size))
            at = slot * size - self._block_at
        return self._block[at : at + size]

    def last_at_most(self, key: Struct, target: int) -> int:
        """The last slot whose key (read with `key`) is at most `target`; -1: there is none.

        Look-ups come in runs: the waiting entries and the last block are tried first.
        """
        size = self.entry_bytes
        waiting = self._waiting
        if waiting and key.unpack_from(waiting)[0] <= target:
            return self._stored + _count_at_most(waiting, size, key, target) - 1
        if self._stored == 0:
            return -1
        block = self._block
        if not block or key.unpack_from(block)[0] > target or not self._ends_behind(key, target):
            self._load_block_of(key, target)
        return self._block_at // size + _count_at_most(self._block, size, key, target) - 1

    def _ends_behind(self, key: Struct, target: int) -> bool:
        """Can no later block hold an entry at most `target`?"""
        block = self._block
        if self._block_at + len(block) == self._stored * self.entry_bytes:
            return True
        return bool(key.unpack_from(block, len(block) - self.entry_bytes)[0] >= target)

    def _load_block_of(self, key: Struct, target: int) -> None:
        size = self.entry_bytes
        per_block = BLOCK_BYTES // size
        low, high = 0, (self._stored + per_block - 1) // per_block
        firsts, steps = self._firsts, 0
        while low < high:
            middle = (low + high) >> 1
            first = firsts.get(middle)
            if first is None:
                first = self._file.read(middle * per_block * size, size)
                if steps < _STEPS_KEPT:
                    firsts[middle] = first
            steps += 1
            if key.unpack_from(first)[0] <= target:
                low = middle + 1
            else:
                high = middle
        self._load_block(max(low - 1, 0))

    def _load_block(self, number: int) -> None:
        per_block = BLOCK_BYTES // self.entry_bytes
        self._block_at = number * per_block * self.entry_bytes
        room = self._stored * self.entry_bytes - self._block_at
        self._block = self._file.read(self._block_at, min(per_block * self.entry_bytes, room))

    def drop_zero_tail(self) -> None:
        """Drop the unused, zero part of a preallocated file. Slot 0 may truly be zero, if alone."""
        count = self.count
        if count < 2 or any(self.entry(count - 1)):
            return
        low, high = 0, count - 1
        while low < high:
            middle = (low + high) >> 1
            if any(self.entry(middle)):
                low = middle + 1
            else:
                high = middle
        self.keep(low)

    def close(self) -> None:
        self._file.close()


def _count_at_most(entries: bytes | bytearray, size: int, key: Struct, target: int) -> int:
    """How many of the first entries have a key of at most `target`."""
    unpack_from = key.unpack_from
    low, high = 0, len(entries) // size
    while low < high:
        middle = (low + high) >> 1
        if unpack_from(entries, middle * size)[0] <= target:
            low = middle + 1
        else:
            high = middle
    return low
