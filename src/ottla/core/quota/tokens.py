"""A bucket of tokens: what is not used is saved up to a bound, and spent at once if need be.

Partitions are made and deleted in bursts, and one request cannot be divided; so a request is let through
while anything is left, whatever it takes, and what it took too much is waited for afterwards.

Source: KIP-599. Elsewhere: bytes and time are averaged, see `rate.py`.
"""

from typing import final

from ottla import probe
from ottla.core.quota.rate import time_ms


@final
class TokenBucket:
    """One client's partitions, made or deleted. It is full at the beginning."""

    __slots__ = ("_burst_s", "_tokens", "_updated_ms")

    def __init__(self, window_count: int, window_ms: int) -> None:
        self._burst_s = window_count * window_ms / 1000
        self._tokens: float | None = None
        self._updated_ms = 0

    def take(self, now_ms: int, limit: float, count: int) -> int:
        """Take `count`, below zero if need be; the milliseconds until nothing is owed."""
        if probe.MUTANTS and probe.mutant("KIP599-nothing-is-owed"):
            count = min(count, 0)
        self._tokens = self._refilled(now_ms, limit) - count
        return self._wait_ms(limit)

    def wait_ms(self, now_ms: int, limit: float) -> int:
        """How long until nothing is owed, at `limit` tokens per second."""
        self._tokens = self._refilled(now_ms, limit)
        return self._wait_ms(limit)

    def _refilled(self, now_ms: int, limit: float) -> float:
        burst = self._burst_s * limit
        tokens = self._tokens
        elapsed_ms = now_ms - self._updated_ms
        self._updated_ms = now_ms
        return burst if tokens is None else min(burst, tokens + limit * elapsed_ms / 1000)

    def _wait_ms(self, limit: float) -> int:
        assert self._tokens is not None
        return 0 if self._tokens >= 0 else max(1, round(time_ms(-self._tokens, limit)))
