"""Compaction as clients see it: what a consumer reads, what look-ups answer, what a coordinator remembers."""

import pytest

from ottla.core.effect import COMPACTION
from ottla.core.event import Ticked
from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from ottla.record.batch import batches_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.group_house import Member, commit, coordinated, described, fetched, stable
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode
from tests.unit.fakes.disk import MemoryDisk

EAGER = ("log.cleaner.backoff.ms=100", "log.cleaner.min.cleanable.ratio=0.01")


def make(peer: Peer, **configs: str) -> None:
    given = {"cleanup.policy": "compact", "internal.segment.bytes": "600", **configs}
    rows = [CreatableTopicConfig(name.replace("_", "."), text) for name, text in given.items()]
    topics = [CreatableTopic("t", 1, 1, configs=rows)]
    answer = peer.ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    assert answer.topics[0].error_code == 0, answer.topics[0].error_message


def write(
    peer: Peer,
    *records: tuple[bytes, bytes | None],
    timestamp_ms: int = NOW_MS,
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> tuple[int, int]:
    """(error, base offset)"""
    builder = BatchBuilder()
    for key, value in records:
        builder.append(timestamp_ms, key, value)
    data = builder.build(
        producer_id=producer[0], producer_epoch=producer[1], base_sequence=producer[2]
    )
    parts = [PartitionProduceData(0, bytes(data))]
    topics = [TopicProduceData(name="t", partition_data=parts)]
    answer = peer.ask(ProduceRequest(None, -1, 1_000, topics), 9, ProduceResponse)
    part = answer.responses[0].partition_responses[0]
    return part.error_code, part.base_offset


def read(peer: Peer, offset: int = 0) -> tuple[list[tuple[int, bytes | None, bytes | None]], int]:
    """All records from `offset` on, as a consumer goes on from batch to batch; how many asks."""
    found = []
    asks = 0
    while True:
        asks += 1
        parts = [FetchPartition(partition=0, fetch_offset=offset, partition_max_bytes=300)]
        topics = [FetchTopic(topic="t", partitions=parts)]
        answer = peer.ask(FetchRequest(max_bytes=300, topics=topics), 11, FetchResponse)
        part = answer.responses[0].partitions[0]
        assert part.error_code == 0
        assert isinstance(part.records, (bytes, memoryview))
        if not part.records:
            return found, asks
        for batch in batches_untrusted(memoryview(part.records)):
            for record in records_untrusted(batch, limit=1_000_000):
                if record.offset >= offset:
                    found.append((record.offset, record.key, record.value))
            offset = batch.next_offset


def offset_of(peer: Peer, timestamp: int) -> tuple[int, int]:
    """(offset, timestamp)"""
    parts = [ListOffsetsPartition(0, timestamp=timestamp)]
    request = ListOffsetsRequest(-1, 0, [ListOffsetsTopic("t", parts)])
    part = peer.ask(request, 8, ListOffsetsResponse).topics[0].partitions[0]
    assert part.error_code == 0
    return part.offset, part.timestamp


@pytest.fixture
def node() -> WholeNode:
    return WholeNode(MemoryDisk(NOW_MS), *EAGER, "offsets.topic.num.partitions=1")


def test_a_consumer_reads_the_newest_of_every_key_and_the_offsets_they_had(node: WholeNode) -> None:
    peer = node.connect()
    make(peer)
    for at in range(40):
        assert write(peer, (b"k%d" % (at % 4), b"%d" % at * 20), timestamp_ms=NOW_MS + at)[0] == 0
    before, _ = read(peer)
    node.pass_time(2_000)
    after, _ = read(peer)
    assert len(after) < 20
    assert set(after) <= set(before)
    assert {key: value for _, key, value in after} == {key: value for _, key, value in before}
    gap = after[0][0] - 1
    assert read(peer, gap)[0] == after, "the offsets in front of it are gone"
    assert offset_of(peer, -2)[0] == 0
    assert offset_of(peer, -1)[0] == 40
    assert offset_of(peer, NOW_MS) == (after[0][0], NOW_MS + after[0][0])
    assert offset_of(peer, -3) == (39, NOW_MS + 39)


def test_a_consumer_passes_batches_without_records(node: WholeNode) -> None:
    peer = node.connect()
    make(peer)
    for at in range(5):
        assert write(peer, (b"a", b"%d" % at * 100), producer=(at, 0, 0))[0] == 0
    for at in range(10):
        assert write(peer, (b"a", b"%d" % at * 100))[0] == 0
    node.pass_time(2_000)
    log = node.node.replicas.leader("t", 0).log  # type: ignore[union-attr]
    assert sum(batch.record_count == 0 for batch in log.batches(0, 15)) >= 4
    found, _ = read(peer)
    assert found[-1][0] == 14
    assert all(offset > 4 for offset, _, _ in found)
    assert offset_of(peer, 0)[0] == found[0][0]


def test_sequences_go_on_after_compaction_and_a_kill(node: WholeNode) -> None:
    peer = node.connect()
    make(peer)
    for at in range(3):
        write(peer, (b"a", b"%d" % at * 100), producer=(7, 0, at))
    for at in range(10):
        write(peer, (b"a", b"%d" % at * 100))
    node.pass_time(2_000)
    disk = node.disk.copy()
    for name in disk.names("t-0"):
        if name.endswith(".snapshot"):
            disk.remove(f"t-0/{name}")
    again = WholeNode(disk, *EAGER, shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    peer = again.connect()
    assert write(peer, (b"a", b"2" * 100), producer=(7, 0, 2)) == (0, 2), "a retry"
    assert write(peer, (b"b", b""), producer=(7, 0, 4))[0] == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert write(peer, (b"b", b""), producer=(7, 0, 3))[0] == 0


def test_deleted_keys_are_told_and_then_forgotten(node: WholeNode) -> None:
    peer = node.connect()
    make(peer, delete_retention_ms="10000")
    for at in range(10):
        write(peer, (b"a", b"%d" % at * 100))
    write(peer, (b"a", None))
    for at in range(10):
        write(peer, (b"b", b"%d" % at * 100))
    node.pass_time(2_000)
    assert (10, b"a", None) in read(peer)[0]
    node.pass_time(10_000)
    for at in range(10):
        write(peer, (b"b", b"%d" % at * 100))
    node.pass_time(2_000)
    assert {key for _, key, _ in read(peer)[0]} == {b"b"}


def test_a_groups_memory_is_the_same_after_its_log_was_compacted() -> None:
    disk = MemoryDisk(NOW_MS)
    settings = (*EAGER, "offsets.topic.num.partitions=1")
    node = WholeNode(disk, *settings)
    peer = coordinated(node)
    rows = [AlterableConfig("internal.segment.bytes", 0, "2000")]
    resources = [AlterConfigsResource(2, "__consumer_offsets", rows)]
    altered = peer.ask(
        IncrementalAlterConfigsRequest(resources), 1, IncrementalAlterConfigsResponse
    )
    assert altered.responses[0].error_code == 0
    make(peer)
    member = Member(node)
    stable(node, member)
    for at in range(150):
        assert member.commit(at) == 0
        assert commit(peer, 1000 + at, group="other") == 0
    leader = node.node.replicas.leader("__consumer_offsets", 0)
    size_bytes = leader.log.size_bytes  # type: ignore[union-attr]
    before = described(peer)
    member.heartbeat()
    node.pass_time(3_000)
    assert leader.log.size_bytes < size_bytes / 4  # type: ignore[union-attr]
    assert leader.log.cleaned_offset  # type: ignore[union-attr]
    for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
        again = WholeNode(disk.copy(), *settings, shutdown=shutdown, now_ms=node.now_ms)
        again.pass_time(100)
        peer = coordinated(again)
        assert fetched(peer) == 149
        assert fetched(peer, group="other") == 1149
        after = described(peer)
        assert after.group_state == before.group_state == "Stable"
        assert [one.member_id for one in after.members] == [member.member_id]
        assert [one.member_assignment for one in after.members] == [
            one.member_assignment for one in before.members
        ]


def test_a_compacted_segment_that_can_not_be_synced_replaces_nothing(node: WholeNode) -> None:
    peer = node.connect()
    make(peer)
    for at in range(20):
        write(peer, (b"a", b"%d" % at * 100))
    size_bytes = node.node.replicas.leader("t", 0).log.size_bytes  # type: ignore[union-attr]
    while not any(flush.partition == COMPACTION for flush in node.flushes):
        node.flush()
        node.now_ms = node.node.next_deadline_ms() or 0
        node.step(Ticked())
    node.flush("the disk refuses to sync")
    assert node.node.replicas.is_offline
    assert write(peer, (b"a", b""))[0] == ErrorCode.KAFKA_STORAGE_ERROR
    again = WholeNode(node.disk.copy(), *EAGER, shutdown=Shutdown.KILLED, now_ms=node.now_ms)
    log = again.node.replicas.leader("t", 0).log  # type: ignore[union-attr]
    assert log.size_bytes == size_bytes
