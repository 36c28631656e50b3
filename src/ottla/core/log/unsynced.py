"""Which of a log's files the disk does not have yet, beside the end of the active segment.

A sealed segment's data and indexes, producer snapshots and aborted indexes must be synced before the
recovery point may pass them: after a power cut, nothing before it is tested. So a segment holds the
recovery point back until a flush that was asked for after it was sealed is known to be done.
"""

from collections.abc import Iterable
from typing import final

from ottla.core.log.segment import Segment


@final
class Unsynced:
    """What the next flush has to bring to the disk, and what flushes under way are bringing."""

    __slots__ = ("_under_way", "names_changed", "paths", "segments")

    def __init__(self, segments: Iterable[Segment], *, names_changed: bool) -> None:
        self.segments = list(segments)
        self.paths: list[str] = []
        self.names_changed = names_changed
        """A file was added to the directory: the directory itself has to be synced."""
        self._under_way: list[tuple[int, list[Segment]]] = []

    @property
    def is_empty(self) -> bool:
        return not (self.segments or self.paths or self.names_changed)

    def add_path(self, path: str) -> None:
        if path not in self.paths:
            self.paths.append(path)
            self.names_changed = True

    def forget_path(self, path: str) -> None:
        if path in self.paths:
            self.paths.remove(path)

    def forget(self, segment: Segment) -> None:
        """The segment is gone, or is the active one again."""
        self.segments = [one for one in self.segments if one is not segment]
        self._under_way = [
            (end, [one for one in sent if one is not segment]) for end, sent in self._under_way
        ]

    def take(self, end_offset: int) -> None:
        """A flush up to `end_offset` carries all of it."""
        self._under_way.append((end_offset, self.segments))
        self.segments = []
        self.paths = []
        self.names_changed = False

    def done(self, end_offset: int) -> None:
        """A flush up to `end_offset` succeeded."""
        while self._under_way and self._under_way[0][0] < end_offset:
            del self._under_way[0]
        # Of several flushes with the same end, only the first is known to be done.
        if self._under_way and self._under_way[0][0] == end_offset:
            del self._under_way[0]

    def truncated(self, end_offset: int) -> None:
        """The log ends there now: no flush under way can promise more."""
        self._under_way = [(min(end, end_offset), sent) for end, sent in self._under_way]

    def recovery_point(self, flushed_offset: int) -> int:
        held_back = [*self.segments, *(one for _, sent in self._under_way for one in sent)]
        bases = [segment.base_offset for segment in held_back]
        return min([flushed_offset, *bases])
