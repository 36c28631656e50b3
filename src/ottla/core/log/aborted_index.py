"""The aborted transactions of a segment, for readers that want only what was committed (KIP-98).

34-byte entries, in the order of their last offsets. The file exists only where there is an entry.
"""

from struct import Struct
from typing import Final, NamedTuple, final

from ottla.core.port import Disk, File

ENTRY_BYTES: Final = 34
_ENTRY: Final = Struct(">hqqqq")
_VERSION: Final = 0


class AbortedTransaction(NamedTuple):
    """`last_offset` is the marker's; `last_stable_offset` the log's when the marker was written."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


@final
class AbortedIndex:
    """The `.txnindex` file of one segment."""

    __slots__ = ("_disk", "_path")

    def __init__(self, disk: Disk, path: str) -> None:
        self._disk = disk
        self._path = path

    def append(self, aborted: AbortedTransaction) -> File:
        """Add an entry; returns the file, which must reach the disk with the segment."""
        file = self._disk.open(self._path)
        file.append([_ENTRY.pack(_VERSION, *aborted)])
        return file

    def read(self) -> list[AbortedTransaction]:
        """All entries. A torn last one is left out."""
        data = self._disk.read_whole(self._path) or b""
        whole_bytes = len(data) // ENTRY_BYTES * ENTRY_BYTES
        return [
            AbortedTransaction(producer_id, first, last, stable)
            for _, producer_id, first, last, stable in _ENTRY.iter_unpack(data[:whole_bytes])
        ]

    def keep_below(self, offset: int) -> None:
        """Drop the transactions whose marker is at `offset` or later, and a torn end."""
        kept = [aborted for aborted in self.read() if aborted.last_offset < offset]
        size_bytes = len(kept) * ENTRY_BYTES
        file = self._disk.open(self._path)
        if file.size_bytes > size_bytes:
            file.truncate(size_bytes)
        file.close()
