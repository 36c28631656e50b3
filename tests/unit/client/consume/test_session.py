"""What the broker remembers is not said again (KIP-227)."""

from ottla.client.consume.session import Session, Wanted
from ottla.errors import ErrorCode
from ottla.types import TopicPartition

A, B = TopicPartition("a", 0), TopicPartition("b", 0)
ID_A, ID_B, ID_NEW = bytes([1] * 16), bytes([2] * 16), bytes([3] * 16)


def wanted(offset: int = 0, topic_id: bytes = ID_A) -> Wanted:
    return Wanted(topic_id, offset, 1, 100)


def test_the_first_request_is_full_and_the_next_says_what_changed() -> None:
    session = Session()
    plan = session.plan({A: wanted(), B: wanted(topic_id=ID_B)})
    assert (plan.session_id, plan.epoch, list(plan.send)) == (0, 0, [A, B])
    session.answered(0, 5)
    plan = session.plan({A: wanted(7), B: wanted(topic_id=ID_B)})
    assert (plan.session_id, plan.epoch, list(plan.send), plan.forget) == (5, 1, [A], {})
    session.answered(0, 5)
    plan = session.plan({A: wanted(7)})
    assert (plan.epoch, plan.send, plan.forget) == (2, {}, {B: ID_B})


def test_a_topic_that_was_made_anew_is_forgotten_and_said_again() -> None:
    session = Session()
    session.plan({A: wanted()})
    session.answered(0, 5)
    plan = session.plan({A: wanted(topic_id=ID_NEW)})
    assert (plan.send, plan.forget) == ({A: wanted(topic_id=ID_NEW)}, {A: ID_A})


def test_a_broker_without_sessions_gets_full_requests() -> None:
    session = Session()
    for _ in range(2):
        plan = session.plan({A: wanted()})
        assert (plan.session_id, plan.epoch, list(plan.send)) == (0, 0, [A])
        session.answered(0, 0)


def test_a_session_that_the_broker_does_not_know_is_begun_anew() -> None:
    for code, expected in (
        (ErrorCode.FETCH_SESSION_ID_NOT_FOUND, 0),
        (ErrorCode.INVALID_FETCH_SESSION_EPOCH, 5),
    ):
        session = Session()
        session.plan({A: wanted()})
        session.answered(0, 5)
        session.plan({A: wanted()})
        session.answered(code, 0)
        plan = session.plan({A: wanted()})
        assert (plan.session_id, plan.epoch, list(plan.send)) == (expected, 0, [A])


def test_without_sessions_nothing_is_remembered() -> None:
    session = Session(is_used=False)
    for _ in range(2):
        plan = session.plan({A: wanted()})
        assert (plan.session_id, plan.epoch, list(plan.send)) == (0, -1, [A])
        session.answered(0, 5)
        session.lost()
