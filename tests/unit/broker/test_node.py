"""A whole node, from bytes to bytes: it starts, answers, waits, survives, and refuses."""

import pytest

from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from ottla.record.batch import batches_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted
from ottla.settings.environment import TopicToCreate
from ottla.wire.api import APIS
from ottla.wire.message.api_versions import ApiVersionsResponse
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode, request_bytes
from tests.unit.fakes.disk import MemoryDisk


def produce(*values: bytes, topic: str = "t", acks: int = -1) -> ProduceRequest:
    builder = BatchBuilder()
    for value in values:
        builder.append(NOW_MS, None, value)
    parts = [PartitionProduceData(0, bytes(builder.build()))]
    return ProduceRequest(None, acks, 1_000, [TopicProduceData(name=topic, partition_data=parts)])


def fetch(offset: int = 0, *, wait_ms: int = 0, topic: str = "t") -> FetchRequest:
    parts = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=1_000_000)]
    return FetchRequest(
        max_wait_ms=wait_ms,
        min_bytes=1,
        max_bytes=1_000_000,
        topics=[FetchTopic(topic=topic, partitions=parts)],
    )


def create(peer: Peer, *names: str) -> None:
    topics = [CreatableTopic(name, 1, 1) for name in names]
    answer = peer.ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    assert [row.error_code for row in answer.topics] == [0] * len(names)


def values_in(answer: FetchResponse) -> list[bytes]:
    values = []
    for topic in answer.responses:
        for part in topic.partitions:
            assert part.error_code == 0
            assert isinstance(part.records, (bytes, memoryview))
            for batch in batches_untrusted(memoryview(part.records)):
                for record in records_untrusted(batch, limit=1_000_000):
                    assert record.value is not None
                    values.append(record.value)
    return values


def stored(node: WholeNode) -> list[bytes]:
    return values_in(node.connect().ask(fetch(), 11, FetchResponse))


def test_what_was_acknowledged_is_there_after_a_clean_stop() -> None:
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk)
    peer = node.connect()
    create(peer, "t")
    peer.ask(produce(b"a", b"b"), 9, ProduceResponse)
    image = node.node.current.image
    node.stop()
    assert node.node.is_durable

    again = WholeNode(disk)
    assert again.node.current.image.topics == image.topics
    assert stored(again) == [b"a", b"b"]


def test_what_was_acknowledged_is_there_after_a_kill() -> None:
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk)
    peer = node.connect()
    create(peer, "t")
    for value in (b"a", b"b", b"c"):
        peer.send(produce(value), 9)

    killed = WholeNode(disk.copy(), shutdown=Shutdown.KILLED)
    assert stored(killed) == [b"a", b"b", b"c"]


def test_with_flush_ack_nothing_acknowledged_is_lost_with_the_power() -> None:
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk, "ottla.flush=ack")
    peer = node.connect()
    create(peer, "t")
    peer.ask(produce(b"kept"), 9, ProduceResponse)
    not_flushed = peer.send(produce(b"not acknowledged"), 9)
    assert peer.answer(not_flushed) is None
    assert stored_without_flush(node) == [b"kept"]

    after = WholeNode(disk.after_power_cut(), "ottla.flush=ack", shutdown=Shutdown.POWER_LOST)
    assert stored(after) == [b"kept"]


def stored_without_flush(node: WholeNode) -> list[bytes]:
    peer = node.connect()
    answer = peer.answer(peer.send(fetch(), 11))
    assert isinstance(answer, FetchResponse)
    return values_in(answer)


def test_one_flush_acknowledges_all_that_wait_for_it() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "ottla.flush=ack")
    peer = node.connect()
    create(peer, "t")
    asked = [peer.send(produce(value), 9) for value in (b"a", b"b", b"c", b"d")]
    assert len(node.flushes) == 1
    node.flush()
    answers = [peer.answer(one) for one in asked]
    offsets = [
        one.responses[0].partition_responses[0].base_offset
        for one in answers
        if isinstance(one, ProduceResponse)
    ]
    assert offsets == [0, 1, 2, 3]


def test_a_fetch_waits_for_a_record_and_gets_it() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    consumer, producer = node.connect(), node.connect()
    create(producer, "t")
    waiting = consumer.send(fetch(wait_ms=500), 11)
    assert consumer.answer(waiting) is None

    producer.send(produce(b"at last"), 9)
    answer = consumer.answer(waiting)
    assert isinstance(answer, FetchResponse)
    assert values_in(answer) == [b"at last"]
    node.node.waiting.check_invariants()


def test_a_fetch_that_waited_in_vain_is_answered_when_its_time_is_up() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    consumer = node.connect()
    create(consumer, "t")
    waiting = consumer.send(fetch(wait_ms=500), 11)
    node.pass_time(499)
    assert consumer.answer(waiting) is None
    node.pass_time(1)
    answer = consumer.answer(waiting)
    assert isinstance(answer, FetchResponse)
    assert values_in(answer) == []


def test_what_a_closed_connection_waited_for_is_forgotten() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    consumer, producer = node.connect(), node.connect()
    create(producer, "t")
    consumer.send(fetch(wait_ms=500), 11)
    consumer.disconnect()
    assert len(node.node.waiting) == 0
    producer.ask(produce(b"a"), 9, ProduceResponse)


