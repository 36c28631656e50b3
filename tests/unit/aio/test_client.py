"""The client against a broker that answers as told, over loopback."""

import asyncio
from collections.abc import Coroutine

import pytest

from ottla.aio.client import Client, ConnectionLost, Unreachable
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.errors import ApiError, ErrorCode
from ottla.record.builder import build_batch
from ottla.types import ZERO_UUID
from ottla.wire.api import FETCH, INIT_PRODUCER_ID, LIST_OFFSETS, METADATA, PRODUCE, Message
from ottla.wire.message.fetch import (
    FetchableTopicResponse,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.message.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.message.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from tests.unit.fakes.scripted_broker import Answer, ScriptedBroker

TOPIC_ID = bytes(range(16))
SECONDS_MAX = 20


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


def client_at(*bootstrap: Address, request_ms_max: int = 10_000) -> Client:
    return Client(ConnectionOptions(bootstrap=bootstrap, request_ms_max=request_ms_max))


class Script:
    """One topic `t` of one partition, on a broker that is told what to say."""

    def __init__(self) -> None:
        self.advertised: Address | None = None
        self.topic_errors: list[int] = []
        self.produce_errors: list[int] = []
        self.produced: list[ProduceRequest] = []
        self.created_missing: list[bool] = []
        self.fetch_errors: list[int] = []
        self.log = bytes(build_batch([(0, None, b"a"), (0, None, b"b")]))
        answers: dict[int, Answer] = {
            METADATA: self.metadata,
            INIT_PRODUCER_ID: self.identity,
            PRODUCE: self.produce,
            LIST_OFFSETS: self.offsets,
            FETCH: self.fetch,
        }
        self.broker = ScriptedBroker(answers)

    def metadata(self, request: Message) -> Message:
        assert isinstance(request, MetadataRequest)
        self.created_missing.append(request.allow_auto_topic_creation)
        host, port = self.advertised or self.broker.address
        code = self.topic_errors.pop(0) if self.topic_errors else 0
        part = MetadataResponsePartition(leader_id=1, replica_nodes=[1], isr_nodes=[1])
        topic = MetadataResponseTopic(code, "t", ZERO_UUID if code else TOPIC_ID, False, [part])
        return MetadataResponse(
            brokers=[MetadataResponseBroker(1, host, port)], controller_id=1, topics=[topic]
        )

    def identity(self, request: Message) -> Message:
        assert isinstance(request, InitProducerIdRequest)
        assert request.transactional_id is None
        return InitProducerIdResponse(producer_id=9, producer_epoch=0)

    def produce(self, request: Message) -> Message | None:
        assert isinstance(request, ProduceRequest)
        self.produced.append(request)
        if request.acks == 0:
            return None
        code = self.produce_errors.pop(0) if self.produce_errors else 0
        part = PartitionProduceResponse(index=0, error_code=code)
        topic = TopicProduceResponse(topic_id=TOPIC_ID, partition_responses=[part])
        return ProduceResponse(responses=[topic])

    def offsets(self, request: Message) -> Message:
        part = ListOffsetsPartitionResponse(partition_index=0, offset=0)
        return ListOffsetsResponse(topics=[ListOffsetsTopicResponse("t", [part])])

    def fetch(self, request: Message) -> Message:
        assert isinstance(request, FetchRequest)
        code = self.fetch_errors.pop(0) if self.fetch_errors else 0
        at = request.topics[0].partitions[0].fetch_offset
        records = self.log if at < 2 and not code else b""
        part = PartitionData(error_code=code, high_watermark=2, records=records)
        return FetchResponse(
            responses=[FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[part])]
        )


def test_a_topic_that_appears_late_is_waited_for_and_one_that_cannot_is_not() -> None:
    async def work() -> None:
        script = Script()
        script.topic_errors = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
        async with script.broker, client_at(script.broker.address) as client:
            view = await client.wait_for_topic("t", create_missing=False, unknown_ms_max=5_000)
            assert view.led == [0]
            script.topic_errors = [ErrorCode.INVALID_TOPIC_EXCEPTION]
            with pytest.raises(ApiError, match="INVALID_TOPIC"):
                await client.wait_for_topic("t", create_missing=False, unknown_ms_max=5_000)
            script.topic_errors = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
            with pytest.raises(ApiError, match="UNKNOWN_TOPIC"):
                await client.wait_for_topic("t", create_missing=False, unknown_ms_max=0)

    run(work())


def test_nobody_at_an_address_is_said_with_the_address() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            free = script.broker.address
        async with client_at(free) as client:
            with pytest.raises(Unreachable, match=f"{free} .*refused"):
                await client.refresh(None)

    run(work())


def test_the_next_bootstrap_address_is_tried() -> None:
    async def work() -> None:
        gone, script = Script(), Script()
        async with gone.broker:
            free = gone.broker.address
        async with script.broker, client_at(free, script.broker.address) as client:
            assert (await client.refresh(None)).controller_id == 1

    run(work())


def test_a_silent_broker_costs_a_bounded_time() -> None:
    async def work() -> None:
        broker = ScriptedBroker({METADATA: lambda _: None})
        async with broker, client_at(broker.address, request_ms_max=100) as client:
            with pytest.raises(ConnectionLost, match="did not answer in time"):
                await client.refresh(None)

    run(work())


def test_a_lost_connection_is_made_again() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, client_at(script.broker.address) as client:
            await client.refresh(None)
            asking = asyncio.ensure_future(client.refresh(None))
            script.broker.hang_up()
            with pytest.raises(ConnectionLost, match="closed the connection"):
                await asking
            await client.refresh(None)

    run(work())


def test_what_is_no_kafka_is_told_apart() -> None:
    async def work() -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        async with server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            async with client_at(address) as client:
                with pytest.raises(Exception, match="answers, but not as Kafka does"):
                    await client.refresh(None)

    run(work())
