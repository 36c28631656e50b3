"""The real disk: `core/port.py` on one directory of the file system, and what makes bytes durable.

Promises: no path leaves the directory; files are 0600 and directories 0700 where Ottla makes them,
and a symbolic link is never followed. At most `descriptors_max` data files are really open; which
ones is decided here, and a file that was put aside is opened again when it is next used. An append
that fails leaves the size as it was: every write goes to the tracked end of the file, so what a
failed one left behind is overwritten by the next.

Everything but `sync`, `sync_all` and `write_whole_durably` belongs to the loop's thread. Those
three may run in a flush thread while the loop goes on appending; what both touch (which descriptor
belongs to which file, under which name) is guarded by one lock, which an append never takes.

Elsewhere: when to flush, `flusher.py`; who may use the directory at all, `log_directory.py`. Left
whole on purpose: all of it keeps one account of names, descriptors and what is not yet synced.
"""

import contextlib
import errno
import os
import resource
import shutil
import stat
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar, final

from ottla.core.port import File, Volume
from ottla.types import Uuid, uuid_to_text

Opened = TypeVar("Opened", int, int | None)

_FLAGS: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_DIRECTORY_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
_FILE_MODE: Final = 0o600
_DIRECTORY_MODE: Final = 0o700
_CHUNKS_PER_CALL_MAX: Final = 1024  # IOV_MAX of Linux and macOS
_IS_LINUX: Final = sys.platform == "linux"
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE)
_EXHAUSTED_TRIES_MAX: Final = 200
_EXHAUSTED_PAUSE_S: Final = 0.02
_KNOWS_CACHE: Final = _IS_LINUX and hasattr(os, "RWF_NOWAIT")
_PROBE: Final = bytearray(64 * 1024)
"""Where bytes are read to only to learn whether they are in memory. Nobody looks at it."""
_BROUGHT_TOGETHER_BYTES: Final = 256 * 1024  # pages that the kernel may hold, and let go of, as one
_SYNC_ALL_SINGLY_MAX: Final = 256  # more files than this: one sync of the file system is cheaper


