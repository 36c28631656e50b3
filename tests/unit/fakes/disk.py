"""A log directory in memory: `core/port.py`'s Disk with a fault countdown and a power switch.

It is stricter than a real disk where a real disk may forgive: a removed file can't be read through
an old handle, and a path that leaves the directory is an error. `sync` is what the shell's flush
does; `after_power_cut` is the directory as it would be found had only synced bytes survived.

The clock is a number: set `now_ms` and files written afterwards carry it.
"""

import errno
import sys
from collections.abc import Iterable, Sequence
from typing import final

from ottla.core.port import File, Volume


@final
class _Content:
    __slots__ = ("data", "durable", "modified_ms", "path", "removed")

    def __init__(self, path: str, data: bytes, modified_ms: int) -> None:
        self.path = path
        self.data = bytearray(data)
        self.durable: bytes | None = None
        self.modified_ms = modified_ms
        self.removed = False


@final
class MemoryFile:
    """A handle; any number of them share one content."""

    __slots__ = ("_content", "_disk")

    def __init__(self, disk: "MemoryDisk", content: _Content) -> None:
        self._disk = disk
        self._content = content

    @property
    def path(self) -> str:
        return self._content.path

    @property
    def size_bytes(self) -> int:
        return len(self._content.data)

    def append(self, chunks: Sequence[bytes | memoryview]) -> int:
        self._called("append", changes=True)
        data = self._content.data
        position = len(data)
        for chunk in chunks:
            data += chunk
        self._content.modified_ms = self._disk.now_ms
        return position

    def read(self, position: int, size_bytes: int) -> bytes:
        assert position >= 0
        assert size_bytes >= 0
        self._called("read", changes=False)
        return bytes(memoryview(self._content.data)[position : position + size_bytes])

    def read_once(self, position: int, size_bytes: int) -> bytes:
        return self.read(position, size_bytes)

    def prefetch(self, position: int, size_bytes: int) -> bool:
        return self._disk.cold_from <= position < self.size_bytes

    def forget(self, position: int, size_bytes: int) -> None:
        self._disk.forgotten.append((position, position + size_bytes))

    def truncate(self, size_bytes: int) -> None:
        assert 0 <= size_bytes <= len(self._content.data)
        self._called("truncate", changes=True)
        del self._content.data[size_bytes:]
        self._content.modified_ms = self._disk.now_ms

    def close(self) -> None:
        pass

    def _called(self, name: str, *, changes: bool) -> None:
        self._disk.called(name, self._content.path, changes=changes)
        if self._content.removed:
            raise FileNotFoundError(errno.ENOENT, "the file was removed", self._content.path)


