"""An invented disk: a page cache above a platter, and everything that may go wrong between them.

A file has a volatile image (what a process reads) and a durable one; a page differs until its file is
synced. A directory has volatile and durable names, which differ until the directory itself is synced:
a new directory's own name is its parent's affair. A killed process leaves the volatile images as they
are. A power cut keeps any subset of the unsynced pages, some torn between sectors, a size anywhere
between the durable one and the last, and of each directory's unsynced changes of names the first so
many: journals keep the order within a directory, and nobody promises one between names and pages.

Faults are armed from outside (`full`, `refuse_writes`, `refuse_syncs`, `refuse_renames`, `flip`,
`crash_in`). After a refused sync the pages count as clean, as Linux has it: a later sync succeeds
and brings nothing to the platter.

Elsewhere: when a sync happens and who is told, `process.py`; which fault and when, `nemesis.py`.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Final, final

from ottla.core.port import File, Volume

PAGE_BYTES: Final = 4096
SECTOR_BYTES: Final = 512


class ProcessEnds(BaseException):
    """The process is gone in the middle of a disk call: nothing it would do after happens.

    Not an `Exception`: no code of the node may catch it, as none can catch a SIGKILL.
    """


@final
class Inode:
    """A file's content, whatever its name. `dirty`: pages that differ, or may, from the platter."""

    __slots__ = ("data", "dirty", "durable", "lost", "modified_ms", "removed", "resized")

    def __init__(self, now_ms: int) -> None:
        self.data = bytearray()
        self.durable = bytearray()
        self.dirty: set[int] = set()
        self.lost: set[int] = set()  # a sync failed on them: they count as clean and are not
        self.resized = False  # cut since the last sync
        self.modified_ms = now_ms
        self.removed = False

    def touch(self, start: int, end: int) -> None:
        first, last = start // PAGE_BYTES, (end - 1) // PAGE_BYTES
        self.dirty.add(first)
        if last > first:
            self.dirty.update(range(first + 1, last + 1))

    def cut(self, size_bytes: int) -> None:
        del self.data[size_bytes:]
        self.resized = True
        self.dirty = {page for page in self.dirty if page * PAGE_BYTES < size_bytes}
        self.lost = {page for page in self.lost if page * PAGE_BYTES < size_bytes}

    def sync(self) -> None:
        """What is dirty reaches the platter; what a failed sync has lost does not."""
        durable, data = self.durable, self.data
        if len(durable) > len(data):
            del durable[len(data) :]
        elif len(durable) < len(data):
            durable += bytes(len(data) - len(durable))
        for page in self.dirty:
            at = page * PAGE_BYTES
            durable[at : at + PAGE_BYTES] = data[at : at + PAGE_BYTES]
        self.lost -= self.dirty
        self.dirty.clear()
        self.resized = False

    def fail_sync(self) -> None:
        """The kernel gave up on the dirty pages and calls them clean."""
        self.lost |= self.dirty
        self.dirty.clear()

    def forget(self) -> None:
        """What counts as clean is read from the platter again."""
        for page in self.lost - self.dirty:
            at = page * PAGE_BYTES
            end = min(at + PAGE_BYTES, len(self.data))
            platter = self.durable[at:end]
            self.data[at:end] = platter + bytes(end - at - len(platter))
        self.lost.clear()

    def lose_power(self, chance: Random) -> None:
        """The durable image becomes what is found afterwards, and the volatile one with it."""
        self.removed = False  # whoever finds it again finds it whole
        unsure = sorted(self.dirty)
        if not (unsure or self.lost or self.resized or len(self.data) != len(self.durable)):
            return
        size_bytes = self._size_found(chance)
        found = self.durable[:size_bytes]
        found += bytes(size_bytes - len(found))
        mood = chance.random()
        keep = 0.0 if mood < 0.25 else 1.0 if mood < 0.45 else 0.5
        for page in unsure:
            at = page * PAGE_BYTES
            end = min(at + PAGE_BYTES, size_bytes, len(self.data))
            if chance.random() < keep:
                found[at:end] = self.data[at:end]
            elif keep > 0.0 and chance.random() < 0.3:
                for sector in range(at, end, SECTOR_BYTES):
                    if chance.random() < 0.5:
                        stop = min(sector + SECTOR_BYTES, end)
                        found[sector:stop] = self.data[sector:stop]
        self.data = found
        self.durable = bytearray(found)
        self.dirty.clear()
        self.lost.clear()
        self.resized = False

    def _size_found(self, chance: Random) -> int:
        low, high = sorted((len(self.durable), len(self.data)))
        mood = chance.random()
        if mood < 0.4:
            return len(self.data)
        if mood < 0.7:
            return len(self.durable)
        return chance.randint(low, high)


