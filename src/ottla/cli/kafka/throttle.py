"""As many records in a second as were asked for, and no more."""

import asyncio
from typing import Final, final

_PAUSE_MS_MIN: Final = 2
"""Shorter pauses are saved up: no clock could keep them."""


@final
class Throttle:
    """`per_second` below 0: no limit; 0: nothing ever goes on after the first."""

    def __init__(self, per_second: float, started_ms: float) -> None:
        self._per_second = per_second
        self._started_ms = started_ms

    def pause_ms(self, sent_count: int, now_ms: float) -> float:
        """How long whoever sent so many should wait now; 0: not at all."""
        if self._per_second < 0:
            return 0
        if self._per_second == 0:
            return float("inf")
        ahead_ms = sent_count * 1000 / self._per_second - (now_ms - self._started_ms)
        return ahead_ms if ahead_ms >= _PAUSE_MS_MIN else 0

    async def wait(self, sent_count: int, now_ms: float) -> None:
        pause_ms = self.pause_ms(sent_count, now_ms)
        if pause_ms == float("inf"):
            await asyncio.get_running_loop().create_future()
        elif pause_ms > 0:
            await asyncio.sleep(pause_ms / 1000)
