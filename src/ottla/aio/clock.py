"""The node's time: wall-clock milliseconds that never run backwards.

A step forward of the machine's clock is followed at once. After a step backward this clock goes on,
but a tenth slower than time does, until the wall has caught up: a deadline then fires at most
eleven percent late, and record timestamps stay in order.
"""

import time
from typing import Final, final

_SLEW_DIVISOR: Final = 10


@final
class Clock:
    """Call it `now_ms()`; about a fifth of a microsecond per call."""

    __slots__ = ("_last_monotonic_ns", "_offset_ns")

    def __init__(self) -> None:
        self._last_monotonic_ns = time.monotonic_ns()
        self._offset_ns = time.time_ns() - self._last_monotonic_ns

    def now_ms(self) -> int:
        return self.follow(time.monotonic_ns(), time.time_ns())

    def follow(self, monotonic_ns: int, wall_ns: int) -> int:
        """The time at these two readings, in milliseconds."""
        offset_ns = wall_ns - monotonic_ns
        if offset_ns < self._offset_ns:
            elapsed_ns = monotonic_ns - self._last_monotonic_ns
            offset_ns = max(offset_ns, self._offset_ns - elapsed_ns // _SLEW_DIVISOR)
        self._offset_ns = offset_ns
        self._last_monotonic_ns = monotonic_ns
        return (monotonic_ns + offset_ns) // 1_000_000


@final
class ThreadStopwatch:
    """`core.port.Stopwatch` of the thread that asks."""

    __slots__ = ()

    def spent_ns(self) -> int:
        return time.thread_time_ns()
