"""What coordinators answer to questions about groups."""

import pytest

from ottla.client import groups
from ottla.client.groups import Listed
from ottla.errors import ApiError, ErrorCode, RemoteProtocolError
from ottla.wire.message.delete_groups import DeletableGroupResult, DeleteGroupsResponse
from ottla.wire.message.describe_groups import (
    DescribedGroup,
    DescribedGroupMember,
    DescribeGroupsResponse,
)
from ottla.wire.message.find_coordinator import FindCoordinatorResponse
from ottla.wire.message.list_groups import ListedGroup, ListGroupsResponse
from ottla.wire.message.offset_commit import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.message.offset_delete import OffsetDeleteResponse
from ottla.wire.message.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
)
from ottla.wire.stored.consumer_protocol_assignment import (
    ConsumerProtocolAssignment,
    TopicPartition,
)


def assignment(version: int = 0) -> bytes:
    parts = [TopicPartition("t", [1, 0]), TopicPartition("a", [7])]
    body = ConsumerProtocolAssignment(parts).encode(min(version, 3))
    return version.to_bytes(2, "big") + body


def answer(**differs: object) -> DescribeGroupsResponse:
    fields: dict[str, object] = {
        "group_id": "g",
        "group_state": "Stable",
        "protocol_type": "consumer",
        "protocol_data": "range",
        "members": [
            DescribedGroupMember("m2", "i", "c2", "/h", b"", assignment()),
            DescribedGroupMember("m1", None, "c1", "/h", b"", b""),
        ],
        **differs,
    }
    return DescribeGroupsResponse(groups=[DescribedGroup(**fields)])  # type: ignore[arg-type]


def test_a_group_is_described_with_who_reads_what() -> None:
    found = groups.described_untrusted("g", answer())
    assert [member.member_id for member in found.members] == ["m1", "m2"]
    assert found.members[0].assigned == ()
    assert found.members[1].assigned == (("a", 7), ("t", 0), ("t", 1))
    assert {place: member.client_id for place, member in found.readers.items()} == {
        ("a", 7): "c2",
        ("t", 0): "c2",
        ("t", 1): "c2",
    }


def test_what_is_no_consumers_group_has_assignments_nobody_can_read() -> None:
    found = groups.described_untrusted("g", answer(protocol_type="connect"))
    assert [member.assigned for member in found.members] == [None, None]


@pytest.mark.parametrize("absent", [{"group_state": "Dead"}, {"error_code": 69}])
def test_a_group_that_is_not_there(absent: dict[str, object]) -> None:
    with pytest.raises(ApiError) as error:
        groups.described_untrusted("g", answer(**absent))
    assert error.value.code == ErrorCode.GROUP_ID_NOT_FOUND


def test_later_assignments_are_read_as_far_as_they_are_known() -> None:
    assert groups.assigned_untrusted(assignment(9)) == groups.assigned_untrusted(assignment(3))


@pytest.mark.parametrize("bad", [b"\0", b"\xff\xff\0\0", b"\0\0", assignment()[:-1]])
def test_a_broken_assignment_is_the_brokers_fault(bad: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        groups.assigned_untrusted(bad)


def test_an_answer_about_another_group_is_refused() -> None:
    for ask in (
        lambda: groups.described_untrusted("other", answer()),
        lambda: groups.check_deleted_untrusted("other", DeleteGroupsResponse()),
        lambda: groups.forgotten_untrusted([("t", 0)], OffsetDeleteResponse()),
        lambda: groups.committing_untrusted([("t", 0)], OffsetCommitResponse()),
    ):
        with pytest.raises(RemoteProtocolError):
            ask()


def test_refusals_are_errors() -> None:
    for ask in (
        lambda: groups.coordinator_untrusted(FindCoordinatorResponse(error_code=15)),
        lambda: groups.listed_untrusted(ListGroupsResponse(error_code=15)),
        lambda: groups.committed_untrusted(OffsetFetchResponse(error_code=15)),
        lambda: groups.forgotten_untrusted([], OffsetDeleteResponse(error_code=15)),
        lambda: groups.check_deleted_untrusted(
            "g", DeleteGroupsResponse(results=[DeletableGroupResult("g", 15)])
        ),
    ):
        with pytest.raises(ApiError) as error:
            ask()
        assert error.value.code == ErrorCode.COORDINATOR_NOT_AVAILABLE


def test_groups_are_listed() -> None:
    response = ListGroupsResponse(groups=[ListedGroup("g", "consumer", "Empty", "classic")])
    assert groups.listed_untrusted(response) == [Listed("g", "Empty", "classic", "consumer")]


def test_a_partition_without_a_commit_is_left_out() -> None:
    def answered(code: int) -> OffsetFetchResponse:
        parts = [
            OffsetFetchResponsePartition(0, 5, 2, "note", 0),
            OffsetFetchResponsePartition(1, -1, -1, None, code),
        ]
        return OffsetFetchResponse(topics=[OffsetFetchResponseTopic("t", parts)])

    assert groups.committed_untrusted(answered(0)) == {("t", 0): (5, 2, "note")}
    with pytest.raises(ApiError, match="t-1"):
        groups.committed_untrusted(answered(29))


def test_a_commit_says_for_each_partition_what_became_of_it() -> None:
    offsets = {("t", 1): 8, ("t", 0): 7, ("a", 0): 9}
    request = groups.commit_request("g", offsets)
    said = [
        (topic.name, part.partition_index, part.committed_offset)
        for topic in request.topics
        for part in topic.partitions
    ]
    assert said == [("a", 0, 9), ("t", 0, 7), ("t", 1, 8)]
    assert (request.generation_id_or_member_epoch, request.member_id) == (-1, "")
    parts = [OffsetCommitResponsePartition(0, 0), OffsetCommitResponsePartition(1, 25)]
    response = OffsetCommitResponse(topics=[OffsetCommitResponseTopic("t", partitions=parts)])
    assert groups.committing_untrusted([("t", 0), ("t", 1)], response) == {
        ("t", 0): 0,
        ("t", 1): 25,
    }
