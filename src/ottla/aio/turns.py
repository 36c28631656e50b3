"""Whose calls run in this turn of the loop, and whose in the next: what takes long takes turns.

A Fetch tests and reads megabytes, and a caller may send a thousand requests at once; most other calls are
answered in microseconds. A thousand consumers that ask at the same moment would make one turn of seconds,
in which nobody else is heard. So when the Fetches of a turn have taken their share, the others queue, and
so does who has had his time and still has requests left. In each of the following turns some of them go
on, in the order in which they came; whoever else has something to ask is served in between.

A connection waits at most once, so that one with much to ask gets no more than the others.

Elsewhere: which calls these are, and those that wait, `connection.py`.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, final

TURN_S: Final = 0.01
"""What those who queue take of one turn, and what the calls of one connection take of it, the last call
aside. About so long waits who has something short to ask."""


@final
class Turns:
    """One loop's."""

    __slots__ = ("_call_soon", "_ends_s", "_now_s", "_waiting")

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], asyncio.Handle],
        now_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._call_soon = call_soon
        self._now_s = now_s
        self._ends_s = 0.0  # of the present turn's share; 0: nobody has asked for any of it
        self._waiting: deque[Callable[[], None]] = deque()

    def may_read(self, later: Callable[[], None]) -> bool:
        """Whether a Fetch may run now; if not, `later` is called when it may."""
        if not self._ends_s:
            self._begin()
            return True
        if not self._waiting and self._now_s() < self._ends_s:
            return True
        self._waiting.append(later)
        return False

    def wait(self, later: Callable[[], None]) -> None:
        """`later` is called in another turn, after those who wait already."""
        if not self._ends_s:
            self._begin()
        self._waiting.append(later)

    def _begin(self) -> None:
        self._ends_s = self._now_s() + TURN_S
        self._call_soon(self._next_turn)

    def _next_turn(self) -> None:
        """The turn is over; the next one begins with those who wait."""
        self._ends_s = 0.0
        if not self._waiting:
            return
        self._begin()
        for _ in range(len(self._waiting)):  # who waits again does so for the turn after this one
            self._waiting.popleft()()
            if self._now_s() >= self._ends_s:
                break
