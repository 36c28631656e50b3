"""A coordinator that is busy is asked again; one that refuses is believed."""

import asyncio
from typing import cast

import pytest

from ottla.aio.client import Client
from ottla.cli import coordinated
from ottla.cli.positions import offsets_at
from ottla.client.lookup import LATEST
from ottla.client.metadata import NOTHING_KNOWN, ClusterView
from ottla.errors import ApiError, ErrorCode
from ottla.wire.api import Message
from ottla.wire.message.describe_groups import DescribedGroup, DescribeGroupsResponse
from ottla.wire.message.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.message.offset_commit import (
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from tests.unit.client.clusters import cluster

LOADING = ErrorCode.COORDINATOR_LOAD_IN_PROGRESS


class Scripted:
    """A client whose answers are given beforehand, in order; the last one stands."""

    def __init__(self, *answers: Message, view: ClusterView = NOTHING_KNOWN) -> None:
        self.answers = list(answers)
        self.cluster = view
        self.pauses = 0

    async def ask_coordinator(
        self, group: str, api_key: int, message: Message, *, version_max: int = 0
    ) -> Message:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def ask(self, broker_id: int, api_key: int, message: Message) -> Message:
        return await self.ask_coordinator("", api_key, message)

    async def refresh(self, topics: object) -> ClusterView:
        return self.cluster

    async def pause(self, failures: int) -> None:
        self.pauses += 1


def as_client(scripted: Scripted) -> Client:
    return cast(Client, scripted)


def described(code: int) -> DescribeGroupsResponse:
    return DescribeGroupsResponse(groups=[DescribedGroup(code, None, "g", "Empty")])


def test_a_loading_coordinator_is_asked_again() -> None:
    client = Scripted(described(LOADING), described(LOADING), described(0))
    found = asyncio.run(coordinated.describe(as_client(client), "g"))
    assert (found.state, client.pauses) == ("Empty", 2)


def test_one_that_loads_for_ever_is_given_up() -> None:
    client = Scripted(described(LOADING))
    with pytest.raises(ApiError) as error:
        asyncio.run(coordinated.describe(as_client(client), "g"))
    assert error.value.code == LOADING
    assert client.pauses == 9


def test_a_refusal_is_the_answer() -> None:
    client = Scripted(described(ErrorCode.GROUP_AUTHORIZATION_FAILED), described(0))
    with pytest.raises(ApiError):
        asyncio.run(coordinated.describe(as_client(client), "g"))
    assert client.pauses == 0


def committed(*codes: int) -> OffsetCommitResponse:
    parts = [OffsetCommitResponsePartition(number, code) for number, code in enumerate(codes)]
    return OffsetCommitResponse(topics=[OffsetCommitResponseTopic("t", partitions=parts)])


def test_a_commit_is_tried_again_only_if_all_of_it_failed_for_the_moment() -> None:
    offsets = {("t", 0): 5, ("t", 1): 6}
    again = Scripted(committed(LOADING, LOADING), committed(0, 0))
    codes = asyncio.run(coordinated.commit(as_client(again), "g", offsets))
    assert (dict(codes), again.pauses) == ({("t", 0): 0, ("t", 1): 0}, 1)
    half = Scripted(committed(0, LOADING), committed(0, 0))
    codes = asyncio.run(coordinated.commit(as_client(half), "g", offsets))
    assert (dict(codes), half.pauses) == ({("t", 0): 0, ("t", 1): LOADING}, 0)


def looked_up(*answers: tuple[int, int]) -> ListOffsetsResponse:
    parts = [
        ListOffsetsPartitionResponse(partition_index=number, error_code=code, offset=offset)
        for number, (code, offset) in enumerate(answers)
    ]
    return ListOffsetsResponse(topics=[ListOffsetsTopicResponse("t", parts)])


def test_a_partition_without_a_leader_is_looked_up_again() -> None:
    moving = ErrorCode.NOT_LEADER_OR_FOLLOWER
    client = Scripted(
        looked_up((0, 7), (moving, -1)), looked_up((0, 7), (0, -1)), view=cluster(1, 1)
    )
    found = asyncio.run(offsets_at(as_client(client), [("t", 0), ("t", 1)], LATEST))
    assert (dict(found), client.pauses) == ({("t", 0): 7, ("t", 1): None}, 1)


def test_a_partition_that_never_gets_a_leader_is_named() -> None:
    client = Scripted(looked_up((0, 7)), view=cluster(1, -1))
    with pytest.raises(ApiError, match="LEADER_NOT_AVAILABLE: partition t-1"):
        asyncio.run(offsets_at(as_client(client), [("t", 0), ("t", 1)], LATEST))


def test_topics_that_are_gone_are_left_out() -> None:
    client = Scripted(looked_up((0, 7)), view=cluster(1))
    places = [("t", 0), ("gone", 0)]
    assert dict(asyncio.run(offsets_at(as_client(client), places, LATEST))) == {("t", 0): 7}


def test_what_is_refused_is_not_guessed() -> None:
    client = Scripted(looked_up((29, -1)), view=cluster(1))
    with pytest.raises(ApiError, match="TOPIC_AUTHORIZATION_FAILED: partition t-0"):
        asyncio.run(offsets_at(as_client(client), [("t", 0)], LATEST))
