"""A world runs its plan, comes to rest, and says so when it can't."""

from collections.abc import Collection

import pytest

from ottla.broker.node import Node
from ottla.core.quota.quotas import Quotas
from ottla.sim.draw import draw_plan
from ottla.sim.history import Create, Life, LifeMark, Listing, Outcome, Read, Send
from ottla.sim.plan import Role, Verb
from ottla.sim.script import parse_plan
from ottla.sim.trial import try_plan
from ottla.sim.world import World
from ottla.types import TopicPartition

PLAN = """
seed 1
heal 500000 kill
client 0 administrator
client 1 producer idempotent=yes
client 2 consumer
at 1000 client 0 create topic=t count=1
at 50000 client 1 send topic=t count=3 size_bytes=20
at 200000 client 2 fetch topic=t size_bytes=1000
"""


def test_what_is_asked_for_happens_and_is_seen() -> None:
    history = World(parse_plan(PLAN)).run()
    assert history.ended
    assert history.broken == []
    (create,) = (one for one in history.entries if isinstance(one, Create))
    assert create.outcome is Outcome.OK
    (send,) = (one for one in history.entries if isinstance(one, Send))
    assert (send.outcome, send.base_offset, send.topic_id) == (Outcome.OK, 0, create.topic_id)
    last = [one for one in history.entries if isinstance(one, Read) and one.final]
    assert [record.value for one in last for batch in one.batches for record in batch.records] == [
        record.value for record in send.records
    ]
    (listing,) = (one for one in history.entries if isinstance(one, Listing))
    assert listing.final
    assert listing.topics["t"].topic_id == create.topic_id


@pytest.mark.parametrize(
    ("fault", "life"),
    [
        ("kill lasts_us=1000", Life.KILLED),
        ("power lasts_us=1000", Life.POWER_CUT),
        ("stop lasts_us=1000", Life.STOPPED),
        ("kill-at count=1", Life.KILLED),
        ("power-at count=1", Life.POWER_CUT),
    ],
)
def test_a_process_ends_as_it_is_told_and_another_one_starts(fault: str, life: Life) -> None:
    plan = parse_plan(f"{PLAN}\nat 40000 fault {fault}\n")
    history = World(plan).run()
    assert history.broken == []
    lives = [one.life for one in history.marks if isinstance(one, LifeMark)]
    assert lives[:2] == [Life.STARTED, life]
    assert lives.count(Life.STARTED) >= 2
    assert lives[-1] is Life.STOPPED


def test_an_exception_in_the_node_is_a_broken_world() -> None:
    def inspect(
        node: Node, connections: Collection[int], damaged: Collection[TopicPartition]
    ) -> list[str]:
        raise KeyError("planted")

    history = World(parse_plan(PLAN), inspect).run()
    assert not history.ended
    assert "KeyError: 'planted'" in history.broken[0]


def test_a_node_that_never_starts_is_no_rest() -> None:
    plan = parse_plan(PLAN)
    world = World(plan)
    world.processes[0].disk.full_bytes = 0
    world.nemesis.heal = lambda: None  # type: ignore[method-assign]
    history = world.run()
    assert "no rest" in history.broken[0]


def test_a_paused_process_answers_when_it_goes_on() -> None:
    plan = parse_plan(PLAN.replace("at 50000", "at 40000 fault pause lasts_us=300000\nat 50000"))
    history = World(plan).run()
    assert history.broken == []
    (send,) = [one for one in history.entries if isinstance(one, Send)]
    assert (send.outcome, send.ended_us > 340_000) == (Outcome.OK, True)


def test_a_clock_that_is_put_back_goes_on_slower() -> None:
    world = World(parse_plan(PLAN))
    process, events = world.processes[0], world.events
    began_ms = process.now_ms()
    process.put_clock(1_000)
    assert process.now_ms() == began_ms + 1_000
    process.put_clock(-1_000)
    assert process.now_ms() == began_ms + 1_000
    events.now_us += 5_000_000
    assert process.now_ms() == began_ms + 5_000 + 500
    events.now_us += 15_000_000
    assert process.now_ms() == began_ms + 20_000


def test_a_process_that_is_started_anew_has_the_clock_of_the_wall() -> None:
    world = World(parse_plan(PLAN))
    process = world.processes[0]
    process.put_clock(-1_000)
    began_ms = process.now_ms()
    process.start()
    assert process.now_ms() == began_ms - 1_000


