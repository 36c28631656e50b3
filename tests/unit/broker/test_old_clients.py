"""Clients before Kafka 0.11 on the wire: message sets in, message sets out, beside new clients."""

from collections.abc import Sequence
from typing import Any

import pytest

from ottla.errors import ErrorCode
from ottla.limits import CONVERTED_BYTES_MAX
from ottla.record.batch import batches_untrusted
from ottla.record.compress import CODECS, GZIP, NONE, ZSTD, compress
from ottla.record.control import transaction_marker
from ottla.record.legacy import LegacyEntry, any_batches_untrusted, messages_untrusted
from ottla.record.record import Record, records_untrusted
from ottla.wire.message.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.message.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
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
from tests.unit.broker.whole_node import NOW_MS, Peer, WholeNode
from tests.unit.core.replica.house import batch
from tests.unit.fakes.disk import MemoryDisk
from tests.unit.record.test_legacy import message

LIMIT = 1 << 24
OLD_FETCHES = range(4)


class Clients(WholeNode):
    """A node, and one connection to it."""

    def __init__(self, *overrides: str, disk: MemoryDisk | None = None) -> None:
        super().__init__(disk or MemoryDisk(NOW_MS), *overrides)
        self.peer: Peer = self.connect()

    def create(self, name: str = "t", partitions: int = 1, **configs: str) -> None:
        settings = [
            CreatableTopicConfig(key.replace("_", "."), text) for key, text in configs.items()
        ]
        request = CreateTopicsRequest([CreatableTopic(name, partitions, 1, [], settings)], 1_000)
        (row,) = self.peer.ask(request, 5, CreateTopicsResponse).topics
        assert row.error_code == 0, row.error_message

    def produce(
        self, data: bytes | memoryview, version: int = 2, *, partition: int = 0, topic: str = "t"
    ) -> Any:
        parts = [PartitionProduceData(partition, bytes(data))]
        request = ProduceRequest(None, -1, 1_000, [TopicProduceData(topic, partition_data=parts)])
        answer = self.peer.ask(request, version, ProduceResponse)
        return answer.responses[0].partition_responses[0]

    def fetch_rows(
        self,
        version: int,
        wanted: Sequence[tuple[int, int]] = ((0, 0),),
        *,
        size_bytes_max: int = 1 << 20,
        bytes_max: int = 1 << 30,
    ) -> list[Any]:
        parts = [
            FetchPartition(number, fetch_offset=offset, partition_max_bytes=size_bytes_max)
            for number, offset in wanted
        ]
        request = FetchRequest(
            max_wait_ms=0, min_bytes=1, topics=[FetchTopic("t", partitions=parts)]
        )
        if version >= 3:
            request.max_bytes = bytes_max
        answer = self.peer.ask(request, version, FetchResponse)
        (topic,) = answer.responses
        return list(topic.partitions)

    def fetch(self, version: int, offset: int = 0, *, size_bytes_max: int = 1 << 20) -> Any:
        (row,) = self.fetch_rows(version, [(0, offset)], size_bytes_max=size_bytes_max)
        return row


def read(row: Any, magic: int) -> list[Record]:
    assert row.error_code == 0, ErrorCode(row.error_code)
    found = []
    for entry in any_batches_untrusted(bytes(row.records)):
        assert isinstance(entry, LegacyEntry)
        assert entry.magic == magic
        found += messages_untrusted(entry, limit=LIMIT)
    return found


def magic_of(fetch_version: int) -> int:
    return 1 if fetch_version >= 2 else 0


def values(records: Sequence[Record]) -> list[tuple[int, bytes | None]]:
    return [(record.offset, record.value) for record in records]


@pytest.fixture
def node() -> Clients:
    node = Clients()
    node.create()
    return node


@pytest.mark.parametrize("codec", sorted(CODECS.keys() - {ZSTD}))
@pytest.mark.parametrize("version", [0, 1, 2])
def test_what_an_old_producer_sends_is_read_by_all(node: Clients, version: int, codec: int) -> None:
    magic = 1 if version == 2 else 0
    inner = b"".join(message(number, b"%d" % number, magic=magic) for number in range(3))
    data = inner
    if codec != NONE:
        data = message(2, compress(codec, inner), magic=magic, attributes=codec)
    first, second = node.produce(data, version), node.produce(data, version)
    assert [(one.error_code, one.base_offset) for one in (first, second)] == [(0, 0), (0, 3)]
    assert first.log_append_time_ms == -1
    wanted = [(offset, b"%d" % (offset % 3)) for offset in range(6)]
    for old in OLD_FETCHES:
        assert values(read(node.fetch(old), magic_of(old))) == wanted
    stored = list(batches_untrusted(bytes(node.fetch(4).records)))
    assert [(one.magic, one.record_count) for one in stored] == [(2, 3), (2, 3)]
    assert values([r for one in stored for r in records_untrusted(one, limit=LIMIT)]) == wanted


