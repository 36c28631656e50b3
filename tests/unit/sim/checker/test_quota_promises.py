"""The checkers of quotas see who is throttled for nothing, gets too much, or is not told; and else they don't."""

import pytest

from ottla.core.metadata.quota import (
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    QuotaEntity,
)
from ottla.sim.caller.bygone import QUOTAS
from ottla.sim.checker import quotas_kept, rationed, told, unthrottled
from ottla.sim.history import Life, Outcome
from ottla.sim.quota_operation import Metered, MuteMark, QuotaAlter, QuotasSeen
from ottla.wire.api import CREATE_TOPICS, FETCH, HEARTBEAT, PRODUCE
from tests.unit.sim.checker.tale import Tale

CLIENT: QuotaEntity = (("client-id", "client-1"),)
ANY: QuotaEntity = (("client-id", None),)
USER: QuotaEntity = (("user", None),)
ANN: QuotaEntity = (("user", "ann"),)


def altered(
    tale: Tale,
    asked: int,
    entity: QuotaEntity = CLIENT,
    outcome: Outcome = Outcome.OK,
    *,
    changes: dict[str, float | None],
    refusable: bool = False,
    final: bool = False,
) -> None:
    one = QuotaAlter(
        0, asked * 1000, entity=entity, changes=changes, refusable=refusable, final=final
    )
    one.end(asked * 1000 + 500, outcome)
    tale.history.note(one)


def seen(tale: Tale, asked: int, quotas: dict[QuotaEntity, dict[str, float]]) -> None:
    one = QuotasSeen(0, asked * 1000, final=False)
    one.quotas = quotas
    one.end(asked * 1000 + 500, Outcome.OK)
    tale.history.note(one)


def answered(
    tale: Tale,
    sent: int,
    api_key: int,
    *,
    client: int = 1,
    connection: int = 1,
    size_bytes: int = 0,
    throttle_ms: int = 0,
    muted_ms: int | None = None,
) -> None:
    """Half a millisecond later. Muted for as long as it was told, or else."""
    number = len(tale.history.metered)
    one = Metered(
        client, connection, api_key, 9, number, sent_us=sent * 1000, request_bytes=size_bytes
    )
    one.answered_us = sent * 1000 + 500
    one.record_bytes = size_bytes
    one.throttle_ms = throttle_ms
    tale.history.metered.append(one)
    duration_ms = max(0, throttle_ms) if muted_ms is None else muted_ms
    if duration_ms:
        mark = MuteMark(
            sent * 1000 + 200,
            connection=connection,
            client_id=f"client-{client}",
            api_key=api_key,
            correlation_id=number,
            duration_ms=duration_ms,
            answered=True,
        )
        tale.history.mark(mark)


def muted(tale: Tale, at: int, duration_ms: int, *, is_answered: bool = True) -> None:
    """After a Produce that wants no answer."""
    mark = MuteMark(
        at * 1000,
        connection=1,
        client_id="client-1",
        api_key=PRODUCE,
        correlation_id=None,
        duration_ms=duration_ms,
        answered=is_answered,
    )
    tale.history.mark(mark)


# --- quotas are what was asked of them


def test_what_was_set_is_what_is_seen() -> None:
    tale = Tale()
    seen(tale, 5, {ANN: dict(QUOTAS)})
    altered(tale, 10, changes={"a": 1.0, "b": 2.0})
    seen(tale, 15, {CLIENT: {"a": 1.0, "b": 2.0}, ANN: dict(QUOTAS)})
    altered(tale, 20, changes={"a": None})
    altered(tale, 21, ANY, Outcome.INFO, changes={"a": 3.0})
    seen(tale, 25, {CLIENT: {"b": 2.0}})
    seen(tale, 26, {CLIENT: {"b": 2.0}, ANY: {"a": 3.0}})
    altered(tale, 30, CLIENT, Outcome.FAIL, changes={"b": 7.0, "c": -1.0})
    seen(tale, 35, {CLIENT: {"b": 2.0}, ANY: {"a": 3.0}})
    assert tale.judged() == []


