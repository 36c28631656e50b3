"""`range` and `roundrobin` on the examples of Kafka's documentation, and where wishes differ."""

from collections.abc import Sequence

from ottla.assign.in_turn import assign_in_turn, assign_ranges
from ottla.assign.member import Assignment, GroupMember


def member(name: str, *topics: str, instance: str | None = None) -> GroupMember:
    return GroupMember(member_id=name, topics=topics, instance_id=instance)


def shown(assignment: Assignment) -> dict[str, str]:
    return {name: " ".join(map(str, parts)) for name, parts in assignment.items()}


def members(*names: str, topics: Sequence[str] = ("t0", "t1")) -> list[GroupMember]:
    return [member(name, *topics) for name in names]


def test_range_gives_the_same_numbers_of_each_topic_to_one_member() -> None:
    assert shown(assign_ranges({"t0": 3, "t1": 3}, members("b", "a"))) == {
        "a": "t0-0 t0-1 t1-0 t1-1",
        "b": "t0-2 t1-2",
    }


def test_range_gives_what_is_over_to_the_first() -> None:
    assignment = assign_ranges({"t": 7}, members("a", "b", "c", topics=["t"]))
    assert [len(parts) for parts in assignment.values()] == [3, 2, 2]


def test_range_leaves_those_empty_handed_that_come_too_late() -> None:
    assert shown(assign_ranges({"t": 1}, members("a", "b", topics=["t"]))) == {"a": "t-0", "b": ""}


def test_round_robin_goes_on_where_the_last_topic_ended() -> None:
    assert shown(assign_in_turn({"t0": 3, "t1": 3}, members("a", "b"))) == {
        "a": "t0-0 t0-2 t1-1",
        "b": "t0-1 t1-0 t1-2",
    }


def test_round_robin_passes_over_who_does_not_want_a_topic() -> None:
    wishes = [member("a", "t0"), member("b", "t0", "t1"), member("c", "t0", "t1", "t2")]
    assert shown(assign_in_turn({"t0": 1, "t1": 2, "t2": 3}, wishes)) == {
        "a": "t0-0",
        "b": "t1-0",
        "c": "t1-1 t2-0 t2-1 t2-2",
    }


def test_static_members_come_first_by_their_names() -> None:
    wishes = [member("z", "t", instance="1"), member("a", "t"), member("y", "t", instance="0")]
    assert shown(assign_ranges({"t": 3}, wishes)) == {"z": "t-1", "a": "t-2", "y": "t-0"}
    assert shown(assign_in_turn({"t": 3}, wishes)) == {"z": "t-1", "a": "t-2", "y": "t-0"}


def test_topics_that_nobody_wants_or_that_are_not_there_are_nobodys() -> None:
    wishes = [member("a", "gone")]
    for assign in (assign_ranges, assign_in_turn):
        assert assign({"other": 2}, wishes) == {"a": []}
        assert assign({"other": 2}, []) == {}
