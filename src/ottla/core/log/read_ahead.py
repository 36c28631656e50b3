"""Reading a stretch of a file once, from front to back, beside others whom it must not disturb.

Left to itself the kernel reads ahead: often megabytes, and in the very call that needs the first byte
of them, which then takes milliseconds. So it is told not to, and bytes are asked for here in pieces,
some way ahead. What had to be brought is let go of once it is read: a large log must not take the
place in memory of what others read.

Elsewhere: what the kernel is told, `aio/disk.py`; whose batches these are, `segment.py`.
"""

from collections import deque
from typing import Final, final

from ottla.core.port import File

PIECE_BYTES: Final = 64 * 1024
"""What is read at once by who wants whole batches. Asking for it and copying it take some 65
microseconds, half as long as a step of the cleaner, for which requests wait."""
_AHEAD_BYTES: Final = 16 * PIECE_BYTES
"""At a hundred megabytes a second the disk has ten milliseconds to bring a piece."""
_PIECES_AT_ONCE: Final = 2
"""So the distance grows by a piece with each that is read, until it is what it should be."""


@final
class ReadAhead:
    """`end`: nothing from there on is read."""

    __slots__ = ("_asked", "_end", "_file", "_front")

    def __init__(self, file: File, position: int, end: int) -> None:
        self._file = file
        self._end = end
        self._front = position
        """Up to where bytes were asked for."""
        self._asked: deque[tuple[int, int, bool]] = deque()
        """(position, end, is it in memory for this reader only) of what is not let go of yet."""

    def read(self, position: int, size_bytes: int) -> bytes:
        """As `File.read`. What lies below `position` is not read any more."""
        self._forget_below(position)
        block_end = position + size_bytes
        limit = min(self._end, block_end + _AHEAD_BYTES)
        for _ in range(_PIECES_AT_ONCE):
            front = self._front
            if front >= limit:
                break
            piece_end = min(self._end, max(block_end, front + PIECE_BYTES))
            is_ours = self._file.prefetch(front, piece_end - front)
            self._asked.append((front, piece_end, is_ours))
            self._front = piece_end
        return self._file.read_once(position, size_bytes)

    def finish(self) -> None:
        """All that is wanted was read."""
        self._forget_below(self._front)

    def _forget_below(self, position: int) -> None:
        asked = self._asked
        while asked and asked[0][1] <= position:
            begin, end, is_ours = asked.popleft()
            if is_ours:
                self._file.forget(begin, end - begin)