@final
class MemoryDisk:
    """The directory. `calls` counts every call, `changes` those that would write."""

    def __init__(self, now_ms: int = 0) -> None:
        self.now_ms = now_ms
        self.calls = 0
        self.changes = 0
        self.trace: list[str] | None = None
        self.cold_from = sys.maxsize
        """From here on files have to be brought from the disk, as far as they say."""
        self.forgotten: list[tuple[int, int]] = []
        """(begin, end) of what readers let go of."""
        self._contents: dict[str, _Content] = {}
        self._directories: set[str] = {""}
        self._countdown: int | None = None
        self._countdown_stays = False
        self._countdown_changes_only = False

    # What tests ask for

    def fail_in(
        self, calls: int, *, stays_broken: bool = False, changes_only: bool = False
    ) -> None:
        """The `calls`-th call from now (1: the next) raises OSError(EIO).

        `stays_broken`: so do all after it. `changes_only`: only calls that write are counted and
        refused. `mend()` ends it.
        """
        assert calls >= 1
        self._countdown = calls
        self._countdown_stays = stays_broken
        self._countdown_changes_only = changes_only

    def mend(self) -> None:
        self._countdown = None

    @property
    def failure_pending(self) -> bool:
        """True: the failure asked for with `fail_in` has not happened yet."""
        return self._countdown is not None and self._countdown > 0

    @property
    def is_broken(self) -> bool:
        """True: it refuses everything since the failure asked for with `fail_in`."""
        return self._countdown_stays and self._countdown is not None and self._countdown <= 0

    def sync(self, files: Iterable[File], directory: str | None = None) -> None:
        """What the shell does for a Flush effect."""
        for file in files:
            content = self._contents.get(file.path)
            if content is not None:  # else it was removed meanwhile, and has nothing left to lose
                content.durable = bytes(content.data)

    def volume(self) -> Volume:
        self.called("volume", "", changes=False)
        return Volume("/memory", 1_000_000, 600_000)

    def copy(self) -> "MemoryDisk":
        """The directory as another process would find it: the page cache after a killed process."""
        twin = MemoryDisk(self.now_ms)
        twin._directories = set(self._directories)
        for path, content in self._contents.items():
            twin._contents[path] = _Content(path, bytes(content.data), content.modified_ms)
            twin._contents[path].durable = content.durable
        return twin

    def after_power_cut(self) -> "MemoryDisk":
        """The directory with only what was synced: later bytes and never synced files are gone."""
        twin = self.copy()
        for path, content in list(twin._contents.items()):
            if content.durable is None:
                del twin._contents[path]
            else:
                content.data = bytearray(content.durable)
        return twin

    def files(self) -> dict[str, bytes]:
        """Everything, for comparing two directories."""
        return {path: bytes(content.data) for path, content in sorted(self._contents.items())}

    def put(self, path: str, data: bytes) -> None:
        """Place a file as a test's premise; directories are made. Counts as no call."""
        names = path.split("/")[:-1]
        for depth in range(len(names)):
            self._directories.add("/".join(names[: depth + 1]))
        self._contents[path] = _Content(path, data, self.now_ms)

    # core/port.py Disk

    def open(self, path: str) -> MemoryFile:
        self.called("open", path, changes=path not in self._contents)
        content = self._contents.get(path)
        if content is None:
            self._check_parent(path)
            content = self._contents[path] = _Content(path, b"", self.now_ms)
        return MemoryFile(self, content)

    def names(self, directory: str) -> list[str]:
        self.called("names", directory, changes=False)
        prefix = directory + "/" if directory else ""
        return sorted(
            path[len(prefix) :]
            for path in (*self._contents, *self._directories)
            if path.startswith(prefix) and path != directory and "/" not in path[len(prefix) :]
        )

    def exists(self, path: str) -> bool:
        self.called("exists", path, changes=False)
        return path in self._contents or path in self._directories

    def size_bytes(self, path: str) -> int:
        self.called("size_bytes", path, changes=False)
        return len(self._content(path).data)

    def modified_ms(self, path: str) -> int:
        self.called("modified_ms", path, changes=False)
        return self._content(path).modified_ms

    def make_directory(self, path: str) -> None:
        self.called("make_directory", path, changes=True)
        self._check_parent(path)
        self._directories.add(path)

    def rename(self, old: str, new: str) -> None:
        self.called("rename", old, changes=True)
        self._check_parent(new)
        if old in self._directories:
            self._rename_directory(old, new)
            return
        content = self._content(old)
        replaced = self._contents.get(new)
        if replaced is not None:
            replaced.removed = True
            # Until the directory is synced, the old file is what a power cut leaves.
            content.durable = content.durable or replaced.durable
        del self._contents[old]
        content.path = new
        self._contents[new] = content

    def remove(self, path: str) -> None:
        self.called("remove", path, changes=True)
        content = self._contents.pop(path, None)
        if content is not None:
            content.removed = True

    def remove_tree(self, path: str) -> None:
        self.called("remove_tree", path, changes=True)
        for inside in [name for name in self._contents if name.startswith(path + "/")]:
            self._contents.pop(inside).removed = True
        self._directories = {
            name for name in self._directories if name != path and not name.startswith(path + "/")
        }

    def read_whole(self, path: str) -> bytes | None:
        self.called("read_whole", path, changes=False)
        content = self._contents.get(path)
        return None if content is None else bytes(content.data)

    def write_whole(self, path: str, data: bytes) -> None:
        self.called("write_whole", path, changes=True)
        self._check_parent(path)
        replaced = self._contents.get(path)
        self._contents[path] = _Content(path, data, self.now_ms)
        if replaced is not None:
            replaced.removed = True
            self._contents[path].durable = replaced.durable

    def called(self, name: str, path: str, *, changes: bool) -> None:
        """Count a call, and refuse it when its time has come."""
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        self.calls += 1
        if changes:
            self.changes += 1
        if self.trace is not None:
            self.trace.append(f"{name} {path}")
        if self._countdown is None or (self._countdown_changes_only and not changes):
            return
        self._countdown -= 1
        if self._countdown == 0 or (self._countdown < 0 and self._countdown_stays):
            raise OSError(errno.EIO, f"the disk refuses {name}", path)

    def _content(self, path: str) -> _Content:
        content = self._contents.get(path)
        if content is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return content

    def _check_parent(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent not in self._directories:
            raise FileNotFoundError(errno.ENOENT, "no such directory", parent)

    def _rename_directory(self, old: str, new: str) -> None:
        if any(path.startswith(new + "/") for path in self._contents):
            raise OSError(errno.ENOTEMPTY, "the directory is not empty", new)
        moved = [path for path in self._contents if path.startswith(old + "/")]
        for path in moved:
            content = self._contents.pop(path)
            content.path = new + path[len(old) :]
            self._contents[content.path] = content
        self._directories = {
            new + name[len(old) :] if name == old or name.startswith(old + "/") else name
            for name in self._directories
        }
