"""The partitions' directories in the log directory: opened, made, set aside.

A directory belongs to a partition when its `partition.metadata` names the topic's id. One that
names another, or that no partition of the image claims, is somebody's data: it gets the suffix
`-stray`, a WARNING, and is never removed here. One of a deleted topic gets `-delete`; who removes
it, and when, see `table.py`. A missing or unreadable `partition.metadata` is written anew: the name
is all there is to go by, as in Kafka.

Source: formats as in KIP-516; names as Kafka's. Elsewhere: what is in a directory, see `core/log`.
"""

import logging
from typing import Final, final

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


@final
class Directories:
    """What stands in the log directory, by the partition it is named for."""

    __slots__ = ("_disk", "_entropy", "_found", "_log_starts", "_recovery_points", "_shutdown")

    def __init__(self, disk: Disk, entropy: Entropy, shutdown: Shutdown) -> None:
        self._disk = disk
        self._entropy = entropy
        self._shutdown = shutdown
        self._recovery_points: dict[TopicPartition, int] = {}
        self._log_starts: dict[TopicPartition, int] = {}
        self._found: set[str] = set()  # what nobody has claimed yet

    def survey(
        self, recovery_points: dict[TopicPartition, int], log_starts: dict[TopicPartition, int]
    ) -> None:
        """See what is there, and know what the last process checkpointed of it. At the start."""
        self._recovery_points = recovery_points
        self._log_starts = log_starts
        self._found = set(self._disk.names(""))

    def open(
        self, partition: TopicPartition, topic_id: Uuid, settings: TopicSettings, now_ms: int
    ) -> Log:
        """The partition's log, made empty when it is not there. OSError: it can't be used."""
        directory = str(partition)
        found = directory in self._found
        metadata = f"{directory}/{PARTITION_METADATA}"
        known_id = self._topic_id(metadata) if found else None
        if known_id is not None and known_id != topic_id:
            self._set_stray(directory, "it holds another topic of this name")
            found = False
        jitter_ms = settings.segment_jitter_ms
        log = Log.open(
            self._disk,
            directory,
            settings=settings,
            now_ms=now_ms,
            shutdown=self._shutdown,
            recovery_point=self._recovery_points.get(partition, 0) if found else 0,
            log_start=self._log_starts.get(partition, 0) if found else 0,
            jitter_ms=self._entropy.below(jitter_ms) if jitter_ms > 0 else 0,
        )
        if not found or known_id is None:
            self._disk.write_whole(metadata, format_partition_metadata(topic_id))
        self._found.discard(directory)
        return log

    def set_aside_strays(self) -> None:
        """After every partition of the image was opened: rename what nobody claimed."""
        for directory in sorted(self._found):
            partition = partition_of(directory)
            if partition is None or partition.topic == METADATA_TOPIC:
                continue
            try:
                if self._disk.names(directory):  # a directory, and not an empty one
                    self._set_stray(directory, "no topic of the metadata claims it")
            except OSError as error:
                logger.error(
                    "a directory that no topic claims can't be set aside",
                    extra={"directory": directory, "error": str(error)},
                )
        self._found.clear()
        self._recovery_points.clear()
        self._log_starts.clear()

    def leftovers(self) -> list[str]:
        """Directories that an earlier process had set aside to be removed."""
        return sorted(name for name in self._found if name.endswith(DELETE_SUFFIX))

    def set_aside_for_deletion(self, partition: TopicPartition) -> str:
        """Free the partition's name at once; returns the directory that is to be removed later."""
        aside = set_aside_name(partition, self._entropy.uuid(), DELETE_SUFFIX)
        self._disk.rename(str(partition), aside)
        return aside

    def _topic_id(self, path: str) -> Uuid | None:
        text = self._disk.read_whole(path)
        if not text:
            return None
        try:
            return parse_partition_metadata(path, text)
        except MalformedFile as error:
            logger.warning("unreadable file, written anew", extra={"why": str(error)})
            return None

    def _set_stray(self, directory: str, why: str) -> None:
        partition = partition_of(directory)
        assert partition is not None
        aside = set_aside_name(partition, self._entropy.uuid(), STRAY_SUFFIX)
        self._disk.rename(directory, aside)
        self._found.discard(directory)
        logger.warning(
            "directory set aside: %s renamed to %s because %s; its data is untouched",
            directory,
            aside,
            why,
        )


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