@pytest.mark.parametrize("codec", sorted(CODECS.keys() - {ZSTD}))
@pytest.mark.parametrize("version", OLD_FETCHES)
def test_what_a_new_producer_sends_is_read_by_old_consumers(
    node: Clients, version: int, codec: int
) -> None:
    node.produce(batch(b"a", b"b", b"c", codec=codec, key=b"k"), 9)
    node.produce(batch(b"d", codec=codec), 9)
    magic = magic_of(version)
    records = read(node.fetch(version), magic)
    assert values(records) == [(0, b"a"), (1, b"b"), (2, b"c"), (3, b"d")]
    assert {record.timestamp_ms for record in records} == {NOW_MS if magic else -1}
    assert values(read(node.fetch(version, 2), magic)) == [(2, b"c"), (3, b"d")]
    row = node.fetch(version, 4)
    assert (row.error_code, bytes(row.records), row.high_watermark) == (0, b"", 4)
    assert node.fetch(version, 5).error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_log_append_time_is_stamped_and_told() -> None:
    node = Clients()
    node.create(message_timestamp_type="LogAppendTime")
    row = node.produce(message(0, b"v", timestamp_ms=5) + message(0, b"w", timestamp_ms=7))
    assert (row.error_code, row.log_append_time_ms) == (0, NOW_MS)
    assert [record.timestamp_ms for record in read(node.fetch(2), 1)] == [NOW_MS, NOW_MS]
    assert [record.timestamp_ms for record in read(node.fetch(0), 0)] == [-1, -1]


def test_bad_sets_are_refused_and_nothing_is_appended(node: Clients) -> None:
    good = message(0, b"value")
    wrong = good[:-1] + b"X"
    nested = message(
        0, compress(GZIP, message(0, compress(GZIP, good), attributes=1)), attributes=1
    )
    for data, error in (
        (wrong, ErrorCode.CORRUPT_MESSAGE),
        (nested, ErrorCode.INVALID_RECORD),
        (message(0, bytes(1_100_000)), ErrorCode.MESSAGE_TOO_LARGE),
        (message(0, b"v", timestamp_ms=NOW_MS + 10**8), ErrorCode.INVALID_TIMESTAMP),
    ):
        row = node.produce(data)
        assert (row.error_code, row.base_offset) == (error, -1)
    assert node.produce(good, 3).error_code == ErrorCode.INVALID_RECORD
    assert node.fetch(4).high_watermark == 0


def test_a_topics_own_codec_and_level_hold_for_old_producers() -> None:
    node = Clients()
    node.create(compression_type="gzip", compression_gzip_level="9")
    assert node.produce(message(0, b"v" * 3_000) + message(0, b"w" * 3_000)).error_code == 0
    (stored,) = batches_untrusted(bytes(node.fetch(4).records))
    assert (stored.codec, stored.record_count) == (GZIP, 2)


def test_zstd_is_not_of_the_time_of_old_consumers(node: Clients) -> None:
    node.produce(batch(b"a"), 9)
    node.produce(batch(b"b", codec=ZSTD), 9)
    for version in OLD_FETCHES:
        # What stands before it is read; then there is no way around it.
        assert values(read(node.fetch(version), magic_of(version))) == [(0, b"a")]
        row = node.fetch(version, 1)
        assert (row.error_code, bytes(row.records or b"")) == (
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            b"",
        )


def test_conversion_can_be_switched_off() -> None:
    node = Clients()
    node.create(message_downconversion_enable="false")
    node.produce(batch(b"a"), 9)
    assert {node.fetch(version).error_code for version in OLD_FETCHES} == {
        ErrorCode.UNSUPPORTED_VERSION
    }
    assert node.fetch(4).error_code == 0
    everywhere = Clients("log.message.downconversion.enable=false")
    everywhere.create()
    everywhere.produce(batch(b"a"), 9)
    assert everywhere.fetch(3).error_code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize("version", OLD_FETCHES)
