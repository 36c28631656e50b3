"""One of a node's log directories: its disk, the markers in it, and what waits to be brought there.

What `aio/log_directory.py` and `aio/flusher.py` are in production. Every directory ends for itself:
its marker of a clean stop, its note of the boot, and its own flushes.

Elsewhere: who lives on it, `process.py`; the disk, `disk.py`.
"""

from collections.abc import Callable
from typing import final

from ottla.core.effect import Flush
from ottla.core.log.recovery import Shutdown
from ottla.core.port import File
from ottla.core.replica.log_dirs import GivenDir
from ottla.settings.broker import BrokerSettings
from ottla.sim.disk import Fuse, SimDisk
from ottla.types import TopicPartition, Uuid


def paths_of(settings: BrokerSettings) -> tuple[list[str], bool]:
    """(the directories, that of the metadata log first; whether that one keeps partitions, too)."""
    given = list(settings.log_dirs)
    metadata = settings.metadata_log.directory or given[0]
    return [metadata, *(path for path in given if path != metadata)], metadata in given


@final
class Group:
    """Flushes of one partition that will be done together."""

    def __init__(self, topic_id: Uuid) -> None:
        self.files: dict[File, None] = {}
        self.directory: str | None = None
        self.topic_id = topic_id
        self._flushes: list[Flush] = []

    def join(self, flush: Flush) -> None:
        flush.gathering = True
        self.files.update(dict.fromkeys(flush.files))
        self.directory = flush.directory or self.directory
        self._flushes.append(flush)

    def begin(self) -> None:
        """What is appended from here on belongs to the next flush."""
        for flush in self._flushes:
            flush.gathering = False

    @property
    def end_offset(self) -> int:
        return max(flush.end_offset for flush in self._flushes)


@final
class LogDir:
    """`number`: what effects and events call it; `node` tells its identity from other nodes'."""

    def __init__(
        self, number: int, node: int, path: str, now_ms: Callable[[], int], fuse: Fuse
    ) -> None:
        self.number = number
        self.path = path
        self.directory_id: Uuid = bytes(14) + bytes([number, 9 + node])
        self.disk = SimDisk(now_ms, fuse, path)
        self.is_open = False  # this process has it
        self.shutdown = Shutdown.CLEAN
        self.clean_marker = True
        self.noted_boot: int | None = None  # the boot of the last process that got ready
        self.groups: dict[TopicPartition, Group] = {}
        self.wholes: dict[str, bytes] = {}
        self.unwritten: dict[str, bytes] = {}  # small files that were tried in vain
        self.running: set[TopicPartition | str] = set()

    def begin(self, boot: int) -> None:
        """A process opens it, and reads in the markers how the last one ended."""
        self.is_open = self.number == 0 or not self.disk.is_away
        if not self.is_open:
            return
        if self.clean_marker:
            self.shutdown = Shutdown.CLEAN
        else:
            known = self.noted_boot == boot
            self.shutdown = Shutdown.KILLED if known else Shutdown.POWER_LOST
        self.clean_marker = False
        if self.shutdown is Shutdown.POWER_LOST:
            self.disk.forget_page_cache()

    @property
    def ended_badly(self) -> bool:
        return self.is_open and self.shutdown is not Shutdown.CLEAN

    @property
    def lost_power(self) -> bool:
        return self.is_open and self.shutdown is Shutdown.POWER_LOST

    @property
    def is_idle(self) -> bool:
        return not (self.groups or self.wholes or self.running)

    def given(self, disk: SimDisk) -> GivenDir:
        """What the node gets; `disk`: this one, or a copy of it."""
        return GivenDir(
            path=self.path,
            disk=disk if self.is_open else None,
            directory_id=self.directory_id if self.is_open else b"",
            shutdown=self.shutdown if self.is_open else Shutdown.CLEAN,
        )

    def process_ended(self) -> None:
        self.is_open = False
        self.disk.end_process()
        self.groups.clear()
        self.wholes.clear()
        self.unwritten.clear()
        self.running.clear()
