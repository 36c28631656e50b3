"""A fetch session's epochs, what it remembers, and who is pushed out of the cache (KIP-227)."""

from collections.abc import Iterator

import pytest
from tests.unit.core.replica.house import Counting

from ottla.core.replica.fetch_session import Asked, Sessions, rotate
from ottla.errors import ErrorCode
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic, ForgottenTopic

NAMES, IDS = 12, 13
EVICTION_MS = 120_000
T, U = b"T" * 16, b"U" * 16


def request(
    session_id: int = 0,
    epoch: int = 0,
    partitions: dict[tuple[str, int], int] | None = None,
    forget: dict[str, list[int]] | None = None,
) -> FetchRequest:
    """Partition -> offset. Topics `t`, `u` have the ids T, U."""
    ids = {"t": T, "u": U}
    return FetchRequest(
        session_id=session_id,
        session_epoch=epoch,
        topics=[
            FetchTopic(name, ids[name], [FetchPartition(number, fetch_offset=offset)])
            for (name, number), offset in (partitions or {}).items()
        ],
        forgotten_topics_data=[
            ForgottenTopic(name, ids[name], numbers) for name, numbers in (forget or {}).items()
        ],
    )


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    sessions = Sessions(Counting(), 2)
    yield sessions
    sessions.check_invariants()


def opened(sessions: Sessions, now_ms: int = 0, partitions: int = 1, version: int = IDS) -> int:
    wanted = {("t", number): 0 for number in range(partitions)}
    asked = sessions.resolve(now_ms, version, request(partitions=wanted))
    assert isinstance(asked, Asked)
    session_id = sessions.answer(now_ms, asked)
    assert session_id is not None
    return session_id


def offsets(asked: Asked | ErrorCode) -> list[tuple[bytes, int, int]]:
    assert isinstance(asked, Asked)
    return [(one.topic_id, one.partition, one.fetch_offset) for one in asked.interests()]


def test_a_full_fetch_with_epoch_minus_one_opens_no_session(sessions: Sessions) -> None:
    asked = sessions.resolve(0, IDS, request(epoch=-1, partitions={("t", 0): 5}))
    assert isinstance(asked, Asked)
    assert offsets(asked) == [(T, 0, 5)]
    assert sessions.answer(0, asked) == 0
    assert len(sessions) == 0


def test_a_session_is_opened_by_the_answer_and_goes_on_with_epoch_one(sessions: Sessions) -> None:
    session_id = opened(sessions, partitions=2)
    assert session_id > 0
    asked = sessions.resolve(0, IDS, request(session_id, 1))
    assert offsets(asked) == [(T, 0, 0), (T, 1, 0)]


def test_what_a_request_names_is_added_altered_or_forgotten(sessions: Sessions) -> None:
    session_id = opened(sessions, partitions=2)
    changes = request(session_id, 1, {("t", 1): 7, ("u", 0): 3}, forget={"t": [0, 9]})
    assert offsets(sessions.resolve(0, IDS, changes)) == [(T, 1, 7), (U, 0, 3)]


@pytest.mark.parametrize(
    ("version", "session_shift", "epoch", "error"),
    [
        (IDS, 1, 1, ErrorCode.FETCH_SESSION_ID_NOT_FOUND),
        (IDS, 0, 2, ErrorCode.INVALID_FETCH_SESSION_EPOCH),
        (NAMES, 0, 1, ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR),
    ],
)
def test_a_request_that_does_not_fit_its_session_is_refused(
    sessions: Sessions, version: int, session_shift: int, epoch: int, error: ErrorCode
) -> None:
    session_id = opened(sessions)
    assert sessions.resolve(0, version, request(session_id + session_shift, epoch)) is error


def test_an_epoch_is_used_once(sessions: Sessions) -> None:
    session_id = opened(sessions)
    first = sessions.resolve(0, IDS, request(session_id, 1))
    assert sessions.resolve(0, IDS, request(session_id, 1)) is ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert isinstance(first, Asked)
    assert sessions.answer(0, first) == session_id


def test_an_answer_overtaken_by_the_next_request_says_so(sessions: Sessions) -> None:
    session_id = opened(sessions)
    first = sessions.resolve(0, IDS, request(session_id, 1))
    assert isinstance(first, Asked)
    sessions.resolve(0, IDS, request(session_id, 2))
    assert sessions.answer(0, first) is None


