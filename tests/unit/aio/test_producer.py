"""The producer's shell against a broker that answers as told, over loopback."""

import asyncio
import threading
from collections.abc import Coroutine

import pytest

from ottla.aio.client import Client
from ottla.aio.producer import Producer
from ottla.client.metadata import Address
from ottla.client.options import ConnectionOptions
from ottla.client.produce.batch import RecordBatch
from ottla.client.produce.delivery import Delivery
from ottla.client.produce.fate import (
    BufferFull,
    DeliveryTimedOut,
    FlushTimedOut,
    ProducerClosed,
    TopicUnknown,
    Undelivered,
)
from ottla.client.produce.options import ProducerOptions
from ottla.client.reach import AdvertisedUnreachable, Unreachable
from ottla.errors import ApiError, ErrorCode
from ottla.record.batch import header_untrusted
from ottla.record.record import records_untrusted
from ottla.types import ZERO_UUID
from ottla.wire.api import INIT_PRODUCER_ID, METADATA, PRODUCE, Message
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
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
PLAIN = ProducerOptions(acks=1, enable_idempotence=False)


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, SECONDS_MAX))


class Script:
    """One topic `t` of two partitions, on a broker that is told what to say."""

    def __init__(
        self, *, without: tuple[int, ...] = (), versions: dict[int, int] | None = None
    ) -> None:
        self.advertised: Address | None = None
        self.topic_errors: list[int] = []
        self.produce_errors: list[int] = []
        self.identity_errors: list[int] = []
        self.is_silent = False
        self.values: list[bytes | None] = []
        self.requests: list[ProduceRequest] = []
        self.sequences: list[int] = []
        self.created_missing: list[bool] = []
        answers: dict[int, Answer] = {
            METADATA: self.metadata,
            INIT_PRODUCER_ID: self.identity,
            PRODUCE: self.produce,
        }
        for api_key in without:
            del answers[api_key]
        self.broker = ScriptedBroker(answers, versions=versions)

    def client(self, **options: int) -> Client:
        given = ConnectionOptions(
            bootstrap=(self.broker.address,),
            retry_backoff_ms=1,
            retry_backoff_ms_max=2,
            reconnect_backoff_ms=1,
            reconnect_backoff_ms_max=2,
            **options,
        )
        return Client(given)

    def metadata(self, request: Message) -> Message:
        assert isinstance(request, MetadataRequest)
        self.created_missing.append(request.allow_auto_topic_creation)
        host, port = self.advertised or self.broker.address
        code = self.topic_errors.pop(0) if self.topic_errors else 0
        parts = [
            MetadataResponsePartition(
                partition_index=index, leader_id=1, replica_nodes=[1], isr_nodes=[1]
            )
            for index in range(2)
        ]
        topics = [
            MetadataResponseTopic(code, asked.name, ZERO_UUID if code else TOPIC_ID, False, parts)
            for asked in request.topics or ()
        ]
        return MetadataResponse(
            brokers=[MetadataResponseBroker(1, host, port)], controller_id=1, topics=topics
        )

    def identity(self, request: Message) -> Message:
        assert isinstance(request, InitProducerIdRequest)
        assert request.transactional_id is None
        code = self.identity_errors.pop(0) if self.identity_errors else 0
        return InitProducerIdResponse(error_code=code, producer_id=9, producer_epoch=0)

    def produce(self, request: Message) -> Message | None:
        assert isinstance(request, ProduceRequest)
        self.requests.append(request)
        for topic in request.topic_data:
            for part in topic.partition_data:
                assert isinstance(part.records, memoryview)
                self.sequences.append(header_untrusted(part.records).base_sequence)
        if request.acks == 0 or self.is_silent:
            return None
        code = self.produce_errors.pop(0) if self.produce_errors else 0
        parts = []
        for topic in request.topic_data:
            for part in topic.partition_data:
                assert isinstance(part.records, memoryview)
                batch = header_untrusted(part.records)
                offset = len(self.values)
                if not code:
                    found = records_untrusted(batch, limit=1_000_000)
                    self.values += [record.value for record in found]
                parts.append(PartitionProduceResponse(part.index, code, offset))
        answered = TopicProduceResponse("t", TOPIC_ID, parts)
        return ProduceResponse(responses=[answered])