@pytest.mark.parametrize("found", [{}, {"a": 1.0}, {"a": 1.0, "b": 3.0}])
def test_half_of_what_was_set_or_something_else_is_seen(found: dict[str, float]) -> None:
    tale = Tale()
    altered(tale, 10, changes={"a": 1.0, "b": 2.0})
    seen(tale, 15, {CLIENT: found} if found else {})
    assert tale.judged() == [quotas_kept.PROMISE]


def test_nobody_has_a_quota_that_was_not_asked_for() -> None:
    tale = Tale()
    seen(tale, 15, {CLIENT: {"a": 1.0}})
    assert tale.judged() == [quotas_kept.PROMISE]


def test_what_must_be_refused_is_not_confirmed() -> None:
    tale = Tale()
    altered(tale, 10, changes={"a": -1.0}, refusable=True)
    assert tale.judged() == [quotas_kept.PROMISE]


# --- who is throttled


def test_who_has_a_quota_may_be_throttled() -> None:
    tale = Tale()
    altered(tale, 10, USER, changes={REQUEST_PERCENTAGE: 1.0})
    answered(tale, 20, HEARTBEAT, throttle_ms=30)
    altered(tale, 30, USER, changes={REQUEST_PERCENTAGE: None})
    answered(tale, 40, HEARTBEAT)
    altered(tale, 50, CLIENT, Outcome.INFO, changes={PRODUCER_BYTE_RATE: 10.0})
    answered(tale, 60, PRODUCE, throttle_ms=30)
    muted(tale, 70, 10)
    assert tale.judged() == []


@pytest.mark.parametrize("api_key", [PRODUCE, FETCH, HEARTBEAT, CREATE_TOPICS])
def test_nobody_is_throttled_by_a_quota_of_others(api_key: int) -> None:
    tale = Tale()
    altered(tale, 10, (("client-id", "client-2"),), changes={REQUEST_PERCENTAGE: 1.0})
    altered(tale, 20, CLIENT, changes={"a": 1.0})
    answered(tale, 30, api_key, throttle_ms=5)
    assert set(tale.judged()) == {unthrottled.PROMISE}


def test_nobody_is_muted_in_silence_by_no_quota() -> None:
    tale = Tale()
    muted(tale, 10, 5)
    assert tale.judged() == [unthrottled.PROMISE]


def test_what_was_taken_away_throttles_nobody_even_if_it_may_have_come_late() -> None:
    tale = Tale()
    altered(tale, 10, CLIENT, Outcome.INFO, changes={PRODUCER_BYTE_RATE: 10.0})
    altered(tale, 20, CLIENT, final=True, changes={PRODUCER_BYTE_RATE: None})
    answered(tale, 30, PRODUCE, throttle_ms=5)
    assert set(tale.judged()) == {unthrottled.PROMISE}


# --- how much


def limited(quotas: dict[str, float | None]) -> Tale:
    tale = Tale()
    tale.history.quota_span_ms = tale.history.mutation_span_ms = 2_000
    altered(tale, 1, ANY, changes=quotas)
    return tale


@pytest.mark.parametrize(
    ("third_bytes", "broken"), [(100, []), (200, [rationed.PROMISE])], ids=["just", "too much"]
)
def test_fetches_bring_what_the_quota_allows(third_bytes: int, broken: list[str]) -> None:
    tale = limited({CONSUMER_BYTE_RATE: 100.0})
    answered(tale, 100, FETCH, size_bytes=200, connection=1)
    answered(tale, 200, FETCH, size_bytes=500, client=2)
    answered(tale, 1_100, FETCH, size_bytes=third_bytes, connection=2)
    assert tale.judged() == (broken or [rationed.PROMISE])  # client-2 has 500 at once
    tale.history.metered[1].record_bytes = 150
    assert tale.judged() == broken


