"""What tools ask about groups, and every version of every API of groups on the wire."""

from collections.abc import Callable

import pytest

from ottla.broker.handle import (
    delete_groups,
    describe_groups,
    heartbeat,
    join_group,
    leave_group,
    list_groups,
    offset_commit,
    offset_delete,
    offset_fetch,
    sync_group,
)
from ottla.core.metadata.reach import GROUP_OPERATIONS
from ottla.errors import ErrorCode
from ottla.wire.api import APIS, Message
from ottla.wire.message.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.message.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.message.heartbeat import HeartbeatRequest
from ottla.wire.message.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.message.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)
from ottla.wire.message.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.message.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.message.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from ottla.wire.message.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from tests.unit.broker.group_house import (
    Member,
    commit,
    coordinated,
    described,
    fetched,
    make_topic,
    stable,
    subscription,
)
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode
from tests.unit.fakes.disk import MemoryDisk


@pytest.fixture
def node() -> WholeNode:
    return WholeNode(MemoryDisk(NOW_MS), "offsets.topic.num.partitions=5")


@pytest.fixture
def peer(node: WholeNode) -> Peer:
    peer = coordinated(node)
    make_topic(peer, "t")
    return peer


def test_a_stable_group_is_described_with_its_members(node: WholeNode, peer: Peer) -> None:
    member = Member(node, instance="i")
    stable(node, member)
    request = DescribeGroupsRequest(["g"], True)
    (group,) = peer.ask(request, 6, DescribeGroupsResponse).groups
    (shown,) = group.members
    assert (group.group_state, group.protocol_type) == ("Stable", "consumer")
    assert group.protocol_data == "range"
    assert group.authorized_operations == GROUP_OPERATIONS
    assert (shown.member_id, shown.group_instance_id) == (member.member_id, "i")
    assert (shown.client_id, shown.client_host) == ("a test", "/127.0.0.1")
    assert shown.member_metadata == subscription("t")
    assert shown.member_assignment == member.member_id.encode()


@pytest.mark.parametrize("version", range(7))
def test_a_group_that_is_not_there_is_dead(peer: Peer, version: int) -> None:
    request = DescribeGroupsRequest(["none"], version >= 3)
    answer = peer.ask(request, version, DescribeGroupsResponse)
    (group,) = answer.groups
    assert (group.authorized_operations == GROUP_OPERATIONS) == (version in (3, 4, 5))
    assert group.group_state == "Dead"
    assert group.error_code == (ErrorCode.GROUP_ID_NOT_FOUND if version >= 6 else 0)
    assert group.error_message == ("Group none not found." if version >= 6 else None)


def test_groups_are_listed_by_state_and_type(node: WholeNode, peer: Peer) -> None:
    stable(node, Member(node, "a"))
    Member(node, "b").join()
    commit(peer, 1, group="c")

    def listed(states: tuple[str, ...] = (), types: tuple[str, ...] = ()) -> list[object]:
        answer = peer.ask(ListGroupsRequest(states, types), 5, ListGroupsResponse)
        assert answer.error_code == 0
        return sorted(
            (one.group_id, one.protocol_type, one.group_state, one.group_type)
            for one in answer.groups
        )

    a = ("a", "consumer", "Stable", "classic")
    b = ("b", "consumer", "PreparingRebalance", "classic")
    c = ("c", "", "Empty", "classic")
    assert listed() == [a, b, c]
    assert listed(states=("STABLE", "empty")) == [a, c]
    assert listed(types=("Classic",)) == [a, b, c]
    assert listed(types=("consumer",)) == []


def test_without_the_topic_there_are_no_groups_and_no_coordinator(node: WholeNode) -> None:
    peer = node.connect()
    assert peer.ask(ListGroupsRequest(), 5, ListGroupsResponse).groups == []
    assert Member(node).join().error == ErrorCode.NOT_COORDINATOR
    answer = peer.ask(DeleteGroupsRequest(["g"]), 2, DeleteGroupsResponse)
    assert answer.results[0].error_code == ErrorCode.NOT_COORDINATOR


def test_only_empty_groups_are_deleted_and_their_offsets_with_them(
    node: WholeNode, peer: Peer
) -> None:
    stable(node, Member(node, "full"))
    assert commit(peer, 5, group="empty") == 0
    request = DeleteGroupsRequest(["full", "none", "empty", "empty"])
    results = peer.ask(request, 3, DeleteGroupsResponse).results
    assert [(one.group_id, one.error_code) for one in results] == [
        ("full", ErrorCode.NON_EMPTY_GROUP),
        ("none", ErrorCode.GROUP_ID_NOT_FOUND),
        ("empty", 0),
    ]
    assert results[1].error_message == "Group none not found."
    assert fetched(peer, group="empty") == -1
    assert described(peer, "empty").group_state == "Dead"
    again = WholeNode(node.disk.copy(), now_ms=node.now_ms)
    assert described(again.connect(), "empty").group_state == "Dead"


