"""DescribeLogDirs and AlterReplicaLogDirs: one directory, what it holds, and no other."""

import pytest

from ottla.broker.handle import alter_replica_log_dirs, describe_log_dirs
from ottla.errors import ErrorCode
from ottla.record.builder import BatchBuilder
from ottla.wire.api import APIS
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
from ottla.wire.message.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from ottla.wire.message.produce import (
    PartitionProduceData,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from tests.unit.broker.whole_node import NOW_MS, WholeNode
from tests.unit.fakes.disk import MemoryDisk

DIRECTORY = "/memory"


@pytest.fixture
def node() -> WholeNode:
    node = WholeNode(MemoryDisk())
    topics = [CreatableTopic("t", 2, 1), CreatableTopic("u", 1, 1)]
    node.connect().ask(CreateTopicsRequest(topics, 1_000), 7, CreateTopicsResponse)
    return node


def described(
    node: WholeNode, *topics: DescribableLogDirTopic, version: int = 5, everything: bool = False
) -> DescribeLogDirsResult:
    request = DescribeLogDirsRequest(None if everything else topics)
    answer = node.connect().ask(request, version, DescribeLogDirsResponse)
    assert answer.error_code == 0
    (result,) = answer.results
    return result


def sizes(result: DescribeLogDirsResult) -> dict[tuple[str, int], int]:
    for topic in result.topics:
        for row in topic.partitions:
            assert (row.offset_lag, row.is_future_key) == (0, False)
    return {
        (topic.name, row.partition_index): row.partition_size
        for topic in result.topics
        for row in topic.partitions
    }


def test_the_advertised_versions_are_all_there_are() -> None:
    for module in (alter_replica_log_dirs, describe_log_dirs):
        api = APIS[module.API_KEY]
        assert (api.advertised_min, api.advertised_max) == module.VERSIONS


@pytest.mark.parametrize("version", range(6))
def test_the_directory_and_what_it_holds(node: WholeNode, version: int) -> None:
    builder = BatchBuilder()
    builder.append(NOW_MS, None, b"value")
    data = bytes(builder.build())
    parts = [PartitionProduceData(1, data)]
    produce = ProduceRequest(None, -1, 1_000, [TopicProduceData(name="t", partition_data=parts)])
    node.connect().ask(produce, 9, ProduceResponse)
    result = described(node, version=version, everything=True)
    assert (result.error_code, result.log_dir, result.is_cordoned) == (0, DIRECTORY, False)
    assert sizes(result) == {("t", 0): 0, ("t", 1): len(data), ("u", 0): 0}
    room = (result.total_bytes, result.usable_bytes)
    assert room == ((1_000_000, 600_000) if version >= 4 else (-1, -1))


def test_only_what_is_asked_for(node: WholeNode) -> None:
    asked = [
        DescribableLogDirTopic("t", [1, 7]),
        DescribableLogDirTopic("absent", [0]),
        DescribableLogDirTopic("u", []),
    ]
    assert sizes(described(node, *asked)) == {("t", 1): 0}
    assert sizes(described(node)) == {}


def test_a_directory_that_cannot_be_read(node: WholeNode) -> None:
    node.disk.fail_in(1)
    assert described(node, everything=True).error_code == ErrorCode.KAFKA_STORAGE_ERROR


@pytest.mark.parametrize("version", [0, 1, 2])
def test_partitions_stay_where_they_are(node: WholeNode, version: int) -> None:
    topics = [AlterReplicaLogDirTopic("t", [0, 7]), AlterReplicaLogDirTopic("absent", [0])]
    for path, errors in (
        (
            DIRECTORY,
            [0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION],
        ),
        ("/elsewhere", [ErrorCode.LOG_DIR_NOT_FOUND] * 3),
    ):
        request = AlterReplicaLogDirsRequest([AlterReplicaLogDir(path, topics)])
        answer = node.connect().ask(request, version, AlterReplicaLogDirsResponse)
        rows = [
            (topic.topic_name, row.partition_index, row.error_code)
            for topic in answer.results
            for row in topic.partitions
        ]
        asked = [("t", 0), ("t", 7), ("absent", 0)]
        assert rows == [(*one, error) for one, error in zip(asked, errors, strict=True)]
