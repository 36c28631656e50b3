"""One member's way through its group, driven by hand: no broker, no clock."""

from dataclasses import replace

import pytest

from ottla.client.consume.options import COOPERATIVE_STICKY, ConsumerOptions
from ottla.client.member.membership import (
    NO_GENERATION,
    FindAsk,
    GroupAsk,
    HeartbeatAsk,
    JoinAsk,
    Membership,
    Phase,
    Preparation,
    SyncAsk,
)
from ottla.client.member.offsets import Fenced
from ottla.client.member.protocol import assigned_untrusted, assignment, member_untrusted
from ottla.errors import ApiError, ErrorCode, LocalProtocolError, RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.heartbeat import HeartbeatResponse
from ottla.wire.message.join_group import JoinGroupResponse, JoinGroupResponseMember
from ottla.wire.message.sync_group import SyncGroupResponse
from tests.unit.client.clusters import cluster

T0, T1, T2 = (TopicPartition("t", number) for number in range(3))
OPTIONS = ConsumerOptions(
    group_id="g",
    assignors=("range",),
    session_timeout_ms=10_000,
    heartbeat_interval_ms=3_000,
    poll_interval_ms_max=60_000,
)
COOPERATIVE = replace(OPTIONS, assignors=(COOPERATIVE_STICKY,))
STATIC = replace(OPTIONS, group_instance_id="i")


class Scene:
    """A member, and a coordinator (broker 1) that says what a test wants."""

    def __init__(self, options: ConsumerOptions = OPTIONS) -> None:
        self.now_ms = 1_000
        self.assignor = options.assignors[0]
        self.member = Membership(options)
        self.member.subscribe(frozenset({"t"}))
        self.member.polled(self.now_ms)

    def asks(self) -> list[GroupAsk]:
        return self.member.asks(self.now_ms)

    def only(self) -> GroupAsk:
        [ask] = self.asks()
        return ask

    def join(self) -> JoinAsk:
        """The JoinGroup that is sent next, looking for the coordinator where it is unknown."""
        ask = self.only()
        if isinstance(ask, FindAsk):
            self.member.found(1)
            ask = self.only()
        assert isinstance(ask, JoinAsk)
        return ask

    def joined(
        self,
        ask: JoinAsk,
        generation: int = 1,
        *,
        leads: bool = False,
        skips: bool = False,
        code: int = 0,
    ) -> None:
        members = []
        if leads:
            metadata = {one.name: one.metadata for one in ask.request.protocols}[self.assignor]
            members = [JoinGroupResponseMember("me", None, metadata)]
        answer = JoinGroupResponse(
            error_code=code,
            generation_id=generation,
            protocol_name=self.assignor,
            leader="me" if leads else "other",
            skip_assignment=skips,
            member_id="me",
            members=members,
        )
        self.member.joined_untrusted(ask, answer, self.now_ms)

    def synced(self, ask: GroupAsk, *places: TopicPartition, code: int = 0) -> None:
        assert isinstance(ask, SyncAsk)
        answer = SyncGroupResponse(error_code=code, assignment=assignment(places))
        self.member.synced_untrusted(ask, answer, self.now_ms)

    def settle(self, *places: TopicPartition, generation: int = 1) -> None:
        """A member in peace, with these partitions."""
        self.member.prepared(())
        self.joined(self.join(), generation)
        self.synced(self.only(), *places)
        assert self.member.take_assignment() == places

    def beat(self, code: int = 0) -> None:
        """Time passes until the heartbeat, which is answered with this."""
        self.now_ms = max(self.now_ms, self.member.next_ms or 0)
        self.member.polled(self.now_ms)
        ask = self.only()
        assert isinstance(ask, HeartbeatAsk)
        self.member.beaten(ask, HeartbeatResponse(error_code=code), self.now_ms)


def test_nothing_is_asked_before_the_owner_is_prepared_but_who_coordinates() -> None:
    scene = Scene()
    assert scene.member.must_prepare is Preparation.REVOKE
    assert scene.only() == FindAsk("g")
    scene.member.found(1)
    assert scene.asks() == []
    scene.member.prepared(())
    ask = scene.join()
    assert (ask.request.session_timeout_ms, ask.request.rebalance_timeout_ms) == (10_000, 60_000)
    assert [one.name for one in ask.request.protocols] == ["range"]
    assert ask.timeout_ms == 65_000
    assert scene.asks() == []


