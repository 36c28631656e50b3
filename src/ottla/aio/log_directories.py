"""All log directories of one broker: claimed together, opened, and ended each for itself.

Number 0 is the one that keeps the metadata log; the number is what effects and events call a
directory. Without that one there is no start; another that its disk does not let be opened is
offline, loudly, and the rest serves. A lock that somebody holds, or a directory of another node or
cluster, is a mistake in any of them, and nothing is touched.

Every directory has its own threads that flush, so that a disk that hangs holds up nobody else's, and
its own marker of a clean stop.

Source: KIP-112, KIP-858. Elsewhere: one directory, see `log_directory.py`.
"""

import logging
import os
from collections.abc import Callable, Iterator, Set
from typing import Final, final

from ottla.aio.disk import RealDisk
from ottla.aio.flusher import Flusher
from ottla.aio.log_directory import CannotStart, DiskRefuses, LogDirectory, claim
from ottla.core.effect import Flush, WriteWhole
from ottla.core.event import Flushed
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.local import DIRECTORY as METADATA_LOG
from ottla.core.port import Entropy
from ottla.core.replica.log_dirs import GivenDir
from ottla.settings.broker import BrokerSettings

log: Final = logging.getLogger(__name__)

_FILES_MIN: Final = 16


@final
class _Open:
    """A claimed directory with its disk, and who flushes to it."""

    __slots__ = ("directory", "disk", "flusher", "number")

    def __init__(self, number: int, directory: LogDirectory) -> None:
        self.number = number
        self.directory = directory
        self.disk: RealDisk
        self.flusher: Flusher


