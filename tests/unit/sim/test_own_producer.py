"""The product's own producer in a world: its batches are what the history says, and judged."""

from pathlib import Path

import pytest

from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.lane import Lane
from ottla.errors import ApiError, ErrorCode
from ottla.sim.checker import producers
from ottla.sim.draw import draw_plan
from ottla.sim.history import History, Outcome, ProducerIdGiven, Read, Send
from ottla.sim.plan import Role
from ottla.sim.script import parse_plan
from ottla.sim.trial import try_plan

SCRIPTS = Path(__file__).parents[2] / "scripts"

PLAN = """
seed 1
heal 900000 kill
client 0 administrator
client 1 own-producer {producer}
at 1000 client 0 create topic=t count=2 {topic}
at 50000 client 1 send topic=t count=3 size_bytes=100
at 52000 client 1 send topic=t count=2 size_bytes=100
{more}
"""


def lived(producer: str = "idempotent=yes", topic: str = "", more: str = "") -> History:
    trial = try_plan(parse_plan(PLAN.format(producer=producer, topic=topic, more=more)))
    assert trial.problems == ()
    return trial.history


def sends(history: History) -> list[Send]:
    return [one for one in history.entries if isinstance(one, Send)]


def stored(history: History) -> list[bytes]:
    return [
        record.value
        for one in history.entries
        if isinstance(one, Read) and one.final
        for batch in one.batches
        for record in batch.records
    ]


def test_what_is_gathered_in_a_batch_is_one_send() -> None:
    history = lived("idempotent=yes linger_ms=20 in_flight_max=5")
    (send,) = sends(history)
    assert (send.outcome, send.base_offset, send.attempts) == (Outcome.OK, 0, 1)
    assert [record.offset for record in send.records] == [0, 1, 2, 3, 4]
    assert stored(history) == [record.value for record in send.records]
    (given,) = (one for one in history.entries if isinstance(one, ProducerIdGiven))
    assert (send.producer_id, send.base_sequence) == (given.producer_id, 0)


def test_a_batch_whose_answer_is_lost_is_stored_once() -> None:
    more = "at 60000 fault mute-down client=1 lasts_us=100000"
    history = lived("idempotent=yes linger_ms=20 timeout_ms=400", more=more)
    (send,) = sends(history)
    assert send.attempts > 1
    assert send.outcome is Outcome.OK
    assert stored(history) == [record.value for record in send.records]


def test_a_batch_that_is_too_large_goes_on_in_parts() -> None:
    history = lived("idempotent=yes linger_ms=20", topic="configs=max.message.bytes:300")
    parts = sends(history)
    assert [len(part.records) for part in parts] == [2, 1, 2]
    assert {part.outcome for part in parts} == {Outcome.OK}
    in_order = sorted(parts, key=lambda part: part.base_offset)
    assert stored(history) == [record.value for part in in_order for record in part.records]


def test_keys_decide_where_nobody_else_does() -> None:
    more = "at 60000 client 1 send topic=t partition=-1 count=6 size_bytes=20 keys=4"
    history = lived("linger_ms=5 codec=4 by_name=yes", more=more)
    assert {send.partition for send in sends(history)} == {0, 1}
    assert {send.outcome for send in sends(history)} == {Outcome.OK}


def test_a_small_buffer_delays_and_loses_nothing() -> None:
    more = "at 60000 client 1 send topic=t count=30 size_bytes=1500"
    history = lived("idempotent=yes batch_bytes=2000 buffer_bytes=5000", more=more)
    assert len(stored(history)) == 35
    assert {send.outcome for send in sends(history)} == {Outcome.OK}


def test_a_producer_that_writes_again_what_may_be_stored_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "an_idempotent_producer_meets_a_broker_that_forgot_after_a_stop.txt"
    plan = parse_plan((SCRIPTS / name).read_text())
    monkeypatch.setattr(Lane, "pass_over", lambda self, batch: False)
    assert producers.PROMISE in try_plan(plan).promises


def test_a_producer_that_calls_lost_what_is_stored_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: RecordBatch, base_offset: int, log_append_time_ms: int) -> None:
        self.fail(ApiError(ErrorCode.INVALID_RECORD))

    monkeypatch.setattr(RecordBatch, "succeed", fail)
    trial = try_plan(parse_plan(PLAN.format(producer="", topic="", more="")))
    assert trial.problems, "it was stored, and is said to have failed for certain"


def test_some_worlds_have_such_producers_behind_all_others_but_consumers() -> None:
    plans = [draw_plan(seed) for seed in range(200)]
    with_own = [
        plan for plan in plans if any(one.role is Role.OWN_PRODUCER for one in plan.clients)
    ]
    assert 20 <= len(with_own) <= 60
    for plan in with_own:
        own = [one.number for one in plan.clients if one.role is Role.OWN_PRODUCER]
        readers = sum(one.role is Role.OWN_CONSUMER for one in plan.clients)
        behind = len(plan.clients) - readers
        assert own == list(range(behind - len(own), behind))
        assert any(ask.client in own for ask in plan.asks)
