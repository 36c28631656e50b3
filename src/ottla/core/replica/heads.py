"""What was read to be tested, and need not be read again: the last of it, of all answers together.

A Fetch tests every batch before it is told of, so the bytes are in memory once. An answer that leaves at
once leaves with them. One that waits, for its turn or for a reader who is slow, must not hold them: a
thousand of those would fill the memory. Nobody knows here which of the two an answer is; so the newest
keep what they have, up to a bound, and the others are read again from the file when there is room.

Elsewhere: what is tested, `core/log/sound.py`; who sends, `aio/connection.py`.
"""

from collections import deque
from typing import Final, final

from ottla.core.port import FileSlice
from ottla.limits import TESTED_BYTES_MAX

_COUNTED_BYTES_MIN: Final = 1024
"""What a slice counts at least: many small ones are not to be kept either."""


@final
class Heads:
    """A node's slices that have heads, oldest first."""

    __slots__ = ("_held_bytes", "_slices")

    def __init__(self) -> None:
        self._slices: deque[FileSlice] = deque()
        self._held_bytes = 0

    def keep(self, newest: FileSlice) -> None:
        """It keeps its head; the oldest lose theirs where it is too much for all."""
        self._slices.append(newest)
        self._held_bytes += _counted_bytes(newest)
        while self._held_bytes > TESTED_BYTES_MAX and len(self._slices) > 1:
            oldest = self._slices.popleft()
            self._held_bytes -= _counted_bytes(oldest)
            oldest.head = b""

    def check_invariants(self) -> None:
        assert self._held_bytes == sum(map(_counted_bytes, self._slices))


def _counted_bytes(one: FileSlice) -> int:
    return max(_COUNTED_BYTES_MIN, len(one.head))