def test_a_member_id_that_is_given_is_joined_with() -> None:
    scene = Scene()
    scene.member.prepared(())
    ask = scene.join()
    assert ask.request.member_id == ""
    scene.joined(ask, code=ErrorCode.MEMBER_ID_REQUIRED)
    again = scene.join()
    assert again.request.member_id == "me"


def test_the_leader_assigns_when_it_knows_the_topics() -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.joined(scene.join(), leads=True)
    assert scene.member.must_know == {"t"}
    assert scene.asks() == []
    scene.member.knows(cluster(1, 1, 1))
    ask = scene.only()
    assert isinstance(ask, SyncAsk)
    [one] = ask.request.assignments
    assert assigned_untrusted(one.assignment) == (T0, T1, T2)
    scene.synced(ask, T0, T1, T2)
    assert scene.member.take_assignment() == (T0, T1, T2)
    assert scene.member.take_assignment() is None
    assert scene.member.phase is Phase.MEMBER


def test_the_leader_has_everybody_join_again_when_a_topic_grew() -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.joined(scene.join(), leads=True)
    scene.member.knows(cluster(1, 1))
    scene.synced(scene.only(), T0, T1)
    scene.member.take_assignment()
    scene.member.cluster_changed(cluster(1, 2))
    assert scene.member.must_prepare is None, "who leads a partition is no matter of the group"
    scene.member.cluster_changed(cluster(1, 1, 1))
    assert scene.member.must_prepare is Preparation.REVOKE


def test_a_static_leader_that_came_back_does_not_assign_but_watches() -> None:
    scene = Scene(STATIC)
    scene.member.prepared(())
    scene.joined(scene.join(), leads=True, skips=True)
    ask = scene.only()
    assert isinstance(ask, SyncAsk)
    assert ask.request.assignments == []
    scene.synced(ask, T0)
    scene.member.take_assignment()
    scene.member.cluster_changed(cluster(1))
    assert scene.member.must_prepare is None
    scene.member.cluster_changed(cluster(1, 1))
    assert scene.member.must_prepare is Preparation.REVOKE


def test_who_does_not_lead_syncs_without_assignments_and_watches_nothing() -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.joined(scene.join())
    ask = scene.only()
    assert isinstance(ask, SyncAsk)
    assert (ask.request.assignments, ask.request.protocol_name) == ([], "range")
    scene.synced(ask, T1)
    scene.member.take_assignment()
    scene.member.cluster_changed(cluster(1, 1, 1, 1))
    assert scene.member.phase is Phase.MEMBER


def test_heartbeats_come_in_time_and_one_at_a_time() -> None:
    scene = Scene()
    scene.settle(T0)
    assert scene.asks() == []
    assert scene.member.next_ms == 4_000
    scene.now_ms = 4_000
    ask = scene.only()
    assert isinstance(ask, HeartbeatAsk)
    assert (ask.request.generation_id, ask.request.member_id) == (1, "me")
    assert scene.asks() == []
    scene.member.beaten(ask, HeartbeatResponse(), 4_100)
    assert scene.member.next_ms == 7_100


def test_a_rebalance_is_noticed_by_heartbeat_and_heartbeats_go_on_until_the_join() -> None:
    scene = Scene()
    scene.settle(T0)
    scene.beat(ErrorCode.REBALANCE_IN_PROGRESS)
    assert scene.member.must_prepare is Preparation.REVOKE
    scene.beat(ErrorCode.REBALANCE_IN_PROGRESS)
    scene.member.prepared(())
    ask = scene.join()
    assert (ask.request.member_id, ask.request.reason) == ("me", "the group is rebalancing")
    scene.now_ms += 5_000
    assert scene.asks() == [], "whoever waits for its join is not expected to say anything"


