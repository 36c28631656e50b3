"""Quotas for machines that are tested without a node, and a stopwatch that a test sets."""

from ottla.core.quota.quotas import Quotas
from ottla.settings.broker import QuotaSettings

WINDOWS = QuotaSettings(windows=11, window_ms=1000, mutation_windows=11, mutation_window_ms=1000)


def no_quotas() -> Quotas:
    return Quotas(WINDOWS)


class SetStopwatch:
    """Every step takes what the test says."""

    def __init__(self) -> None:
        self.step_ns = 0
        self._now_ns = 0

    def spent_ns(self) -> int:
        self._now_ns += self.step_ns
        return self._now_ns
