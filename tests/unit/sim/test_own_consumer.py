"""The product's own consumer in a world: what it does is in the history, and its mistakes are found."""

from collections.abc import Iterator

import pytest

from ottla import probe
from ottla.sim.checker import covered, delivered
from ottla.sim.draw import draw_plan
from ottla.sim.group_operation import Committing, Joining, Leaving, Syncing
from ottla.sim.history import Delivery, Following, History, Outcome, Read
from ottla.sim.plan import Role
from ottla.sim.script import parse_plan
from ottla.sim.trial import Trial, try_plan

PLAN = """
seed 1
heal 2500000 kill
set group.initial.rebalance.delay.ms=0
set group.min.session.timeout.ms=100
set offsets.topic.num.partitions=1
client 0 administrator
client 1 producer idempotent=yes
client 2 own-consumer group=g session_ms=500 rebalance_ms=1000 {two}
client 3 own-consumer group=g session_ms=500 rebalance_ms=1000 session=yes {two}
client 4 own-consumer session=yes batch_bytes=300
client 5 member group=h session_ms=500 rebalance_ms=1000
client 6 own-consumer group=h session_ms=500 rebalance_ms=1000 assignors=roundrobin
at 1000 client 0 create topic=t count=2
at 50000 client 1 send topic=t count=3 size_bytes=100
at 52000 client 1 send topic=t partition=1 count=3 size_bytes=100
at 900000 client 1 send topic=t count=3 size_bytes=100
at 902000 client 1 send topic=t partition=1 count=3 size_bytes=100
at 1500000 client 1 send topic=t count=3 size_bytes=100
{more}
"""
BOTH = "at 100000 client 2 join topic=t\nat 100000 client 3 join topic=t\n"


def tried(more: str, two: str = "assignors=range commit_ms=100") -> Trial:
    return try_plan(parse_plan(PLAN.format(two=two, more=more)))


def lived(more: str, two: str = "assignors=range commit_ms=100") -> History:
    trial = tried(more, two)
    assert trial.problems == ()
    return trial.history


def handed(history: History, *clients: int) -> list[bytes]:
    return sorted(
        record.value
        for one in history.entries
        if isinstance(one, Delivery) and one.client in clients
        for record in one.records
    )


def stored(history: History) -> list[bytes]:
    return sorted(
        record.value
        for one in history.entries
        if isinstance(one, Read) and one.final and one.topic == "t"
        for batch in one.batches
        for record in batch.records
    )


def test_alone_it_is_handed_everything_once() -> None:
    history = lived("at 60000 client 4 join topic=t")
    assert handed(history, 4) == stored(history)
    (life,) = (one for one in history.entries if isinstance(one, Following))
    assert (life.outcome, life.read) == (Outcome.OPEN, (("t", 0), ("t", 1)))
    sessions = {one.session_id for one in history.entries if isinstance(one, Read)} - {0}
    assert sessions, "its fetches are of a session"


@pytest.mark.parametrize("name", ["range", "roundrobin", "sticky", "cooperative-sticky"])
def test_two_share_the_partitions(name: str) -> None:
    history = lived(BOTH, f"assignors={name} commit_ms=100")
    assert handed(history, 2, 3) == stored(history)
    last = {one.client: one.got for one in history.entries if isinstance(one, Syncing)}
    assert sorted(last.values()) == [(("t", 0),), (("t", 1),)]


def test_who_leaves_has_committed_and_the_other_one_goes_on_there() -> None:
    history = lived(
        BOTH + "at 950000 client 2 leave\n", "assignors=cooperative-sticky commit_ms=100"
    )
    assert handed(history, 2, 3) == stored(history), "no record came twice"
    (leaving,) = (one for one in history.entries if isinstance(one, Leaving))
    assert leaving.outcome is Outcome.OK
    followings = [one for one in history.entries if isinstance(one, Following)]
    assert [one.outcome for one in followings] == [Outcome.OK, Outcome.OPEN]