def test_records_are_sent_and_each_can_be_awaited() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client, Producer(client) as producer:
            first = await producer.send("t", b"a", b"k", partition=0, timestamp_ms=7)
            second = await producer.send("t", b"b", partition=0)
            assert (await first)[:4] == ("t", 0, 0, 7)
            assert (await second).offset == 1
            assert second.result().offset == 1
            assert script.created_missing[0], "a broker may create what is missing"
            assert script.values == [b"a", b"b"]
            assert producer.buffered_bytes == 0

    run(work())


def test_who_never_waits_still_lets_the_loop_send() -> None:
    async def work() -> None:
        script = Script()
        options = ProducerOptions(batch_size=1_000, buffer_memory=3_000)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            for number in range(200):
                await producer.send("t", b"%d" % number, partition=0)
            await producer.flush()
            assert script.values == [b"%d" % number for number in range(200)]
            assert len(script.requests) > 3

    run(work())


def test_appending_is_refused_until_the_topic_is_known_and_when_there_is_no_room() -> None:
    async def work() -> None:
        script = Script()
        options = ProducerOptions(batch_size=400, buffer_memory=500, max_block_ms=10)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            with pytest.raises(TopicUnknown):
                producer.append("t", b"a")
            await producer.topic("t", timeout_ms=10_000)
            kept = producer.append("t", b"a", partition=0)
            with pytest.raises(BufferFull):
                producer.append("t", b"b", partition=1)
            script.is_silent = True
            with pytest.raises(BufferFull, match="was full for 10 ms"):
                await producer.send("t", b"b", partition=1)
            assert not kept.done
            with pytest.raises(Undelivered):
                await producer.close(0)

    run(work())


def test_a_refusal_that_passes_is_not_noticed_and_one_that_stays_is_told() -> None:
    async def work() -> None:
        script = Script()
        script.produce_errors = [ErrorCode.NOT_ENOUGH_REPLICAS, 0, ErrorCode.INVALID_TIMESTAMP]
        told: list[RecordBatch] = []
        async with (
            script.broker,
            script.client() as client,
            Producer(client, on_done=told.append) as producer,
        ):
            await (await producer.send("t", b"v"))
            refused = await producer.send("t", b"w")
            await producer.flush()
            with pytest.raises(ApiError, match="INVALID_TIMESTAMP: t-"):
                await refused
            assert [batch.error is None for batch in told] == [True, False]

    run(work())


def test_delivery_ends_when_its_time_is_over() -> None:
    async def work() -> None:
        script = Script()
        script.produce_errors = [ErrorCode.NOT_ENOUGH_REPLICAS] * 500
        options = ProducerOptions(delivery_timeout_ms=200)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            with pytest.raises(DeliveryTimedOut, match="within 200 ms: NOT_ENOUGH_REPLICAS"):
                await (await producer.send("t", b"v"))

    run(work())


@pytest.mark.parametrize("acks", [0, 1])
def test_no_identity_is_asked_for_where_none_is_of_use(acks: int) -> None:
    async def work() -> None:
        script = Script()
        options = ProducerOptions(acks=acks, enable_idempotence=False)
        async with script.broker, script.client() as client:
            async with Producer(client, options) as producer:
                taken = await producer.send("t", b"v", partition=1)
                assert (await taken).offset == (-1 if acks == 0 else 0)
                # The next answer shows that the broker has read what came before it.
                await client.ask(1, METADATA, MetadataRequest(topics=[]))
            assert INIT_PRODUCER_ID not in script.broker.calls
            assert [request.acks for request in script.requests] == [acks]

    run(work())


def test_an_old_broker_without_identities_is_served_without() -> None:
    async def work() -> None:
        script = Script(without=(INIT_PRODUCER_ID,))
        async with script.broker, script.client() as client, Producer(client) as producer:
            await (await producer.send("t", b"v"))

    run(work())


def test_an_identity_is_asked_for_again_or_its_refusal_told() -> None:
    async def work() -> None:
        script = Script()
        script.identity_errors = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
        async with script.broker, script.client() as client, Producer(client) as producer:
            await (await producer.send("t", b"v"))
        script = Script()
        script.identity_errors = [ErrorCode.CLUSTER_AUTHORIZATION_FAILED]
        async with script.broker, script.client() as client, Producer(client) as producer:
            taken = await producer.send("t", b"v")
            with pytest.raises(ApiError, match="CLUSTER_AUTHORIZATION_FAILED"):
                await taken
            with pytest.raises(ApiError, match="CLUSTER_AUTHORIZATION_FAILED"):
                await producer.send("t", b"w")

    run(work())


