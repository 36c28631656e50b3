"""What of a log was found sound a moment ago, and is not tested again so soon.

Where hundreds of consumers read a record, or several read the same stretch one behind the other, they
ask for it within seconds of each other, and of its being written. A bit that flips does so in months.

Promises: what `holds` was tested at most `FOR_MS` before. A log whose segments get other bytes, by
truncation or compaction, calls `clear`.

Elsewhere: the tests, `sound.py`.
"""

from typing import Final, final

from ottla import probe

FOR_MS: Final = 10_000
"""So old a test may be, milliseconds."""

_STRETCHES_MAX: Final = 4
"""Readers at the end of a log, and some that are behind."""


class _Stretch:
    """Bytes `begin`..`end` (exclusive) of the segment, of which the first were tested at `since_ms`."""

    __slots__ = ("base_offset", "begin", "end", "since_ms")

    def __init__(self, base_offset: int, begin: int, end: int, since_ms: int) -> None:
        self.base_offset = base_offset
        self.begin = begin
        self.end = end
        self.since_ms = since_ms


@final
class Stretches:
    """Stretches of a log's segments, whole batches each, the newest first."""

    __slots__ = ("_stretches",)

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []

    def holds(self, base_offset: int, begin: int, end: int, now_ms: int) -> bool:
        """Were bytes `begin`..`end` of the segment at `base_offset` sound a moment ago?"""
        if probe.MUTANTS and probe.mutant("M40-served-untested"):
            return True
        for one in self._stretches:
            if one.base_offset == base_offset and one.begin <= begin and end <= one.end:
                return now_ms - one.since_ms < FOR_MS
        return False

    def add(self, base_offset: int, begin: int, end: int, now_ms: int) -> None:
        """These bytes are sound. What they touch grows by them, and is as old as it was."""
        for one in self._stretches:
            if one.base_offset == base_offset and begin <= one.end and one.begin <= end:
                if now_ms - one.since_ms < FOR_MS:
                    one.begin = min(one.begin, begin)
                    one.end = max(one.end, end)
                else:
                    one.begin, one.end, one.since_ms = begin, end, now_ms
                return
        self._stretches.insert(0, _Stretch(base_offset, begin, end, now_ms))
        del self._stretches[_STRETCHES_MAX:]

    def clear(self) -> None:
        self._stretches.clear()
