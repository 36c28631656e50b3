"""A node over several log directories: each partition in one of them, each directory for itself."""

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.core.event import Flushed, Ticked
from ottla.core.log.log import Log
from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.record.record import records_untrusted
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.describe_log_dirs import DescribeLogDirsRequest, DescribeLogDirsResponse
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.message.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

PATHS = ("/memory", "/memory-1", "/memory-2")


def disks() -> list[MemoryDisk]:
    return [MemoryDisk(NOW_MS) for _ in PATHS]


def node_on(
    of: list[MemoryDisk | None], *overrides: str, shutdown: Shutdown = Shutdown.CLEAN
) -> WholeNode:
    first = of[0]
    assert first is not None
    return WholeNode(first, *overrides, shutdown=shutdown, others=of[1:])


@pytest.fixture
def node() -> WholeNode:
    node = node_on([*disks()])
    create(node, "t", 6)
    return node


def create(node: WholeNode, name: str, partitions: int) -> None:
    topics = [CreatableTopic(name, partitions, 1)]
    answer = node.connect().ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    assert [row.error_code for row in answer.topics] == [0]


def delete(node: WholeNode, name: str) -> None:
    request = DeleteTopicsRequest(topics=[DeleteTopicState(name=name)], timeout_ms=1_000)
    answer = node.connect().ask(request, 6, DeleteTopicsResponse)
    assert [row.error_code for row in answer.responses] == [0]


def produce(node: WholeNode, partition: int, value: bytes = b"value", topic: str = "t") -> int:
    builder = BatchBuilder()
    builder.append(NOW_MS, None, value)
    parts = [PartitionProduceData(partition, bytes(builder.build()))]
    request = ProduceRequest(None, -1, 1_000, [TopicProduceData(name=topic, partition_data=parts)])
    answer = node.connect().ask(request, 9, ProduceResponse)
    return answer.responses[0].partition_responses[0].error_code


def fetch(node: WholeNode, partition: int, offset: int = 0) -> tuple[int, int]:
    """(error, high watermark)."""
    parts = [FetchPartition(partition=partition, fetch_offset=offset, partition_max_bytes=1 << 20)]
    request = FetchRequest(
        max_wait_ms=0, min_bytes=0, topics=[FetchTopic(topic="t", partitions=parts)]
    )
    answer = node.connect().ask(request, 12, FetchResponse)
    row = answer.responses[0].partitions[0]
    return row.error_code, row.high_watermark


def described(node: WholeNode) -> dict[str, tuple[int, set[tuple[str, int, bool]]]]:
    """Path -> (error, {(topic, partition, is future)})."""
    answer = node.connect().ask(DescribeLogDirsRequest(None), 4, DescribeLogDirsResponse)
    return {
        one.log_dir: (
            one.error_code,
            {
                (topic.name, row.partition_index, row.is_future_key)
                for topic in one.topics
                for row in topic.partitions
            },
        )
        for one in answer.results
    }


def held(node: WholeNode, path: str) -> set[int]:
    return {number for name, number, future in described(node)[path][1] if name == "t"}


def move(node: WholeNode, path: str, *partitions: int) -> list[int]:
    topics = [AlterReplicaLogDirTopic("t", list(partitions))]
    request = AlterReplicaLogDirsRequest([AlterReplicaLogDir(path, topics)])
    answer = node.connect().ask(request, 2, AlterReplicaLogDirsResponse)
    return [row.error_code for row in answer.results[0].partitions]


def test_partitions_are_spread_evenly(node: WholeNode) -> None:
    assert [len(held(node, path)) for path in PATHS] == [2, 2, 2]
    create(node, "u", 3)
    counts = [len(partitions) for _, partitions in described(node).values()]
    assert counts == [3, 3, 3]


@pytest.mark.parametrize("shutdown", [Shutdown.CLEAN, Shutdown.KILLED])
def test_the_next_process_finds_everything(node: WholeNode, shutdown: Shutdown) -> None:
    for number in range(6):
        assert produce(node, number) == 0
    before = described(node)
    if shutdown is Shutdown.CLEAN:
        node.stop()
    of = [node.disk_of(number) for number in range(3)]
    again = node_on([*of], shutdown=shutdown)
    assert described(again) == before
    assert [fetch(again, number) for number in range(6)] == [(0, 1)] * 6


def test_checkpoints_stand_in_the_directory_they_speak_of(node: WholeNode) -> None:
    for number in range(6):
        assert produce(node, number) == 0
    node.stop()
    for number, path in enumerate(PATHS):
        text = node.disk_of(number).read_whole("recovery-point-offset-checkpoint")
        assert text is not None
        lines = {line for line in text.decode().splitlines()[2:] if line.startswith("t ")}
        assert lines == {f"t {one} 1" for one in held(node, path)}


