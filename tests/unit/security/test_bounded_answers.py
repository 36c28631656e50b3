"""A small request must not cost a second or a gigabyte: what an answer repeats, describes or unpacks.

Each test is a defect that an attack found, or its near relative.
"""

import struct
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest

from ottla.broker.handle import create_topics, describe_configs
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDir
from ottla.core.replica.move import Moves
from ottla.errors import ErrorCode
from ottla.limits import (
    DECOMPRESSED_BYTES_MAX,
    DECOMPRESSION_RATIO_MAX,
    MESSAGE_CHARACTERS_MAX,
    QUOTED_CHARACTERS_MAX,
    quoted,
    shortened,
)
from ottla.record.builder import assemble
from ottla.record.compress import GZIP, LZ4, SNAPPY, ZSTD, compress
from ottla.record.survey import survey_untrusted
from ottla.record.validate import AppendChecks, Rejected, ValidBatch, validate_untrusted
from ottla.settings.describe import Described
from ottla.settings.topic import check_topic_overrides
from ottla.types import TopicPartition
from ottla.wire.message.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.message.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.message.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.message.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.message.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.message.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    TopicRequest,
)
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.message.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from tests.fuzz.arrays import absurd
from tests.fuzz.target import Target
from tests.unit.broker.group_house import commit, coordinated, make_topic
from tests.unit.broker.whole_node import Peer, WholeNode
from tests.unit.fakes.disk import MemoryDisk
from tests.unit.record.written import raw_record

ROWS_MAX = 1_000
LONG = "x" * 32_767
CONTROL_CHARACTERS = "\x01" * 32_767  # each is four characters when it is shown


@pytest.fixture
def node() -> WholeNode:
    return WholeNode(MemoryDisk())


@pytest.fixture
def peer(node: WholeNode) -> Peer:
    return node.connect()


@pytest.mark.parametrize("name", [LONG, CONTROL_CHARACTERS])
def test_a_long_name_is_not_repeated_whole(peer: Peer, name: str) -> None:
    grow = CreatePartitionsRequest(topics=[CreatePartitionsTopic(name=name, count=3)])
    grown = peer.ask(grow, 3, CreatePartitionsResponse).results[0]
    assert grown.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    delete = DeleteTopicsRequest(topics=[DeleteTopicState(name=name, topic_id=bytes(16))])
    deleted = peer.ask(delete, 6, DeleteTopicsResponse).responses[0]
    assert deleted.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    both = DeleteTopicsRequest(topics=[DeleteTopicState(name=name, topic_id=b"\1" * 16)])
    refused = peer.ask(both, 6, DeleteTopicsResponse).responses[0]
    assert refused.error_code == ErrorCode.INVALID_REQUEST
    twice = CreateTopicsRequest(topics=[CreatableTopic(name=name, num_partitions=1)] * 2)
    created = peer.ask(twice, 5, CreateTopicsResponse).topics[0]
    assert created.error_code == ErrorCode.INVALID_REQUEST
    broker = DescribeConfigsRequest(
        resources=[DescribeConfigsResource(resource_type=4, resource_name=name)]
    )
    described = peer.ask(broker, 4, DescribeConfigsResponse).results[0]
    assert described.error_code == ErrorCode.INVALID_REQUEST
    for row in (grown, deleted, refused, created, described):
        assert row.error_message is not None
        assert len(row.error_message) < 5 * QUOTED_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("name", "value"),
    [(LONG, "1"), (LONG, None), ("retention.ms", "9" * 32_767), ("cleanup.policy", LONG)],
    ids=["name", "null", "number", "word"],
)
def test_a_long_setting_is_not_repeated_whole(peer: Peer, name: str, value: str | None) -> None:
    config = CreatableTopicConfig(name, value)
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1, configs=[config])
    row = peer.ask(CreateTopicsRequest(topics=[topic]), 5, CreateTopicsResponse).topics[0]
    assert row.error_code == ErrorCode.INVALID_CONFIG
    assert row.error_message is not None
    assert len(row.error_message) < 3 * QUOTED_CHARACTERS_MAX


