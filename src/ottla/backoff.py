"""Exponential backoff, the only one: how long to wait after so many failures in a row.

Chance is an argument, so that a pure machine may use it: `chance` is a number from 0 up to 1, drawn
by the caller. Waits are spread by `jitter` to both sides, because clients that failed together must
not come back together (KIP-144, KIP-580).

Promises: a wait is at least 1 ms, and never above `max_ms` by more than the jitter.
"""

from typing import Final, final

_DOUBLINGS_MAX: Final = 30
"""Beyond it every sensible bound has long been reached, and the number would only grow."""


@final
class Backoff:
    """`initial_ms` after the first failure, twice as much after each further one.

    Backoff(initial_ms=100, max_ms=1000), chance 0.5: 100, 200, 400, 800, 1000, 1000, …
    """

    __slots__ = ("initial_ms", "jitter", "max_ms")

    def __init__(self, *, initial_ms: int, max_ms: int, jitter: float = 0.2) -> None:
        if not 0 < initial_ms <= max_ms:
            raise ValueError(f"backoff from {initial_ms} ms to {max_ms} ms")
        if not 0 <= jitter < 1:
            raise ValueError(f"jitter of {jitter}; 0 up to 1 is expected")
        self.initial_ms = initial_ms
        self.max_ms = max_ms
        self.jitter = jitter

    def wait_ms(self, failures: int, chance: float) -> int:
        """How long to wait after `failures` failures in a row, the first of them being 1."""
        doublings = min(max(failures - 1, 0), _DOUBLINGS_MAX)
        even_ms = min(self.initial_ms << doublings, self.max_ms)
        return max(1, round(even_ms * (1 + self.jitter * (2 * chance - 1))))
