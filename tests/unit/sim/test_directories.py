"""Worlds with several log directories: which there are, and that one of them fails alone."""

from ottla.errors import ErrorCode
from ottla.sim.directories import METADATA_PATH, PATHS
from ottla.sim.draw import draw_plan
from ottla.sim.history import Life, LifeMark, MoveAsked, Outcome, PlacesSeen, Send
from ottla.sim.plan import Blow, Verb
from ottla.sim.script import parse_plan
from ottla.sim.trial import Trial, try_plan
from ottla.sim.world import World

PLAN = """
seed 3
heal 900000 kill
set log.dirs=/disk0,/disk1
client 0 administrator
client 1 producer retries=no
at 1000 client 0 create topic=t count=2
"""


def outcomes(trial: Trial) -> list[tuple[int, Outcome, int]]:
    sends = [one for one in trial.history.entries if isinstance(one, Send)]
    return [(one.partition, one.outcome, one.error) for one in sends]


def test_a_directory_that_fails_takes_only_its_own_partitions_with_it() -> None:
    sends = "".join(
        f"at {at}000 client 1 send topic=t partition={number} count=1 size_bytes=60\n"
        for at in (100, 300)
        for number in (0, 1)
    )
    plan = PLAN.replace("topic=t count=2", "topic=t count=2 configs=flush.messages:1")
    trial = try_plan(parse_plan(plan + sends + "at 50000 fault sync-error count=1 log_dir=1\n"))
    assert trial.problems == ()
    storage = int(ErrorCode.KAFKA_STORAGE_ERROR)
    failed = {(number, error) for number, outcome, error in outcomes(trial) if error}
    assert {error for _, error in failed} == {storage}
    assert len({number for number, _ in failed}) == 1
    served = [outcome for number, outcome, _ in outcomes(trial) if number not in dict(failed)]
    assert served == [Outcome.OK, Outcome.OK]
    final = [one for one in trial.history.entries if isinstance(one, PlacesSeen) and one.final]
    assert (final[-1].offline, len(final[-1].places)) == ([], 2)


def test_a_directory_that_is_away_is_back_with_all_it_had() -> None:
    plan = (
        PLAN
        + "at 100000 client 1 send topic=t partition=0 count=3\n"
        + "at 100000 client 1 send topic=t partition=1 count=3\n"
        + "at 200000 fault away lasts_us=300000 log_dir=1\n"
        + "at 201000 fault kill lasts_us=1000\n"
        + "at 300000 client 0 places\n"
    )
    trial = try_plan(parse_plan(plan))
    assert trial.problems == ()
    first, last = [one for one in trial.history.entries if isinstance(one, PlacesSeen)]
    assert (first.offline, len(first.places)) == (["/disk1"], 1)
    assert (last.offline, len(last.places)) == ([], 2)


def test_moves_end_where_they_were_sent_and_nowhere_is_no_place() -> None:
    plan = (
        PLAN
        + "at 100000 client 1 send topic=t partition=0 count=3\n"
        + "at 150000 client 0 list\n"
        + "at 200000 client 0 move topic=t partition=-1 count=1\n"
        + "at 300000 client 0 move topic=t partition=0 count=-1\n"
    )
    trial = try_plan(parse_plan(plan))
    assert trial.problems == ()
    asked = [one for one in trial.history.entries if isinstance(one, MoveAsked)]
    assert [(one.partition, ErrorCode(one.error)) for one in asked] == [
        (0, ErrorCode.NONE),
        (1, ErrorCode.NONE),
        (0, ErrorCode.LOG_DIR_NOT_FOUND),
    ]
    (last,) = [one for one in trial.history.entries if isinstance(one, PlacesSeen)]
    assert set(map(tuple, last.places.values())) == {(PATHS[1],)}


def test_every_directory_has_its_own_marker_of_a_clean_stop() -> None:
    world = World(parse_plan(PLAN + "at 400000 fault stop lasts_us=1000\n"))
    history = world.run()
    assert history.broken == []
    assert [one.clean_marker for one in world.processes[0].dirs] == [True, True]
    lives = [one.life for one in history.marks if isinstance(one, LifeMark)]
    assert Life.STOPPED_UNCLEANLY not in lives


def test_topics_that_a_start_provides_are_there() -> None:
    trial = try_plan(parse_plan(PLAN + "want w.0:2:3,w_0:1:1\n"))
    assert trial.problems == ()
    last = [one for one in trial.history.entries if isinstance(one, PlacesSeen)][-1]
    assert sorted({name for name, _ in last.places}) == ["t", "w.0"]


def test_drawn_worlds_have_one_directory_or_two_and_faults_of_either() -> None:
    plans = [draw_plan(seed) for seed in range(400)]
    several = [plan for plan in plans if "log.dirs" in dict(plan.settings)]
    assert 80 < len(several) < 160
    apart = [plan for plan in several if dict(plan.settings).get("metadata.log.dir")]
    assert {dict(plan.settings)["metadata.log.dir"] for plan in apart} == {METADATA_PATH}
    faults = [fault for plan in several for fault in plan.faults]
    assert {fault.log_dir for fault in faults} == {0, 1, 2}
    assert Blow.AWAY in {fault.blow for fault in faults}
    assert all(any(ask.verb is Verb.MOVE for ask in plan.asks) for plan in several)
    others = [plan for plan in plans if plan not in several]
    assert not any(ask.verb is Verb.MOVE for plan in others for ask in plan.asks)
