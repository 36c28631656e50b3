"""Thousands of partitions in one request: no step does much, and nobody sees what is not yet done."""

from ottla.core.event import Ticked
from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from ottla.wire.message.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.unit.broker.test_log_dirs import create, delete, fetch, produce
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

MADE_PER_STEP = 10
RENAMED_PER_STEP = 100


def directories(node: WholeNode, suffix: str = "") -> set[str]:
    names = {name for name in node.disk.names("") if name.startswith("t-")}
    return {name for name in names if name.endswith(suffix)}


def tick(node: WholeNode, ms: int = 1) -> None:
    node.now_ms += ms
    node.step(Ticked())


def grow(node: WholeNode, count: int) -> ErrorCode:
    topics = [CreatePartitionsTopic("t", count, None)]
    request = CreatePartitionsRequest(topics, 1_000)
    answer = node.connect().ask(request, 3, CreatePartitionsResponse)
    return ErrorCode(answer.results[0].error_code)


def test_a_step_makes_a_few_and_the_next_ones_the_rest() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 35)
    made = [len(directories(node))]
    while len(directories(node)) < 35:
        tick(node)
        made.append(len(directories(node)))
    assert made == [10, 20, 30, 35]
    node.node.replicas.check_invariants()


def test_a_partition_that_is_asked_before_its_turn_is_there() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 100)
    request = MetadataRequest([MetadataRequestTopic(name="t")])
    answer = node.connect().ask(request, 12, MetadataResponse)
    assert len(answer.topics[0].partitions) == 100
    assert "t-99" not in directories(node)
    assert produce(node, 99) == 0
    assert "t-99" in directories(node)
    assert fetch(node, 99) == (0, 1)
    assert fetch(node, 98) == (0, 0)
    assert produce(node, 100) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_more_partitions_than_a_step_makes_are_added() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 10)
    assert grow(node, 200) is ErrorCode.NONE
    assert len(directories(node)) <= 10 + MADE_PER_STEP
    assert produce(node, 199) == 0
    node.pass_time(1_000)
    assert len(directories(node)) == 200


def test_many_small_requests_of_one_turn_make_no_more_than_a_large_one() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    for number in range(10):
        create(node, f"t-{number}", 10)
    assert len(directories(node)) == MADE_PER_STEP


def test_what_a_kill_leaves_unmade_is_made_by_the_next_process() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 100)
    again = WholeNode(node.disk, shutdown=Shutdown.KILLED)
    assert len(directories(again)) == 100
    assert produce(again, 99) == 0


def test_what_a_clean_stop_leaves_unmade_is_made_by_the_next_process() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 100)
    node.stop()
    assert node.node.is_durable
    again = WholeNode(node.disk)
    assert produce(again, 99) == 0


def test_a_deleted_topic_is_gone_at_once_and_its_files_in_pieces() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "log.segment.delete.delay.ms=0")
    create(node, "t", 250)
    node.pass_time(1_000)
    delete(node, "t")
    assert produce(node, 0) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert len(directories(node, "-delete")) == RENAMED_PER_STEP
    tick(node)
    tick(node)
    assert not any(name.count("-") == 1 for name in directories(node))
    node.pass_time(1_000)
    assert directories(node) == set()


def test_a_name_is_free_although_the_old_files_still_have_it() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 250)
    node.pass_time(1_000)
    assert produce(node, 249) == 0
    delete(node, "t")
    assert "t-249" in directories(node)
    create(node, "t", 250)
    assert fetch(node, 249) == (0, 0)
    assert produce(node, 249) == 0
    node.pass_time(1_000)
    assert fetch(node, 249) == (0, 1)
    assert len(directories(node, "-stray")) == 0


def test_a_topic_that_is_deleted_before_it_was_made_leaves_nothing() -> None:
    node = WholeNode(MemoryDisk(NOW_MS), "log.segment.delete.delay.ms=0")
    create(node, "t", 100)
    delete(node, "t")
    node.pass_time(1_000)
    assert directories(node) == set()


def test_a_stop_leaves_no_deleted_partition_under_its_name() -> None:
    node = WholeNode(MemoryDisk(NOW_MS))
    create(node, "t", 250)
    node.pass_time(1_000)
    delete(node, "t")
    node.stop()
    assert directories(node) == directories(node, "-delete")