def test_topics_wanted_at_the_start_are_there_when_the_node_is_ready() -> None:
    wanted = (TopicToCreate("orders", 3, 2, None), TopicToCreate("seen", 1, 1, "compact"))
    disk = MemoryDisk(NOW_MS)
    node = WholeNode(disk, wanted=wanted)
    assert node.node.is_ready
    image = node.node.current.image
    assert len(image.topics["orders"].partitions) == 3
    assert image.topics["orders"].partitions[0].replicas == (1,)
    assert image.topic_configs("seen") == {"cleanup.policy": "compact"}

    node.stop()
    again = WholeNode(disk, wanted=wanted)
    assert again.node.current.image.topics["orders"] == image.topics["orders"]


def test_a_metadata_request_creates_a_topic_and_is_answered_with_it() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "num.partitions=4")
    request = MetadataRequest([MetadataRequestTopic(name="new")], True)
    answer = node.connect().ask(request, 12, MetadataResponse)
    (topic,) = answer.topics
    assert topic.error_code == 0
    assert len(topic.partitions) == 4
    assert {part.leader_id for part in topic.partitions} == {answer.brokers[0].node_id}


def test_producer_ids_are_never_handed_out_twice() -> None:
    disk = MemoryDisk(NOW_MS)
    ids: list[int] = []
    for shutdown in (Shutdown.CLEAN, Shutdown.KILLED, Shutdown.KILLED):
        node = WholeNode(disk, shutdown=shutdown)
        for _ in range(3):
            request = InitProducerIdRequest(None, 60_000)
            answer = node.connect().ask(request, 4, InitProducerIdResponse)
            assert answer.error_code == 0
            ids.append(answer.producer_id)
        disk = disk.copy()
    assert len(set(ids)) == len(ids)


def test_an_unknown_version_of_api_versions_is_told_the_known_ones() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    peer = node.connect()
    peer.send_bytes(request_bytes(18, 99, 7, b"\x01\x01\x00"))
    (raw,) = peer.raw
    answer = APIS[18].decode_response_untrusted(memoryview(raw), 8, 0)
    assert isinstance(answer, ApiVersionsResponse)
    assert raw[4:8] == (7).to_bytes(4, "big")
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION
    assert {(key.api_key, key.min_version) for key in answer.api_keys} >= {(18, 0), (0, 0)}


def test_librdkafka_finds_what_it_takes_as_the_mark_of_lz4() -> None:
    assert WholeNode(MemoryDisk(NOW_MS)).node.routes.advertised()[10] == (0, 6)


def test_what_is_not_served_is_not_advertised() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    advertised = node.node.routes.advertised()
    assert {24, 25, 26, 28, 68}.isdisjoint(advertised)  # transactions, newer groups
    assert advertised[0] == (0, 13)
    assert advertised[1] == (0, 18)


def test_an_api_that_is_not_served_is_refused_with_the_protocols_own_error() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    answer = node.connect().ask(EndTxnRequest("x"), 2, EndTxnResponse)
    assert answer.error_code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    ("api_key", "version", "named"),
    [
        (1, 77, "Fetch version 77"),  # a version beyond the codec
        (2, -1, "ListOffsets version -1"),
        (26, 99, "EndTxn version 99"),  # an API that is not served
    ],
)
def test_where_no_answer_can_say_so_the_connection_is_closed(
    api_key: int, version: int, named: str
) -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    peer = node.connect()
    peer.send_bytes(request_bytes(api_key, version, 7))
    assert peer.raw == []
    assert named in node.closed[peer.connection_id]


def test_acks_0_is_answered_by_nothing_and_by_the_end_when_it_fails() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "auto.create.topics.enable=false")
    peer = node.connect()
    create(peer, "t")
    peer.raw.clear()
    peer.send(produce(b"a", acks=0), 9)
    assert b"".join(peer.raw) == b""
    assert stored(node) == [b"a"]

    peer.send(produce(b"a", topic="absent", acks=0), 9)
    assert "UNKNOWN_TOPIC_OR_PARTITION" in node.closed[peer.connection_id]


def test_a_metadata_log_that_cannot_be_flushed_takes_the_directory_offline() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    peer = node.connect()
    kept = peer.send(CreateTopicsRequest([CreatableTopic("kept", 1, 1)], 1_000), 7)
    node.flush()
    assert peer.answer(kept).topics[0].error_code == ErrorCode.NONE  # type: ignore[union-attr]
    asked = [
        peer.send(CreateTopicsRequest([CreatableTopic(name, 1, 1)], 1_000), 7) for name in "ab"
    ]
    node.flush(error="Input/output error")
    for one in asked:
        answer = peer.answer(one)
        assert isinstance(answer, CreateTopicsResponse)
        assert answer.topics[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert "Input/output error" in (answer.topics[0].error_message or "")
    assert node.halted is None
    metadata = peer.answer(peer.send(MetadataRequest(topics=None), 12))
    assert isinstance(metadata, MetadataResponse)
    assert [topic.name for topic in metadata.topics] == ["kept"]
    later = peer.answer(peer.send(CreateTopicsRequest([CreatableTopic("c", 1, 1)], 1_000), 7))
    assert isinstance(later, CreateTopicsResponse)
    assert later.topics[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
    node.stop()
    assert not node.node.is_durable


def test_a_start_that_cannot_be_flushed_ends() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), flushing=False)
    node.flush(error="Input/output error")
    assert node.halted is not None
    assert "Input/output error" in node.halted
