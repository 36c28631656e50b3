"""Worlds with quotas: they bite, the history says so, and everybody comes to rest."""

from ottla.sim.caller.quartermaster import parsed_entity
from ottla.sim.draw import draw_plan
from ottla.sim.history import Outcome, Send
from ottla.sim.plan import Verb
from ottla.sim.quota_operation import QuotaAlter, QuotasSeen
from ottla.sim.script import format_plan, parse_plan
from ottla.sim.trial import try_plan
from ottla.wire.api import PRODUCE

PLAN = """
seed 1
heal 3000000 kill
set quota.window.num=2
set quota.window.size.seconds=1
client 0 administrator
client 1 producer
client 2 producer
at 1000 client 0 create topic=t count=1
at 100000 client 0 quota entity=client-id:client-1 configs=producer_byte_rate:1000
at 200000 client 1 send topic=t count=1 size_bytes=1500
at 200000 client 2 send topic=t count=1 size_bytes=1500
at 250000 client 1 send topic=t count=1 size_bytes=20
at 250000 client 2 send topic=t count=1 size_bytes=20
at 260000 client 0 quota entity=client-id:client-2 configs=consumer_byte_rate:5,producer_byte_rate:-1
at 270000 client 0 quotas
"""


def test_a_producer_above_its_quota_waits_and_the_other_does_not() -> None:
    trial = try_plan(parse_plan(PLAN))
    assert trial.problems == ()
    history = trial.history
    sends = [one for one in history.entries if isinstance(one, Send)]
    assert [one.outcome for one in sends] == [Outcome.OK] * 4
    told_ms, *_ = [one.throttle_ms for one in history.metered if one.throttle_ms > 0]
    assert 500 <= told_ms <= 700
    mute, *_ = history.mutes()
    assert (mute.client_id, mute.api_key, mute.duration_ms) == ("client-1", PRODUCE, told_ms)
    waited, free = sends[2:]
    assert waited.ended_us >= mute.t_us + told_ms * 1000 > free.ended_us


def test_quotas_are_seen_after_a_restart_and_go_at_the_end() -> None:
    history = try_plan(parse_plan(PLAN)).history
    entity = parsed_entity("client-id:client-1")
    limits = {entity: {"producer_byte_rate": 1000.0}}
    assert [one.quotas for one in history.entries if isinstance(one, QuotasSeen)] == [limits] * 2
    alters = [one for one in history.entries if isinstance(one, QuotaAlter)]
    assert [(one.outcome, one.refusable, one.final) for one in alters] == [
        (Outcome.OK, False, False),
        (Outcome.FAIL, True, False),
        (Outcome.OK, False, True),
    ]


def test_a_plan_with_quotas_is_the_same_when_it_is_read_again() -> None:
    plans = (draw_plan(seed) for seed in range(100))
    plan = next(one for one in plans if any(ask.verb is Verb.QUOTA for ask in one.asks))
    assert parse_plan(format_plan(plan)).asks == plan.asks


def test_an_entity_has_its_parts_in_order() -> None:
    assert parsed_entity("user:/client-id:a") == (("client-id", "a"), ("user", None))
