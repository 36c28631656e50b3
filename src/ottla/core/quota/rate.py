"""How much was used lately: sums in windows of time, and how long to wait until a limit is kept.

A rate is what was used in the last windows, divided by their time, of which the present window has only
what has passed; before there are that many windows, they are taken to be there and empty, so that a
burst at the beginning is no high rate. Whoever waits as long as he is told to has kept the limit over
all that time.

Source: KIP-13, and the way Apache Kafka counts, because clients see the times that follow from it. Unlike
there, what is waited for longer than all windows last is not forgotten meanwhile: a client whose requests
are large for its quota would get a new burst after each, and twice its quota in the long run.
Elsewhere: changes of topics are counted otherwise, see `tokens.py`.
"""

from collections import deque
from math import ceil
from typing import final

from ottla import probe
from ottla.limits import INT_MAX


@final
class _Window:
    __slots__ = ("begin_ms", "last_ms", "used")

    def __init__(self, now_ms: int) -> None:
        self.begin_ms = now_ms
        self.last_ms = now_ms
        self.used = 0.0


@final
class Rate:
    """One client's use of one thing."""

    __slots__ = ("_owed_until_ms", "_window_count", "_window_ms", "_windows")

    def __init__(self, window_count: int, window_ms: int) -> None:
        self._owed_until_ms = 0
        self._window_count = window_count
        self._window_ms = window_ms
        self._windows: deque[_Window] = deque(maxlen=window_count + 1)

    def record(self, now_ms: int, amount: float) -> None:
        windows = self._windows
        if not windows or now_ms - windows[-1].begin_ms >= self._window_ms:
            if probe.MUTANTS and probe.mutant("KIP13-each-window-anew"):
                windows.clear()
            windows.append(_Window(now_ms))
        window = windows[-1]
        window.used += amount
        window.last_ms = now_ms

    def charge(self, now_ms: int, amount: float, limit: float) -> int:
        """Record it; how long its user has to wait until his rate is `limit` per second."""
        self.record(now_ms, amount)
        wait_ms = self.wait_ms(now_ms, limit)
        if wait_ms:
            self._owed_until_ms = now_ms + wait_ms
        return wait_ms

    def wait_ms(self, now_ms: int, limit: float, more: float = 0.0) -> int:
        """How long nothing may be used until the rate is `limit` per second; 0: it is no higher.

        As if `more` had been used now.
        """
        windows = self._windows
        expired_ms = now_ms - self._window_count * self._window_ms
        if self._owed_until_ms <= expired_ms:
            while windows and windows[0].last_ms <= expired_ms:
                windows.popleft()
        elapsed_ms = now_ms - windows[0].begin_ms if windows else 0
        missing = self._window_count - 1 - elapsed_ms // self._window_ms
        span_ms = max(1, elapsed_ms + max(0, missing) * self._window_ms)
        allowed = limit * span_ms / 1000
        used = more + sum(window.used for window in windows)
        if used <= allowed:
            return 0
        return max(1, ceil(time_ms(used - allowed, limit)))


def time_ms(amount: float, limit: float) -> float:
    """How long `limit` per second takes for an amount; at most what an answer can tell. A limit may be
    so small that no number says it."""
    return min(amount / limit * 1000, INT_MAX)