def test_what_does_not_fit(node: Clients, version: int) -> None:
    node.produce(batch(bytes(5_000), bytes(5_000), codec=NONE), 9)
    node.produce(batch(bytes(7_000), codec=GZIP), 9)
    magic = magic_of(version)
    # A limit that one message fits: whole messages, and no more than fit.
    row = node.fetch(version, size_bytes_max=6_000)
    assert [offset for offset, _ in values(read(row, magic))] == [0]
    assert len(row.records) <= 6_000
    assert [o for o, _ in values(read(node.fetch(version, 1, size_bytes_max=5_500), magic))] == [
        1,
        2,
    ]
    # A limit below one message.
    row = node.fetch(version, size_bytes_max=1_000)
    if version < 3:
        assert len(row.records) == 1_000
        assert list(any_batches_untrusted(bytes(row.records))) == []
    else:
        assert [offset for offset, _ in values(read(row, magic))] == [0]


def test_version_3_gives_the_first_message_of_the_answer_whole_and_no_other() -> None:
    node = Clients()
    node.create(partitions=3)
    for partition in range(3):
        node.produce(batch(bytes(5_000)), 9, partition=partition)
    turns = set()
    for _ in range(6):
        rows = node.fetch_rows(3, [(0, 0), (1, 0), (2, 0)], bytes_max=100)
        assert [row.partition_index for row in rows] == [0, 1, 2]
        (served,) = [row.partition_index for row in rows if row.records]
        turns.add(served)
    assert turns == {0, 1, 2}  # each has its turn


def test_an_answer_converts_a_bounded_number_of_bytes_and_partitions_take_turns() -> None:
    node = Clients()
    node.create(partitions=5)
    for partition in range(5):
        for _ in range(2):
            node.produce(batch(bytes(900_000)), 9, partition=partition)
    turns = set()
    for _ in range(5):
        rows = node.fetch_rows(1, [(number, 0) for number in range(5)], size_bytes_max=1 << 30)
        served = [row.partition_index for row in rows if row.records]
        assert sum(len(row.records or b"") for row in rows) <= CONVERTED_BYTES_MAX + 900_100
        turns.update(served)
    assert turns == set(range(5))


def test_transaction_markers_are_passed_over(node: Clients) -> None:
    leader: Any = node.node.replicas.leader("t", 0)
    node.produce(batch(b"a"), 9)
    for offset in range(1, 900):
        marker = transaction_marker(
            commit=True,
            producer_id=7,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=NOW_MS,
            base_offset=offset,
            leader_epoch=leader.leader_epoch,
        )
        leader.log.append_batches(bytes(marker), now_ms=NOW_MS)
    leader.advance()
    for version in OLD_FETCHES:
        row = node.fetch(version, 1)
        assert (row.error_code, bytes(row.records), row.high_watermark) == (0, b"", 900)
    node.produce(batch(b"z"), 9)
    for version in OLD_FETCHES:
        assert values(read(node.fetch(version, 1), magic_of(version))) == [(900, b"z")]


def test_a_fetch_of_nothing_but_markers_waits_as_if_there_were_nothing(node: Clients) -> None:
    leader: Any = node.node.replicas.leader("t", 0)
    marker = transaction_marker(
        commit=False,
        producer_id=7,
        producer_epoch=0,
        coordinator_epoch=0,
        timestamp_ms=NOW_MS,
        leader_epoch=leader.leader_epoch,
    )
    leader.log.append_batches(bytes(marker), now_ms=NOW_MS)
    leader.advance()
    parts = [FetchPartition(0, fetch_offset=0, partition_max_bytes=1_000)]
    request = FetchRequest(max_wait_ms=500, min_bytes=1, topics=[FetchTopic("t", partitions=parts)])
    waiting = node.connect()
    asked = waiting.send(request, 3)
    assert waiting.answer(asked) is None
    node.produce(message(0, b"v"))
    answer = waiting.answer(asked)
    assert isinstance(answer, FetchResponse)
    assert values(read(answer.responses[0].partitions[0], 1)) == [(1, b"v")]


def test_offsets_are_looked_up_as_of_old(node: Clients) -> None:
    for _ in range(3):
        node.produce(message(0, b"v"))

    def offsets(timestamp_ms: int, count: int = 1) -> list[int]:
        parts = [ListOffsetsPartition(0, timestamp=timestamp_ms, max_num_offsets=count)]
        request = ListOffsetsRequest(topics=[ListOffsetsTopic("t", parts)])
        answer = node.peer.ask(request, 0, ListOffsetsResponse)
        row = answer.topics[0].partitions[0]
        assert row.error_code == 0
        return list(row.old_style_offsets)

    assert offsets(-1) == [3]
    assert offsets(-2) == [0]
    assert offsets(-1, 5) == [3, 0]
    assert offsets(-1, 0) == []
