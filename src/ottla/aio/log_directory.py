"""Claiming a data directory: whose it is, that nobody else uses it, and how its last user ended.

Promises: two processes never serve one directory. The claim is a POSIX lock on `.lock`, which is
what the JVM's FileLock takes, so Apache Kafka and Ottla exclude each other too; the kernel drops it
with the process, and tells who holds it. `meta.properties` says whose directory it is; a node with
another id or of another cluster is refused before it touches anything.

The marker `.kafka_cleanshutdown` stands exactly while the directory is closed: it is written last
at a clean stop, when everything is on the disk, and its removal is on the disk before anything is
changed. Without it, `.ottla_boot` tells a killed process, which leaves its page cache behind, from
a machine that went down: the kernel draws a new boot id at every start. After a flush that failed the
file is taken away: then the page cache is not to be believed either.

Source: Kafka's file formats; KIP-858 (directory.id). Elsewhere: what recovery then does, `core/log`.
"""

import fcntl
import json
import logging
import os
import struct
import sys
import threading
from typing import Final, final

from ottla.core.log.recovery import Shutdown
from ottla.core.port import Entropy
from ottla.errors import OttlaError
from ottla.settings.definition import ConfigurationError
from ottla.settings.parse import properties
from ottla.types import Uuid, uuid_from_text, uuid_to_text

log = logging.getLogger(__name__)

LOCK: Final = ".lock"
IDENTITY: Final = "meta.properties"
CLEAN_MARKER: Final = ".kafka_cleanshutdown"
BOOT: Final = ".ottla_boot"

_BOOT_ID_FILE: Final = "/proc/sys/kernel/random/boot_id"
_FILE_BYTES_MAX: Final = 64 * 1024
_FIRST_NODE_ID: Final = 1

_claimed_here: Final[set[tuple[int, int]]] = set()
"""Directories (device, inode) this process has claimed: POSIX locks do not exclude within one."""
_claiming: Final = threading.Lock()


class CannotStart(OttlaError):
    """The broker cannot start, for a reason its operator can act on. The message is for reading."""


@final
class DiskRefuses(CannotStart):
    """The directory's disk is the reason: another directory may serve all the same."""


