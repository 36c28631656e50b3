"""How much of a kind of work one step may do, so that nobody waits long for the loop.

A step has one `now_ms`; steps of the same millisecond share the budget.
"""

from typing import final


@final
class StepBudget:
    __slots__ = ("_left", "_now_ms", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = 0
        self._now_ms = -1

    def take(self, now_ms: int) -> bool:
        """Whether one more piece may be done now."""
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            self._left = self._size
        self._left -= 1
        return self._left >= 0
