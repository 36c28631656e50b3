"""Calls that read much, one after the other: no turn of the loop has more of them than a few milliseconds.

A Fetch tests and reads megabytes, everything else is answered in microseconds. A thousand consumers that
ask at the same moment would make one turn of seconds, in which nobody else is heard. So when the Fetches
of a turn have taken their share, the others queue; in each of the following turns some of them run, in
the order in which they came, and whoever wants something else is served in between.

A connection waits at most once in the queue, so that one with many Fetches gets no more than the others.

Elsewhere: which calls these are, and the call that waits, `connection.py`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

TURN_S: Final = 0.01
"""What the Fetches of one turn take, the last one aside. It is what a call of another kind waits."""


@final
class Readers:
    """One loop's."""

    __slots__ = ("_call_soon", "_ends_s", "_now_s", "_waiting")

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], asyncio.Handle],
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._call_soon = call_soon
        self._now_s = now_s
        self._ends_s = 0.0  # of the present turn's share; 0: none has begun
        self._waiting: deque[Callable[[], None]] = deque()

    def may_go(self, later: Callable[[], None]) -> bool:
        """Whether one may run now; if not, `later` is called when it may."""
        now_s = self._now_s()
        if not self._ends_s:
            self._ends_s = now_s + TURN_S
            self._call_soon(self._next_turn)
            return True
        if not self._waiting and now_s < self._ends_s:
            return True
        self._waiting.append(later)
        return False

    def _next_turn(self) -> None:
        """The turn is over; the next one begins with those who wait."""
        self._ends_s = 0.0
        if not self._waiting:
            return
        self._call_soon(self._next_turn)
        self._ends_s = self._now_s() + TURN_S
        while self._waiting:
            self._waiting.popleft()()
            if self._now_s() >= self._ends_s:
                break
