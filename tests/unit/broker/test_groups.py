"""Groups on a whole node, from bytes to bytes: members come, go, are fenced, and nothing is lost."""

import pytest

from ottla.core.event import Ticked
from ottla.errors import ErrorCode
from tests.unit.broker.group_house import (
    DELAY_MS,
    SESSION_MS,
    Member,
    complete,
    coordinated,
    described,
    make_topic,
    stable,
)
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk


@pytest.fixture
def node() -> WholeNode:
    return WholeNode(MemoryDisk(NOW_MS), "offsets.topic.num.partitions=5")


def check(node: WholeNode) -> None:
    node.node.groups.check_invariants()


def test_three_members_share_one_generation(node: WholeNode) -> None:
    coordinated(node)
    members = [Member(node) for _ in range(3)]
    stable(node, *members)
    assert {one.generation for one in members} == {1}
    leader = next(one for one in members if one.leads)
    assert sorted(leader.members) == sorted(one.member_id for one in members)
    assert [one.members for one in members if not one.leads] == [[], []]
    assert [one.heartbeat() for one in members] == [0, 0, 0]
    check(node)


def test_a_first_join_gets_an_id_before_it_is_admitted(node: WholeNode) -> None:
    coordinated(node)
    member = Member(node)
    first = member.peer.send(member.request(), 9)
    node.flush()
    answer = member.peer.answer(first)
    assert answer.error_code == ErrorCode.MEMBER_ID_REQUIRED  # type: ignore[union-attr]
    assert answer.member_id.startswith("a test-")  # type: ignore[union-attr]
    assert described(node.connect()).group_state == "Empty"
    # Its id is good for one session; afterwards nobody knows it.
    node.pass_time(SESSION_MS)
    member.member_id = answer.member_id  # type: ignore[union-attr]
    assert member.join().error == ErrorCode.UNKNOWN_MEMBER_ID
    check(node)


def test_who_was_given_an_id_is_waited_for(node: WholeNode) -> None:
    coordinated(node)
    old = Member(node)
    stable(node, old)
    new = Member(node)
    first = new.peer.send(new.request(), 9)
    node.flush()
    new.member_id = new.peer.answer(first).member_id  # type: ignore[union-attr]
    old.join()
    assert old.error is None
    new.join()
    complete(old, new)


@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_old_clients_are_admitted_at_once(node: WholeNode, version: int) -> None:
    coordinated(node)
    member = Member(node, version=version).join()
    node.pass_time(DELAY_MS)
    assert member.joined().generation_id == 1


def test_the_first_join_of_a_group_waits_for_others_but_not_for_ever(node: WholeNode) -> None:
    coordinated(node)
    first = Member(node, rebalance_ms=7_000).join()
    node.pass_time(DELAY_MS - 1)
    assert first.error is None
    second = Member(node, rebalance_ms=7_000).join()  # somebody new: the wait is prolonged
    node.pass_time(1)
    assert first.error is None
    node.pass_time(DELAY_MS - 1)
    third = Member(node, rebalance_ms=7_000).join()
    node.pass_time(1)
    assert first.error is None
    node.pass_time(1_000)  # the rebalance timeout is the bound
    assert [one.joined().generation_id for one in (first, second, third)] == [1, 1, 1]


def test_without_a_delay_a_group_begins_at_once() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "group.initial.rebalance.delay.ms=0")
    coordinated(node)
    member = Member(node).join()
    node.pass_time(1)
    assert member.joined().generation_id == 1


def test_a_new_member_makes_all_join_again(node: WholeNode) -> None:
    coordinated(node)
    old = Member(node)
    stable(node, old)
    new = Member(node).join()
    assert new.error is None
    assert old.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS
    old.join()
    complete(old, new)
    assert (old.generation, new.generation) == (2, 2)
    assert old.leads
    check(node)


def test_members_that_do_not_join_again_are_out(node: WholeNode) -> None:
    coordinated(node)
    silent, other = Member(node, session_ms=100_000), Member(node)
    stable(node, silent, other)
    new = Member(node).join()
    other.join()
    for _ in range(6):
        node.pass_time(9_999)
        assert new.error is None
    node.pass_time(6)
    complete(other, new)
    assert silent.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
    check(node)