def test_a_quota_of_a_user_is_shared() -> None:
    tale = Tale()
    tale.history.quota_span_ms = 2_000
    altered(tale, 1, USER, changes={CONSUMER_BYTE_RATE: 100.0})
    answered(tale, 100, FETCH, size_bytes=150)
    answered(tale, 101, FETCH, size_bytes=150, client=2, connection=2)
    assert tale.judged() == [rationed.PROMISE]


def test_a_produce_is_taken_once_what_was_before_is_paid_for() -> None:
    tale = limited({PRODUCER_BYTE_RATE: 100.0})
    answered(tale, 100, PRODUCE, size_bytes=1_000, throttle_ms=8_000)
    answered(tale, 101, PRODUCE, size_bytes=1_000, connection=2, throttle_ms=8_000)
    answered(tale, 8_101, PRODUCE, size_bytes=1_000, throttle_ms=8_000)
    assert tale.judged() == []
    answered(tale, 12_101, PRODUCE, size_bytes=10)
    assert tale.judged() == [rationed.PROMISE]


def test_another_process_and_another_quota_begin_anew() -> None:
    tale = limited({CONSUMER_BYTE_RATE: 100.0})
    answered(tale, 100, FETCH, size_bytes=200)
    tale.life(200, Life.KILLED)
    tale.life(300, Life.STARTED)
    answered(tale, 400, FETCH, size_bytes=200)
    altered(tale, 500, ANY, changes={CONSUMER_BYTE_RATE: 101.0})
    answered(tale, 600, FETCH, size_bytes=200)
    assert tale.judged() == []


def test_after_a_jump_of_the_clock_nobody_knows_how_long_it_was() -> None:
    tale = limited({CONSUMER_BYTE_RATE: 100.0})
    answered(tale, 100, FETCH, size_bytes=200)
    tale.fault(200, "clock", "forward")
    answered(tale, 400, FETCH, size_bytes=200)
    assert tale.judged() == []


def test_topics_are_made_while_nothing_is_owed() -> None:
    tale = limited({CONTROLLER_MUTATION_RATE: 1.0})
    tale.create(100, 101, topic="a", topic_id=b"a" * 16, partitions=2)
    tale.create(200, 201, topic="b", topic_id=b"b" * 16, partitions=2)
    assert rationed.PROMISE not in tale.judged()
    tale.create(300, 301, topic="c", topic_id=b"c" * 16, partitions=1)
    assert rationed.PROMISE in tale.judged()


# --- who is told


@pytest.mark.parametrize(("throttle_ms", "muted_ms"), [(30, 0), (0, 30), (30, 31)])
def test_what_is_told_is_not_what_is_done(throttle_ms: int, muted_ms: int) -> None:
    tale = limited({PRODUCER_BYTE_RATE: 100.0})
    answered(tale, 100, PRODUCE, throttle_ms=throttle_ms, muted_ms=muted_ms)
    assert tale.judged() == [told.PROMISE]


def test_an_old_answer_can_tell_nothing() -> None:
    tale = limited({PRODUCER_BYTE_RATE: 100.0})
    answered(tale, 100, PRODUCE, throttle_ms=-1, muted_ms=30)
    assert tale.judged() == []


def test_the_answer_leaves_before_the_mute() -> None:
    tale = limited({PRODUCER_BYTE_RATE: 100.0})
    muted(tale, 100, 30, is_answered=False)
    assert tale.judged() == [told.PROMISE]


def test_time_is_waited_for_one_window_at_most() -> None:
    tale = limited({REQUEST_PERCENTAGE: 1.0})
    answered(tale, 100, PRODUCE, throttle_ms=1_000)
    assert tale.judged() == []
    answered(tale, 200, PRODUCE, throttle_ms=1_001)
    assert tale.judged() == [told.PROMISE]
    altered(tale, 300, CLIENT, changes={PRODUCER_BYTE_RATE: 1.0})
    tale.history.metered.pop()
    answered(tale, 400, PRODUCE, throttle_ms=1_001)
    assert tale.judged() == []
