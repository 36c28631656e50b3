"""The batches of an active segment that its indexes do not hold, as a recovery after a kill goes over
them: where do their offsets end, also when a batch's own offset, which no checksum covers, is damaged?

Elsewhere: what is cut, and what a power cut changes, `recovery.py`.
"""

import logging
from typing import Final, final

from ottla import probe
from ottla.core.log.segment import Entry, Segment
from ottla.core.log.sound import is_sound
from ottla.record.batch import Batch

log: Final = logging.getLogger(__name__)


@final
class Tail:
    """Tell it of batches in their order; `first` is the position of the first that may come."""

    __slots__ = ("_before", "_follows", "_is_contiguous", "_segment", "end_offset", "last")

    def __init__(self, segment: Segment, *, is_contiguous: bool, first: int) -> None:
        self._segment = segment
        self._is_contiguous = is_contiguous
        self._follows = first == 0  # the last one begins where the one before it ended
        self._before = segment.base_offset
        self.end_offset: int = segment.base_offset
        self.last: tuple[int, Entry] | None = None

    def add(self, position: int, entry: Entry) -> None:
        expected = self.end_offset
        self._before = expected
        knows = self.last is not None or position == 0
        if not isinstance(entry, Batch) or not knows:
            self._follows = False
            self.end_offset = entry.next_offset
        elif entry.base_offset == expected or (
            entry.base_offset > expected and not self._is_contiguous
        ):
            self._follows = True
            self.end_offset = entry.next_offset
        else:
            self.end_offset = self._settled(position, entry, expected)
        self.last = (position, entry)

    def _settled(self, position: int, entry: Batch, expected: int) -> int:
        """This batch or the one before it has a wrong offset: the next one tells which."""
        behind = position + entry.size_bytes
        following: int | None = None
        if behind < self._segment.size_bytes:
            front = self._segment.file.read(behind, 8)
            following = int.from_bytes(front, "big", signed=True)
        if following == entry.next_offset:
            self._follows = True
            return entry.next_offset  # the one before it
        if entry.base_offset > expected and self.last is not None:
            last_position, last = self.last
            if position != last_position + last.size_bytes or not self._is_sound(*self.last):
                return entry.next_offset  # what is missing is what was damaged
        if following is None and not self._follows:
            return max(entry.next_offset, expected)  # who knows; offsets are not used twice
        log.error(
            "a batch's offset is damaged",
            extra={
                "file": self._segment.path(),
                "position": position,
                "offset": expected,
                "found": entry.base_offset,
            },
        )
        if following == expected or not self._is_sound(position, entry):
            return expected
        return expected + entry.last_offset_delta + 1

    def last_is_sound(self) -> bool:
        assert self.last is not None
        return self._is_sound(*self.last)

    def drop_last(self) -> None:
        self.end_offset = self._before

    def _is_sound(self, position: int, entry: Entry) -> bool:
        return checksum_is_right(self._segment.entry_at(position, entry.size_bytes))


def checksum_is_right(entry: Entry) -> bool:
    if probe.MUTANTS and probe.mutant("M40-checksum-not-tested"):
        return True
    return is_sound(entry)
