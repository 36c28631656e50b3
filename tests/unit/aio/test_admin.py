"""Questions are asked again while an answer only says not here or not yet, and no longer."""

import asyncio
import socket
from collections.abc import Coroutine

import pytest

from ottla.aio.admin import Admin, error_codes
from ottla.aio.client import Client
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.reach import Unreachable
from ottla.errors import ApiError, ErrorCode
from ottla.types import TopicPartition
from ottla.wire.api import DELETE_GROUPS, DELETE_RECORDS, DELETE_TOPICS, FIND_COORDINATOR, METADATA
from ottla.wire.message.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)
from ottla.wire.message.delete_records import DeleteRecordsRequest, DeleteRecordsResponse
from ottla.wire.message.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.find_coordinator import FindCoordinatorResponse
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.shape import Message
from tests.unit.fakes.scripted_broker import ScriptedBroker

SECONDS_MAX = 20
REQUEST = DeleteTopicsRequest([DeleteTopicState("t")])


class Script:
    """A cluster of one broker that says `codes`, one after the other and then the last for ever."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)
        self.broker = ScriptedBroker(
            {
                METADATA: self.metadata,
                DELETE_TOPICS: self.deleted,
                DELETE_GROUPS: self.groups,
                DELETE_RECORDS: lambda _: DeleteRecordsResponse(),
                FIND_COORDINATOR: self.coordinator,
            }
        )

    def code(self) -> int:
        return self.codes.pop(0) if len(self.codes) > 1 else self.codes[0]

    def metadata(self, request: Message) -> Message:
        assert isinstance(request, MetadataRequest)
        host, port = self.broker.address
        part = MetadataResponsePartition(partition_index=0, leader_id=1)
        topics = [
            MetadataResponseTopic(
                error_code=0 if one.name == "t" else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                name=one.name,
                topic_id=bytes(range(16)) if one.name == "t" else bytes(16),
                partitions=[part] if one.name == "t" else [],
            )
            for one in request.topics or ()
        ]
        return MetadataResponse(
            brokers=[MetadataResponseBroker(1, host, port)], controller_id=1, topics=topics
        )

    def deleted(self, _: Message) -> Message:
        return DeleteTopicsResponse(responses=[DeletableTopicResult("t", error_code=self.code())])

    def groups(self, _: Message) -> Message:
        return DeleteGroupsResponse(results=[DeletableGroupResult("g", self.code())])

    def coordinator(self, _: Message) -> Message:
        return FindCoordinatorResponse(error_code=self.code(), node_id=1)

    def run(self, work: "Coroutine[None, None, None]") -> None:
        asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


async def admin_of(broker: ScriptedBroker, api_ms_max: int = 5_000) -> Admin:
    options = ConnectionOptions(
        bootstrap=(broker.address,), retry_backoff_ms=1, retry_backoff_ms_max=1
    )
    admin = Admin(Client(options), api_ms_max=api_ms_max)
    await admin.reach(5_000)
    return admin


@pytest.mark.parametrize(
    "passing", [ErrorCode.NOT_CONTROLLER, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
)
def test_what_passes_is_asked_for_again(passing: int) -> None:
    script = Script(passing, passing, ErrorCode.NONE)

    async def work() -> None:
        async with script.broker as broker:
            admin = await admin_of(broker)
            found = await admin.controller(REQUEST, DeleteTopicsResponse)
            assert [one.error_code for one in found.responses] == [ErrorCode.NONE]
            assert broker.calls.count(DELETE_TOPICS) == 3
            await admin.client.close()

    script.run(work())


def test_what_was_decided_is_not_asked_for_again() -> None:
    script = Script(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)

    async def work() -> None:
        async with script.broker as broker:
            admin = await admin_of(broker)
            found = await admin.controller(REQUEST, DeleteTopicsResponse)
            assert list(error_codes(found)) == [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
            assert broker.calls.count(DELETE_TOPICS) == 1
            await admin.client.close()

    script.run(work())


def test_when_time_is_over_the_answer_is_what_it_is() -> None:
    script = Script(ErrorCode.NOT_CONTROLLER)

    async def work() -> None:
        async with script.broker as broker:
            admin = await admin_of(broker, api_ms_max=200)
            found = await admin.controller(REQUEST, DeleteTopicsResponse)
            assert list(error_codes(found)) == [ErrorCode.NOT_CONTROLLER]
            await admin.client.close()

    script.run(work())


def test_a_coordinator_that_moves_is_looked_for_again() -> None:
    script = Script(
        ErrorCode.COORDINATOR_NOT_AVAILABLE,  # to FindCoordinator
        ErrorCode.NONE,
        ErrorCode.NOT_COORDINATOR,  # to DeleteGroups
        ErrorCode.NONE,
    )

    async def work() -> None:
        async with script.broker as broker:
            admin = await admin_of(broker)
            found = await admin.coordinated("g", DeleteGroupsRequest(["g"]), DeleteGroupsResponse)
            assert list(error_codes(found)) == [ErrorCode.NONE]
            await admin.client.close()

    script.run(work())


def test_leaders_are_asked_about_their_own() -> None:
    script = Script(ErrorCode.NONE)

    async def work() -> None:
        async with script.broker as broker:
            admin = await admin_of(broker)
            asked: list[object] = []

            def make(parts: object) -> Message:
                asked.append(parts)
                return DeleteRecordsRequest()

            await admin.led([TopicPartition("t", 0)], make, DeleteRecordsResponse)
            assert asked == [{"t": [0]}]
            for place in (TopicPartition("t", 7), TopicPartition("none", 0)):
                with pytest.raises(ApiError) as raised:
                    await admin.led([place], make, DeleteRecordsResponse)
                assert raised.value.code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            await admin.client.close()

    script.run(work())


def test_a_missing_broker_is_told_with_the_reason() -> None:
    async def work() -> None:
        async with ScriptedBroker({}) as broker:
            gone = broker.address
        admin = Admin(Client(ConnectionOptions(bootstrap=(gone,))))
        with pytest.raises(Unreachable, match="connection refused"):
            await admin.reach(500)
        await admin.client.close()

    Script(0).run(work())


def test_a_broker_that_says_nothing_in_time_is_told_with_its_address() -> None:
    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as mute:
            place = Address(*mute.getsockname())
            async with Client(ConnectionOptions(bootstrap=(place,))) as client:
                with pytest.raises(Unreachable, match=f"{place} .* no answer within 20 ms"):
                    await Admin(client).reach(20)

    asyncio.run(asyncio.wait_for(work(), 10))