def test_what_is_short_is_shown_as_it_is() -> None:
    assert quoted("a'b") == repr("a'b")
    assert shortened("a") == "a"
    assert check_topic_overrides({"retention.ms": "x"}) is not None
    assert "retention.ms=x" in (check_topic_overrides({"retention.ms": "x"}) or "")
    assert quoted("y" * 301).endswith("'...")


def test_describing_one_broker_ever_again_has_a_bound(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe_configs, "CONFIG_ROWS_PER_ANSWER_MAX", ROWS_MAX)
    resources = [DescribeConfigsResource(resource_type=4, resource_name="1")] * 20
    answer = peer.ask(DescribeConfigsRequest(resources=resources), 4, DescribeConfigsResponse)
    rows = [len(result.configs) for result in answer.results]
    assert 0 < rows[0] == max(rows)
    assert ROWS_MAX <= sum(rows) < ROWS_MAX + rows[0]
    last = answer.results[-1]
    assert last.error_code == ErrorCode.POLICY_VIOLATION
    assert "several requests" in (last.error_message or "")


@pytest.mark.parametrize(
    ("kind", "name"), [(8, "1"), (4, ""), (4, "1"), (16, "m")], ids=["log", "all", "one", "metrics"]
)
def test_what_is_described_and_not_told_counts_too(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, kind: int, name: str
) -> None:
    monkeypatch.setattr(describe_configs, "CONFIG_ROWS_PER_ANSWER_MAX", 20)
    described: list[str] = []

    def noting(whole: Callable[..., list[Described]]) -> Callable[..., list[Described]]:
        def noted(*args: object) -> list[Described]:
            described.append("one")
            return whole(*args)

        return noted

    for setting in ("describe_all_brokers", "describe_broker", "describe_client_metrics"):
        monkeypatch.setattr(describe_configs, setting, noting(getattr(describe_configs, setting)))
    resource = DescribeConfigsResource(kind, name, ["x"])
    answer = peer.ask(DescribeConfigsRequest([resource] * 100), 4, DescribeConfigsResponse)
    assert len(described) == (kind != 8)
    told = [result.error_code for result in answer.results]
    assert told[0] == 0
    if kind != 4 or name:
        assert told[-1] == ErrorCode.POLICY_VIOLATION


def test_a_long_list_of_brokers_is_not_repeated_whole(peer: Peer) -> None:
    brokers = [1] * 100_000
    new = CreatableTopic("t", -1, -1, [CreatableReplicaAssignment(0, brokers)])
    created = peer.ask(CreateTopicsRequest([new]), 2, CreateTopicsResponse).topics[0]
    peer.ask(CreateTopicsRequest([CreatableTopic("t", 1, 1)]), 7, CreateTopicsResponse)
    more = CreatePartitionsTopic("t", 2, [CreatePartitionsAssignment(brokers)])
    grown = peer.ask(CreatePartitionsRequest([more]), 3, CreatePartitionsResponse).results[0]
    for row in (created, grown):
        assert row.error_code == ErrorCode.INVALID_REPLICA_ASSIGNMENT
        assert row.error_message is not None
        assert len(row.error_message) <= MESSAGE_CHARACTERS_MAX + 3


