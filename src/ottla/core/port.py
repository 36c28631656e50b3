"""The things a machine may call, because they answer at once: the page cache, a random source, a stopwatch.

Everything else that takes time (an fsync, a peer, the client's answer) is returned as an effect.
`aio/disk.py` is the real disk, the simulator will be another. Paths are text relative to the log
directory the disk was made for, with `/` between names; the core never sees an absolute one.

A call that the disk refuses raises `OSError`; whoever holds the state says what that means.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, final

from ottla.types import Uuid


class File(Protocol):
    """A file that grows at its end. Reading and writing go through the page cache.

    The handle stays valid while the disk renames the file (`Disk.rename` knows its handles); how
    many are really open is the disk's affair.
    """

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int: ...

    def append(self, chunks: Sequence[bytes | memoryview]) -> int:
        """Write the chunks at the end, all or nothing; returns the position of the first byte.

        After an OSError the file has the size it had before.
        """

    def read(self, position: int, size_bytes: int) -> bytes:
        """The bytes from `position` on; fewer than `size_bytes` only at the end of the file."""

    def read_once(self, position: int, size_bytes: int) -> bytes:
        """As `read`; what lies behind is not brought along."""

    def prefetch(self, position: int, size_bytes: int) -> bool:
        """These bytes, and no others, are read soon: the disk may begin to bring them. Waits for
        nothing, never fails.

        True: it has to bring them, so that they are in memory for this reader only. What comes while
        it looks counts as having been there.
        """

    def forget(self, position: int, size_bytes: int) -> None:
        """Nobody else needs these bytes, or some up to `position`, in memory. Never fails."""

    def truncate(self, size_bytes: int) -> None: ...

    def close(self) -> None:
        """Give the descriptor back. A later call opens the file again."""


class Volume(NamedTuple):
    """Where a log directory is, for people to read, and the room on its file system."""

    path: str
    total_bytes: int
    usable_bytes: int


class Disk(Protocol):
    """One log directory."""

    def volume(self) -> Volume: ...

    def open(self, path: str) -> File:
        """The file at `path`, made empty if it is not there. The directory must exist."""

    def names(self, directory: str) -> list[str]:
        """What stands in a directory, sorted. Empty when there is no such directory."""

    def exists(self, path: str) -> bool: ...

    def size_bytes(self, path: str) -> int:
        """Raises FileNotFoundError."""

    def modified_ms(self, path: str) -> int:
        """When the file was last written, milliseconds since the epoch. FileNotFoundError."""

    def make_directory(self, path: str) -> None:
        """Make `path` (one level); fine when it is there."""

    def rename(self, old: str, new: str) -> None:
        """Atomic; replaces a file at `new`. Works for directories and follows open handles."""

    def remove(self, path: str) -> None:
        """Remove one file; fine when it is not there."""

    def remove_tree(self, path: str) -> None:
        """Remove a directory and the files in it; fine when it is not there."""

    def read_whole(self, path: str) -> bytes | None:
        """All bytes of a small file; None when it is not there."""

    def write_whole(self, path: str, data: bytes) -> None:
        """Replace a small file: `<path>.tmp`, then rename. In the page cache, not yet on the disk.

        Where the bytes must survive a power cut, return the `WriteWhole` effect instead.
        """


@final
class FileSlice:
    """A stretch of a file that a reply carries: the core says which bytes, the shell moves them.

    `head`: what it begins with, while it is still held from being tested: what leaves at once is not
    read twice. Empty: nothing is held.
    """

    __slots__ = ("file", "head", "position", "size_bytes")

    def __init__(
        self, file: File, position: int, size_bytes: int, head: bytes | memoryview = b""
    ) -> None:
        self.file = file
        self.position = position
        self.size_bytes = size_bytes
        self.head = head

    def __len__(self) -> int:
        return self.size_bytes

    def read(self) -> bytes:
        if len(self.head) == self.size_bytes:
            return bytes(self.head)
        return self.file.read(self.position, self.size_bytes)


class Stopwatch(Protocol):
    """How long this node's thread has been at work; the simulator's goes on by itself."""

    def spent_ns(self) -> int:
        """CPU time, since some moment in the past."""


class Entropy(Protocol):
    """`SystemRandom` in production, `Random(seed)` in the simulator."""

    def uuid(self) -> Uuid:
        """16 random bytes whose text form has no `-` at the front (as Kafka's random ids)."""

    def below(self, end: int) -> int:
        """A number in 0..end-1."""
