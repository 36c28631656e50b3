"""The four checkpoint files of a log directory: one offset per partition each.

Recovery points say how much of a log is surely on the disk, log starts what was deleted before them,
high watermarks what was committed, cleaned offsets what was compacted. Losing one costs a longer
recovery, never data; so a file that can't be read is ignored with a WARNING, and one that would not
change is not written again.

Elsewhere: the files' format, see `core/log/checkpoint.py`; when they are written, see `table.py`.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, final

from ottla.core.effect import WriteWhole
from ottla.core.log.checkpoint import (
    CLEANED_OFFSETS,
    HIGH_WATERMARKS,
    LOG_STARTS,
    RECOVERY_POINTS,
    MalformedFile,
    format_offsets,
    parse_offsets,
)
from ottla.core.port import Disk
from ottla.core.replica.leader import Leader
from ottla.types import TopicPartition

ALL: Final = (RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, CLEANED_OFFSETS)

logger: Final = logging.getLogger(__name__)

_NOTHING: Final[Mapping[TopicPartition, int]] = {}


@final
class Checkpoints:
    """Reads what the last process wrote, and renders what has changed since."""

    __slots__ = ("_disk", "_known", "_number", "_read", "_written")

    def __init__(self, disk: Disk, number: int) -> None:
        """`number`: of the log directory."""
        self._disk = disk
        self._number = number
        self._known: set[str] = set()  # files that are there
        self._read: dict[str, dict[TopicPartition, int]] = {}
        self._written: dict[str, bytes] = {}

    def read(self, name: str) -> dict[TopicPartition, int]:
        """What the last process wrote. What the caller leaves in it is written again."""
        offsets: dict[TopicPartition, int] = {}
        data = self._disk.read_whole(name)
        if data is not None:
            self._known.add(name)
            try:
                offsets = parse_offsets(name, data)
            except MalformedFile as error:
                logger.warning("checkpoint ignored", extra={"why": str(error)})
        self._read[name] = offsets
        return offsets

    def changes(
        self,
        names: Iterable[str],
        leaders: Iterable[Leader],
        ahead: Mapping[TopicPartition, int] = _NOTHING,
    ) -> list[WriteWhole]:
        """Those of the files whose content is not what was last written. `ahead`: what is about to
        be true, in each of them."""
        logs = list(leaders)
        effects = []
        for name in names:
            offsets = {**self._read.get(name, {}), **dict(_offsets(name, logs)), **ahead}
            if name == CLEANED_OFFSETS and not (offsets or name in self._known):
                continue  # most brokers compact nothing, and need no file that says so
            data = format_offsets(offsets)
            if self._written.get(name) != data:
                self._written[name] = data
                self._known.add(name)
                effects.append(WriteWhole(name, data, self._number))
        return effects

    def forget(self, name: str) -> None:
        """`name` could not be written: next time it is a change, whatever is in it."""
        self._written.pop(name, None)


def _offsets(name: str, leaders: Iterable[Leader]) -> Iterator[tuple[TopicPartition, int]]:
    for leader in leaders:
        log = leader.log
        if name == RECOVERY_POINTS:
            yield leader.partition, log.recovery_point
        elif name == HIGH_WATERMARKS:
            yield leader.partition, leader.high_watermark
        elif name == CLEANED_OFFSETS:
            if log.cleaned_offset is not None:
                yield leader.partition, log.cleaned_offset
        elif log.start_offset > 0:
            yield leader.partition, log.start_offset
