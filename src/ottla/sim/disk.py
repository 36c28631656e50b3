"""An invented disk: `core/port.py`'s Disk above invented files, and everything that may go wrong.

Faults are armed from outside (`full_bytes`, `refuse_...`, `flip`, `fuse`). After a refused sync
the pages count as clean, as Linux has it: a later sync succeeds and brings nothing to the platter.
A process may end in the middle of a change; the disks of one process have one `Fuse`.

Elsewhere: what the cache and the platter hold, and what a power cut leaves, `platter.py`; when a sync
happens and who is told, `process.py`; which fault and when, `nemesis.py`.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import Random
from typing import final

from ottla.core.port import File, Volume
from ottla.sim.platter import Folder, Inode


class ProcessEnds(BaseException):
    """The process is gone in the middle of a disk call: nothing it would do after happens.

    Not an `Exception`: no code of the node may catch it, as none can catch a SIGKILL.
    """


@final
class Fuse:
    """When a process ends in the middle of what it does to its disks, whichever of them it is."""

    __slots__ = ("crash_in", "ended", "torn_percent")

    def __init__(self) -> None:
        self.crash_in = 0  # the so-many-th change from now on is the process's last call
        self.torn_percent = 0  # of an append in which the process ends, so much is in the cache
        self.ended = False  # the process is gone, also for what it does in a `finally`

    def burn(self, path: str) -> None:
        """A change is about to be made there."""
        if self.crash_in:
            self.crash_in -= 1
            self.ended = not self.crash_in
        if self.ended:
            raise ProcessEnds(path)

    def put_out(self) -> None:
        self.crash_in = 0
        self.ended = False


@final
class SimFile:
    """A handle; any number of them share one inode, and follow its renames."""

    __slots__ = ("_disk", "inode", "path")

    def __init__(self, disk: "SimDisk", inode: Inode, path: str) -> None:
        self._disk = disk
        self.inode = inode
        self.path = path

    @property
    def size_bytes(self) -> int:
        return len(self.inode.data)

    def append(self, chunks: Sequence[bytes | memoryview]) -> int:
        inode = self.inode
        data = b"".join(chunks)
        position = len(inode.data)
        try:
            self._disk.writes(self.path, len(data), inode)
        except ProcessEnds:
            torn = data[: len(data) * self._disk.fuse.torn_percent // 100]
            if torn:
                inode.data += torn
                inode.touch(position, position + len(torn))
            raise
        if data:
            inode.data += data
            inode.touch(position, position + len(data))
            inode.modified_ms = self._disk.now_ms()
        return position

    def read(self, position: int, size_bytes: int) -> bytes:
        self._disk.reads(self.path, self.inode)
        return bytes(self.inode.data[position : position + size_bytes])

    def read_once(self, position: int, size_bytes: int) -> bytes:
        return self.read(position, size_bytes)

    def prefetch(self, position: int, size_bytes: int) -> bool:
        return False

    def forget(self, position: int, size_bytes: int) -> None:
        pass

    def truncate(self, size_bytes: int) -> None:
        assert 0 <= size_bytes <= len(self.inode.data)
        self._disk.writes(self.path, 0, self.inode)
        self.inode.cut(size_bytes)
        self.inode.modified_ms = self._disk.now_ms()

    def close(self) -> None:
        """A descriptor is nothing here."""


@final
class SimDisk:
    """One log directory: `core/port.py`'s Disk, what a flush thread calls, and the switches."""

    def __init__(
        self, now_ms: Callable[[], int], fuse: Fuse | None = None, path: str = "/simulated"
    ) -> None:
        self.now_ms = now_ms
        self.fuse = fuse or Fuse()
        self.path = path
        self.root = Folder()
        self.calls = 0
        self.changes = 0
        self.used_bytes = 0
        self.full_bytes: int | None = None  # a write that would pass it gets ENOSPC
        self.refuse_writes = 0  # the next so many writes get EIO
        self.refuse_syncs = 0
        self.refuse_renames = 0
        self.refuse_removals = 0
        self.refuse_reads = 0
        self.refuse_opens = 0  # EMFILE: there is no descriptor left
        self.is_away = False  # the next process can't open it
        self.whole_turns: dict[str, int] = {}  # how often write_whole wrote a path
        self.lost_pages = False  # a sync was refused: what counts as clean may not be
        self._handles: dict[str, SimFile] = {}

    # The switches

    def end_process(self) -> None:
        """Handles and armed crashes end with their process; the page cache stays."""
        self._handles.clear()
        self.fuse.put_out()

    def lose_power(self, chance: Random) -> None:
        self.end_process()
        self.root.lose_power(chance)
        self.lost_pages = False
        self.used_bytes = sum(len(inode.data) for _, inode in self.inodes())

    def forget_page_cache(self) -> None:
        """Pages that count as clean come from the platter from now on."""
        if self.lost_pages:
            for _, inode in self.inodes():
                inode.forget()

    def mend(self) -> None:
        self.full_bytes = None
        self.refuse_writes = self.refuse_syncs = self.refuse_renames = 0
        self.fuse.crash_in = 0
        self.is_away = False
        self.refuse_removals = self.refuse_reads = self.refuse_opens = 0

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Whoever looks from outside is refused nothing, and no process ends while he does."""
        armed = self.refuse_reads, self.refuse_opens
        crash_in, self.fuse.crash_in = self.fuse.crash_in, 0
        self.refuse_reads = self.refuse_opens = 0
        try:
            yield
        finally:
            self.refuse_reads, self.refuse_opens = armed
            self.fuse.crash_in = crash_in

    def flip(self, path: str, bit: int) -> bool:
        """Flip one bit of a file; False: there is no such file, or an empty one."""
        inode = self._find(path)
        if not isinstance(inode, Inode) or not inode.data:
            return False
        inode.flip(bit)
        return True

    def take_away(self, path: str) -> None:
        """Somebody else removes a file."""
        found = self._find(path)
        if isinstance(found, Inode):
            self._forget(path, found)
            folder, name = self._parent(path)
            folder.remove(name)

    def leave_copy(self, path: str, suffix: str, *, half: bool) -> None:
        """Somebody else leaves a copy of a file, or of its first half; it is on the platter."""
        found = self._inode(path)
        inode = Inode(self.now_ms())
        inode.data += found.data[: len(found.data) // (2 if half else 1)]
        inode.durable += inode.data
        inode.flipped = dict(found.flipped)
        self.used_bytes += len(inode.data)
        folder, name = self._parent(path)
        folder.put(name + suffix, inode)
        folder.sync()

    def inherit(self, directory: str, files: Mapping[str, bytes]) -> None:
        """Somebody else leaves a directory; it is on the platter."""
        folder = Folder()
        self.root.put(directory, folder)
        for name, data in files.items():
            inode = Inode(self.now_ms())
            inode.data += data
            inode.durable += data
            self.used_bytes += len(data)
            folder.put(name, inode)
        folder.sync()
        self.root.sync()

    def damage(self) -> dict[str, list[int]]:
        """Files in which flipped bits stand, and where."""
        return {path: inode.damage() for path, inode in self.inodes() if inode.damage()}

    def inodes(self) -> Iterator[tuple[str, Inode]]:
        """Every file with its path, sorted."""
        return _inodes(self.root, "")

    def twin(self) -> "SimDisk":
        """A copy of what a process would find now, with nothing armed and everything durable."""
        twin = SimDisk(self.now_ms, path=self.path)
        twin.root = _copy(self.root)
        twin.used_bytes = self.used_bytes
        return twin

    # core/port.py Disk

    def open(self, path: str) -> SimFile:
        handle = self._handles.get(path)
        if handle is not None:
            return handle
        self.opens(path)
        inode = self._find(path)
        if inode is None:
            self.writes(path, 0, None)
            inode = Inode(self.now_ms())
            folder, name = self._parent(path)
            folder.put(name, inode)
        if not isinstance(inode, Inode):
            raise IsADirectoryError(errno.EISDIR, "a directory", path)
        handle = self._handles[path] = SimFile(self, inode, path)
        return handle

    def names(self, directory: str) -> list[str]:
        self.opens(directory)
        folder = self._find(directory) if directory else self.root
        return sorted(folder.names) if isinstance(folder, Folder) else []

    def exists(self, path: str) -> bool:
        return self._find(path) is not None

    def size_bytes(self, path: str) -> int:
        return len(self._inode(path).data)

    def modified_ms(self, path: str) -> int:
        return self._inode(path).modified_ms

    def make_directory(self, path: str) -> None:
        found = self._find(path)
        if found is None:
            self.writes(path, 0, None)
            folder, name = self._parent(path)
            folder.put(name, Folder())
        elif not isinstance(found, Folder):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory", path)

    def rename(self, old: str, new: str) -> None:
        self.changes_names(old)
        if self.refuse_renames:
            self.refuse_renames -= 1
            raise OSError(errno.EIO, "the disk refuses rename", old)
        folder, old_name = self._parent(old)
        other, new_name = self._parent(new)
        assert folder is other, "nothing here is moved to another directory"
        what = folder.names.get(old_name)
        if what is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", old)
        replaced = folder.names.get(new_name)
        if isinstance(replaced, Folder) and replaced.names:
            raise OSError(errno.ENOTEMPTY, "the directory is not empty", new)
        self._forget(new, replaced)
        folder.rename(old_name, new_name)
        self._follow(old, new, is_folder=isinstance(what, Folder))

    def remove(self, path: str) -> None:
        found = self._find(path)
        if found is None:
            return
        self.changes_names(path)
        if self.refuse_removals:
            self.refuse_removals -= 1
            raise OSError(errno.EIO, "the disk refuses the removal", path)
        self._forget(path, found)
        folder, name = self._parent(path)
        folder.remove(name)

    def remove_tree(self, path: str) -> None:
        for name in self.names(path):
            self.remove(f"{path}/{name}")
        if self._find(path) is not None:
            self.changes_names(path)
            folder, name = self._parent(path)
            folder.remove(name)

    def volume(self) -> Volume:
        return Volume(self.path, 1 << 40, 1 << 39)

    def read_whole(self, path: str) -> bytes | None:
        inode = self._find(path)
        if not isinstance(inode, Inode):
            return None
        self.opens(path)
        self.reads(path, inode)
        return bytes(inode.data)

    def write_whole(self, path: str, data: bytes) -> None:
        self._write_aside(path + ".tmp", data)
        self.whole_turns[path] = self.whole_turns.get(path, 0) + 1
        self.rename(path + ".tmp", path)

    # What the flush threads of a process call

    def sync(self, files: Iterable[File], directory: str | None) -> None:
        """Raises OSError once per armed refusal, with the pages of that file lost."""
        for file in files:
            assert isinstance(file, SimFile)
            if not file.inode.removed:
                self._sync_inode(file.inode, file.path)
        if directory is not None:
            folder = self._find(directory) if directory else self.root
            if isinstance(folder, Folder):
                folder.sync()
            self.root.sync()

    def write_whole_durably(self, path: str, data: bytes) -> None:
        aside = path + ".sync.tmp"
        self._write_aside(aside, data)
        self._sync_inode(self._inode(aside), aside)
        self.rename(aside, path)
        self._parent(path)[0].sync()

    def sync_all(self) -> None:
        for path, inode in self.inodes():
            if inode.dirty or inode.resized or len(inode.data) != len(inode.durable):
                self._sync_inode(inode, path)
        _sync_names(self.root)

    # What every change asks first

    def writes(self, path: str, size_bytes: int, inode: Inode | None) -> None:
        """May `size_bytes` be written there? Raises what the disk is armed with."""
        self.changes_names(path)
        if inode is not None and inode.removed:
            raise FileNotFoundError(errno.ENOENT, "the file was removed", path)
        if self.refuse_writes:
            self.refuse_writes -= 1
            raise OSError(errno.EIO, "the disk refuses the write", path)
        if self.full_bytes is not None and self.used_bytes + size_bytes > self.full_bytes:
            raise OSError(errno.ENOSPC, "no space left on the disk", path)
        self.used_bytes += size_bytes

    def reads(self, path: str, inode: Inode) -> None:
        self.calls += 1
        if inode.removed:
            raise FileNotFoundError(errno.ENOENT, "the file was removed", path)
        if self.refuse_reads:
            self.refuse_reads -= 1
            raise OSError(errno.EIO, "the disk refuses to read", path)

    def opens(self, path: str) -> None:
        if self.refuse_opens:
            self.refuse_opens -= 1
            raise OSError(errno.EMFILE, "too many open files", path)

    def changes_names(self, path: str) -> None:
        """Count a change; the process may end here, before it is made."""
        assert path, "the log directory itself"
        assert path[0] != "/", path
        self.calls += 1
        self.changes += 1
        self.fuse.burn(path)

    def _sync_inode(self, inode: Inode, path: str) -> None:
        if self.refuse_syncs and inode.dirty:
            self.refuse_syncs -= 1
            self.lost_pages = True
            inode.fail_sync()
            raise OSError(errno.EIO, "the disk refuses to sync", path)
        inode.sync()

    def _write_aside(self, path: str, data: bytes) -> None:
        found = self._find(path)
        self.opens(path)
        self.writes(path, len(data), None)
        if isinstance(found, Inode):
            inode = found
            inode.cut(0)
        else:
            inode = Inode(self.now_ms())
            folder, name = self._parent(path)
            folder.put(name, inode)
        inode.data += data
        if data:
            inode.touch(0, len(data))
        inode.modified_ms = self.now_ms()

    def _find(self, path: str) -> Inode | Folder | None:
        found: Inode | Folder | None = self.root
        for name in path.split("/"):
            if not isinstance(found, Folder):
                return None
            found = found.names.get(name)
        return found

    def _inode(self, path: str) -> Inode:
        found = self._find(path)
        if not isinstance(found, Inode):
            raise FileNotFoundError(errno.ENOENT, "no such file", path)
        return found

    def _parent(self, path: str) -> tuple[Folder, str]:
        directory, _, name = path.rpartition("/")
        folder = self._find(directory) if directory else self.root
        if not isinstance(folder, Folder):
            raise FileNotFoundError(errno.ENOENT, "no such directory", directory)
        return folder, name

    def _forget(self, path: str, what: Inode | Folder | None) -> None:
        if isinstance(what, Inode):
            what.removed = True
            self.used_bytes -= len(what.data)
            self._handles.pop(path, None)

    def _follow(self, old: str, new: str, *, is_folder: bool) -> None:
        """Open handles keep their files, under the new path."""
        handle = self._handles.pop(old, None)
        if handle is not None:
            handle.path = new
            self._handles[new] = handle
        if not is_folder:
            return
        inside = old + "/"
        for path in [path for path in self._handles if path.startswith(inside)]:
            handle = self._handles.pop(path)
            handle.path = new + path[len(old) :]
            self._handles[handle.path] = handle


def _inodes(folder: Folder, prefix: str) -> Iterator[tuple[str, Inode]]:
    for name in sorted(folder.names):
        what = folder.names[name]
        if isinstance(what, Folder):
            yield from _inodes(what, f"{prefix}{name}/")
        else:
            yield prefix + name, what


def _sync_names(folder: Folder) -> None:
    folder.sync()
    for what in folder.names.values():
        if isinstance(what, Folder):
            _sync_names(what)


def _copy(folder: Folder) -> Folder:
    twin = Folder()
    for name, what in folder.names.items():
        if isinstance(what, Folder):
            twin.names[name] = _copy(what)
        else:
            inode = Inode(what.modified_ms)
            inode.data = bytearray(what.data)
            inode.durable = bytearray(what.data)
            twin.names[name] = inode
    twin.durable = dict(twin.names)
    return twin
