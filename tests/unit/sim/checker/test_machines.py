"""What looks at the machines themselves finds a machine that was tampered with."""

from collections.abc import Callable

import pytest

from ottla.core.log.recovery import Shutdown
from ottla.core.replica.leader import Leader
from ottla.record.builder import BatchBuilder
from ottla.sim.checker.inside import check_bounds, check_deeply
from ottla.sim.checker.recovered import Portrait, differences
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchTopic
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.test_node import create
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode
from tests.unit.fakes.disk import MemoryDisk


def filled(disk: MemoryDisk) -> tuple[WholeNode, Peer]:
    whole = WholeNode(disk)
    peer = whole.connect()
    create(peer, "t")
    for sequence in (0, 1):
        builder = BatchBuilder()
        builder.append(NOW_MS, None, b"a")
        batch = builder.build(producer_id=7, producer_epoch=0, base_sequence=sequence)
        part = [PartitionProduceData(0, bytes(batch))]
        topics = [TopicProduceData(name="t", partition_data=part)]
        peer.ask(ProduceRequest(None, -1, 1_000, topics), 9, ProduceResponse)
    return whole, peer


def leader_of(whole: WholeNode) -> Leader:
    leader = whole.node.replicas.leader("t", 0)
    assert isinstance(leader, Leader)
    return leader


def test_a_node_that_nobody_touched_is_sound() -> None:
    whole, peer = filled(MemoryDisk(NOW_MS))
    assert check_bounds(whole.node, {peer.connection_id}) == []
    assert check_deeply(whole.node) == []


def test_a_call_that_outlives_its_connection() -> None:
    whole, peer = filled(MemoryDisk(NOW_MS))
    part = [FetchPartition(partition=0, fetch_offset=2, partition_max_bytes=100)]
    fetch = FetchRequest(
        max_wait_ms=500, min_bytes=1, max_bytes=100, topics=[FetchTopic("t", partitions=part)]
    )
    peer.send(fetch, 11)
    assert check_bounds(whole.node, {peer.connection_id}) == []
    assert "has ended" in check_bounds(whole.node, set())[0]


def _watermark(leader: Leader) -> None:
    leader.high_watermark = 3


def test_numbers_out_of_order() -> None:
    whole, peer = filled(MemoryDisk(NOW_MS))
    _watermark(leader_of(whole))
    assert "check_invariants in leader.py" in check_bounds(whole.node, {peer.connection_id})[0]


def _epoch(leader: Leader) -> None:
    leader.log.epochs._epochs[0] = 5


def _forgotten(leader: Leader) -> None:
    leader.log.producers.producers.clear()


def _sequence(leader: Leader) -> None:
    leader.log.producers.producers[7].batches[-1].last_sequence = 9


def _end(leader: Leader) -> None:
    leader.log.end_offset = 1


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (_epoch, "the epoch history says [(5, 0)]"),
        (_forgotten, "producer 7 wrote here and is not known"),
        (_sequence, "last sequence 9 is kept, the batches say 1"),
        (_end, "an invariant does not hold"),
    ],
)
def test_memory_that_is_not_what_the_batches_say(
    tamper: Callable[[Leader], None], found: str
) -> None:
    whole, _ = filled(MemoryDisk(NOW_MS))
    tamper(leader_of(whole))
    assert found in check_deeply(whole.node)[0]


def test_two_starts_that_differ() -> None:
    disk = MemoryDisk(NOW_MS)
    filled(disk)
    first = WholeNode(disk, shutdown=Shutdown.KILLED)
    portrait = Portrait(first.node)
    second = WholeNode(disk, shutdown=Shutdown.KILLED)
    assert differences(portrait, Portrait(second.node)) == []
    leader_of(second).log.end_offset = 1
    found = differences(portrait, Portrait(second.node))
    assert found == ["t-0: end 2 at the first start, 1 at the second"]


def test_a_topic_that_only_one_start_knows() -> None:
    disk = MemoryDisk(NOW_MS)
    empty = Portrait(WholeNode(disk).node)
    whole, _ = filled(disk)
    full = Portrait(whole.node)
    assert differences(empty, full) == ["topic t was not there at the first start"]
    assert differences(full, empty) == ["topic t was there at the first start, not at the second"]