@final
class Folder:
    """A directory. `changes`: what happened to its names since they were last synced, in order.

    A change is (old name or "", new name or "", what): a creation has no old name, a removal no new.
    """

    __slots__ = ("changes", "durable", "names")

    def __init__(self) -> None:
        self.names: dict[str, Inode | Folder] = {}
        self.durable: dict[str, Inode | Folder] = {}
        self.changes: list[tuple[str, str, Inode | Folder]] = []

    def put(self, name: str, what: "Inode | Folder") -> None:
        self.names[name] = what
        self.changes.append(("", name, what))

    def rename(self, old: str, new: str) -> None:
        what = self.names.pop(old)
        self.names[new] = what
        self.changes.append((old, new, what))

    def remove(self, name: str) -> None:
        self.changes.append((name, "", self.names.pop(name)))

    def sync(self) -> None:
        self.durable = dict(self.names)
        self.changes.clear()

    def lose_power(self, chance: Random) -> None:
        if self.changes:
            mood = chance.random()
            count = len(self.changes)
            kept = 0 if mood < 0.3 else count if mood < 0.6 else chance.randint(0, count)
            for old, new, what in self.changes[:kept]:
                if old:
                    self.durable.pop(old, None)
                if new:
                    self.durable[new] = what
        self.names = dict(self.durable)
        self.changes.clear()
        for name in sorted(self.names):
            self.names[name].lose_power(chance)


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
            torn = data[: len(data) * self._disk.torn_percent // 100]
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

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.root = Folder()
        self.calls = 0
        self.changes = 0
        self.used_bytes = 0
        self.full_bytes: int | None = None  # a write that would pass it gets ENOSPC
        self.refuse_writes = 0  # the next so many writes get EIO
        self.refuse_syncs = 0
        self.refuse_renames = 0
        self.crash_in = 0  # the so-many-th change from now on is the process's last call
        self.torn_percent = 0  # of an append in which the process ends, so much is in the cache
        self.ended = False  # the process is gone, also for what it does in a `finally`
        self.whole_turns: dict[str, int] = {}  # how often write_whole wrote a path
        self.lost_pages = False  # a sync was refused: what counts as clean may not be
        self._handles: dict[str, SimFile] = {}

    # The switches

    def end_process(self) -> None:
        """Handles and armed crashes end with their process; the page cache stays."""
        self._handles.clear()
        self.crash_in = 0
        self.ended = False

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
        self.refuse_writes = self.refuse_syncs = self.refuse_renames = self.crash_in = 0

    def flip(self, path: str, bit: int) -> bool:
        """Flip one bit, in the cache and on the platter; False: no such file, or an empty one."""
        inode = self._find(path)
        if not isinstance(inode, Inode) or not inode.data:
            return False
        at = (bit >> 3) % len(inode.data)
        inode.data[at] ^= 1 << (bit & 7)
        if at < len(inode.durable):
            inode.durable[at] = inode.data[at]
        return True

    def inodes(self) -> Iterator[tuple[str, Inode]]:
        """Every file with its path, sorted."""
        return _inodes(self.root, "")

    def twin(self) -> "SimDisk":
        """A copy of what a process would find now, with nothing armed and everything durable."""
        twin = SimDisk(self.now_ms)
        twin.root = _copy(self.root)
        twin.used_bytes = self.used_bytes
        return twin

    # core/port.py Disk

    def open(self, path: str) -> SimFile:
        handle = self._handles.get(path)
        if handle is not None:
            return handle
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
        return Volume("/simulated", 1 << 40, 1 << 39)

    def read_whole(self, path: str) -> bytes | None:
        inode = self._find(path)
        return bytes(inode.data) if isinstance(inode, Inode) else None

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

    def changes_names(self, path: str) -> None:
        """Count a change; the process may end here, before it is made."""
        assert path, "the log directory itself"
        assert path[0] != "/", path
        self.calls += 1
        self.changes += 1
        if self.crash_in:
            self.crash_in -= 1
            self.ended = not self.crash_in
        if self.ended:
            raise ProcessEnds(path)

    def _sync_inode(self, inode: Inode, path: str) -> None:
        if self.refuse_syncs and inode.dirty:
            self.refuse_syncs -= 1
            self.lost_pages = True
            inode.fail_sync()
            raise OSError(errno.EIO, "the disk refuses to sync", path)
        inode.sync()

    def _write_aside(self, path: str, data: bytes) -> None:
        found = self._find(path)
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