@final
class LogDirectory:
    """A claimed directory. End it with `release`, which leaves the clean marker or not."""

    __slots__ = (
        "_key",
        "_lock",
        "cluster_id",
        "directory_id",
        "is_new",
        "node_id",
        "path",
        "shutdown",
    )

    def __init__(self, path: str, lock: int, key: tuple[int, int]) -> None:
        self.path = path
        self._lock = lock
        self._key = key
        self.is_new = False
        self.node_id = -1
        self.cluster_id = ""
        self.directory_id: Uuid = b""
        self.shutdown = Shutdown.CLEAN

    @property
    def has_identity(self) -> bool:
        return os.path.exists(os.path.join(self.path, IDENTITY))

    def identify(
        self,
        entropy: Entropy,
        *,
        node_id: int | None,
        cluster_id: str | None,
        cluster_of: str | None = None,
    ) -> None:
        """Read `meta.properties`, or make it. None: what the directory says, else 1 and a fresh id.
        `cluster_of`: the directory that `cluster_id` is known from, when nobody has set it.

        Raises CannotStart when the directory belongs to another node or cluster.
        """
        text = _read(os.path.join(self.path, IDENTITY))
        if text is None:
            self._check_nothing_foreign()
            self.is_new = True
            self.node_id = _FIRST_NODE_ID if node_id is None else node_id
            self.cluster_id = cluster_id or uuid_to_text(entropy.uuid())
            self.directory_id = entropy.uuid()
            self._write_identity()
            return
        known = self._parsed(text)
        self.node_id = self._own_node_id(known, node_id)
        self.cluster_id = self._own_cluster_id(known, cluster_id, cluster_of)
        try:
            self.directory_id = uuid_from_text(known["directory.id"])
        except KeyError:  # written before Kafka 3.7
            self.directory_id = entropy.uuid()
            self._write_identity()
        except ValueError as error:
            raise CannotStart(f"{self._in_identity('directory.id')}: {error}.") from None

    def open_for_writing(self) -> None:
        """Learn how the last process ended; from now on it counts as not cleanly stopped."""
        marker = os.path.join(self.path, CLEAN_MARKER)
        boot_id = _boot_id()
        last_boot_id = _read(os.path.join(self.path, BOOT))
        if self.is_new or os.path.exists(marker):
            self.shutdown = Shutdown.CLEAN
        elif boot_id is not None and last_boot_id is not None and last_boot_id.strip() == boot_id:
            self.shutdown = Shutdown.KILLED
        else:
            self.shutdown = Shutdown.POWER_LOST
        try:
            os.unlink(marker)
        except FileNotFoundError:
            return
        _sync_directory(self.path)

    def note_boot(self) -> None:
        """The logs are open, and right as far as the page cache goes.

        Not before: a process that is killed while it examines them after a power cut must not pass
        for one whose page cache can be believed.
        """
        _replace(self.path, BOOT, f"{_boot_id() or 'unknown'}\n")

    def distrust_page_cache(self) -> None:
        """The disk did not take what was written: the next start, also of this boot, believes only
        what the disk gives back."""
        try:
            os.unlink(os.path.join(self.path, BOOT))
        except FileNotFoundError:
            pass
        except OSError as error:
            log.error("the failure can't be noted for the next start", extra={"error": str(error)})

    def release(self, *, clean_broker_epoch: int | None = None) -> None:
        """Let others have it. With an epoch: everything is on the disk, so leave the marker."""
        if self._lock < 0:
            return
        if clean_broker_epoch is not None:
            marker = {"version": 0, "brokerEpoch": clean_broker_epoch}
            try:
                _replace(self.path, CLEAN_MARKER, json.dumps(marker, separators=(",", ":")))
            except CannotStart as refusal:
                log.error("the next start has to examine the logs", extra={"error": str(refusal)})
        os.close(self._lock)  # which drops the lock
        self._lock = -1
        _claimed_here.discard(self._key)

    def _parsed(self, text: str) -> dict[str, str]:
        path = os.path.join(self.path, IDENTITY)
        try:
            known = {entry.key: entry.value.strip() for entry in properties(text)}
        except ConfigurationError as error:
            raise CannotStart(f"{path} is not a properties file: {error}.") from None
        if known.get("version") == "0":
            raise CannotStart(
                f"{self.path} was written by an Apache Kafka that ran with ZooKeeper ({path} says "
                "version=0): its topics are described in that ensemble, not here. Name another "
                "directory (--data DIR, or log.dirs)."
            )
        if known.get("version") != "1":
            raise CannotStart(
                f"{self._in_identity('version')}: {known.get('version', 'nothing')} stands there, "
                "1 is expected. A newer Kafka may have written it, or the file is damaged."
            )
        return known

    def _own_node_id(self, known: dict[str, str], node_id: int | None) -> int:
        text = known.get("node.id", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            raise CannotStart(f"{self._in_identity('node.id')}: {text!r} is not a node's id.")
        if node_id is not None and int(text) != node_id:
            raise CannotStart(
                f"{self.path} belongs to node {text}, but node.id is {node_id}. Set node.id={text}, "
                "or name another directory (--data DIR, or log.dirs)."
            )
        return int(text)

    def _own_cluster_id(
        self, known: dict[str, str], cluster_id: str | None, cluster_of: str | None
    ) -> str:
        text = known.get("cluster.id", "")
        if not text:
            raise CannotStart(f"{self._in_identity('cluster.id')}: the id of a cluster is missing.")
        if cluster_id is not None and text != cluster_id and cluster_of is not None:
            raise CannotStart(
                f"{self.path} belongs to cluster {text}, but {cluster_of} to {cluster_id}: one broker's "
                "directories are of one cluster. Take one of them out of log.dirs."
            )
        if cluster_id is not None and text != cluster_id:
            raise CannotStart(
                f"{self.path} belongs to cluster {text}, but the cluster's id is set to "
                f"{cluster_id}. Set CLUSTER_ID={text}, or name another directory (--data DIR, or "
                "log.dirs)."
            )
        return text

    def _in_identity(self, key: str) -> str:
        return f"{os.path.join(self.path, IDENTITY)}, {key}"

    def _check_nothing_foreign(self) -> None:
        """A directory without an identity must be empty: nobody wants logs among their papers."""
        foreign = [
            name
            for name in os.listdir(self.path)
            if not name.startswith(".") and name not in ("lost+found", f"{IDENTITY}.tmp")
        ]
        if foreign:
            raise CannotStart(
                f"{self.path} is neither empty nor a Kafka log directory: it has no {IDENTITY}, but "
                f"{min(foreign)!r} and {len(foreign) - 1} more. Name a new or empty directory "
                "(--data DIR, or log.dirs)."
            )

    def _write_identity(self) -> None:
        _replace(
            self.path,
            IDENTITY,
            "#\n"
            f"cluster.id={self.cluster_id}\n"
            f"directory.id={uuid_to_text(self.directory_id)}\n"
            f"node.id={self.node_id}\n"
            "version=1\n",
        )


def claim(path: str) -> LogDirectory:
    """Make the directory if it is not there and lock it. Raises CannotStart with the reason."""
    with _claiming:  # two threads may begin with one directory at the same time
        return _claimed(os.path.abspath(path))


def _claimed(path: str) -> LogDirectory:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        status = os.stat(path)
        key = (status.st_dev, status.st_ino)
        # Asked first: closing a second descriptor of the lock file would drop the first one's lock.
        if key in _claimed_here:
            raise CannotStart(f"{path} is already served by this process.")
        lock = os.open(
            os.path.join(path, LOCK),
            os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
    except OSError as error:
        raise DiskRefuses(
            f"{path} cannot be used for data: {error.strerror}. Name a directory this user may "
            "write to (--data DIR, or log.dirs)."
        ) from None
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = _holder(lock)
        os.close(lock)
        raise CannotStart(
            f"{path} is in use by {holder}. Two brokers cannot share a directory: stop the other "
            "one, or name another directory (--data DIR, or log.dirs)."
        ) from None
    except OSError as error:
        os.close(lock)
        raise DiskRefuses(
            f"{path} cannot be locked: {error.strerror}. A file system that supports locks is "
            "needed; on NFS, its lock service must run."
        ) from None
    _claimed_here.add(key)
    return LogDirectory(path, lock, key)


def _holder(lock: int) -> str:
    """Who holds the lock, as far as the kernel tells."""
    # struct flock differs: Linux has type, whence, start, length, pid; macOS the pid in between.
    is_linux = sys.platform == "linux"
    layout = "hhqqi4x" if is_linux else "qqihh"
    asked = (fcntl.F_WRLCK, 0, 0, 0, 0) if is_linux else (0, 0, 0, fcntl.F_WRLCK, 0)
    try:
        answer = struct.unpack(
            layout, fcntl.fcntl(lock, fcntl.F_GETLK, struct.pack(layout, *asked))
        )
    except OSError:
        return "another process"
    pid = answer[4] if is_linux else answer[2]
    if pid <= 0:  # a process in another container, or on another host
        return "another process"
    name = _read(f"/proc/{pid}/comm")
    return f"process {pid} ({name.strip()})" if name else f"process {pid}"


def _boot_id() -> str | None:
    """What the kernel drew when the machine started; None where there is no such thing."""
    text = _read(_BOOT_ID_FILE)
    return text.strip() if text else None


def _read(path: str) -> str | None:
    """A small text file; None when it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DiskRefuses(f"{path} cannot be read: {error.strerror}.") from None


def _replace(directory: str, name: str, text: str) -> None:
    """Write a small file so that it survives a power cut."""
    path = os.path.join(directory, name)
    try:
        descriptor = os.open(
            f"{path}.tmp",
            os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(f"{path}.tmp", path)
        _sync_directory(directory)
    except OSError as error:
        raise DiskRefuses(f"{path} cannot be written: {error.strerror}.") from None


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