@pytest.mark.parametrize("tells", [0, 1])
def test_of_who_vanishes_nothing_is_missing(tells: int) -> None:
    history = lived(BOTH + f"at 910000 client 2 vanish count={tells}\n", "assignors=range")
    assert set(handed(history, 2, 3)) == set(stored(history))
    assert not any(isinstance(one, Leaving) for one in history.entries)


def test_it_commits_when_it_is_asked_to() -> None:
    more = "at 100000 client 2 join topic=t\nat 700000 client 2 commit\nat 800000 client 2 commit count=1\n"
    history = lived(more, "assignors=sticky")
    commits = [one for one in history.entries if isinstance(one, Committing)]
    assert [(one.place[1], one.offset, one.outcome) for one in commits] == [
        (0, 3, Outcome.OK),
        (1, 3, Outcome.OK),
    ] * 2


def test_after_a_seek_everything_comes_again() -> None:
    history = lived("at 60000 client 4 join topic=t\nat 600000 client 4 seek\n")
    again = [one for one in history.entries if isinstance(one, Delivery) and one.sought == 0]
    assert again[0].records[0].offset == 0
    assert len(handed(history, 4)) == len(stored(history)) + 3


def test_who_stands_still_for_too_long_is_thrown_out_and_comes_back() -> None:
    history = lived(BOTH + "at 300000 client 2 pause wait_ms=1500\n")
    assert set(handed(history, 2, 3)) == set(stored(history))
    joins = [one for one in history.entries if isinstance(one, Joining) and one.client == 2]
    assert len({one.given_id for one in joins}) > 1 or any(
        isinstance(one, Leaving) for one in history.entries
    )


def test_it_shares_a_group_with_members_written_by_hand() -> None:
    more = "at 100000 client 5 join topic=t\nat 300000 client 6 join topic=t\n"
    history = lived(more)
    last = {one.client: one.got for one in history.entries if isinstance(one, Syncing)}
    assert sorted(last) == [5, 6]
    assert sorted(last[5] + last[6]) == [("t", 0), ("t", 1)]


def test_with_the_network_against_it_nothing_is_missing() -> None:
    more = (
        "at 60000 client 4 join topic=t\n"
        "at 500000 fault mute-down client=2\n"
        "at 600000 fault cut client=3 lasts_us=400000\n"
        "at 905000 fault kill lasts_us=100000\n"
        "at 1200000 fault mute-up client=4\n"
        "at 1400000 fault reset client=2\n"
    )
    history = lived(BOTH + more)
    assert set(handed(history, 2, 3)) == set(handed(history, 4)) == set(stored(history))


@pytest.fixture
def mistakes() -> Iterator[None]:
    yield
    probe.breed()


@pytest.mark.usefixtures("mistakes")
@pytest.mark.parametrize(
    ("mutant", "more", "two", "promise"),
    [
        (
            "C3-answer-from-before-a-seek",
            "at 60000 client 4 join topic=t\nat 750000 client 4 seek\n",
            "",
            delivered.PROMISE,
        ),
        (
            "KIP429-revoked-is-read-on",
            "at 100000 client 2 join topic=t\nat 600000 client 3 join topic=t\n",
            "assignors=cooperative-sticky",
            delivered.PROMISE,
        ),
    ],
)
def test_a_mistake_of_the_client_is_found(mutant: str, more: str, two: str, promise: str) -> None:
    assert tried(more, two or "assignors=range").problems == ()
    probe.breed(mutant)
    assert promise in tried(more, two or "assignors=range").promises


def test_some_worlds_have_such_consumers_behind_all_other_clients() -> None:
    plans = [draw_plan(seed) for seed in range(200)]
    with_own = [
        plan for plan in plans if any(one.role is Role.OWN_CONSUMER for one in plan.clients)
    ]
    assert 15 <= len(with_own) <= 60
    assert covered.PROMISE != delivered.PROMISE
    for plan in with_own:
        own = [one.number for one in plan.clients if one.role is Role.OWN_CONSUMER]
        assert own == list(range(len(plan.clients) - len(own), len(plan.clients)))
        assert any(ask.client in own for ask in plan.asks)
        assert not any(ask.verb.value == "quota" for ask in plan.asks)