def test_epochs_wrap_to_one(sessions: Sessions) -> None:
    session_id = opened(sessions)
    asked = sessions.resolve(0, IDS, request(session_id, 1))
    assert isinstance(asked, Asked)
    assert asked.session is not None
    asked.session.epoch = 2**31 - 1
    assert isinstance(sessions.resolve(0, IDS, request(session_id, 2**31 - 1)), Asked)
    assert isinstance(sessions.resolve(0, IDS, request(session_id, 1)), Asked)


def test_forgetting_everything_ends_the_session(sessions: Sessions) -> None:
    session_id = opened(sessions)
    asked = sessions.resolve(0, IDS, request(session_id, 1, forget={"t": [0]}))
    assert isinstance(asked, Asked)
    assert sessions.answer(0, asked) == 0
    assert len(sessions) == 0


@pytest.mark.parametrize("epoch", [0, -1])
def test_a_full_fetch_that_names_a_session_ends_it(sessions: Sessions, epoch: int) -> None:
    session_id = opened(sessions)
    sessions.resolve(0, IDS, request(session_id, epoch, {("t", 0): 0}))
    assert len(sessions) == 0


def test_what_had_records_goes_to_the_end_of_the_order(sessions: Sessions) -> None:
    session_id = opened(sessions, partitions=3)
    asked = sessions.resolve(0, IDS, request(session_id, 1))
    assert isinstance(asked, Asked)
    assert asked.session is not None
    rotate(asked.session, list(asked.interests())[:1])
    assert [number for _, number, _ in offsets(asked)] == [1, 2, 0]


@pytest.mark.parametrize(
    ("sizes", "age_ms", "size", "evicted"),
    [
        pytest.param((2, 3), 0, 9, None, id="young sessions stay"),
        pytest.param((2, 3), EVICTION_MS + 1, 3, 0, id="a larger one pushes out the smallest"),
        pytest.param((3, 2), EVICTION_MS + 1, 3, 1, id="whichever that is"),
        pytest.param((2, 3), EVICTION_MS + 1, 2, None, id="one as small as the smallest does not"),
    ],
)
def test_who_makes_room_in_a_full_cache(
    sessions: Sessions, sizes: tuple[int, int], age_ms: int, size: int, evicted: int | None
) -> None:
    made = [opened(sessions, partitions=count) for count in sizes]
    for session_id in made:  # both in use: idleness is no reason
        sessions.resolve(age_ms, IDS, request(session_id, 1))
    new = opened(sessions, age_ms, partitions=size)
    assert (new != 0) is (evicted is not None)
    there = [
        isinstance(sessions.resolve(age_ms, IDS, request(session_id, 2)), Asked)
        for session_id in made
    ]
    assert there == [index != evicted for index in range(2)]


def test_an_idle_session_makes_room_for_any_other(sessions: Sessions) -> None:
    idle, busy = opened(sessions, partitions=5), opened(sessions, partitions=5)
    sessions.resolve(EVICTION_MS, IDS, request(busy, 1))
    assert opened(sessions, EVICTION_MS + 1) > 0
    now_ms = EVICTION_MS + 1
    gone = sessions.resolve(now_ms, IDS, request(idle, 1))
    assert gone is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert isinstance(sessions.resolve(now_ms, IDS, request(busy, 2)), Asked)


@pytest.mark.interpreted
def test_a_session_is_bounded_in_its_partitions(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.core.replica.fetch_session.FETCH_SESSION_PARTITIONS_MAX", 2)
    assert opened(sessions, partitions=3) == 0
    session_id = opened(sessions, partitions=2)
    grown = sessions.resolve(0, IDS, request(session_id, 1, {("t", 2): 0}))
    assert grown is ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert len(sessions) == 0


@pytest.mark.interpreted
def test_all_sessions_together_are_bounded_in_their_partitions(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.core.replica.fetch_session._INTERESTS_MAX", 5)
    assert opened(sessions, partitions=3) > 0
    assert opened(sessions, partitions=3) == 0
    assert opened(sessions, partitions=2) > 0


def test_without_slots_there_are_no_sessions() -> None:
    assert opened(Sessions(Counting(), 0)) == 0
