"""An operation of a client: when it was asked, when it ended, and how. See `history.py`."""

from enum import Enum


class Outcome(Enum):
    OPEN = "open"
    OK = "ok"
    FAIL = "fail"
    INFO = "info"


class Op:
    """An operation of a client. Times are the world's, in microseconds; -1: not ended."""

    __slots__ = ("asked_us", "client", "ended_us", "error", "outcome")

    def __init__(self, client: int, asked_us: int) -> None:
        self.client = client
        self.asked_us = asked_us
        self.ended_us = -1
        self.outcome = Outcome.OPEN
        self.error = 0  # the broker's error code where it answered with one

    def end(self, now_us: int, outcome: Outcome, error: int = 0) -> None:
        self.ended_us = now_us
        self.outcome = outcome
        self.error = error