def test_what_is_named_twice_is_told_once(node: WholeNode) -> None:
    peer = coordinated(node)
    make_topic(peer, "t", partitions=2)
    commit(peer, 5)
    names = ["g", "h", "g"]
    groups = peer.ask(DescribeGroupsRequest(names), 5, DescribeGroupsResponse).groups
    assert [one.group_id for one in groups] == ["g", "h"]
    old_topics = [OffsetFetchRequestTopic("t", [0, 1, 0]), OffsetFetchRequestTopic("t", [1, 0])]
    (old,) = peer.ask(OffsetFetchRequest("g", old_topics), 7, OffsetFetchResponse).topics
    assert [one.committed_offset for one in old.partitions] == [5, -1]
    topics = [
        OffsetFetchRequestTopics("t", partition_indexes=one.partition_indexes) for one in old_topics
    ]
    asked = [OffsetFetchRequestGroup(name, topics=topics) for name in names]
    told = peer.ask(OffsetFetchRequest(groups=asked), 9, OffsetFetchResponse).groups
    assert [one.group_id for one in told] == ["g", "h"]
    assert [[p.committed_offset for p in t.partitions] for t in told[0].topics] == [[5, -1]]
    everything = [OffsetFetchRequestGroup(name, topics=None) for name in names]
    told = peer.ask(OffsetFetchRequest(groups=everything), 9, OffsetFetchResponse).groups
    assert [len(one.topics) for one in told] == [1, 0]
    twice = DescribeProducersRequest([TopicRequest("t", [0, 1, 0]), TopicRequest("t", [0])])
    (producers,) = peer.ask(twice, 0, DescribeProducersResponse).topics
    assert [one.partition_index for one in producers.partitions] == [0, 1]
    for version in (0, 1):
        offsets = ListOffsetsRequest(
            topics=[ListOffsetsTopic("t", [ListOffsetsPartition(0, timestamp=-1)] * 2)]
        )
        (listed,) = peer.ask(offsets, version, ListOffsetsResponse).topics
        assert [one.error_code for one in listed.partitions] == [ErrorCode.INVALID_REQUEST] * 2


@pytest.mark.interpreted
def test_a_partition_that_is_sent_to_many_places_moves_once() -> None:
    node = WholeNode(MemoryDisk(), others=[MemoryDisk(), MemoryDisk()])
    make_topic(node.connect(), "t", partitions=1)
    moves = node.node.replicas.moves
    asked: list[str] = []
    whole = Moves.ask

    def noted(self: Moves, leader: Leader, target: LogDir, now_ms: int) -> None:
        asked.append(target.path)
        whole(self, leader, target, now_ms)

    topics = [AlterReplicaLogDirTopic("t", [0, 0, 0])]
    places = [AlterReplicaLogDir(f"/memory-{number}", topics) for number in (1, 2) * 50]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Moves, "ask", noted)
        answer = node.connect().ask(
            AlterReplicaLogDirsRequest(places), 2, AlterReplicaLogDirsResponse
        )
    assert [[one.error_code for one in row.partitions] for row in answer.results] == [[0]]
    assert asked == ["/memory-2"]
    assert moves.of(TopicPartition("t", 0)) is not None


def test_many_new_topics_are_made_and_not_all_described(
    peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_topics, "CONFIG_ROWS_PER_ANSWER_MAX", ROWS_MAX)
    topics = [
        CreatableTopic(name=f"t{number}", num_partitions=1, replication_factor=1)
        for number in range(100)
    ]
    request = CreateTopicsRequest(topics=topics, validate_only=True)
    rows = peer.ask(request, 7, CreateTopicsResponse).topics
    assert {row.error_code for row in rows} == {0}
    assert {row.num_partitions for row in rows} == {1}
    assert sum(len(row.configs or ()) for row in rows) < ROWS_MAX + 100
    assert rows[0].configs is not None
    assert rows[0].topic_config_error_code == 0
    assert rows[-1].configs is None
    assert rows[-1].topic_config_error_code == ErrorCode.POLICY_VIOLATION