def descriptors_allowed() -> int:
    """Raise the soft limit of open descriptors to the hard one; returns what holds afterwards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
        except (OSError, ValueError):
            return soft  # macOS names a hard limit it does not grant
        soft = wanted
    return soft


@final
class RealFile:
    """A file of the disk. `descriptor` is -1 while it is not open."""

    __slots__ = ("_disk", "changed", "descriptor", "path", "recently_used", "removed", "size_bytes")

    def __init__(self, disk: "RealDisk", path: str, size_bytes: int) -> None:
        self._disk = disk
        self.path = path
        self.size_bytes = size_bytes
        self.descriptor = -1
        self.recently_used = False
        self.changed = False  # since it was last synced
        self.removed = False

    def append(self, chunks: Sequence[bytes | memoryview]) -> int:
        """See the port. `chunks` are bytes or views of single bytes."""
        descriptor = self.descriptor
        if descriptor < 0:
            descriptor = self._disk.open_descriptor(self)
        self.recently_used = True
        self.changed = True
        position = self.size_bytes
        if len(chunks) == 1:
            size_bytes = len(chunks[0])
            written = os.pwrite(descriptor, chunks[0], position)
        else:
            size_bytes = sum(map(len, chunks))
            written = os.pwritev(descriptor, chunks[:_CHUNKS_PER_CALL_MAX], position)
        if written != size_bytes:
            self._append_rest(descriptor, b"".join(chunks), written)
        self.size_bytes = position + size_bytes
        return position

    def _append_rest(self, descriptor: int, data: bytes, written: int) -> None:
        # A short write is a nearly full disk or more chunks than one call takes. Either the rest
        # follows or the file is cut back to where it was.
        position = self.size_bytes
        try:
            while written < len(data):
                more = os.pwrite(descriptor, memoryview(data)[written:], position + written)
                if more == 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
                written += more
        except OSError:
            os.ftruncate(descriptor, position)
            raise

    def read(self, position: int, size_bytes: int) -> bytes:
        descriptor = self.descriptor
        if descriptor < 0:
            descriptor = self._disk.open_descriptor(self)
        self.recently_used = True
        data = os.pread(descriptor, size_bytes, position)
        if len(data) < size_bytes and position + len(data) < self.size_bytes:
            pieces = [data]
            held_bytes = len(data)
            while held_bytes < size_bytes:
                data = os.pread(descriptor, size_bytes - held_bytes, position + held_bytes)
                if not data:
                    break
                pieces.append(data)
                held_bytes += len(data)
            return b"".join(pieces)
        return data

    def send_to(self, socket_descriptor: int, position: int, size_bytes: int) -> int:
        """The bytes from `position` on go into a socket without passing through this process; how many
        did. BlockingIOError: the socket is full. 0: the file ends there.

        Linux's `sendfile`.
        """
        descriptor = self.descriptor
        if descriptor < 0:
            descriptor = self._disk.open_descriptor(self)
        self.recently_used = True
        return os.sendfile(socket_descriptor, descriptor, position, size_bytes)

    def read_once(self, position: int, size_bytes: int) -> bytes:
        if self.descriptor < 0:
            self._disk.open_descriptor(self)
        self._read_ahead(is_wanted=False)
        try:
            return self.read(position, size_bytes)
        finally:
            self._read_ahead(is_wanted=True)

    def prefetch(self, position: int, size_bytes: int) -> bool:
        if self.descriptor < 0 or not _KNOWS_CACHE:
            return False
        wanted_bytes = min(size_bytes, self.size_bytes - position)
        into = memoryview(_PROBE)[: max(1, wanted_bytes)]
        self._read_ahead(is_wanted=False)
        try:
            # Newer kernels begin to bring what is not there, all of it by one request, and tell of
            # what has come when they look again: on a fast disk that may be all.
            there_bytes = os.preadv(self.descriptor, (into,), position, os.RWF_NOWAIT)
        except BlockingIOError:
            there_bytes = 0
        except OSError:
            return False  # not on this file system, or not at this position
        finally:
            self._read_ahead(is_wanted=True)
        if there_bytes < wanted_bytes:
            self._advise(position, wanted_bytes, os.POSIX_FADV_WILLNEED)
        return there_bytes == 0 < wanted_bytes

    def forget(self, position: int, size_bytes: int) -> None:
        if self.descriptor >= 0 and _KNOWS_CACHE:
            # Only what lies within goes: so does, then, what began before `position`.
            begin = max(0, position - _BROUGHT_TOGETHER_BYTES)
            self._advise(begin, position + size_bytes - begin, os.POSIX_FADV_DONTNEED)

    def _read_ahead(self, *, is_wanted: bool) -> None:
        """Whether the kernel may. Others read by the same descriptor, so it is put back each time."""
        if _KNOWS_CACHE:
            self._advise(0, 0, os.POSIX_FADV_NORMAL if is_wanted else os.POSIX_FADV_RANDOM)

    def _advise(self, position: int, size_bytes: int, advice: int) -> None:
        with contextlib.suppress(OSError):
            os.posix_fadvise(self.descriptor, position, size_bytes, advice)

    def truncate(self, size_bytes: int) -> None:
        descriptor = self.descriptor
        if descriptor < 0:
            descriptor = self._disk.open_descriptor(self)
        os.ftruncate(descriptor, size_bytes)
        self.size_bytes = size_bytes
        self.changed = True

    def close(self) -> None:
        self._disk.put_aside(self)


@final
class RealDisk:
    """One directory, which must exist. `close()` gives all descriptors back.

    `read_only`: for looking at a directory that another process serves; what would write fails.
    """

    def __init__(self, directory: str, *, descriptors_max: int, read_only: bool = False) -> None:
        assert os.path.isabs(directory), directory
        assert descriptors_max > 0
        self.directory = directory
        self.descriptors_max = descriptors_max
        self._flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW if read_only else _FLAGS
        self._is_read_only = read_only
        self._root = os.open(directory, _DIRECTORY_FLAGS)
        # All files that were ever opened and still exist, so that two opens of a path meet in one
        # handle and a rename finds it. Keyed by directory, then by name.
        self._files: dict[str, dict[str, RealFile]] = {}
        self._open: deque[RealFile] = deque()
        self._open_count = 0
        self._changed_directories: set[str] = set()
        # By write_whole, which keeps no handle: directory -> names, so that a rename looks at its own.
        self._changed_names: dict[str, set[str]] = {}
        self._overtaken: dict[str, bool] = {}  # by path that write_whole_durably is at work on
        self._lock = threading.Lock()

    # The port

    def volume(self) -> Volume:
        usage = shutil.disk_usage(self.directory)
        return Volume(self.directory, usage.total, usage.free)

    def open(self, path: str) -> File:
        directory, name = _split(path)
        files = self._files.get(directory)
        if files is None:
            self._check_directory(directory)
            files = self._files[directory] = {}
        file = files.get(name)
        if file is None:
            try:
                status = os.stat(path, dir_fd=self._root, follow_symlinks=False)
            except FileNotFoundError:
                if self._is_read_only:
                    raise
                file = self._create(path)
            else:
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.ELOOP, "not a plain file", self._absolute(path))
                file = RealFile(self, path, status.st_size)
            files[name] = file
        return file

    def names(self, directory: str) -> list[str]:
        try:
            descriptor = os.open(
                _checked(directory) if directory else ".",
                _DIRECTORY_FLAGS | os.O_NOFOLLOW,
                dir_fd=self._root,
            )
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

    def exists(self, path: str) -> bool:
        try:
            os.stat(_checked(path), dir_fd=self._root, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def size_bytes(self, path: str) -> int:
        return os.stat(_checked(path), dir_fd=self._root, follow_symlinks=False).st_size

    def modified_ms(self, path: str) -> int:
        status = os.stat(_checked(path), dir_fd=self._root, follow_symlinks=False)
        return status.st_mtime_ns // 1_000_000

    def make_directory(self, path: str) -> None:
        try:
            os.mkdir(_checked(path), _DIRECTORY_MODE, dir_fd=self._root)
        except FileExistsError:
            self._check_directory(path)
        else:
            self._changed_directories.add(_parent(path))

    def rename(self, old: str, new: str) -> None:
        old_directory, old_name = _split(old)
        new_directory, new_name = _split(new)
        with self._lock:
            os.rename(old, new, src_dir_fd=self._root, dst_dir_fd=self._root)
            self._changed_directories.update((old_directory, new_directory))
            file = self._files.get(old_directory, {}).pop(old_name, None)
            self._forget(self._files.get(new_directory, {}).pop(new_name, None))
            if file is not None:
                file.path = new
                self._files.setdefault(new_directory, {})[new_name] = file
            elif old in self._files:
                self._files[new] = files = self._files.pop(old)
                for name, file in files.items():
                    file.path = f"{new}/{name}"
            if old in self._changed_directories:
                self._changed_directories.discard(old)
                self._changed_directories.add(new)
            changed = self._changed_names.pop(old, None)
            if changed is not None:
                self._changed_names[new] = changed
            elif old_name in self._changed_names.get(old_directory, ()):
                self._changed_names[old_directory].discard(old_name)
                self._changed_names.setdefault(new_directory, set()).add(new_name)

    def remove(self, path: str) -> None:
        directory, name = _split(path)
        with self._lock:
            # The descriptor goes at once: a removed segment must not keep its blocks. An answer
            # that still refers to it fails to be read, and the client asks again.
            self._forget(self._files.get(directory, {}).pop(name, None))
            try:
                os.unlink(path, dir_fd=self._root)
            except FileNotFoundError:
                return
            self._changed_directories.add(directory)
            self._written(directory, name, durably=True)

    def remove_tree(self, path: str) -> None:
        for name in self.names(path):
            inside = f"{path}/{name}"
            status = os.stat(inside, dir_fd=self._root, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self.remove_tree(inside)
            else:
                self.remove(inside)
        try:
            os.rmdir(_checked(path), dir_fd=self._root)
        except FileNotFoundError:
            pass
        self._files.pop(path, None)
        self._changed_directories.discard(path)
        self._changed_directories.add(_parent(path))

    def read_whole(self, path: str) -> bytes | None:
        try:
            descriptor = os.open(
                _checked(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=self._root
            )
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return file.readall()

    def write_whole(self, path: str, data: bytes) -> None:
        directory, name = _split(path)
        aside = path + ".tmp"
        self._write_aside(aside, data, durably=False)
        with self._lock:
            if path in self._overtaken:
                self._overtaken[path] = True
            os.rename(aside, path, src_dir_fd=self._root, dst_dir_fd=self._root)
            self._forget(self._files.get(directory, {}).pop(name, None))
            self._changed_directories.add(directory)
            self._written(directory, name, durably=False)

    def forget_page_cache(self) -> None:
        """Let what is read from now on come from the disk, as far as the kernel lets go of it.

        After a failed fsync it keeps pages, as clean, that the disk never took: whoever believed
        them would flush nothing and promise everything. Pages that are still to be written stay.
        """
        if not hasattr(os, "posix_fadvise"):
            return
        for directory in self.names(""):
            for name in self.names(directory):
                try:
                    descriptor = os.open(f"{directory}/{name}", _FLAGS, dir_fd=self._root)
                except OSError:
                    continue  # a directory, or nothing of ours
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)

    # What the flush threads call

    def sync(self, files: Iterable[File], directory: str | None = None) -> None:
        """Bring the files, then the directory's list of names, then its own name, to the disk.

        A file that was removed meanwhile has nothing left to lose and is passed over.
        """
        for file in files:
            assert isinstance(file, RealFile)
            file.changed = False  # before: a write during the sync belongs to the next one
            descriptor = self._descriptor_for_sync(file)
            if descriptor is None:
                continue
            try:
                _sync_data(descriptor)
            except OSError as error:
                file.changed = True
                error.filename = self._absolute(file.path)
                raise
            finally:
                os.close(descriptor)
        if directory is not None:
            self._sync_directory(directory)
            if directory:
                self._sync_directory(_parent(directory))

    def write_whole_durably(self, path: str, data: bytes) -> None:
        """`write_whole` that survives a power cut. Not for two threads at one path.

        A `write_whole` that comes while this one is under way has newer data, and stays.
        """
        directory, name = _split(path)
        aside = path + ".sync.tmp"  # not the name that `write_whole` uses at the same time
        with self._lock:
            self._overtaken[path] = False
        written = False
        try:
            self._write_aside(aside, data, durably=True)
            written = True
        finally:
            if not written:
                self._overtaken.pop(path, None)
        with self._lock:
            if self._overtaken.pop(path):
                os.unlink(aside, dir_fd=self._root)
                return
            os.rename(aside, path, src_dir_fd=self._root, dst_dir_fd=self._root)
            self._forget(self._files.get(directory, {}).pop(name, None))
            self._written(directory, name, durably=True)
        self._sync_directory(directory)

    def _written(self, directory: str, name: str, *, durably: bool) -> None:
        names = self._changed_names.setdefault(directory, set())
        if not durably:
            names.add(name)
            return
        names.discard(name)
        if not names:
            del self._changed_names[directory]

    def sync_all(self) -> None:
        """Everything written through this disk is on the disk afterwards: what a clean stop needs."""
        files = [file for files in self._files.values() for file in files.values() if file.changed]
        directories = sorted(self._changed_directories)
        paths = sorted(
            f"{directory}/{name}" if directory else name
            for directory, names in self._changed_names.items()
            for name in names
        )
        if len(files) + len(directories) + len(paths) > _SYNC_ALL_SINGLY_MAX and _IS_LINUX:
            _sync_file_system(self._root)
            for file in files:
                file.changed = False
        else:
            self.sync(files)
            for path in paths:
                self._sync_path(path)
            for directory in directories:
                self._sync_directory(directory)
        self._changed_names.clear()
        self._changed_directories.clear()

    def close(self) -> None:
        """Give back all descriptors; the disk and its files are not used afterwards."""
        with self._lock:
            for file in self._open:
                if file.descriptor >= 0:
                    os.close(file.descriptor)
                    file.descriptor = -1
            self._open.clear()
            self._open_count = 0
            self._files.clear()
            if self._root >= 0:
                os.close(self._root)
                self._root = -1

    # What the files call

    def open_descriptor(self, file: RealFile) -> int:
        """Open the file, putting others aside when there are too many."""
        with self._lock:
            if file.removed:
                raise FileNotFoundError(
                    errno.ENOENT, "the file was removed", self._absolute(file.path)
                )
            file.descriptor = descriptor = self._open_in_loop(file.path, self._flags)
            self._keep_open(file)
            return descriptor

    def put_aside(self, file: RealFile) -> None:
        with self._lock:
            self._close_descriptor(file)

    def _create(self, path: str) -> RealFile:
        with self._lock:
            descriptor = self._open_in_loop(path, _FLAGS | os.O_CREAT | os.O_EXCL)
            file = RealFile(self, path, 0)
            file.descriptor = descriptor
            self._keep_open(file)
            self._changed_directories.add(_parent(path))
            return file

    def _open_in_loop(self, path: str, flags: int) -> int:
        """In the loop's thread only: when the process has no descriptor left, one of the files that
        are open here gives up its own."""
        while True:
            try:
                return os.open(path, flags, _FILE_MODE, dir_fd=self._root)
            except OSError as error:
                if error.errno not in _EXHAUSTED or not self._put_one_aside():
                    raise

    def _put_one_aside(self) -> bool:
        while self._open:
            oldest = self._open.popleft()
            if oldest.descriptor >= 0:
                self._close_descriptor(oldest)
                return True
        return False

    def _keep_open(self, file: RealFile) -> None:
        # A second chance instead of a strict order of use: an append then only sets a flag.
        # `_open` may hold files that were put aside since, or twice; they leave when they surface.
        while self._open_count >= self.descriptors_max and self._open:
            oldest = self._open.popleft()
            if oldest.descriptor < 0 or oldest is file:  # of the time before it was put aside
                continue
            if oldest.recently_used:
                oldest.recently_used = False
                self._open.append(oldest)
            else:
                self._close_descriptor(oldest)
        if len(self._open) > 2 * self.descriptors_max:
            alive = (kept for kept in self._open if kept.descriptor >= 0)
            self._open = deque(dict.fromkeys(alive))
        self._open.append(file)
        self._open_count += 1

    def _close_descriptor(self, file: RealFile) -> None:
        if file.descriptor >= 0:
            os.close(file.descriptor)
            file.descriptor = -1
            self._open_count -= 1

    def _forget(self, file: RealFile | None) -> None:
        if file is not None:
            self._close_descriptor(file)
            file.removed = True
            file.changed = False

    def _descriptor_for_sync(self, file: RealFile) -> int | None:
        def duplicate() -> int | None:
            with self._lock:
                if file.removed or self._root < 0:
                    return None
                if file.descriptor >= 0:
                    return os.dup(file.descriptor)
                return os.open(file.path, _FLAGS, dir_fd=self._root)

        return _patiently(duplicate)

    def _sync_directory(self, directory: str) -> None:
        try:
            descriptor = _patiently(
                lambda: os.open(directory or ".", _DIRECTORY_FLAGS, dir_fd=self._root)
            )
        except FileNotFoundError:
            return  # renamed or deleted with all that is in it
        try:
            os.fsync(descriptor)
        except OSError as error:
            error.filename = self._absolute(directory)
            raise
        finally:
            os.close(descriptor)

    def _sync_path(self, path: str) -> None:
        try:
            descriptor = os.open(path, _FLAGS, dir_fd=self._root)
        except FileNotFoundError:
            return
        try:
            _sync_data(descriptor)
        finally:
            os.close(descriptor)

    def _write_aside(self, path: str, data: bytes, *, durably: bool) -> None:
        descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_TRUNC, _FILE_MODE, dir_fd=self._root)
        try:
            written = 0
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
            if durably:
                _sync_data(descriptor)
        finally:
            os.close(descriptor)

    def _check_directory(self, directory: str) -> None:
        """The directory is there and is no link to somewhere else."""
        if directory:
            status = os.stat(_checked(directory), dir_fd=self._root, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                raise NotADirectoryError(
                    errno.ENOTDIR, "not a directory", self._absolute(directory)
                )

    def _absolute(self, path: str) -> str:
        return os.path.join(self.directory, path)


@final
class SystemEntropy:
    """`core.port.Entropy` from the operating system."""

    __slots__ = ()

    def uuid(self) -> Uuid:
        while True:
            uuid = os.urandom(16)
            if not uuid_to_text(uuid).startswith("-"):
                return uuid

    def below(self, end: int) -> int:
        assert end > 0
        bits = (end - 1).bit_length()
        while (
            True
        ):  # even over 0..end-1: what falls beyond is drawn again, less than once on average
            drawn = int.from_bytes(os.urandom((bits + 7) // 8), "big") >> (-bits % 8)
            if drawn < end:
                return drawn


def _patiently(open_one: Callable[[], Opened]) -> Opened:
    """Open a descriptor to sync it. None left is no reason to call what was written lost: others
    are given back every moment."""
    tries = 0
    while True:
        try:
            return open_one()
        except OSError as error:
            tries += 1
            if error.errno not in _EXHAUSTED or tries >= _EXHAUSTED_TRIES_MAX:
                raise
            time.sleep(_EXHAUSTED_PAUSE_S)


def _sync_data(descriptor: int) -> None:
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync there stops at the drive's cache
    else:
        os.fdatasync(descriptor)


def _sync_file_system(descriptor: int) -> None:
    """Bring everything to the disk that the descriptor's directory is on. Unlike sync(), which Python
    has, this is told when the disk has not taken something since the descriptor was opened."""
    import ctypes

    if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _checked(path: str) -> str:
    """The path, unless it would leave the directory."""
    if not path or path[0] == "/" or "\0" in path:
        raise ValueError(f"{path!r} is not a path inside a log directory")
    for name in path.split("/"):
        if name in ("", ".", ".."):
            raise ValueError(f"{path!r} is not a path inside a log directory")
    return path


def _split(path: str) -> tuple[str, str]:
    directory, _, name = _checked(path).rpartition("/")
    return directory, name


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
