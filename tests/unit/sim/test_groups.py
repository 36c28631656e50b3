"""Members, administrators of groups and strangers do what their plans say, over the real wire."""

from ottla.sim.caller import embedded
from ottla.sim.caller.inquirer import QUESTIONS
from ottla.sim.caller.stranger import KINDS
from ottla.sim.group_operation import (
    Committing,
    GroupSeen,
    Joining,
    Leaving,
    Positions,
    Syncing,
)
from ottla.sim.history import Alter, ConfigsSeen, History, Inquiry, Insult, Outcome
from ottla.sim.plan import Plan
from ottla.sim.script import format_plan, parse_plan
from ottla.sim.trial import try_plan

TWO = """
seed 1
heal 3000000 kill
set group.initial.rebalance.delay.ms=50
set group.min.session.timeout.ms=100
set offsets.topic.num.partitions=1
client 0 administrator
client 1 member group=g session_ms=1000 rebalance_ms=400
client 2 member group=g session_ms=1000 rebalance_ms=400 instance=i vintage=1
at 1000 client 0 create topic=t count=3
at 30000 client 1 join topic=t
at 31000 client 2 join topic=t
"""


def lived(text: str) -> History:
    trial = try_plan(parse_plan(TWO + text))
    assert trial.problems == ()
    return trial.history


def last_look(history: History) -> GroupSeen:
    (seen,) = (one for one in history.entries if isinstance(one, GroupSeen) and one.final)
    return seen


def test_what_members_have_for_each_other_survives_its_bytes() -> None:
    assert embedded.subscribed(embedded.subscription(("t0", "t1"))) == ("t0", "t1")
    places = (("t0", 1), ("t1", 0))
    assert embedded.assigned(embedded.assignment("4/1", places)) == ("4/1", places)
    assert embedded.assigned(b"") == ("", ())


def test_members_share_the_partitions_and_are_in_at_the_end() -> None:
    history = lived("")
    seen = last_look(history)
    assert seen.state == "Stable"
    assert len(seen.live) == 2
    parts = [places for _, places in seen.members.values()]
    assert sorted(place for part in parts for place in part) == [("t", 0), ("t", 1), ("t", 2)]
    assert all(parts)


def test_a_commit_is_where_the_next_one_resumes() -> None:
    history = lived(
        "at 500000 client 2 vanish\n"
        "at 400000 client 1 commit count=2\n"
        "at 600000 client 1 leave\n"
        "at 2000000 client 2 join topic=t\n"
    )
    (commit,) = (one for one in history.entries if isinstance(one, Committing))
    assert commit.outcome is Outcome.OK
    (leave,) = (one for one in history.entries if isinstance(one, Leaving))
    assert leave.outcome is Outcome.OK
    found = [one.found for one in history.entries if isinstance(one, Positions)]
    assert found[-1] == {commit.place: (commit.offset, commit.metadata)}


def test_a_static_member_comes_back_to_its_place() -> None:
    history = lived("at 900000 client 2 vanish\nat 950000 client 2 join topic=t\n")
    of_it = [one for one in history.entries if isinstance(one, Syncing) and one.client == 2]
    assert len({one.member_id for one in of_it}) == 2
    assert len({(one.generation, one.got) for one in of_it}) == 1


def test_a_member_that_vanishes_in_the_middle_is_waited_for_no_longer_than_it_asked_for() -> None:
    history = lived("at 10000 client 1 vanish count=2\nat 500000 client 1 join topic=t\n")
    joined = [one for one in history.entries if isinstance(one, Joining)]
    assert sum(one.client == 1 and one.outcome is Outcome.OK for one in joined) >= 2
    assert last_look(history).state == "Stable"


def test_a_member_that_pauses_too_long_is_out_and_comes_back() -> None:
    history = lived("at 500000 client 1 pause wait_ms=1800\nat 900000 client 1 commit\n")
    (commit,) = (one for one in history.entries if isinstance(one, Committing))
    assert commit.outcome is Outcome.OK  # it was still in
    seen = last_look(history)
    assert len(seen.live) == len(seen.members) == 2
    assert len({one.given_id for one in history.entries if isinstance(one, Joining)}) > 2


def test_settings_are_altered_or_not() -> None:
    history = lived(
        "at 500000 client 0 alter topic=t configs=retention.ms:5000,flush.ms:bad\n"
        "at 600000 client 0 alter topic=t configs=retention.ms:7000,flush.ms:9\n"
        "at 700000 client 0 configs topic=t\n"
        "at 800000 client 0 alter topic=t configs=retention.ms:\n"
        "at 900000 client 0 replace topic=t configs=flush.messages:3\n"
        "at 950000 client 0 configs topic=t\n"
    )
    outcomes = [one.outcome for one in history.entries if isinstance(one, Alter)]
    assert outcomes == [Outcome.FAIL, Outcome.OK, Outcome.OK, Outcome.OK]
    seen = [
        one.configs
        for one in history.entries
        if isinstance(one, ConfigsSeen) and not one.final and one.topic == "t"
    ]
    assert seen == [{"retention.ms": "7000", "flush.ms": "9"}, {"flush.messages": "3"}]


def test_every_question_is_answered() -> None:
    asks = "".join(
        f"at {400_000 + 2_000 * at} client 0 inquire topic=t count={at}\n"
        for at in range(len(QUESTIONS))
    )
    asked = [one for one in lived(asks).entries if isinstance(one, Inquiry)]
    assert len(asked) == len(QUESTIONS)
    assert {one.outcome for one in asked} == {Outcome.OK}


def test_every_stranger_is_turned_away_or_answered() -> None:
    asks = "".join(
        f"at {100_000 * at} client 3 insult count={at}\n" for at in range(2 * len(KINDS))
    )
    text = TWO + "client 3 stranger\n" + asks
    trial = try_plan(parse_plan(text))
    assert trial.problems == ()
    insults = {one.kind: one for one in trial.history.entries if isinstance(one, Insult)}
    assert len(insults) > len(KINDS) // 2
    for kind, one in insults.items():
        assert one.outcome is Outcome.OK or kind in ("half a frame", "noise"), kind


def test_members_survive_being_written_down() -> None:
    plan: Plan = parse_plan(TWO + "at 500000 client 0 commit group=g topic=t partition=1 count=4\n")
    assert parse_plan(format_plan(plan)) == plan
    assert plan.asks[-1].group == "g"