def test_a_clean_stop_is_believed_after_a_power_cut() -> None:
    plan = parse_plan(
        PLAN + "at 300000 fault stop lasts_us=200000\nat 400000 fault power lasts_us=1000 salt=1\n"
    )
    world = World(plan)
    assert world.run().broken == []
    assert world.history.flush_on_ack is False
    (read,) = [one for one in world.history.entries if isinstance(one, Read) and one.final]
    assert [batch.last_offset for batch in read.batches] == [2]


def test_drawn_worlds_are_various_and_keep_every_promise() -> None:
    seen: set[str] = set()
    for seed in range(50):
        trial = try_plan(draw_plan(seed))
        assert trial.problems == (), f"seed {seed}"
        seen |= trial.seen.keys()
    for api_key in (0, 1, 2, 3, 18, 19, 20, 21, 22, 32, 37):
        assert f"api {api_key}" in seen
    assert "ended in a disk call while up" in seen
    assert "sync refused" in seen


def test_a_quarter_of_all_seeds_is_left_in_peace() -> None:
    quiet = sum(not draw_plan(seed).faults for seed in range(400))
    assert 60 < quiet < 180


def test_a_client_above_its_quota_waits_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = {(("user", None),): {"producer_byte_rate": 100.0}}
    follow = Quotas.follow
    monkeypatch.setattr(Quotas, "follow", lambda self, _: follow(self, quotas))
    sends = "\n".join(
        f"at {60 + n}000 client 1 send topic=t count=9 size_bytes=90" for n in range(4)
    )
    plan = parse_plan(PLAN + sends)
    worlds = [World(plan), World(plan)]
    histories = [world.run() for world in worlds]
    for history in histories:
        assert history.ended
        assert history.broken == []
    sent = [[one for one in history.entries if isinstance(one, Send)] for history in histories]
    assert {one.outcome for one in sent[0]} == {Outcome.OK}
    assert max(one.ended_us for one in sent[0]) > 500_000, "without quotas all is over by then"
    assert [one.ended_us for one in sent[0]] == [one.ended_us for one in sent[1]]


COMPACTS = """
seed 1
heal 900000 kill
set log.cleaner.backoff.ms=50
client 0 administrator
client 1 producer idempotent=yes codec=4
client 2 consumer
at 1000 client 0 create topic=t count=1 configs=cleanup.policy:compact;delete,internal.segment.bytes:500,min.cleanable.dirty.ratio:0.01,delete.retention.ms:0
"""


def test_a_compacted_topic_is_read_from_inside_of_a_gap() -> None:
    sends = [
        f"at {50_000 + at * 10_000} client 1 send topic=t count=4 size_bytes=60 keys=3"
        for at in range(20)
    ]
    fetches = [
        f"at {600_000 + at * 10_000} client 2 fetch topic=t size_bytes=900 count={1 + at}"
        for at in range(12)
    ]
    plan = parse_plan("\n".join([COMPACTS, *sends, *fetches]))
    trial = try_plan(plan)
    assert trial.problems == ()
    entries = trial.history.entries
    reads = [one for one in entries if isinstance(one, Read) and one.batches and not one.final]
    assert any(one.batches[0].base_offset > one.fetch_offset for one in reads)
    finals = [one for one in entries if isinstance(one, Read) and one.final and one.batches]
    left = {one.offset: one for read in finals for batch in read.batches for one in batch.records}
    assert len(left) < 40  # of 80
    sent = [record for one in entries if isinstance(one, Send) for record in one.records]
    assert any(one.is_tombstone for one in sent)
    assert finals[-1].batches[-1].last_offset == 79


def test_every_seventh_seed_compacts_a_topic() -> None:
    plans = [draw_plan(seed) for seed in range(400)]
    # The product's own producers have keys in other topics too.
    plans = [
        plan for plan in plans if all(one.role is not Role.OWN_PRODUCER for one in plan.clients)
    ]
    compacting = [plan for plan in plans if any(ask.keys for ask in plan.asks)]
    assert 25 < len(compacting) < 70
    for plan in compacting:
        topic = next(ask.topic for ask in plan.asks if ask.keys)
        lives = [ask for ask in plan.asks if ask.topic == topic and ask.verb is Verb.CREATE]
        assert lives
        assert all("compact" in dict(ask.configs)["cleanup.policy"] for ask in lives)
