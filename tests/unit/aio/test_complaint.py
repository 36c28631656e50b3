"""At most one line a second of each kind and listener, and nothing goes unsaid."""

import logging
from collections.abc import Callable

import pytest

from ottla.aio.complaint import INTERVAL_S, Complaints

log = logging.getLogger("ottla.test")


class SetTimers:
    """What was asked for runs when the test says so."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self.due.append((delay_s, callback))

    def second_over(self) -> None:
        due, self.due = self.due, []
        for delay_s, callback in due:
            assert delay_s == INTERVAL_S == 1.0
            callback()


def test_the_first_is_told_at_once_and_the_others_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    timers = SetTimers()
    complaints = Complaints(timers.call_later)
    for number in range(1_000):
        complaints.tell(log, "PLAINTEXT", "connection closed", f"reason {number}", f"peer {number}")
    assert caplog.messages == ["connection closed: reason 0"]
    timers.second_over()
    assert caplog.messages[1:] == [
        "connection closed: 999 more since the last line; the last: reason 999"
    ]
    assert vars(caplog.records[1])["peer"] == "peer 999"
    assert vars(caplog.records[1])["listener"] == "PLAINTEXT"


def test_an_attack_that_goes_on_is_a_line_a_second(caplog: pytest.LogCaptureFixture) -> None:
    timers = SetTimers()
    complaints = Complaints(timers.call_later)
    for _ in range(5):
        for _ in range(100):
            complaints.tell(log, "PLAINTEXT", "connection closed", "x")
        timers.second_over()
    assert len(caplog.messages) == 1 + 5
    counts = [int(message.split(": ")[1].split()[0]) for message in caplog.messages[1:]]
    assert 1 + sum(counts) == 500


def test_after_a_quiet_second_the_next_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    timers = SetTimers()
    complaints = Complaints(timers.call_later)
    for reason in ("a", "b"):
        complaints.tell(log, "PLAINTEXT", "connection closed", reason)
        timers.second_over()
        assert timers.due == []
    assert caplog.messages == ["connection closed: a", "connection closed: b"]


def test_kinds_and_listeners_are_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints(SetTimers().call_later)
    for listener in ("INSIDE", "OUTSIDE"):
        for kind in ("connection closed", "connection refused"):
            complaints.tell(log, listener, kind, "x")
    assert len(caplog.messages) == 4
