"""The client against a broker that answers as told, over loopback."""

import asyncio
from collections.abc import Coroutine

import pytest

from ottla.aio.client import AdvertisedUnreachable, Client, ConnectionLost, Unreachable
from ottla.aio.consumer import Consumer, Start
from ottla.aio.producer import Producer
from ottla.client.accumulator import Draft
from ottla.client.fetcher import Fetched
from ottla.client.lookup import EARLIEST
from ottla.client.metadata import Address
from ottla.errors import ApiError, ErrorCode, LocalProtocolError
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


def test_records_are_sent_and_acknowledged() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, Client([script.broker.address]) as client:
            producer = Producer(client, "t")
            await producer.start()
            producer.append(Draft(0, b"k", b"v"))
            await producer.flush()
            assert (producer.acknowledged_count, producer.failures) == (1, [])
            assert script.created_missing[0], "a broker may create what is missing"
            assert len(script.produced) == 1

    run(work())


def test_a_refusal_that_passes_is_not_noticed_and_one_that_stays_is_told() -> None:
    async def work() -> None:
        script = Script()
        script.produce_errors = [ErrorCode.NOT_LEADER_OR_FOLLOWER, 0, ErrorCode.INVALID_TIMESTAMP]
        async with script.broker, Client([script.broker.address]) as client:
            producer = Producer(client, "t")
            await producer.start()
            producer.append(Draft(0, None, b"v"))
            await producer.flush()
            assert (producer.acknowledged_count, producer.failures) == (1, [])
            producer.append(Draft(0, None, b"v"))
            await producer.flush()
            [failure] = producer.failures
            assert failure.error_code == ErrorCode.INVALID_TIMESTAMP

    run(work())


def test_delivery_ends_when_its_time_is_over() -> None:
    async def work() -> None:
        script = Script()
        script.produce_errors = [ErrorCode.NOT_ENOUGH_REPLICAS] * 50
        async with script.broker, Client([script.broker.address]) as client:
            producer = Producer(client, "t", deliver_ms_max=1)
            await producer.start()
            producer.append(Draft(0, None, b"v"))
            await producer.flush()
            [failure] = producer.failures
            assert "NOT_ENOUGH_REPLICAS" in failure.reason

    run(work())


def test_without_acknowledgments_nothing_is_waited_for() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            async with Client([script.broker.address]) as client:
                producer = Producer(client, "t", acks=0)
                await producer.start()
                producer.append(Draft(0, None, b"v"))
                await producer.flush()
                assert producer.acknowledged_count == 1
                # The next answer shows that the broker has read what came before it.
                await client.refresh(["t"])
            assert INIT_PRODUCER_ID not in script.broker.calls
            assert len(script.produced) == 1

    run(work())


def test_a_partition_the_topic_lacks_is_refused() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, Client([script.broker.address]) as client:
            with pytest.raises(LocalProtocolError, match="no partition 4"):
                await Producer(client, "t", partition=4).start()
            with pytest.raises(LocalProtocolError, match="no partition 1"):
                await Consumer(client, "t").start(Start(), [0, 1])

    run(work())


def test_a_topic_that_appears_late_is_waited_for_and_one_that_cannot_is_not() -> None:
    async def work() -> None:
        script = Script()
        script.topic_errors = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
        async with script.broker, Client([script.broker.address]) as client:
            view = await client.wait_for_topic("t", create_missing=False, unknown_ms_max=5_000)
            assert view.led == [0]
            script.topic_errors = [ErrorCode.INVALID_TOPIC_EXCEPTION]
            with pytest.raises(ApiError, match="INVALID_TOPIC"):
                await client.wait_for_topic("t", create_missing=False, unknown_ms_max=5_000)
            script.topic_errors = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION]
            with pytest.raises(ApiError, match="UNKNOWN_TOPIC"):
                await client.wait_for_topic("t", create_missing=False, unknown_ms_max=0)

    run(work())


def test_records_are_handed_out_to_the_end() -> None:
    async def work() -> None:
        script = Script()
        script.fetch_errors = [ErrorCode.UNKNOWN_LEADER_EPOCH]
        got: list[Fetched] = []

        def take(fetched: list[Fetched]) -> bool:
            got.extend(fetched)
            return False

        async with script.broker, Client([script.broker.address]) as client:
            consumer = Consumer(client, "t")
            await consumer.start(Start(timestamp_ms=EARLIEST))
            await consumer.run(take, until_end=True)
        assert [(one.record.offset, one.record.value) for one in got] == [(0, b"a"), (1, b"b")]

    run(work())


def test_an_offset_the_broker_does_not_have_is_named_with_those_it_has() -> None:
    async def work() -> None:
        script = Script()
        script.fetch_errors = [ErrorCode.OFFSET_OUT_OF_RANGE]
        async with script.broker, Client([script.broker.address]) as client:
            consumer = Consumer(client, "t")
            await consumer.start(Start(offset=77))
            with pytest.raises(ApiError, match="77 was asked for"):
                await consumer.run(lambda _: False)

    run(work())


def test_nobody_at_an_address_is_said_with_the_address() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            free = script.broker.address
        async with Client([free]) as client:
            with pytest.raises(Unreachable, match=f"{free} .*refused"):
                await client.refresh(None)

    run(work())


def test_the_next_bootstrap_address_is_tried() -> None:
    async def work() -> None:
        gone, script = Script(), Script()
        async with gone.broker:
            free = gone.broker.address
        async with script.broker, Client([free, script.broker.address]) as client:
            assert (await client.refresh(None)).controller_id == 1

    run(work())


def test_an_advertised_address_that_does_not_work_is_explained() -> None:
    async def work() -> None:
        gone, script = Script(), Script()
        async with gone.broker:
            script.advertised = gone.broker.address
        async with script.broker, Client([script.broker.address]) as client:
            producer = Producer(client, "t")
            await producer.start()
            producer.append(Draft(0, None, b"v"))
            with pytest.raises(AdvertisedUnreachable, match=r"advertised\.listeners"):
                await producer.flush()

    run(work())


def test_a_silent_broker_costs_a_bounded_time() -> None:
    async def work() -> None:
        broker = ScriptedBroker({METADATA: lambda _: None})
        async with broker, Client([broker.address], request_ms_max=20) as client:
            with pytest.raises(ConnectionLost, match="did not answer within 20 ms"):
                await client.refresh(None)

    run(work())


def test_a_lost_connection_is_made_again() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, Client([script.broker.address]) as client:
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
            async with Client([address]) as client:
                with pytest.raises(Exception, match="answers, but not as Kafka does"):
                    await client.refresh(None)

    run(work())
