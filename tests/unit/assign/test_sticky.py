"""The sticky assignors: Kafka's own examples, and what holds for every group."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.assign.member import Assignment, GroupMember
from ottla.assign.sticky import assign_cooperative, assign_sticky
from ottla.types import TopicPartition


def place(text: str) -> TopicPartition:
    topic, _, partition = text.rpartition("-")
    return TopicPartition(topic, int(partition))


def member(name: str, topics: str, owned: str = "", generation: int = 1) -> GroupMember:
    return GroupMember(
        member_id=name,
        topics=tuple(topics.split()),
        owned=tuple(place(one) for one in owned.split()),
        generation=generation,
    )


def shown(assignment: Assignment) -> dict[str, str]:
    return {name: " ".join(map(str, sorted(parts))) for name, parts in assignment.items()}


def test_a_new_group_is_dealt_in_turn() -> None:
    wishes = [member(name, "t0 t1 t2 t3") for name in ("c0", "c1", "c2")]
    assert shown(assign_sticky({"t0": 2, "t1": 2, "t2": 2, "t3": 2}, wishes)) == {
        "c0": "t0-0 t1-1 t3-0",
        "c1": "t0-1 t2-0 t3-1",
        "c2": "t1-0 t2-1",
    }


def test_who_stays_keeps_what_it_had() -> None:
    wishes = [
        member("c0", "t0 t1 t2 t3", "t0-0 t1-1 t3-0"),
        member("c2", "t0 t1 t2 t3", "t1-0 t2-1"),
    ]
    assert shown(assign_sticky({"t0": 2, "t1": 2, "t2": 2, "t3": 2}, wishes)) == {
        "c0": "t0-0 t0-1 t1-1 t3-0",
        "c2": "t1-0 t2-0 t2-1 t3-1",
    }


def test_who_comes_takes_no_more_than_its_share() -> None:
    wishes = [member("a", "t", "t-0 t-1 t-2"), member("b", "t", "t-3 t-4 t-5"), member("c", "t")]
    assert shown(assign_sticky({"t": 6}, wishes)) == {
        "a": "t-0 t-1",
        "b": "t-3 t-4",
        "c": "t-2 t-5",
    }


def test_with_different_wishes_the_documented_example_comes_out() -> None:
    counts = {"t0": 1, "t1": 2, "t2": 3}
    wishes = [member("c0", "t0"), member("c1", "t0 t1"), member("c2", "t0 t1 t2")]
    assert shown(assign_sticky(counts, wishes)) == {
        "c0": "t0-0",
        "c1": "t1-0 t1-1",
        "c2": "t2-0 t2-1 t2-2",
    }
    after = [member("c1", "t0 t1", "t1-0 t1-1"), member("c2", "t0 t1 t2", "t2-0 t2-1 t2-2")]
    assert shown(assign_sticky(counts, after)) == {
        "c1": "t0-0 t1-0 t1-1",
        "c2": "t2-0 t2-1 t2-2",
    }


def test_a_claim_from_an_earlier_generation_loses() -> None:
    wishes = [member("a", "t", "t-0 t-1", generation=1), member("b", "t", "t-0 t-1", generation=2)]
    assert shown(assign_sticky({"t": 2}, wishes)) == {"a": "t-1", "b": "t-0"}


def test_two_claims_of_one_generation_are_void() -> None:
    wishes = [member("a", "t", "t-0"), member("b", "t", "t-0")]
    assert shown(assign_sticky({"t": 2}, wishes)) == {"a": "t-0", "b": "t-1"}
    assert shown(assign_cooperative({"t": 2}, wishes)) == {"a": "", "b": "t-1"}


def test_cooperative_members_do_not_get_what_others_still_hold() -> None:
    first = assign_cooperative({"t": 4}, [member("a", "t", "t-0 t-1 t-2 t-3"), member("b", "t")])
    assert shown(first) == {"a": "t-0 t-1", "b": ""}
    then = assign_cooperative({"t": 4}, [member("a", "t", "t-0 t-1"), member("b", "t")])
    assert shown(then) == {"a": "t-0 t-1", "b": "t-2 t-3"}


def test_partitions_that_are_gone_are_not_kept() -> None:
    assert shown(assign_sticky({"t": 1}, [member("a", "t u", "t-0 t-7 u-0")])) == {"a": "t-0"}
    assert assign_sticky({}, [member("a", "t")]) == {"a": []}
    assert assign_sticky({"t": 3}, []) == {}


TOPICS = ("t0", "t1", "t2", "t3")
COUNTS = st.dictionaries(st.sampled_from(TOPICS), st.integers(1, 7), min_size=1)
NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
SAME = st.lists(NAMES, unique=True, min_size=1).map(
    lambda names: [member(name, " ".join(TOPICS)) for name in names]
)
MIXED = st.dictionaries(
    NAMES, st.sets(st.sampled_from(TOPICS), min_size=1), min_size=1, max_size=5
).map(lambda wishes: [member(name, " ".join(sorted(of))) for name, of in sorted(wishes.items())])
GROUPS = SAME | MIXED


def with_owned(members: list[GroupMember], before: Assignment) -> list[GroupMember]:
    return [
        GroupMember(
            member_id=one.member_id,
            topics=one.topics,
            owned=tuple(before.get(one.member_id, ())),
            generation=1,
        )
        for one in members
    ]


def check_whole(counts: Mapping[str, int], members: list[GroupMember], done: Assignment) -> None:
    """Everything that is wanted is somebody's who wants it, and only one's."""
    wanted = {topic for one in members for topic in one.topics}
    expected = [
        TopicPartition(topic, part)
        for topic in sorted(counts.keys() & wanted)
        for part in range(counts[topic])
    ]
    assert sorted(part for parts in done.values() for part in parts) == expected
    for one in members:
        assert all(part.topic in one.topics for part in done[one.member_id])


@given(COUNTS, GROUPS, GROUPS)
@settings(max_examples=150, deadline=None)
def test_every_partition_has_one_owner_before_and_after_a_change(
    counts: dict[str, int], before: list[GroupMember], after: list[GroupMember]
) -> None:
    first = assign_sticky(counts, before)
    check_whole(counts, before, first)
    check_whole(counts, after, assign_sticky(counts, with_owned(after, first)))


@given(COUNTS, GROUPS)
@settings(max_examples=100, deadline=None)
def test_what_is_balanced_is_left_alone(counts: dict[str, int], members: list[GroupMember]) -> None:
    first = assign_sticky(counts, members)
    again = assign_sticky(counts, with_owned(members, first))
    assert shown(again) == shown(first)


@given(COUNTS, SAME, SAME)
@settings(max_examples=100, deadline=None)
def test_equal_wishes_differ_by_one_and_move_as_little_as_can_be(
    counts: dict[str, int], before: list[GroupMember], after: list[GroupMember]
) -> None:
    first = assign_sticky(counts, before)
    done = assign_sticky(counts, with_owned(after, first))
    sizes = [len(parts) for parts in done.values()]
    assert max(sizes) - min(sizes) <= 1
    # Whoever has no more than its share keeps all of it.
    share = sum(counts.values()) // len(after)
    for one in after:
        had = first.get(one.member_id, [])
        kept = set(had) & set(done[one.member_id])
        assert len(kept) >= min(len(had), share)


@given(COUNTS, GROUPS)
@settings(max_examples=100, deadline=None)
def test_nobody_can_be_relieved_by_one_who_could_read_it(
    counts: dict[str, int], members: list[GroupMember]
) -> None:
    done = assign_sticky(counts, members)
    for giver in members:
        for taker in members:
            if len(done[giver.member_id]) > len(done[taker.member_id]) + 1:
                assert not any(part.topic in taker.topics for part in done[giver.member_id])


@given(COUNTS, GROUPS, GROUPS)
@settings(max_examples=100, deadline=None)
def test_two_cooperative_rounds_come_to_rest(
    counts: dict[str, int], before: list[GroupMember], after: list[GroupMember]
) -> None:
    owned = assign_sticky(counts, before)
    for _ in range(4):
        members = with_owned(after, owned)
        done = assign_cooperative(counts, members)
        held = {part for parts in owned.values() for part in parts}
        for one in members:
            for part in done[one.member_id]:
                others = {p for m in members if m is not one for p in m.owned}
                assert part not in others, "given to one while another still reads it"
        assert held is not None
        owned = done
    check_whole(counts, after, owned)


def test_many_members_with_different_wishes_are_assigned_in_bounded_time() -> None:
    counts = {f"t{number}": 6 for number in range(30)}
    wishes = [
        member(f"m{number}", " ".join(f"t{(number + step) % 30}" for step in range(5)))
        for number in range(30)
    ]
    check_whole(counts, wishes, assign_sticky(counts, wishes))


@pytest.mark.parametrize("assign", [assign_sticky, assign_cooperative])
def test_the_order_in_which_members_are_named_does_not_matter(assign: object) -> None:
    assert callable(assign)
    wishes = [member("a", "t"), member("b", "t u"), member("c", "u")]
    counts = {"t": 3, "u": 4}
    assert shown(assign(counts, wishes)) == shown(assign(counts, wishes[::-1]))
