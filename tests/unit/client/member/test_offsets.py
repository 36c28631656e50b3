"""Commits say who commits; refusals say what to do."""

import pytest

from ottla.client.consume.record import GroupMetadata, OffsetAndMetadata
from ottla.client.member.offsets import (
    CommitFailed,
    Fenced,
    Rebalancing,
    commit_codes_untrusted,
    commit_error,
    commit_request,
    committed_request,
    committed_untrusted,
)
from ottla.errors import ApiError, ErrorCode, OttlaError, RemoteProtocolError
from ottla.types import TopicPartition
from ottla.wire.message.offset_commit import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchResponse,
    OffsetFetchResponsePartition,
    OffsetFetchResponseTopic,
)

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
WHO = GroupMetadata("g", 7, "me", "static")


def test_a_commit_names_the_member_and_its_generation() -> None:
    request = commit_request(WHO, {T1: OffsetAndMetadata(5, "note", 3), T0: OffsetAndMetadata(1)})
    assert (request.group_id, request.member_id, request.group_instance_id) == (
        "g",
        "me",
        "static",
    )
    assert request.generation_id_or_member_epoch == 7
    first, second = request.topics[0].partitions
    assert (first.partition_index, first.committed_offset) == (0, 1)
    assert (second.committed_leader_epoch, second.committed_metadata) == (3, "note")


def test_an_answer_that_leaves_a_partition_out_is_refused() -> None:
    part = OffsetCommitResponsePartition(0, 0)
    response = OffsetCommitResponse(topics=[OffsetCommitResponseTopic("t", partitions=[part])])
    assert commit_codes_untrusted([T0], response) == {T0: 0}
    with pytest.raises(RemoteProtocolError, match="t-1"):
        commit_codes_untrusted([T0, T1], response)


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        (ErrorCode.UNKNOWN_MEMBER_ID, CommitFailed, "not in its generation any more"),
        (ErrorCode.ILLEGAL_GENERATION, CommitFailed, "not in its generation any more"),
        (ErrorCode.REBALANCE_IN_PROGRESS, Rebalancing, "Poll, then try again"),
        (ErrorCode.FENCED_INSTANCE_ID, Fenced, "group_instance_id"),
        (ErrorCode.OFFSET_METADATA_TOO_LARGE, ApiError, "t-0"),
    ],
)
def test_refusals_have_their_kinds(code: int, kind: type[OttlaError], said: str) -> None:
    error = commit_error(code, T0, 10, 300_000)
    assert type(error) is kind
    assert said in str(error)


def test_who_polled_too_seldom_is_told_how_seldom() -> None:
    error = commit_error(ErrorCode.UNKNOWN_MEMBER_ID, T0, 400_000, 300_000)
    assert "no poll for 400,000 ms, and poll_interval_ms_max is 300,000" in str(error)


def fetched(*parts: OffsetFetchResponsePartition, code: int = 0) -> OffsetFetchResponse:
    return OffsetFetchResponse(
        topics=[OffsetFetchResponseTopic("t", partitions=list(parts))], error_code=code
    )


def test_what_is_not_committed_is_none() -> None:
    request = committed_request("g", [T1, T0], must_be_stable=True)
    assert request.topics is not None
    assert (request.topics[0].partition_indexes, request.require_stable) == ([0, 1], True)
    answer = fetched(
        OffsetFetchResponsePartition(0, 4, 2, None, 0),
        OffsetFetchResponsePartition(1, -1, -1, "", 0),
        OffsetFetchResponsePartition(9, 1, 1, "", 0),
    )
    assert committed_untrusted([T0, T1], answer) == {T0: OffsetAndMetadata(4, "", 2), T1: None}


def test_refusals_of_committed_offsets_are_raised() -> None:
    with pytest.raises(ApiError, match="NOT_COORDINATOR"):
        committed_untrusted([T0], fetched(code=ErrorCode.NOT_COORDINATOR))
    unstable = OffsetFetchResponsePartition(0, -1, -1, "", ErrorCode.UNSTABLE_OFFSET_COMMIT)
    with pytest.raises(ApiError, match="UNSTABLE_OFFSET_COMMIT: committed offset of t-0") as told:
        committed_untrusted([T0], fetched(unstable))
    assert told.value.retriable