def test_a_member_whose_session_ends_is_out(node: WholeNode) -> None:
    coordinated(node)
    silent, other = Member(node), Member(node, session_ms=60_000)
    stable(node, silent, other)
    node.pass_time(SESSION_MS - 2 * DELAY_MS)
    assert other.heartbeat() == 0
    node.pass_time(2 * DELAY_MS)
    assert other.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS
    other.join()
    complete(other)
    assert other.leads
    check(node)


def test_nobody_is_expired_while_its_own_call_is_parked(node: WholeNode) -> None:
    coordinated(node)
    leader, follower = Member(node, session_ms=60_000), Member(node)
    for one in (leader, follower):
        one.join()
    node.pass_time(2 * DELAY_MS)
    for one in (leader, follower):
        one.joined()
    follower.sync()
    node.pass_time(3 * SESSION_MS)
    assert follower.sync_answer() is None
    leader.sync()
    assert follower.synced() == follower.member_id.encode()
    assert follower.heartbeat() == 0


def test_who_never_syncs_is_out(node: WholeNode) -> None:
    coordinated(node)
    leader, silent = Member(node, session_ms=200_000), Member(node, session_ms=200_000)
    for one in (leader, silent):
        one.join()
    node.pass_time(2 * DELAY_MS)
    leader.joined()
    silent.joined()
    leader.sync()
    assert leader.synced() == leader.member_id.encode()
    node.pass_time(60_000)
    assert leader.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS
    leader.join()
    complete(leader)
    assert silent.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
    check(node)


def test_a_rebalance_sends_away_who_waits_for_an_assignment(node: WholeNode) -> None:
    coordinated(node)
    leader, follower = Member(node), Member(node)
    for one in (leader, follower):
        one.join()
    node.pass_time(2 * DELAY_MS)
    leader.joined()
    follower.joined()
    follower.sync()
    new = Member(node).join()
    answer = follower.sync_answer()
    assert answer is not None
    assert answer.error_code == ErrorCode.REBALANCE_IN_PROGRESS
    leader.join()
    follower.join()
    complete(leader, follower, new)
    check(node)


def test_leaving_makes_room_and_the_last_one_leaves_an_empty_group(node: WholeNode) -> None:
    coordinated(node)
    one, two = Member(node), Member(node)
    stable(node, one, two)
    assert one.leave() == 0
    assert one.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
    two.join()
    complete(two)
    assert two.leave() == 0
    group = described(node.connect())
    assert (group.group_state, group.protocol_type, len(group.members)) == ("Empty", "consumer", 0)
    check(node)


def test_a_leader_that_joins_again_rebalances_and_a_follower_does_not(node: WholeNode) -> None:
    coordinated(node)
    members = [Member(node), Member(node)]
    stable(node, *members)
    leader, follower = sorted(members, key=lambda one: not one.leads)
    assert follower.join().joined().generation_id == 1
    assert leader.join().error is None
    follower.join()
    complete(leader, follower)
    assert leader.generation == 2


def test_a_join_whose_answer_was_lost_is_answered_again(node: WholeNode) -> None:
    coordinated(node)
    one, two = Member(node), Member(node)
    for member in (one, two):
        member.join()
    node.pass_time(2 * DELAY_MS)
    first = one.joined()
    again = one.join().joined()
    assert (again.generation_id, len(again.members)) == (1, len(first.members))


