"""A reader with a scripted leader: what tests of reading have in common."""

from collections.abc import Sequence

from ottla.client.consume.fetcher import FetchAsk
from ottla.client.consume.locator import EpochsAsk, OffsetsAsk
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.reader import Reader
from ottla.client.metadata import ClusterView
from ottla.record.builder import BatchBuilder
from ottla.types import TopicPartition
from ottla.wire.message.fetch import (
    AbortedTransaction,
    FetchableTopicResponse,
    FetchResponse,
    LeaderIdAndEpoch,
    PartitionData,
)
from ottla.wire.message.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.message.offset_for_leader_epoch import (
    EpochEndOffset,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)
from tests.unit.client.clusters import TOPIC_ID, cluster

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
NOON_MS = 1_700_000_000_000


def batch(
    base_offset: int,
    *values: bytes,
    epoch: int = 5,
    producer_id: int = -1,
    transactional: bool = False,
    append_time_ms: int | None = None,
) -> bytes:
    builder = BatchBuilder()
    for value in values:
        builder.append(1_000, None, value)
    return bytes(
        builder.build(
            base_offset=base_offset,
            leader_epoch=epoch,
            producer_id=producer_id,
            transactional=transactional,
            append_time_ms=append_time_ms,
        )
    )


def part(
    partition: int,
    records: bytes = b"",
    *,
    code: int = 0,
    end: int = 100,
    aborted: Sequence[tuple[int, int]] = (),
    replica: int = -1,
    leader: tuple[int, int] = (-1, -1),
) -> PartitionData:
    return PartitionData(
        partition_index=partition,
        error_code=code,
        high_watermark=end,
        last_stable_offset=end,
        aborted_transactions=[AbortedTransaction(pid, first) for pid, first in aborted],
        preferred_read_replica=replica,
        current_leader=LeaderIdAndEpoch(*leader),
        records=records,
    )


def answer(*parts: PartitionData, session_id: int = 0, code: int = 0) -> FetchResponse:
    return FetchResponse(
        error_code=code,
        session_id=session_id,
        responses=[FetchableTopicResponse(topic="", topic_id=TOPIC_ID, partitions=list(parts))],
    )


class Feed:
    """A reader of `t` whose position is known; `now_ms` moves when a test says so."""

    def __init__(
        self, *at: int, view: ClusterView | None = None, options: ConsumerOptions | None = None
    ) -> None:
        """`at`: the position by partition."""
        self.now_ms = 10_000
        self.view = view or cluster(*[1] * max(1, len(at)))
        self.reader = Reader(options or ConsumerOptions(), lambda: NOON_MS)
        for partition, offset in enumerate(at):
            place = TopicPartition("t", partition)
            self.reader.add([place], ask_group=True)
            self.reader.seek(place, offset)

    def asks(self) -> list[FetchAsk | OffsetsAsk | EpochsAsk]:
        return self.reader.asks(self.now_ms, self.view)

    def fetch(self) -> FetchAsk:
        """The one request there is."""
        [ask] = self.asks()
        assert isinstance(ask, FetchAsk)
        return ask

    def feed(self, *parts: PartitionData, session_id: int = 0) -> None:
        self.reader.answered_untrusted(
            self.fetch(), answer(*parts, session_id=session_id), self.now_ms
        )

    def values(self, count: int = 100) -> list[tuple[int, bytes | None]]:
        taken = self.reader.take(count)
        return [(one.offset, one.value) for records in taken.values() for one in records]


def offsets(partition: int, offset: int, code: int = 0) -> ListOffsetsResponse:
    part = ListOffsetsPartitionResponse(partition_index=partition, error_code=code, offset=offset)
    return ListOffsetsResponse(topics=[ListOffsetsTopicResponse(name="t", partitions=[part])])


def epochs(partition: int, epoch: int, end: int, code: int = 0) -> OffsetForLeaderEpochResponse:
    part = EpochEndOffset(code, partition, epoch, end)
    return OffsetForLeaderEpochResponse(
        topics=[OffsetForLeaderTopicResult(topic="t", partitions=[part])]
    )