def test_a_failed_disk_takes_only_its_own_partitions(node: WholeNode) -> None:
    lost = sorted(held(node, PATHS[1]))
    others = sorted(set(range(6)) - set(lost))
    for number in range(6):
        assert produce(node, number) == 0
    node.perform(
        node.node._offline(node.now_ms, "EIO", 1)  # what a failed flush there does
    )
    node.flush()
    assert [produce(node, number) for number in lost] == [ErrorCode.KAFKA_STORAGE_ERROR] * 2
    assert [produce(node, number) for number in others] == [0] * 4
    assert [fetch(node, number)[1] for number in others] == [2] * 4
    assert described(node)[PATHS[1]] == (ErrorCode.KAFKA_STORAGE_ERROR, set())
    create(node, "u", 4)
    assert [len(described(node)[path][1]) for path in (PATHS[0], PATHS[2])] == [4, 4]
    request = MetadataRequest([MetadataRequestTopic(name="t")])
    answer = node.connect().ask(request, 12, MetadataResponse)
    offline = {one.partition_index for one in answer.topics[0].partitions if one.offline_replicas}
    assert offline == set(lost)
    node.stop()
    assert node.node.is_dir_durable(0)
    assert not node.node.is_dir_durable(1)


def test_the_disk_of_the_metadata_log_fails(node: WholeNode) -> None:
    rest = sorted(set(range(6)) - held(node, PATHS[0]))
    node.perform(node.node._offline(node.now_ms, "EIO", 0))
    assert [produce(node, number) for number in rest] == [0] * 4
    topics = [CreatableTopic("u", 1, 1)]
    answer = node.connect().ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    assert answer.topics[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR


def test_a_directory_that_is_away_at_the_start_keeps_its_partitions(node: WholeNode) -> None:
    for number in range(6):
        assert produce(node, number) == 0
    lost = sorted(held(node, PATHS[1]))
    node.stop()
    of: list[MemoryDisk | None] = [node.disk_of(number) for number in range(3)]
    away = node_on([of[0], None, of[2]])
    assert [produce(away, number) for number in lost] == [ErrorCode.KAFKA_STORAGE_ERROR] * 2
    assert described(away)[PATHS[1]] == (ErrorCode.KAFKA_STORAGE_ERROR, set())
    assert move(away, PATHS[2], *held(away, PATHS[0])) == [ErrorCode.KAFKA_STORAGE_ERROR] * 2
    away.entropy.drawn = 1_000  # not the ids of the first process
    create(away, "u", 2)
    away.stop()
    back = node_on(of)
    assert [fetch(back, number) for number in lost] == [(0, 1)] * 2


def test_a_metadata_directory_of_its_own_keeps_no_partitions() -> None:
    of = disks()
    node = WholeNode(of[0], others=[*of[1:]], keeps_partitions=False)
    create(node, "t", 4)
    assert list(described(node)) == list(PATHS[1:])
    assert [len(held(node, path)) for path in PATHS[1:]] == [2, 2]
    assert move(node, PATHS[0], 0) == [ErrorCode.LOG_DIR_NOT_FOUND]


# --- moving -----------------------------------------------------------------------------------------


@pytest.fixture(params=["ottla.flush=ack", "ottla.flush=page-cache"])
def loaded(request: pytest.FixtureRequest) -> Iterator[WholeNode]:
    """A topic of one partition, which is in directory 0 and has some records."""
    node = node_on([*disks()], request.param, "log.segment.delete.delay.ms=0")
    create(node, "t", 1)
    assert held(node, PATHS[0]) == {0}
    for _ in range(20):
        assert produce(node, 0, b"x" * 1_000) == 0
    yield node
    node.node.replicas.check_invariants()


def settle(node: WholeNode) -> None:
    node.flush()
    node.pass_time(10_000)


def names(node: WholeNode, number: int) -> list[str]:
    return [one for one in node.disk_of(number).names("") if one.startswith("t-")]


def test_a_partition_moves_while_it_is_served(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    assert described(loaded)[PATHS[1]][1] == {("t", 0, True)}
    sent = 20
    for _ in range(200):
        assert produce(loaded, 0, b"y" * 100) == 0
        sent += 1
        assert fetch(loaded, 0) == (0, sent)
        loaded.pass_time(1)
    settle(loaded)
    assert described(loaded)[PATHS[0]][1] == set()
    assert described(loaded)[PATHS[1]][1] == {("t", 0, False)}
    assert fetch(loaded, 0) == (0, sent)
    assert (names(loaded, 0), names(loaded, 1)) == ([], ["t-0"])
    leader = loaded.node.replicas.leader("t", 0)
    assert not isinstance(leader, ErrorCode)
    values = [
        bytes(record.value or b"")
        for batch in leader.log.batches(0, sent)
        for record in records_untrusted(batch, limit=1_000_000)
    ]
    assert values == [b"x" * 1_000] * 20 + [b"y" * 100] * 200
    assert move(loaded, PATHS[1], 0) == [0]
    loaded.stop()
    again = node_on([loaded.disk_of(number) for number in range(3)])
    assert described(again)[PATHS[1]][1] == {("t", 0, False)}
    assert fetch(again, 0) == (0, sent)


@pytest.mark.parametrize("steps", range(14))
@pytest.mark.parametrize("power", [False, True])
def test_a_move_that_is_interrupted_loses_nothing(
    loaded: WholeNode, steps: int, power: bool
) -> None:
    """After `steps` steps of the move the process is killed, or the power is cut."""
    is_ack = loaded.node.in_force.settings.logs.flush_on_ack
    assert produce(loaded, 0) == 0
    move(loaded, PATHS[1], 0)
    sent = 21
    for step in range(steps):
        if step % 2:
            loaded.now_ms += 6
            loaded.perform(loaded.node.step(loaded.now_ms, Ticked()))
        elif loaded.flushes:
            flush = loaded.flushes.pop(0)
            disk = loaded.disk_of(flush.log_dir)
            disk.sync(flush.files, flush.directory)  # type: ignore[arg-type]
            loaded.step(Flushed(flush.partition, flush.end_offset, None, flush.log_dir))
        if step == 3:
            loaded.connect().send(produce_request(b"z"), 9)
    acknowledged = fetch(loaded, 0)[1]
    assert acknowledged >= sent
    of = [loaded.disk_of(number) for number in range(3)]
    if power:
        of = [disk.after_power_cut() for disk in of]
    again = node_on([*of], shutdown=Shutdown.POWER_LOST if power else Shutdown.KILLED)
    again.flush()
    error, high_watermark = fetch(again, 0)
    assert error == 0
    if not power or is_ack:
        assert high_watermark >= acknowledged
    settle(again)
    assert sum(len(partitions) for _, partitions in described(again).values()) == 1
    assert produce(again, 0) == 0


def produce_request(value: bytes) -> ProduceRequest:
    builder = BatchBuilder()
    builder.append(NOW_MS, None, value)
    parts = [PartitionProduceData(0, bytes(builder.build()))]
    return ProduceRequest(None, -1, 1_000, [TopicProduceData(name="t", partition_data=parts)])


def test_a_move_whose_target_fails_leaves_the_partition_where_it_was(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    loaded.disk_of(1).fail_in(1, stays_broken=True)
    settle(loaded)
    loaded.disk_of(1).mend()
    assert described(loaded)[PATHS[0]][1] == {("t", 0, False)}
    assert described(loaded)[PATHS[1]][1] == set()
    assert produce(loaded, 0) == 0
    assert fetch(loaded, 0) == (0, 21)
    assert move(loaded, PATHS[1], 0) == [0]
    settle(loaded)
    assert described(loaded)[PATHS[1]][1] == {("t", 0, False)}


@pytest.mark.parametrize("calls", range(1, 60))
def test_a_move_that_failed_at_any_call_can_be_asked_for_again(
    loaded: WholeNode, calls: int
) -> None:
    target = loaded.disk_of(1)
    target.fail_in(calls)
    assert move(loaded, PATHS[1], 0) == [0]
    settle(loaded)
    target.mend()
    assert produce(loaded, 0) == 0
    assert move(loaded, PATHS[1], 0) == [0]
    settle(loaded)
    assert described(loaded)[PATHS[1]][1] == {("t", 0, False)}
    assert fetch(loaded, 0) == (0, 21)


@pytest.mark.interpreted
def test_a_copy_that_keeps_the_partitions_name_has_all_that_was_acknowledged(
    loaded: WholeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target refuses the move's last step, and to take it back; then the process is killed."""
    whole = Log.open
    target = loaded.disk_of(1)

    def refused(disk: MemoryDisk, directory: str, **how: Any) -> Log:
        if disk is target and directory == "t-0":
            target.fail_in(1, stays_broken=True)
        return whole(disk, directory, **how)

    monkeypatch.setattr(Log, "open", refused)
    assert move(loaded, PATHS[1], 0) == [0]
    for _ in range(100):
        if target.is_broken:
            break
        if loaded.flushes:
            flush = loaded.flushes.pop(0)
            disk = loaded.disk_of(flush.log_dir)
            disk.sync(flush.files, flush.directory)  # type: ignore[arg-type]
            loaded.step(Flushed(flush.partition, flush.end_offset, None, flush.log_dir))
        loaded.now_ms += 6
        loaded.perform(loaded.node.step(loaded.now_ms, Ticked()))
    monkeypatch.undo()
    assert target.is_broken
    peer = loaded.connect()
    sent = peer.send(produce_request(b"z"), 9)
    for flush in loaded.flushes:
        if flush.partition.topic == "t":  # the metadata log's does not get to the disk
            loaded.disk_of(flush.log_dir).sync(flush.files, flush.directory)
            loaded.step(Flushed(flush.partition, flush.end_offset, None, flush.log_dir))
    answer = peer.answer(sent)
    is_kept = False
    if answer is not None and loaded.node.in_force.settings.logs.flush_on_ack:
        assert isinstance(answer, ProduceResponse)
        is_kept = answer.responses[0].partition_responses[0].error_code == 0
    of = [loaded.disk_of(number).after_power_cut() for number in range(3)]
    again = node_on([*of], shutdown=Shutdown.POWER_LOST)
    error, end = fetch(again, 0)
    assert error == 0
    if loaded.node.in_force.settings.logs.flush_on_ack:
        assert end >= 20 + is_kept
    assert produce(again, 0) == 0


def test_a_topic_that_is_deleted_on_its_way_is_gone(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    delete(loaded, "t")
    settle(loaded)
    assert [names(loaded, number) for number in range(3)] == [[], [], []]
    create(loaded, "t", 1)
    assert produce(loaded, 0) == 0


def test_another_target_replaces_the_first(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    assert move(loaded, PATHS[2], 0) == [0]
    settle(loaded)
    assert described(loaded)[PATHS[2]][1] == {("t", 0, False)}
    assert [names(loaded, number) for number in range(3)] == [[], [], ["t-0"]]


def test_a_move_back_home_ends_the_move(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    assert move(loaded, PATHS[0], 0) == [0]
    settle(loaded)
    assert [names(loaded, number) for number in range(3)] == [["t-0"], [], []]


def test_an_interrupted_move_goes_on_at_the_next_start(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    loaded.step(Ticked())
    loaded.stop()
    (copy,) = names(loaded, 1)
    assert copy.endswith("-future")
    again = node_on([loaded.disk_of(number) for number in range(3)])
    settle(again)
    assert described(again)[PATHS[1]][1] == {("t", 0, False)}
    assert fetch(again, 0) == (0, 20)


def test_many_moves_wait_for_each_other(node: WholeNode) -> None:
    create(node, "u", 60)
    node.pass_time(1_000)
    topics = [AlterReplicaLogDirTopic("u", list(range(60)))]
    request = AlterReplicaLogDirsRequest([AlterReplicaLogDir(PATHS[1], topics)])
    answer = node.connect().ask(request, 2, AlterReplicaLogDirsResponse)
    assert {row.error_code for row in answer.results[0].partitions} == {0}
    futures = [one for _, held in described(node).values() for one in held if one[2]]
    assert len(futures) == 40
    assert [one for one in node.disk_of(1).names("") if one.endswith("-future")] == []
    node.step(Ticked())
    assert len([one for one in node.disk_of(1).names("") if one.endswith("-future")]) <= 4
    node.pass_time(30_000)
    assert {number for name, number, _ in described(node)[PATHS[1]][1] if name == "u"} == set(
        range(60)
    )


def test_a_place_that_could_not_be_told_is_told_later(loaded: WholeNode) -> None:
    assert move(loaded, PATHS[1], 0) == [0]
    while not loaded.node.replicas.moves.told and loaded.flushes == []:
        loaded.now_ms += 5
        loaded.step(Ticked())
    loaded.disk_of(0).fail_in(1, changes_only=True)
    settle(loaded)
    assert described(loaded)[PATHS[1]][1] == {("t", 0, False)}


def test_names_that_leave_no_room_for_a_copy(node: WholeNode) -> None:
    create(node, "n" * 215, 1)
    topics = [AlterReplicaLogDirTopic("n" * 215, [0])]
    request = AlterReplicaLogDirsRequest([AlterReplicaLogDir(PATHS[1], topics)])
    answer = node.connect().ask(request, 2, AlterReplicaLogDirsResponse)
    assert answer.results[0].partitions[0].error_code == ErrorCode.INVALID_TOPIC_EXCEPTION