def test_a_second_join_of_a_member_ends_the_first(node: WholeNode) -> None:
    coordinated(node)
    one, two = Member(node), Member(node)
    stable(node, one, two)
    one.join() if one.leads else two.join()
    who = one if one.leads else two
    twin = Member(node)
    twin.member_id = who.member_id
    twin.join()
    assert who.error == ErrorCode.REBALANCE_IN_PROGRESS
    assert twin.error is None
    check(node)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"group": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"session_ms": 5_999}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_ms": 1_800_001}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"kind": ""}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
        ({"protocols": ()}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_a_join_that_makes_no_sense_is_refused_and_makes_no_group(
    node: WholeNode, change: dict[str, object], error: ErrorCode
) -> None:
    coordinated(node)
    member = Member(node, **change)  # type: ignore[arg-type]
    assert member.join().error == error
    assert described(node.connect(), member.group).group_state == "Dead"


@pytest.mark.parametrize("change", [{"kind": "connect"}, {"protocols": ("sticky",)}])
def test_who_has_nothing_in_common_with_the_group_is_refused(
    node: WholeNode, change: dict[str, object]
) -> None:
    coordinated(node)
    stable(node, Member(node))
    member = Member(node, **change)  # type: ignore[arg-type]
    assert member.join().error == ErrorCode.INCONSISTENT_GROUP_PROTOCOL


def test_the_protocol_is_one_that_all_know_by_vote(node: WholeNode) -> None:
    coordinated(node)
    preferences = [("a", "b", "c"), ("b", "a"), ("b", "c", "a")]
    members = [Member(node, protocols=one).join() for one in preferences]
    node.pass_time(2 * DELAY_MS)
    assert {one.joined().protocol_name for one in members} == {"b"}


def test_any_protocol_type_is_carried_unread(node: WholeNode) -> None:
    coordinated(node)
    worker = Member(node, kind="connect", protocols=("sessioned",), metadata=b"\xff\x00opaque")
    worker.join()
    node.pass_time(2 * DELAY_MS)
    assert worker.joined().members[0].metadata == b"\xff\x00opaque"
    worker.sync({worker.member_id: b"\x00\xff"})
    assert worker.synced() == b"\x00\xff"


def test_a_group_is_no_larger_than_it_may_be() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "group.max.size=2")
    coordinated(node)
    members = [Member(node, version=3).join() for _ in range(3)]
    assert [one.error for one in members] == [None, None, ErrorCode.GROUP_MAX_SIZE_REACHED]
    node.pass_time(2 * DELAY_MS)
    complete(*members[:2])
    late = Member(node).join()
    assert late.error == ErrorCode.GROUP_MAX_SIZE_REACHED
    check(node)


def test_ids_are_given_out_only_as_many_as_may_come() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "group.max.size=2")
    coordinated(node)
    errors = []
    for _ in range(3):
        member = Member(node)
        sent = member.peer.send(member.request(), 9)
        node.flush()
        errors.append(member.peer.answer(sent).error_code)  # type: ignore[union-attr]
    assert errors == [ErrorCode.MEMBER_ID_REQUIRED] * 2 + [ErrorCode.GROUP_MAX_SIZE_REACHED]


# --- static members ---------------------------------------------------------------------------------


def test_a_static_member_comes_back_without_a_rebalance(node: WholeNode) -> None:
    coordinated(node)
    other, static = Member(node), Member(node, instance="i")
    stable(node, other, static)
    old_id, assignment = static.member_id, static.synced()
    static.member_id = ""
    assert static.join().joined().generation_id == 1
    assert static.member_id != old_id
    assert static.sync().synced() == assignment
    assert other.heartbeat() == 0
    check(node)


@pytest.mark.parametrize("version", [5, 8, 9])
def test_a_static_leader_that_comes_back_does_not_assign(node: WholeNode, version: int) -> None:
    coordinated(node)
    leader = Member(node, instance="i")
    stable(node, leader)
    back = Member(node, instance="i", version=version).join()
    answer = back.joined()
    assert back.leads == (version >= 9)
    assert answer.skip_assignment == (version >= 9)
    assert back.sync({}).synced() == leader.member_id.encode()


def test_two_with_one_name_the_second_fences_the_first(node: WholeNode) -> None:
    coordinated(node)
    other, first = Member(node), Member(node, instance="i")
    stable(node, other, first)
    second = Member(node, instance="i").join()
    second.joined()
    assert first.heartbeat() == ErrorCode.FENCED_INSTANCE_ID
    assert first.commit(1) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    make_topic(node.connect(), "t")
    assert first.commit(1) == ErrorCode.FENCED_INSTANCE_ID
    assert first.join().error == ErrorCode.FENCED_INSTANCE_ID
    assert first.sync().sync_answer().error_code == ErrorCode.FENCED_INSTANCE_ID  # type: ignore[union-attr]
    assert first.leave() == ErrorCode.FENCED_INSTANCE_ID
    assert second.heartbeat() == 0


