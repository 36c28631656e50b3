"""Who is in two log directories, in none, or not where it was sent, is found."""

import pytest

from ottla.sim.checker.places import PROMISE, misplaced
from ottla.sim.disk import SimDisk
from ottla.sim.history import Life, MoveAsked, Outcome, PlacesSeen
from tests.unit.sim.checker.tale import TOPIC, Tale

HERE = "/disk0"
THERE = "/disk1"
PLACE = (TOPIC, 0)


def seen(
    tale: Tale, at: int, *paths: str, coming: tuple[str, ...] = (), final: bool = False
) -> PlacesSeen:
    one = PlacesSeen(1, at * 1000, final=final)
    if paths:
        one.places[PLACE] = list(paths)
    if coming:
        one.coming[PLACE] = list(coming)
    one.end(at * 1000 + 500, Outcome.OK)
    tale.history.note(one)
    return one


def moved(tale: Tale, at: int, path: str, outcome: Outcome = Outcome.OK) -> None:
    one = MoveAsked(1, at * 1000, topic=TOPIC, partition=0, path=path)
    one.end(at * 1000 + 500, outcome)
    tale.history.note(one)


def test_a_partition_that_moves_is_seen_in_one_place_and_on_its_way_to_another() -> None:
    tale = Tale()
    moved(tale, 10, THERE)
    seen(tale, 12, HERE, coming=(THERE,))
    seen(tale, 20, THERE)
    seen(tale, 9_500, THERE, final=True)
    assert tale.judged() == []


@pytest.mark.parametrize(
    ("paths", "coming"),
    [((HERE, THERE), ()), ((HERE,), (HERE,)), ((HERE,), (THERE, "/disk2"))],
)
def test_a_partition_in_two_places_is_found(
    paths: tuple[str, ...], coming: tuple[str, ...]
) -> None:
    tale = Tale()
    seen(tale, 12, *paths, coming=coming)
    assert tale.judged() == [PROMISE]


def test_a_partition_that_is_nowhere_at_the_end_is_found() -> None:
    tale = Tale()
    seen(tale, 12)
    assert tale.judged() == []
    seen(tale, 9_500, final=True)
    assert tale.judged() == [PROMISE]


def test_a_damaged_one_may_be_nowhere() -> None:
    tale = Tale()
    tale.fault(100, "flip-log", "t-0/00000000000000000000.log")
    seen(tale, 9_500, final=True)
    assert tale.judged() == []


def test_an_accepted_move_that_is_not_made_is_found() -> None:
    tale = Tale()
    moved(tale, 10, THERE)
    seen(tale, 12, HERE)
    assert tale.judged() == [PROMISE]


def test_nobody_can_say_where_it_goes_after_a_kill_a_fault_or_another_move() -> None:
    for trouble in ("kill", "fault", "move", "deletion", "refusal"):
        tale = Tale()
        moved(tale, 10, THERE, Outcome.FAIL if trouble == "refusal" else Outcome.OK)
        match trouble:
            case "kill":
                tale.life(11, Life.KILLED)
            case "fault":
                tale.fault(11, "sync-error", "1")
            case "move":
                moved(tale, 11, HERE, Outcome.INFO)
            case "deletion":
                tale.delete(11, 13)
        seen(tale, 12, HERE)
        assert PROMISE not in tale.judged(), trouble


def test_what_stands_on_the_disks_is_what_was_described() -> None:
    disks = [SimDisk(lambda: 0, path=path) for path in (HERE, THERE)]
    disks[0].make_directory("t-0")
    disks[1].make_directory("t-0")
    assert "no directory" in misplaced(disks, {PLACE: [HERE]})[0]
    disks[0].open("t-0/00000000000000000000.log")
    assert misplaced(disks, {PLACE: [HERE]}) == []
    assert misplaced(disks, {PLACE: [THERE]})
    disks[1].open("t-0/00000000000000000000.log")
    assert "/disk0 and /disk1" in misplaced(disks, {PLACE: [HERE]})[0]
