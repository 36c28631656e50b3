"""The partitions' directories in the log directory: opened, made, set aside.

A directory belongs to a partition when its `partition.metadata` names the topic's id. One that
names another, or that no partition of the image claims, is somebody's data: it gets the suffix
`-stray`, a WARNING, and is never removed here. One of a deleted topic gets `-delete`; who removes
it, and when, see `table.py`. A missing or unreadable `partition.metadata` is written anew: the name
is all there is to go by, as in Kafka.

Source: formats as in KIP-516; names as Kafka's. Elsewhere: what is in a directory, see `core/log`.
"""

import errno
import logging
from typing import Final, final

from ottla import probe
from ottla.core.log.checkpoint import (
    PARTITION_METADATA,
    MalformedFile,
    format_partition_metadata,
    parse_partition_metadata,
)
from ottla.core.log.log import Log
from ottla.core.log.recovery import Shutdown
from ottla.core.port import Disk, Entropy
from ottla.settings.topic import TopicSettings
from ottla.types import METADATA_TOPIC, TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

DELETE_SUFFIX: Final = "-delete"
STRAY_SUFFIX: Final = "-stray"
FUTURE_SUFFIX: Final = "-future"

_NAME_LENGTH_MAX: Final = 255
_UNCLAIMED_TEXT: Final = "no topic of the metadata claims it"