def forget(peer: Peer, group: str, topic: str = "t", partition: int = 0) -> tuple[int, int]:
    topics = [OffsetDeleteRequestTopic(topic, [OffsetDeleteRequestPartition(partition)])]
    answer = peer.ask(OffsetDeleteRequest(group, topics), 0, OffsetDeleteResponse)
    if not answer.topics:
        return answer.error_code, 0
    return answer.error_code, answer.topics[0].partitions[0].error_code


def test_offsets_are_forgotten_where_nobody_reads(node: WholeNode, peer: Peer) -> None:
    make_topic(peer, "u")
    for topic in ("t", "u"):
        assert commit(peer, 5, topic=topic) == 0
    assert forget(peer, "none") == (ErrorCode.GROUP_ID_NOT_FOUND, 0)
    assert forget(peer, "") == (ErrorCode.INVALID_GROUP_ID, 0)
    for topic, partition in (("v", 0), ("t", 3), ("t", -1)):
        unknown = (0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        assert forget(peer, "g", topic, partition) == unknown
        assert forget(peer, "none", topic, partition) == (ErrorCode.GROUP_ID_NOT_FOUND, 0)
        assert forget(peer, "", topic, partition) == (ErrorCode.INVALID_GROUP_ID, 0)
    stable(node, Member(node))
    assert forget(peer, "g", topic="t") == (0, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC)
    assert forget(peer, "g", topic="u") == (0, 0)
    assert (fetched(peer, "t"), fetched(peer, "u")) == (5, -1)
    stable(node, Member(node, "c", kind="connect"))
    assert forget(peer, "c") == (ErrorCode.NON_EMPTY_GROUP, 0)


def test_all_offsets_of_several_groups_are_fetched_at_once(peer: Peer) -> None:
    commit(peer, 1, group="a")
    commit(peer, 2, group="b", partition=2)
    groups = [OffsetFetchRequestGroup(name, topics=None) for name in ("a", "b", "none")]
    answer = peer.ask(OffsetFetchRequest(groups=groups), 9, OffsetFetchResponse)
    assert [
        (
            one.group_id,
            [
                (t.name, p.partition_index, p.committed_offset)
                for t in one.topics
                for p in t.partitions
            ],
        )
        for one in answer.groups
    ] == [("a", [("t", 0, 1)]), ("b", [("t", 2, 2)]), ("none", [])]


def test_a_group_that_is_named_twice_has_one_row_with_all_that_was_asked(peer: Peer) -> None:
    for partition in range(3):
        commit(peer, partition + 1, partition=partition)

    def told(*asked: list[int] | None) -> list[list[tuple[int, int]]]:
        groups = [
            OffsetFetchRequestGroup(
                "g",
                topics=None
                if some is None
                else [OffsetFetchRequestTopics("t", partition_indexes=some)],
            )
            for some in asked
        ]
        answer = peer.ask(OffsetFetchRequest(groups=groups), 9, OffsetFetchResponse)
        return [
            [(p.partition_index, p.committed_offset) for t in one.topics for p in t.partitions]
            for one in answer.groups
        ]

    assert told([0], [1]) == [[(0, 1), (1, 2)]]
    assert told([0], [0, 1], [0]) == [[(0, 1), (1, 2)]]
    assert told([0], None) == told(None, [0]) == [[(0, 1), (1, 2), (2, 3)]]


def test_topics_are_named_by_their_ids(node: WholeNode, peer: Peer) -> None:
    topic_id = node.node.current.image.topics["t"].topic_id
    unknown = b"\x07" * 16
    part = OffsetCommitRequestPartition(1, 9, 3, committed_metadata="m")
    topics = [
        OffsetCommitRequestTopic(topic_id=one, partitions=[part]) for one in (topic_id, unknown)
    ]
    answer = peer.ask(OffsetCommitRequest("g", -1, "", topics=topics), 10, OffsetCommitResponse)
    assert [(one.topic_id, one.partitions[0].error_code) for one in answer.topics] == [
        (topic_id, 0),
        (unknown, ErrorCode.UNKNOWN_TOPIC_ID),
    ]
    asked = [
        OffsetFetchRequestTopics(topic_id=one, partition_indexes=[1]) for one in (topic_id, unknown)
    ]
    rows = [
        [(t.topic_id, p.committed_offset, p.committed_leader_epoch, p.metadata, p.error_code)]
        for group in (asked, None)
        for one in peer.ask(
            OffsetFetchRequest(groups=[OffsetFetchRequestGroup("g", topics=group)]),
            10,
            OffsetFetchResponse,
        ).groups
        for t in one.topics
        for p in t.partitions
    ]
    assert rows == [
        [(topic_id, 9, 3, "m", 0)],
        [(unknown, -1, -1, "", ErrorCode.UNKNOWN_TOPIC_ID)],
        [(topic_id, 9, 3, "m", 0)],
    ]


@pytest.mark.parametrize("version", range(8))
def test_an_error_of_a_fetch_stands_where_its_version_has_a_place(
    node: WholeNode, version: int
) -> None:
    request = OffsetFetchRequest("g", [OffsetFetchRequestTopic("t", [0])])
    answer = node.connect().ask(request, version, OffsetFetchResponse)
    if version >= 2:
        assert (answer.error_code, answer.topics) == (ErrorCode.NOT_COORDINATOR, [])
    else:
        assert answer.topics[0].partitions[0].error_code == ErrorCode.NOT_COORDINATOR


def test_several_leave_at_once(node: WholeNode, peer: Peer) -> None:
    one, two = Member(node), Member(node, instance="i")
    stable(node, one, two)
    leavers = [
        MemberIdentity(one.member_id),
        MemberIdentity("", "i"),
        MemberIdentity("x"),
        MemberIdentity("", "j"),
    ]
    answer = peer.ask(LeaveGroupRequest("g", "", leavers), 5, LeaveGroupResponse)
    unknown = ErrorCode.UNKNOWN_MEMBER_ID
    assert [row.error_code for row in answer.members] == [0, 0, unknown, unknown]
    assert described(peer).group_state == "Empty"


@pytest.mark.parametrize(("version", "error"), [(0, 25), (2, 25), (3, 0)])
def test_an_old_leave_has_one_error(peer: Peer, version: int, error: int) -> None:
    request = LeaveGroupRequest("none", "x" if version < 3 else "", [])
    assert peer.ask(request, version, LeaveGroupResponse).error_code == error


Make = Callable[[int], Message]
REQUESTS: list[tuple[object, Make]] = [
    (
        join_group,
        lambda v: JoinGroupRequest(
            "g", 10_000, -1, "", None, "consumer", [JoinGroupRequestProtocol("range", b"x")]
        ),
    ),
    (
        sync_group,
        lambda v: SyncGroupRequest(
            "g", 1, "m", None, None, None, [SyncGroupRequestAssignment("m", b"x")]
        ),
    ),
    (heartbeat, lambda v: HeartbeatRequest("g", 1, "m")),
    (
        leave_group,
        lambda v: LeaveGroupRequest(
            "g", "m" if v < 3 else "", [MemberIdentity("m")] if v >= 3 else []
        ),
    ),
    (
        offset_commit,
        lambda v: OffsetCommitRequest(
            "g",
            topics=[OffsetCommitRequestTopic("t", partitions=[OffsetCommitRequestPartition(0, 1)])],
        ),
    ),
    (
        offset_fetch,
        lambda v: (
            OffsetFetchRequest("g", [OffsetFetchRequestTopic("t", [0])])
            if v < 8
            else OffsetFetchRequest(
                groups=[
                    OffsetFetchRequestGroup(
                        "g", topics=[OffsetFetchRequestTopics("t", partition_indexes=[0])]
                    )
                ]
            )
        ),
    ),
    (
        offset_delete,
        lambda v: OffsetDeleteRequest(
            "g", [OffsetDeleteRequestTopic("t", [OffsetDeleteRequestPartition(0)])]
        ),
    ),
    (describe_groups, lambda v: DescribeGroupsRequest(["g", "h"])),
    (list_groups, lambda v: ListGroupsRequest()),
    (delete_groups, lambda v: DeleteGroupsRequest(["g", "h"])),
]


@pytest.mark.parametrize(
    ("module", "make", "version"),
    [
        (module, make, version)
        for module, make in REQUESTS
        for version in range(module.VERSIONS[0], module.VERSIONS[1] + 1)  # type: ignore[attr-defined]
    ],
)
@pytest.mark.parametrize("coordinates", [True, False])
def test_every_version_is_answered(
    node: WholeNode, module: object, make: Make, version: int, coordinates: bool
) -> None:
    """Also without a coordinator: an error has a place in every version."""
    peer = coordinated(node) if coordinates else node.connect()
    sent = peer.send(make(version), version)
    node.pass_time(10_000)
    assert peer.answer(sent) is not None
    assert node.closed == {}
    api = APIS[module.API_KEY]  # type: ignore[attr-defined]
    assert (api.advertised_min, api.advertised_max) == module.VERSIONS  # type: ignore[attr-defined]