def test_cooperative_members_keep_what_they_have_and_say_so() -> None:
    scene = Scene(COOPERATIVE)
    scene.settle(T0, T1)
    scene.beat(ErrorCode.REBALANCE_IN_PROGRESS)
    assert scene.member.must_prepare is Preparation.KEEP
    scene.member.prepared((T0, T1))
    ask = scene.join()
    told = member_untrusted(
        COOPERATIVE_STICKY, JoinGroupResponseMember("me", None, ask.request.protocols[0].metadata)
    )
    assert (told.owned, told.generation) == ((T0, T1), 1)


def test_one_eager_assignor_makes_all_eager() -> None:
    scene = Scene(replace(OPTIONS, assignors=(COOPERATIVE_STICKY, "range")))
    assert scene.member.must_prepare is Preparation.REVOKE


@pytest.mark.parametrize(
    ("code", "member_id"),
    [(ErrorCode.UNKNOWN_MEMBER_ID, ""), (ErrorCode.ILLEGAL_GENERATION, "me")],
)
def test_who_was_thrown_out_has_lost_everything_and_joins_again(code: int, member_id: str) -> None:
    scene = Scene()
    scene.settle(T0)
    scene.beat(code)
    assert scene.member.must_prepare is Preparation.LOST
    assert scene.member.who.generation_id == -1
    scene.member.prepared(())
    assert scene.join().request.member_id == member_id


def test_a_heartbeat_of_an_earlier_generation_changes_nothing() -> None:
    scene = Scene()
    scene.settle(T0)
    scene.now_ms = 4_000
    old = scene.only()
    assert isinstance(old, HeartbeatAsk)
    scene.member.rejoin("for a reason")
    scene.settle(T1, generation=2)
    scene.member.beaten(old, HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID), 4_000)
    assert scene.member.phase is Phase.MEMBER


def test_a_coordinator_that_moved_is_looked_for_and_told_of_the_same_member() -> None:
    scene = Scene()
    scene.settle(T0)
    scene.beat(ErrorCode.NOT_COORDINATOR)
    assert scene.only() == FindAsk("g")
    scene.member.found(2)
    scene.now_ms += 100
    ask = scene.only()
    assert isinstance(ask, HeartbeatAsk)
    assert (ask.broker_id, ask.request.member_id) == (2, "me")
    assert scene.member.phase is Phase.MEMBER


def test_a_lost_connection_is_a_coordinator_to_be_looked_for() -> None:
    scene = Scene()
    scene.settle(T0)
    scene.now_ms = 4_000
    scene.member.lost(scene.only(), scene.now_ms)
    assert scene.asks() == []
    scene.now_ms += 100
    find = scene.only()
    assert isinstance(find, FindAsk)
    scene.member.not_found(ApiError(ErrorCode.COORDINATOR_NOT_AVAILABLE), scene.now_ms)
    assert scene.member.trouble is None
    assert scene.asks() == []
    scene.now_ms += 100
    assert isinstance(scene.only(), FindAsk)


def test_a_join_or_sync_without_an_answer_is_made_again() -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.member.lost(scene.join(), scene.now_ms)
    scene.now_ms += 100
    ask = scene.join()
    scene.joined(ask)
    scene.member.lost(scene.only(), scene.now_ms)
    scene.now_ms += 100
    assert scene.join().request.member_id == "me"


def test_a_sync_into_the_next_round_joins_again_with_what_was_prepared() -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.joined(scene.join())
    scene.synced(scene.only(), code=ErrorCode.REBALANCE_IN_PROGRESS)
    assert scene.member.must_prepare is None
    scene.join()


def test_a_round_is_not_broken_off_but_followed_by_another() -> None:
    scene = Scene()
    scene.member.prepared(())
    ask = scene.join()
    scene.member.subscribe(frozenset({"t", "u"}))
    scene.joined(ask)
    scene.synced(scene.only(), T0)
    assert scene.member.must_prepare is None
    assert scene.member.take_assignment() == (T0,)
    assert scene.member.must_prepare is Preparation.REVOKE
    scene.member.prepared(())
    metadata = scene.join().request.protocols[0].metadata
    told = member_untrusted("range", JoinGroupResponseMember("me", None, metadata))
    assert told.topics == ("t", "u")


