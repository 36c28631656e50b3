"""The log directories of this broker: which of them a partition lives in, and what each remembers.

Every directory is a world of its own: disk, identity, checkpoints, the way its last process ended,
and its own end, when its disk fails. A partition is where its files are found; where several
directories have some, those that say whose they are come first, and of them the one that the metadata
names is right; the others are strays. A new one goes where the metadata says, else where the fewest
partitions are, as in Apache Kafka.

Promises: a partition whose directory is offline is never made anew in another: it waits for its data.

Source: KIP-112, KIP-113, KIP-858. Elsewhere: one directory's names, see `directory.py`; how a partition
gets from one to another, see `move.py`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, final

from ottla.core.effect import WriteWhole
from ottla.core.log.checkpoint import CLEANED_OFFSETS, LOG_STARTS, RECOVERY_POINTS
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.partition import (
    LOST_DIRECTORY,
    MIGRATING_DIRECTORY,
    UNASSIGNED_DIRECTORY,
)
from ottla.core.port import Disk, Entropy
from ottla.core.replica.checkpoints import Checkpoints
from ottla.core.replica.directory import Directories
from ottla.core.replica.leader import Leader
from ottla.types import TopicPartition, Uuid

_NOWHERE: Final = (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY, LOST_DIRECTORY)


@final
class GivenDir(NamedTuple):
    """A directory as the shell hands it over. `disk` None: it could not be opened.

    The first one of a broker keeps the metadata log; `keeps_partitions` False: nothing else.
    """

    path: str
    disk: Disk | None
    directory_id: Uuid
    shutdown: Shutdown
    keeps_partitions: bool = True


@final
class LogDir:
    """One log directory that was online when the process began."""

    __slots__ = (
        "checkpoints",
        "directories",
        "directory_id",
        "disk",
        "is_offline",
        "keeps_partitions",
        "number",
        "partition_count",
        "path",
    )

    def __init__(self, number: int, given: GivenDir, disk: Disk, entropy: Entropy) -> None:
        self.number = number
        self.path = given.path
        self.directory_id = given.directory_id
        self.keeps_partitions = given.keeps_partitions
        self.disk = disk
        self.directories = Directories(disk, entropy, given.shutdown)
        self.checkpoints = Checkpoints(disk, number)
        self.partition_count = 0
        self.is_offline = False

    def survey(self) -> None:
        self.directories.survey(
            self.checkpoints.read(RECOVERY_POINTS),
            self.checkpoints.read(LOG_STARTS),
            self.checkpoints.read(CLEANED_OFFSETS),
        )


@final
class LogDirs:
    """All of them, by number: the number is what effects and events call a directory."""

    __slots__ = ("_by_id", "dirs", "offline_paths")

    def __init__(self, given: Sequence[GivenDir], entropy: Entropy) -> None:
        self.dirs: dict[int, LogDir] = {}
        self.offline_paths: list[str] = []
        """Those that could not be opened at the start."""
        for number, one in enumerate(given):
            if one.disk is None:
                self.offline_paths.append(one.path)
            else:
                self.dirs[number] = LogDir(number, one, one.disk, entropy)
        self._by_id = {log_dir.directory_id: log_dir for log_dir in self.dirs.values()}

    def __getitem__(self, number: int) -> LogDir:
        return self.dirs[number]

    def online(self) -> Iterator[LogDir]:
        """Those that partitions can live in."""
        return (one for one in self.dirs.values() if one.keeps_partitions and not one.is_offline)

    @property
    def has_offline(self) -> bool:
        return bool(self.offline_paths) or any(one.is_offline for one in self.dirs.values())

    @property
    def all_offline(self) -> bool:
        return not any(True for _ in self.online())

    def at(self, path: str) -> LogDir | None:
        """The directory of this path, online or not."""
        return next((one for one in self.dirs.values() if one.path == path), None)

    def home_of(
        self, partition: TopicPartition, topic_id: Uuid, assigned: Uuid | None, *, is_new: bool
    ) -> LogDir | None:
        """The directory that the partition lives in; None: in one that is offline, it may be.

        `assigned`: what the metadata says. `is_new`: it was made just now, so no other has data.
        """
        only = self._only()
        if only is not None:
            return only
        named = None if assigned is None else self._by_id.get(assigned)
        if named is not None and named.is_offline:
            return None
        is_named = assigned is not None and assigned not in _NOWHERE
        if named is None and is_named and self.has_offline:
            return None  # what stands in another is what a move has left there
        candidates = list(self.online())
        if not is_new:
            named_first = candidates if named is None else [named, *candidates]
            for certainly in (True, False):
                for one in named_first:
                    if one.directories.holds(partition, topic_id, certainly=certainly):
                        return one
            if self.has_offline:
                return None  # also when named: a move that was not finished names its target
        if named is not None and named.keeps_partitions:
            return named
        return min(candidates, key=lambda one: one.partition_count, default=None)

    def checkpointed_elsewhere(
        self, home: LogDir, partition: TopicPartition, topic_id: Uuid
    ) -> tuple[int, int | None]:
        """What is known of the partition in the directory that it was moved from, where the process
        ended before it was written down in its new `home`. OSError: that can't be told."""
        if len(self.dirs) > 1:
            for one in self.online():
                if one is not home and one.directories.holds(partition, topic_id):
                    return one.directories.checkpointed(partition)
        return 0, None

    def _only(self) -> LogDir | None:
        """The directory of a broker that has just one."""
        if len(self.dirs) != 1 or self.offline_paths:
            return None
        return next(self.online(), None)

    def checkpoints(
        self,
        names: tuple[str, ...],
        leaders: Iterable[Leader],
        ahead: Mapping[TopicPartition, int] = MappingProxyType({}),
        *,
        leaving: Iterable[tuple[int, Leader]] = (),
    ) -> Iterator[tuple[LogDir, WriteWhole]]:
        """The checkpoints of every directory that differ from what was last written. `ahead`: what
        is about to be true, in each of them. `leaving`: (directory, partition) that has moved and is
        not yet on the disk where it went: both tell of it."""
        by_dir: dict[int, list[Leader]] = {number: [] for number in self.dirs}
        for leader in leaders:
            by_dir[leader.log_dir].append(leader)
        for number, leader in leaving:
            by_dir[number].append(leader)
        for number, log_dir in self.dirs.items():
            if log_dir.is_offline or not log_dir.keeps_partitions:
                continue
            here = by_dir[number]
            own = {}
            if ahead:
                own = {
                    one.partition: ahead[one.partition] for one in here if one.partition in ahead
                }
            for effect in log_dir.checkpoints.changes(names, here, own):
                yield log_dir, effect
