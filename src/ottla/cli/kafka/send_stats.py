"""What a producer's test counts, and the lines that tell it, as Kafka's tool writes them.

Latencies are whole milliseconds, so a count per latency says all: percentiles are those of every record
(Kafka takes a sample of half a million).
"""

import math
from typing import Final, final

from ottla.cli.kafka.java_text import java_rounded

_MEBIBYTE: Final = 1024 * 1024
_PERCENTILES: Final = ((0.5, "50th"), (0.95, "95th"), (0.99, "99th"), (0.999, "99.9th"))


@final
class SendStats:
    """All since `started_ms`, and since the last line. `is_steady`: of what came after the warm-up."""

    def __init__(
        self, started_ms: int, reporting_interval_ms: int, *, is_steady: bool = False
    ) -> None:
        self.is_silent = False
        """Windows are not told any more: others tell them."""
        self._started_ms = started_ms
        self._interval_ms = reporting_interval_ms
        self._is_steady = is_steady
        self._latencies: dict[int, int] = {}
        self._count = 0
        self._bytes = 0
        self._total_ms = 0
        self._window_started_ms = started_ms
        self._window_count = 0
        self._window_bytes = 0
        self._window_total_ms = 0
        self._window_max_ms = 0

    def record(self, latency_ms: int, count: int, size_bytes: int, now_ms: int) -> list[str]:
        """So many records took so long; the lines that are due."""
        self._latencies[latency_ms] = self._latencies.get(latency_ms, 0) + count
        self._count += count
        self._bytes += size_bytes
        self._total_ms += latency_ms * count
        self._window_count += count
        self._window_bytes += size_bytes
        self._window_total_ms += latency_ms * count
        self._window_max_ms = max(self._window_max_ms, latency_ms)
        if now_ms - self._window_started_ms < self._interval_ms:
            return []
        lines: list[str] = []
        if self._is_steady and self._count == self._window_count:
            lines.append("In steady state.")
        if not self.is_silent:
            lines.append(self._window_line(now_ms))
        self._begin_window(now_ms)
        return lines

    def total_line(self, now_ms: int) -> str:
        elapsed_ms = now_ms - self._started_ms
        average = _divided(self._total_ms, self._count)
        ranks = ", ".join(f"{self._percentile(part)} ms {name}" for part, name in _PERCENTILES)
        return (
            f"{self._count}{' steady state' if self._is_steady else ''} records sent, "
            f"{java_rounded(_divided(1000 * self._count, elapsed_ms), 6)} records/sec "
            f"({java_rounded(_divided(1000 * self._bytes, elapsed_ms) / _MEBIBYTE, 2)} MB/sec), "
            f"{java_rounded(average, 2)} ms avg latency, "
            f"{java_rounded(float(max(self._latencies, default=0)), 2)} ms max latency, {ranks}."
        )

    def _window_line(self, now_ms: int) -> str:
        elapsed_ms = now_ms - self._window_started_ms
        per_second = _divided(1000 * self._window_count, elapsed_ms)
        mebibytes = _divided(1000 * self._window_bytes, elapsed_ms) / _MEBIBYTE
        average = _divided(self._window_total_ms, self._window_count)
        return (
            f"{self._window_count} records sent, {java_rounded(per_second, 1)} records/sec "
            f"({java_rounded(mebibytes, 2)} MB/sec), {java_rounded(average, 1)} ms avg latency, "
            f"{java_rounded(float(self._window_max_ms), 1)} ms max latency."
        )

    def _begin_window(self, now_ms: int) -> None:
        self._window_started_ms = now_ms
        self._window_count = 0
        self._window_bytes = 0
        self._window_total_ms = 0
        self._window_max_ms = 0

    def _percentile(self, part: float) -> int:
        rank = int(part * self._count)
        for latency_ms in sorted(self._latencies):
            rank -= self._latencies[latency_ms]
            if rank < 0:
                return latency_ms
        return 0


def _divided(dividend: float, divisor: float) -> float:
    """As Java divides: by nothing is endless."""
    if divisor:
        return dividend / divisor
    return math.inf if dividend else math.nan
