"""The one queue of a world: what happens when, in integer microseconds, and the trace of it.

Two things at the same time happen in the order in which they were asked for. Everything that happens
goes into a rolling BLAKE2 hash, so two runs can be compared by one number. Chance comes in streams
that are named for what they decide: `Random` hashes a text seed by SHA-512, so that PYTHONHASHSEED
has no part in it.
"""

import heapq
from collections.abc import Callable
from hashlib import blake2b
from random import Random
from typing import Final, TypeVarTuple, final

A = TypeVarTuple("A")

_FLUSHED_AT: Final = 256
_SLEW_DIVISOR: Final = 10


@final
class Events:
    """What is to happen. `now_us` only grows."""

    __slots__ = ("_digest", "_heap", "_lines", "_turn", "count", "now_us", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.now_us = 0
        self.count = 0
        self._turn = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._digest = blake2b(digest_size=16)
        self._lines: list[str] = []

    def chance(self, concern: str) -> Random:
        return Random(f"{self.seed}/{concern}")

    def at(self, at_us: int, what: Callable[[*A], None], *arguments: *A) -> None:
        self._turn += 1
        call = what if not arguments else lambda: what(*arguments)
        heapq.heappush(self._heap, (max(at_us, self.now_us), self._turn, call))

    def after(self, delay_us: int, what: Callable[[*A], None], *arguments: *A) -> None:
        self.at(self.now_us + delay_us, what, *arguments)

    def next_us(self) -> int | None:
        return self._heap[0][0] if self._heap else None

    def run_next(self) -> None:
        self.now_us, turn, call = heapq.heappop(self._heap)
        self.count += 1
        self.trace(str(turn))
        call()

    def trace(self, text: str) -> None:
        """Make `text` part of what this run is."""
        lines = self._lines
        lines.append(f"{self.now_us} {text}")
        if len(lines) > _FLUSHED_AT:
            self._digest.update("\n".join(lines).encode())
            lines.clear()

    def trace_hash(self) -> str:
        self._digest.update("\n".join(self._lines).encode())
        self._lines.clear()
        return self._digest.hexdigest()


@final
class NodeClock:
    """A node's clock: it follows the machine's, which may jump, but never runs backwards within a
    process (`aio/clock.py`)."""

    __slots__ = ("_ahead_us", "_epoch_ms", "_events", "_read_us", "_wall_ahead_us")

    def __init__(self, events: Events, epoch_ms: int) -> None:
        self._events = events
        self._epoch_ms = epoch_ms
        self._wall_ahead_us = 0  # the machine's clock
        self._ahead_us = 0  # what the process makes of it
        self._read_us = 0

    def now_ms(self) -> int:
        now_us = self._events.now_us
        ahead_us = self._wall_ahead_us
        if ahead_us < self._ahead_us:
            slewed_us = (now_us - self._read_us) // _SLEW_DIVISOR
            ahead_us = max(ahead_us, self._ahead_us - slewed_us)
        self._ahead_us = ahead_us
        self._read_us = now_us
        return self._epoch_ms + (now_us + ahead_us) // 1000

    def put(self, by_ms: int) -> None:
        """The machine's clock jumps, forward or back."""
        self._wall_ahead_us += by_ms * 1000

    def begin(self) -> None:
        """Another process, which knows nothing of what the clock said before."""
        self._ahead_us = self._wall_ahead_us