def test_a_parked_join_of_the_one_that_is_fenced_is_answered(node: WholeNode) -> None:
    coordinated(node)
    first = Member(node, instance="i").join()
    second = Member(node, instance="i").join()
    assert first.error == ErrorCode.FENCED_INSTANCE_ID
    node.pass_time(2 * DELAY_MS)
    complete(second)
    check(node)


def test_a_static_member_that_is_late_keeps_its_place(node: WholeNode) -> None:
    coordinated(node)
    other = Member(node, session_ms=200_000)
    static = Member(node, instance="i", session_ms=200_000)
    stable(node, other, static)
    new = Member(node).join()
    other.join()
    node.pass_time(60_000)
    assert len(other.joined().members) == 3 or len(new.joined().members) == 3
    assert described(node.connect()).group_state == "CompletingRebalance"
    assert static.heartbeat() == ErrorCode.ILLEGAL_GENERATION
    check(node)


def test_late_static_members_are_not_looked_for_all_the_time(node: WholeNode) -> None:
    coordinated(node)
    static = Member(node, instance="i", rebalance_ms=1).join()
    node.pass_time(DELAY_MS)
    static.joined()
    static.sync()
    other = Member(node, rebalance_ms=1).join()
    node.pass_time(1)
    other.joined()
    other.sync()
    other.leave()
    end_ms, ticks = node.now_ms + SESSION_MS, 0
    while (due_ms := node.node.next_deadline_ms()) is not None and due_ms < end_ms:
        node.now_ms = max(node.now_ms, due_ms)
        node.step(Ticked())
        ticks += 1
    assert ticks < 20
    check(node)


def test_a_static_leader_of_several_leads_on_under_its_new_id(node: WholeNode) -> None:
    coordinated(node)
    leader, other = Member(node, instance="i"), Member(node)
    stable(node, leader, other)
    assert leader.leads
    back = Member(node, instance="i").join()
    answer = back.joined()
    assert back.leads
    assert [one.member_id for one in answer.members] == [other.member_id, back.member_id]


def test_a_static_member_that_comes_back_still_has_to_sync(node: WholeNode) -> None:
    coordinated(node)
    leader = Member(node, session_ms=200_000)
    static = Member(node, instance="i", session_ms=200_000)
    for one in (leader, static):
        one.join()
    node.pass_time(2 * DELAY_MS)
    leader.joined()
    leader.sync()
    back = Member(node, instance="i", session_ms=200_000).join()
    back.joined()
    node.pass_time(60_000)
    assert back.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
    assert leader.heartbeat() == ErrorCode.REBALANCE_IN_PROGRESS


def test_the_parked_join_of_one_that_is_removed_is_answered(node: WholeNode) -> None:
    coordinated(node)
    static = Member(node, instance="i").join()
    assert static.error is None
    admin = Member(node, instance="i")
    assert admin.leave() == 0
    assert static.error == ErrorCode.UNKNOWN_MEMBER_ID


def test_the_first_join_of_a_new_member_is_not_parked_for_ever(node: WholeNode) -> None:
    coordinated(node)
    old = Member(node, session_ms=1_000_000, rebalance_ms=1_000_000)
    stable(node, old)
    new = Member(node, session_ms=6_000, rebalance_ms=1_000_000).join()
    node.pass_time(299_999)
    assert new.error is None  # its session has not begun
    node.pass_time(1)
    assert new.error == ErrorCode.UNKNOWN_MEMBER_ID
    old.join()
    complete(old)
    check(node)


def test_a_static_member_with_other_protocols_rebalances(node: WholeNode) -> None:
    coordinated(node)
    other = Member(node, protocols=("a", "b"))
    static = Member(node, instance="i", protocols=("a", "b"))
    stable(node, other, static)
    back = Member(node, instance="i", protocols=("b",)).join()
    assert back.error is None
    other.join()
    assert {other.joined().protocol_name, back.joined().protocol_name} == {"b"}


def test_an_administrator_removes_a_static_member_by_name(node: WholeNode) -> None:
    coordinated(node)
    static = Member(node, instance="i")
    stable(node, static)
    admin = Member(node, instance="i")
    assert admin.leave() == 0
    assert static.heartbeat() == ErrorCode.UNKNOWN_MEMBER_ID
    assert admin.leave() == ErrorCode.UNKNOWN_MEMBER_ID