def test_a_topic_that_is_not_there_is_said_with_its_name() -> None:
    async def work() -> None:
        script = Script()
        script.topic_errors = [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION] * 500
        options = ProducerOptions(max_block_ms=200, allow_auto_create=False)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            with pytest.raises(ApiError, match="UNKNOWN_TOPIC_OR_PARTITION: topic 't'"):
                await producer.send("t", b"v")
            assert not any(script.created_missing)

    run(work())


def test_nobody_at_the_address_is_said_at_once() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker:
            client = script.client()
        async with client, Producer(client) as producer:
            with pytest.raises(Unreachable, match="refused"):
                await producer.send("t", b"v")

    run(work())


def test_an_advertised_address_that_does_not_work_is_explained() -> None:
    async def work() -> None:
        gone, script = Script(), Script()
        async with gone.broker:
            script.advertised = gone.broker.address
        options = ProducerOptions(acks=1, enable_idempotence=False, unreachable_attempts_max=3)
        async with script.broker, script.client() as client:
            producer = Producer(client, options)
            await producer.start()
            taken = await producer.send("t", b"v")
            with pytest.raises(AdvertisedUnreachable, match=r"advertised\.listeners"):
                await taken
            with pytest.raises(AdvertisedUnreachable):
                producer.append("t", b"v")
            await producer.close()

    run(work())


def test_a_cut_connection_costs_nothing() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client, Producer(client) as producer:
            await (await producer.send("t", b"a", partition=0))
            script.is_silent = True
            taken = await producer.send("t", b"b", partition=0)
            while len(script.requests) < 2:
                await asyncio.sleep(0)
            script.is_silent = False
            script.broker.hang_up()
            await taken
            assert script.values == [b"a", b"b"]
            assert script.sequences == [0, 1, 1], "a broker that had it would know it again"

    run(work())


def test_flush_waits_no_longer_than_it_may() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client, Producer(client) as producer:
            await producer.topic("t")
            script.is_silent = True
            taken = producer.append("t", b"v")
            with pytest.raises(FlushTimedOut, match="1 batch under way after 5 ms"):
                await producer.flush(5)
            assert not taken.done
            script.is_silent = False
            script.broker.hang_up()
            await producer.flush()
            assert taken.done

    run(work())


def test_closing_says_what_was_dropped() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            producer = Producer(client, ProducerOptions(linger_ms=60_000))
            await producer.start()
            delivered = await producer.send("t", b"a")
            await producer.flush()
            script.is_silent = True
            dropped = [await producer.send("t", b"b") for _ in range(3)]
            with pytest.raises(Undelivered, match="3 of topic 't'") as told:
                await producer.close(5)
            assert told.value.counts == {"t": 3}
            assert delivered.error is None
            assert all(isinstance(one.error, ProducerClosed) for one in dropped)
            with pytest.raises(ProducerClosed):
                await producer.send("t", b"c")

    run(work())