def test_no_absurd_array_keeps_the_node_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    for handler in (create_topics, describe_configs):
        monkeypatch.setattr(handler, "CONFIG_ROWS_PER_ANSWER_MAX", 10 * ROWS_MAX)
    target = Target(Random(0))  # refuses an arrival that takes a second
    topic = b"evil"
    caller = target.connect()
    create = struct.pack(">hhihB", 19, 5, 1, -1, 0) + b"\x02\x05evil" + struct.pack(">ih", 1, 1)
    create += b"\1\1\0" + struct.pack(">i?", 0, False) + b"\0"
    target.arrive(caller, struct.pack(">i", len(create)) + create)
    target.flush()
    seen = 0
    for what, data in absurd(topic, b"1", 1_000):
        target.answered.clear()
        target.arrive(caller, struct.pack(">i", len(data)) + data)
        target.flush()
        assert caller.open, what
        assert len(target.answered) == 1, what
        seen += 1
    assert seen == 18


def checks(bytes_max: int = 1_048_588, decompressed_bytes_max: int = 10_485_880) -> AppendChecks:
    return AppendChecks(
        bytes_max=bytes_max,
        compacted=False,
        timestamp_type_log_append=False,
        before_max_ms=2**62,
        after_max_ms=2**62,
        decompressed_bytes_max=decompressed_bytes_max,
    )


def judged(payload: bytes, codec: int, count: int = 1) -> ValidBatch | Rejected:
    batch = assemble(
        payload,
        attributes=codec,
        last_offset_delta=count - 1,
        base_timestamp=1,
        max_timestamp=1,
        record_count=count,
    )
    return validate_untrusted(memoryview(batch), api_version=9, now_ms=1, settings=checks())


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_bomb_is_refused_within_its_bound(codec: int) -> None:
    """CVE-2023-34455 and its relatives: what a few kilobytes unpack to."""
    bomb = compress(codec, bytes(20_000_000))
    judged(compress(codec, b"warm"), codec)
    tracemalloc.start()
    try:
        verdict = judged(bomb, codec)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(verdict, Rejected)
    assert peak_bytes < 32 * 1024 * 1024


def test_a_ratio_that_no_data_has_is_refused_and_silence_is_not() -> None:
    zeros = raw_record(0, value=bytes(1_000_000))
    assert isinstance(judged(compress(ZSTD, zeros), ZSTD), ValidBatch)  # what fits uncompressed
    many = raw_record(0, value=bytes(5_000_000))
    small = compress(ZSTD, many)
    assert len(many) > DECOMPRESSION_RATIO_MAX * (len(small) + 61)
    assert isinstance(judged(small, ZSTD), Rejected)
    noise = Random(0).randbytes(20_000) * 100
    whole = compress(ZSTD, raw_record(0, value=noise))
    assert isinstance(judged(whole, ZSTD), ValidBatch)


def test_a_batch_within_a_batch_is_not_unpacked_twice() -> None:
    inner = compress(GZIP, bytes(10_000_000))
    verdict = judged(compress(GZIP, inner), GZIP)
    assert isinstance(verdict, Rejected)
    assert "decompresses" not in verdict.message


def test_a_large_max_message_bytes_does_not_lift_the_bound() -> None:
    peer = WholeNode(MemoryDisk()).connect()
    config = CreatableTopicConfig("max.message.bytes", str(2**31 - 1))
    topic = CreatableTopic(name="t", num_partitions=1, replication_factor=1, configs=[config])
    peer.ask(CreateTopicsRequest(topics=[topic]), 5, CreateTopicsResponse)
    leader = peer._whole.node.replicas.topic("t").leader(0)  # type: ignore[union-attr]
    assert leader.policy.checks.decompressed_bytes_max == DECOMPRESSED_BYTES_MAX  # type: ignore[union-attr]


def test_records_in_no_order_are_refused_at_the_first() -> None:
    """A million equal records compress to a few hundred bytes; looking at all would take a second."""
    million = raw_record(0) * 1_000_000
    damaged = million[:-1] + b"\x7f"
    with pytest.raises(Exception, match="record 1 of 1000000 has another offset delta"):
        survey_untrusted(damaged, 1_000_000)