@final
class LogDirectories:
    """`claim`, then `open`; `release` ends it, whatever came before."""

    def __init__(self, settings: BrokerSettings) -> None:
        given = [os.path.abspath(path) for path in settings.log_dirs]
        first = settings.metadata_log.directory
        metadata = given[0] if first is None else os.path.abspath(first)
        self._paths = [metadata, *(path for path in dict.fromkeys(given) if path != metadata)]
        self._keeps_partitions = metadata in given
        self._open: dict[int, _Open] = {}

    @property
    def first(self) -> LogDirectory:
        return self._open[0].directory

    @property
    def disk(self) -> RealDisk:
        return self._open[0].disk

    @property
    def keeps_partitions(self) -> bool:
        """Whether there are others than the metadata log in the first one."""
        return self._keeps_partitions

    def others(self) -> tuple[GivenDir, ...]:
        return tuple(
            self._given(number, path) for number, path in enumerate(self._paths) if number > 0
        )

    def _given(self, number: int, path: str) -> GivenDir:
        one = self._open.get(number)
        if one is None:
            return GivenDir(path=path, disk=None, directory_id=b"", shutdown=Shutdown.CLEAN)
        return GivenDir(
            path=path,
            disk=one.disk,
            directory_id=one.directory.directory_id,
            shutdown=one.directory.shutdown,
        )

    # --- the start --------------------------------------------------------------------------------

    def claim(self) -> None:
        """Lock them all. CannotStart: none is."""
        claimed = False
        try:
            for number, path in enumerate(self._paths):
                try:
                    self._open[number] = _Open(number, claim(path))
                except DiskRefuses as refusal:
                    self._lose(number, refusal)
            claimed = True
        finally:
            if not claimed:
                self.release_locks()

    def open(
        self,
        entropy: Entropy,
        *,
        node_id: int,
        cluster_id: str | None,
        files_max: int,
        outcome: Callable[[Flushed], None],
    ) -> None:
        """Learn whose they are, or make them this node's; from here on they may change."""
        self._identify(entropy, node_id, cluster_id)
        descriptors_max = max(_FILES_MIN, files_max // len(self._open))
        for one in list(self._open.values()):
            try:
                one.directory.open_for_writing()
                one.disk = RealDisk(one.directory.path, descriptors_max=descriptors_max)
            except (OSError, DiskRefuses) as refusal:
                self._lose(one.number, refusal)
                continue
            if one.directory.shutdown is Shutdown.POWER_LOST:
                one.disk.forget_page_cache()
            one.flusher = Flusher(one.disk, outcome, log_dir=one.number)

    def _identify(self, entropy: Entropy, node_id: int, cluster_id: str | None) -> None:
        """Those that have an identity first: new ones become part of the same cluster."""
        self._check_metadata_log()
        cluster_of: str | None = None
        for one in sorted(self._open.values(), key=lambda one: not one.directory.has_identity):
            directory = one.directory
            try:
                directory.identify(
                    entropy, node_id=node_id, cluster_id=cluster_id, cluster_of=cluster_of
                )
            except DiskRefuses as refusal:
                self._lose(one.number, refusal)
                continue
            if cluster_id is None:
                cluster_id, cluster_of = directory.cluster_id, directory.path
        ids: dict[bytes, str] = {}
        for one in self._open.values():
            path = one.directory.path
            other = ids.setdefault(one.directory.directory_id, path)
            if other != path:
                raise CannotStart(
                    f"{other} and {path} have one directory.id: one is a copy of the other. Take "
                    "the copy out of log.dirs."
                )

    def _check_metadata_log(self) -> None:
        """Somebody else's first directory would begin an empty cluster beside the data."""
        where = [
            one.directory.path
            for one in self._open.values()
            if os.path.isdir(os.path.join(one.directory.path, METADATA_LOG))
        ]
        if where and self._paths[0] not in where:
            raise CannotStart(
                f"the metadata log is in {where[0]}, not in {self._paths[0]}. Set "
                f"metadata.log.dir={where[0]}, or name that directory first in log.dirs."
            )

    def _lose(self, number: int, refusal: OSError | DiskRefuses) -> None:
        one = self._open.pop(number, None)
        if one is not None:
            one.directory.release()
        if number == 0:
            if isinstance(refusal, DiskRefuses):
                raise refusal
            raise CannotStart(f"{self._paths[0]} cannot be opened: {refusal}.") from refusal
        log.error(
            "log directory is offline: it can't be opened. Its partitions answer "
            "KAFKA_STORAGE_ERROR until the broker is started anew",
            extra={"directory": self._paths[number], "error": str(refusal)},
        )

    def note_boot(self) -> None:
        for one in self._open.values():
            one.directory.note_boot()

    # --- what is to be brought to the disks -------------------------------------------------------

    def __iter__(self) -> Iterator[LogDirectory]:
        return (one.directory for one in self._open.values())

    def flush(self, flush: Flush) -> None:
        self._open[flush.log_dir].flusher.flush(flush)

    def write_whole(self, write: WriteWhole) -> None:
        self._open[write.log_dir].flusher.write_whole(write)

    def distrust(self, number: int) -> None:
        """The disk did not take what was written."""
        self._open[number].directory.distrust_page_cache()

    def dispatch(self) -> None:
        for one in self._open.values():
            one.flusher.dispatch()

    def retry(self) -> None:
        for one in self._open.values():
            one.flusher.retry()

    def idle(self) -> bool:
        return all(one.flusher.idle() for one in self._open.values())

    # --- the end ----------------------------------------------------------------------------------

    def sync(self, is_durable: Callable[[int], bool]) -> set[int]:
        """Bring everything to those disks that have all that matters; the numbers of those that
        have it all afterwards."""
        synced = set()
        for number, one in self._open.items():
            if not is_durable(number):
                continue
            try:
                one.disk.sync_all()
            except OSError as error:
                log.error(
                    "the stop is not clean",
                    extra={"directory": one.directory.path, "error": str(error)},
                )
            else:
                synced.add(number)
        return synced

    @property
    def numbers(self) -> set[int]:
        """All that were given, offline ones included."""
        return set(range(len(self._paths)))

    def release(self, clean: Set[int], broker_epoch: int) -> None:
        """Let others have them; those that are `clean` get the marker."""
        for number, one in self._open.items():
            one.flusher.close(0.0)
            one.disk.close()
            epoch = broker_epoch if number in clean else None
            one.directory.release(clean_broker_epoch=epoch)

    def release_locks(self) -> None:
        """Before they were opened."""
        for one in self._open.values():
            one.directory.release()