def test_who_is_not_kept_waiting_by_a_close_is_told_of_what_was_dropped() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            producer = Producer(client)
            await producer.start()
            script.is_silent = True
            dropped = await producer.send("t", b"a")
            closing = asyncio.ensure_future(producer.close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            with pytest.raises(ProducerClosed, match="1 of topic 't'"):
                await dropped

    run(work())


def test_who_waits_for_a_topic_while_the_producer_is_closed_is_told_so() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client:
            producer = Producer(client)
            await producer.start()
            script.topic_errors = [ErrorCode.LEADER_NOT_AVAILABLE] * 1_000
            sending = asyncio.ensure_future(producer.send("t", b"a"))
            await asyncio.sleep(0)
            await producer.close()
            with pytest.raises(ProducerClosed):
                await sending

    run(work())


def test_closing_sends_what_lingers() -> None:
    async def work() -> None:
        script = Script()
        options = ProducerOptions(linger_ms=60_000)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            taken = await producer.send("t", b"a")
        assert taken.result().offset == 0

    run(work())


def test_batches_are_handed_over_whole() -> None:
    async def work() -> None:
        script = Script()
        async with script.broker, script.client() as client, Producer(client) as producer:
            handed = await producer.send_batch("t", [b"a", b"b", b"c"], partition=1)
            assert await handed == [(1, 0, 3)]
            assert script.values == [b"a", b"b", b"c"]

    run(work())


def test_another_thread_may_append_under_the_guard() -> None:
    async def work() -> None:
        script = Script()
        guard = threading.Lock()
        told: list[int] = []
        async with (
            script.broker,
            script.client() as client,
            Producer(client, guard=guard) as producer,
        ):
            await producer.topic("t")

            def append() -> None:
                for number in range(100):
                    with guard:
                        taken = producer.append("t", b"%d" % number, partition=0)
                        taken.add_done_callback(lambda done: told.append(done.result().offset))

            await asyncio.to_thread(append)
            await producer.flush()
            assert sorted(told) == list(range(100))
            assert script.values == [b"%d" % number for number in range(100)]

    run(work())


def test_a_callback_may_send_more() -> None:
    async def work() -> None:
        script = Script()
        guard = threading.Lock()
        async with (
            script.broker,
            script.client() as client,
            Producer(client, guard=guard) as producer,
        ):
            second = asyncio.get_running_loop().create_future()

            def more(_: object) -> None:
                with guard:
                    second.set_result(producer.append("t", b"b", partition=0))

            (await producer.send("t", b"a", partition=0)).add_done_callback(more)
            await (await second)
            assert script.values == [b"a", b"b"]

    run(work())


def test_a_broker_of_kafka_2_1_is_asked_in_its_versions() -> None:
    async def work() -> None:
        script = Script(versions={METADATA: 7, INIT_PRODUCER_ID: 1, PRODUCE: 7})
        options = ProducerOptions(codec=4)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            taken = await producer.send("t", b"v", b"k", (("h", b"1"),), partition=1)
            assert (await taken).partition == 1
            assert script.requests[0].topic_data[0].name == "t"
            script.produce_errors = [ErrorCode.NOT_LEADER_OR_FOLLOWER]
            await (await producer.send("t", b"w", partition=1))
            assert script.values == [b"v", b"w"]

    run(work())


def test_a_callback_that_raises_is_reported_and_harms_nobody() -> None:
    async def work() -> None:
        script = Script()
        reported: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context.get("exception")))
        told: list[Delivery] = []

        def fail(_: Delivery) -> None:
            raise ZeroDivisionError

        async with script.broker, script.client() as client, Producer(client) as producer:
            await producer.topic("t")
            for callback in (told.append, fail, told.append):
                producer.append("t", b"v", partition=0).add_done_callback(callback)
            await producer.flush()
            await (await producer.send("t", b"w"))
        assert [type(error) for error in reported] == [ZeroDivisionError]
        assert len(told) == 2

    run(work())


def test_who_leaves_with_an_error_is_told_of_that_and_of_what_was_dropped() -> None:
    async def work() -> None:
        script = Script()

        async def leave() -> None:
            async with script.broker, script.client() as client, Producer(client) as producer:
                await producer.send("t", b"v")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError) as raised:
            await leave()
        assert raised.value.__notes__ == [
            "not delivered when the producer was closed: 1 of topic 't'"
        ]

    run(work())


def test_what_expires_before_its_broker_can_be_reached_is_not_sent() -> None:
    async def work() -> None:
        gone, script = Script(), Script()
        async with gone.broker:
            script.advertised = gone.broker.address
        options = ProducerOptions(acks=1, enable_idempotence=False, delivery_timeout_ms=300)
        async with script.broker, script.client() as client, Producer(client, options) as producer:
            taken = await producer.send("t", b"v")
            with pytest.raises(DeliveryTimedOut, match=r"within 300 ms: .*cannot be reached"):
                await taken
            script.advertised = None
            client.mark_stale()
            while client.cluster.brokers[1] != script.broker.address:
                await client.fresh()
            await producer.flush()
            assert script.requests == []

    run(work())


def test_a_new_topic_is_waited_for_while_the_brokers_are_away() -> None:
    async def work() -> None:
        script = Script()

        def hang_up(_: Message) -> None:
            script.broker.replace(METADATA, script.metadata)
            script.broker.hang_up()

        async with script.broker, script.client() as client, Producer(client) as producer:
            await producer.topic("t")
            script.broker.replace(METADATA, hang_up)
            assert (await producer.topic("u")).name == "u"

    run(work())