@final
class Directories:
    """What stands in the log directory, by the partition it is named for."""

    __slots__ = (
        "_cleaned",
        "_disk",
        "_entropy",
        "_found",
        "_is_settled",
        "_log_starts",
        "_recovery_points",
        "_shutdown",
        "_unclaimed",
        "_unopened",
        "disowned",
    )

    def __init__(self, disk: Disk, entropy: Entropy, shutdown: Shutdown) -> None:
        self._disk = disk
        self._entropy = entropy
        self._shutdown = shutdown
        self._recovery_points: dict[TopicPartition, int] = {}
        self._log_starts: dict[TopicPartition, int] = {}
        self._cleaned: dict[TopicPartition, int] = {}
        self._found: set[str] = set()  # what nobody has claimed yet
        self._is_settled = False  # what the last process left was all looked at
        self._unopened: set[TopicPartition] = set()  # claimed, but the disk did not let us
        self._unclaimed: set[str] = set()  # strays that the disk did not let be renamed
        self.disowned: set[TopicPartition] = set()
        """Those of which a checkpoint here may still tell what holds for a predecessor. None of them is
        made anew before it is written: the next process would believe it."""

    def survey(
        self,
        recovery_points: dict[TopicPartition, int],
        log_starts: dict[TopicPartition, int],
        cleaned: dict[TopicPartition, int],
    ) -> None:
        """See what is there, and know what the last process checkpointed of it. At the start.

        A partition leaves all of them when it is opened: what stays is to be checkpointed again.
        """
        self._cleaned = cleaned
        self._recovery_points = recovery_points
        self._log_starts = log_starts
        self._found = set(self._disk.names(""))

    def holds(self, partition: TopicPartition, topic_id: Uuid, *, certainly: bool = False) -> bool:
        """Whether the partition's own files stand here: none of another topic of its name.

        `certainly`: not such as nothing says whose they are, either.
        """
        if not self._stands(partition):
            return False
        known_id = self._topic_id(f"{partition}/{PARTITION_METADATA}")
        return known_id == topic_id or (known_id is None and not certainly)

    def _stands(self, partition: TopicPartition) -> bool:
        """Whether there is a directory of its name: from before, or from an attempt that failed."""
        directory = str(partition)
        if directory in self._found:
            return True
        was_tried = self._is_settled or partition in self._unopened
        return was_tried and self._disk.exists(directory)

    def checkpointed(self, partition: TopicPartition) -> tuple[int, int | None]:
        """(log start, up to where it is compacted), as the last process wrote them down here."""
        return self._log_starts.get(partition, 0), self._cleaned.get(partition)

    def open(
        self,
        partition: TopicPartition,
        topic_id: Uuid,
        settings: TopicSettings,
        now_ms: int,
        *,
        elsewhere: tuple[int, int | None] = (0, None),
    ) -> Log:
        """The partition's log, made empty when it is not there. OSError: it can't be used.

        `elsewhere`: what is `checkpointed` in the directory that it has just moved from.
        """
        directory = str(partition)
        found = self._stands(partition)
        # Claimed, also if the disk does not let it be opened: a stray is what nobody asked for.
        self._found.discard(directory)
        self._unopened.add(partition)
        metadata = f"{directory}/{PARTITION_METADATA}"
        known_id = self._topic_id(metadata) if found else None
        if probe.MUTANTS and probe.mutant("M60-predecessor-adopted"):
            known_id = topic_id
        if known_id is not None and known_id != topic_id:
            self._set_stray(directory, "it holds another topic of this name")
            found = False
        elif found and known_id is None and self._lost_its_identity(metadata):
            # Its name alone would give a deleted topic's records to whoever has its name now.
            # What was flushed in it was flushed with its identity, so nothing promised is in it.
            self._set_stray(directory, "a power cut has left nothing that says whose it is")
            found = False
        elif found and known_id is None and directory in self._unclaimed:
            self._set_stray(directory, _UNCLAIMED_TEXT)
            found = False
        if not found:
            self.disown(partition)
            if partition in self.disowned:
                problem = "a checkpoint that still tells of a predecessor is to be written first"
                raise OSError(errno.EAGAIN, problem, directory)
        is_identified = found and known_id is not None
        if not is_identified:
            # Before the first segment, so that a directory with records names its topic.
            self._disk.make_directory(directory)
            self._disk.write_whole(metadata, format_partition_metadata(topic_id))
        jitter_ms = settings.segment_jitter_ms
        log = Log.open(
            self._disk,
            directory,
            settings=settings,
            now_ms=now_ms,
            shutdown=self._shutdown,
            recovery_point=self._recovery_points.get(partition, 0),
            log_start=max(self._log_starts.get(partition, 0), elsewhere[0]),
            jitter_ms=self._entropy.below(jitter_ms) if jitter_ms > 0 else 0,
            cleaned_offset=self._cleaned.get(partition, elsewhere[1]),
        )
        if not is_identified or self._shutdown is not Shutdown.CLEAN:
            log.flush_with(metadata)
        self.forget(partition)
        return log

    def disown(self, partition: TopicPartition) -> None:
        """It is gone, or begins anew: what was checkpointed is a predecessor's."""
        for offsets in (self._recovery_points, self._log_starts, self._cleaned):
            if offsets.pop(partition, None) is not None:
                self.disowned.add(partition)

    def spare(self, partition: TopicPartition) -> None:
        """Its home is offline or can't be told: what stands here may be all there is of it, and is no
        stray."""
        self._found.discard(str(partition))
        self._unopened.add(partition)

    def forget(self, partition: TopicPartition) -> None:
        """What was checkpointed of it is not needed any more."""
        self._unopened.discard(partition)
        self._recovery_points.pop(partition, None)
        self._log_starts.pop(partition, None)
        self._cleaned.pop(partition, None)

    def set_aside_strays(self) -> str | None:
        """After every partition of the image was opened: rename what nobody claimed. Once. Returns one
        of what was renamed: until its name is on the disk, a topic of that name would begin with it."""
        aside = None
        for directory in sorted(self._found):
            partition = partition_of(directory)
            if partition is None or partition.topic == METADATA_TOPIC:
                continue
            try:
                if self._disk.names(directory):  # a directory, and not an empty one
                    aside = self._set_stray(directory, _UNCLAIMED_TEXT)
            except OSError as error:
                self._unclaimed.add(directory)
                logger.error(
                    "a directory that no topic claims can't be set aside",
                    extra={"directory": directory, "error": str(error)},
                )
        self._found.clear()
        self._is_settled = True
        for offsets in (self._recovery_points, self._log_starts, self._cleaned):
            for partition in [one for one in offsets if one not in self._unopened]:
                del offsets[partition]
        return aside

    def leftovers(self) -> list[str]:
        """Directories that an earlier process had set aside to be removed."""
        return sorted(name for name in self._found if name.endswith(DELETE_SUFFIX))

    def unfinished_moves(self) -> list[tuple[str, TopicPartition]]:
        """The copies of partitions that an earlier process was moving here: (directory, of which)."""
        return [
            (name, partition)
            for name in sorted(self._found)
            if name.endswith(FUTURE_SUFFIX)
            and (partition := partition_of(name.rpartition(".")[0])) is not None
        ]

    def set_aside_for_deletion(self, partition: TopicPartition) -> str:
        """Free the partition's name at once; returns the directory that is to be removed later."""
        aside = set_aside_name(partition, self._entropy.uuid(), DELETE_SUFFIX)
        self._disk.rename(str(partition), aside)
        return aside

    def make_room(self, partition: TopicPartition) -> None:
        """Nothing that a power cut has brought back stands under the name of what is elsewhere."""
        directory = str(partition)
        if not self._disk.exists(directory):
            return
        if self._disk.names(directory):
            self._set_stray(directory, "the partition is in another log directory")
        else:
            self._disk.remove_tree(directory)

    def future_name(self, partition: TopicPartition) -> str:
        """A new name for the copy of a partition that is being moved here."""
        return set_aside_name(partition, self._entropy.uuid(), FUTURE_SUFFIX)

    def _lost_its_identity(self, path: str) -> bool:
        """Whether `path`, which can't be read, was written and did not reach the disk. One that is
        missing never was: Apache Kafka before 2.8 wrote none."""
        return self._shutdown is Shutdown.POWER_LOST and self._disk.exists(path)

    def _topic_id(self, path: str) -> Uuid | None:
        text = self._disk.read_whole(path)
        if not text:
            return None
        try:
            return parse_partition_metadata(path, text)
        except MalformedFile as error:
            logger.warning("unreadable file, written anew", extra={"why": str(error)})
            return None

    def _set_stray(self, directory: str, why: str) -> str:
        partition = partition_of(directory)
        assert partition is not None
        aside = set_aside_name(partition, self._entropy.uuid(), STRAY_SUFFIX)
        self._disk.rename(directory, aside)
        self._found.discard(directory)
        self._unclaimed.discard(directory)
        logger.warning(
            "directory set aside: %s renamed to %s because %s; its data is untouched",
            directory,
            aside,
            why,
        )
        return aside


def partition_of(directory: str) -> TopicPartition | None:
    """The partition a directory is named for: `a-topic-3` -> ("a-topic", 3)."""
    topic, dash, number = directory.rpartition("-")
    if not (topic and dash and number.isascii() and number.isdigit()):
        return None
    return TopicPartition(topic, int(number))


def set_aside_name(partition: TopicPartition, unique: Uuid, suffix: str) -> str:
    """`<topic>-<partition>.<32 hex><suffix>`, the topic cut so that it fits a file name."""
    tail = f"-{partition.partition}.{unique.hex()}{suffix}"
    return partition.topic[: _NAME_LENGTH_MAX - len(tail)] + tail
