"""Parked calls are woken by their partitions, expired by the clock, and forgotten with their connection."""

from collections.abc import Iterator

import pytest

from ottla.core.effect import Effect, Reply
from ottla.core.waiting import WaitList
from ottla.types import TopicPartition
from ottla.wire.server import Call, Origin

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


class Patient:
    """Answers when it has been asked `patience` times."""

    def __init__(self, connection_id: int, patience: int) -> None:
        origin = Origin(
            connection_id=connection_id,
            listener="PLAINTEXT",
            peer_host="127.0.0.1",
            peer_port=5,
            local_host="127.0.0.1",
            local_port=9092,
        )
        self.call = Call(origin, 1, 12, 7, "c", 0)
        self.patience = patience
        self.moved: list[TopicPartition] = []

    def poll(self, now_ms: int, moved: TopicPartition) -> list[Effect] | None:
        self.moved.append(moved)
        self.patience -= 1
        return [Reply(self.call, None)] if self.patience == 0 else None

    def expire(self, now_ms: int) -> list[Effect]:
        return [Reply(self.call, None)]


@pytest.fixture
def waiting() -> Iterator[WaitList]:
    waiting = WaitList()
    yield waiting
    waiting.check_invariants()


def test_a_waiter_is_asked_for_each_of_its_partitions_until_it_answers(waiting: WaitList) -> None:
    waiter = Patient(1, patience=2)
    waiting.park(waiter, [A, B, A], deadline_ms=100)

    assert waiting.wake(A, now_ms=1) == []
    assert len(waiting.wake(B, now_ms=2)) == 1
    assert waiter.moved == [A, B]
    assert len(waiting) == 0
    assert waiting.wake(A, now_ms=3) == []
    assert waiting.next_ms() is None


def test_waiters_are_woken_in_the_order_of_their_parking(waiting: WaitList) -> None:
    first, second = Patient(1, patience=1), Patient(2, patience=1)
    waiting.park(first, [A], deadline_ms=100)
    waiting.park(second, [A], deadline_ms=50)

    calls = [effect.call for effect in waiting.wake(A, 1) if isinstance(effect, Reply)]
    assert calls == [first.call, second.call]


def test_time_up_answers_what_is_due_and_leaves_the_rest(waiting: WaitList) -> None:
    early, late = Patient(1, patience=9), Patient(1, patience=9)
    waiting.park(late, [A], deadline_ms=100)
    waiting.park(early, [A], deadline_ms=50)

    assert waiting.next_ms() == 50
    effects = waiting.expire(50)
    assert [effect.call for effect in effects if isinstance(effect, Reply)] == [early.call]
    assert len(waiting) == 1


def test_a_closed_connection_takes_its_waiters_along(waiting: WaitList) -> None:
    waiting.park(Patient(1, patience=1), [A], deadline_ms=100)
    waiting.park(Patient(2, patience=1), [A], deadline_ms=100)

    waiting.drop_connection(1)
    assert len(waiting) == 1
    assert len(waiting.wake(A, 1)) == 1