def test_an_answer_to_a_round_that_was_given_up_changes_nothing() -> None:
    scene = Scene()
    scene.member.prepared(())
    ask = scene.join()
    scene.member.unsubscribe("bye")
    scene.joined(ask)
    assert scene.member.phase is Phase.OUT
    assert scene.asks() == []


def test_who_does_not_poll_leaves_and_joins_with_the_next_poll() -> None:
    scene = Scene()
    scene.settle(T0)
    for _ in range(19):
        scene.now_ms += 3_000
        [ask] = scene.asks()
        assert isinstance(ask, HeartbeatAsk)
        scene.member.beaten(ask, HeartbeatResponse(), scene.now_ms)
    scene.now_ms = 61_001
    assert scene.asks() == []
    assert scene.member.must_leave is not None
    assert scene.member.must_prepare is Preparation.LOST
    request = scene.member.leave_request("a reason", 5)
    assert [one.member_id for one in request.members] == ["me"]
    assert scene.member.leave_request("a reason", 2).member_id == "me"
    scene.member.prepared(())
    assert scene.asks() == [], "first the coordinator forgets who this was"
    scene.member.left()
    assert scene.join().request.member_id == ""


def test_static_members_say_who_they_are_and_do_not_leave() -> None:
    scene = Scene(STATIC)
    scene.settle(T0)
    scene.member.unsubscribe("bye")
    assert scene.member.must_leave is None
    scene = Scene(STATIC)
    scene.member.prepared(())
    ask = scene.join()
    assert ask.request.group_instance_id == "i"
    scene.joined(ask)
    sync = scene.only()
    assert isinstance(sync, SyncAsk)
    assert sync.request.group_instance_id == "i"


def test_a_fenced_member_is_out_for_good() -> None:
    scene = Scene(STATIC)
    scene.settle(T0)
    scene.beat(ErrorCode.FENCED_INSTANCE_ID)
    assert isinstance(scene.member.trouble, Fenced)
    assert scene.asks() == []
    assert scene.member.next_ms is None


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
        ErrorCode.GROUP_AUTHORIZATION_FAILED,
        ErrorCode.GROUP_MAX_SIZE_REACHED,
    ],
)
def test_a_join_that_is_refused_is_a_trouble_and_tried_again_later(code: int) -> None:
    scene = Scene()
    scene.member.prepared(())
    scene.joined(scene.join(), code=code)
    trouble = scene.member.trouble
    assert isinstance(trouble, ApiError)
    assert trouble.code == code
    assert scene.asks() == []
    scene.now_ms += 100
    scene.join()


def test_a_leader_that_cannot_read_a_member_assigns_nothing_to_anybody() -> None:
    scene = Scene()
    scene.member.prepared(())
    ask = scene.join()
    members = [JoinGroupResponseMember("me", None, b"\xff")]
    answer = JoinGroupResponse(
        generation_id=1, protocol_name="range", leader="me", member_id="me", members=members
    )
    with pytest.raises(RemoteProtocolError):
        scene.member.joined_untrusted(ask, answer, scene.now_ms)
    scene.member.lost(ask, scene.now_ms)
    assert scene.member.phase is Phase.JOIN
    assert scene.member.generation_id == NO_GENERATION


def test_an_assignor_that_was_not_offered_is_refused() -> None:
    scene = Scene()
    scene.member.prepared(())
    ask = scene.join()
    scene.assignor = "strange"
    with pytest.raises(RemoteProtocolError, match="'strange'"):
        scene.joined(ask)


def test_a_silent_coordinator_is_looked_for_after_the_session() -> None:
    scene = Scene()
    scene.settle(T0)
    scene.now_ms = 4_000
    assert isinstance(scene.only(), HeartbeatAsk)
    scene.now_ms = 12_000
    scene.member.polled(scene.now_ms)
    assert scene.asks() == [FindAsk("g")]


def test_options_that_cannot_work_are_refused() -> None:
    for wrong in (
        {"assignors": ("rang",)},
        {"assignors": ()},
        {"group_instance_id": "i", "group_id": None},
        {"heartbeat_interval_ms": 10_000},
    ):
        with pytest.raises(LocalProtocolError):
            replace(OPTIONS, **wrong)  # type: ignore[arg-type]
