"""Positions -> Fetch requests -> records, for partitions of one topic that somebody assigned.

A position is the next offset to hand out. It only moves forward, past every batch that was read,
whether or not that batch held a record (control batches and compacted ones hold none). A fetch
begins with a whole batch, so what lies before the position is dropped.

Promises: every record of a partition is handed out once, in order, unless `seek` says otherwise;
checksums are verified; a partition is `ended` once everything the broker had at some moment was
handed out. Without sessions (KIP-227): few partitions, and nothing to lose with a connection.

Elsewhere: where to begin, `lookup.py`; connections and waiting, `aio/client.py`.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, final

from ottla.client.metadata import ClusterView
from ottla.errors import INVALIDATES_METADATA, RETRIABLE, ErrorCode, RemoteProtocolError
from ottla.record.batch import Batch, crc_is_right
from ottla.record.legacy import any_batches_untrusted, any_records_untrusted, entry_crc_is_right
from ottla.record.record import Record
from ottla.types import ZERO_UUID
from ottla.wire.message.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)

WAIT_MS: Final = 500
"""How long a broker may hold an answer without records, as in Kafka's consumer."""

RESPONSE_BYTES_MAX: Final = 16 * 1024 * 1024
PARTITION_BYTES_MAX: Final = 1024 * 1024
"""A first batch larger than these comes whole all the same (KIP-74)."""

DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
"""One batch, decompressed: above what any broker accepts, below what a bomb wants."""


class Fetched(NamedTuple):
    """A record and what its batch says of it."""

    partition: int
    record: Record
    is_append_time: bool


class Fetch(NamedTuple):
    """One request to one leader. `positions` are those it was made from."""

    broker_id: int
    request: FetchRequest
    positions: Mapping[int, int]
    has_topic_id: bool


@final
class Fetcher:
    """`positions`: by partition, the first offset to hand out."""

    __slots__ = (
        "_positions",
        "ended",
        "must_refresh",
        "must_wait",
        "out_of_range",
        "refused",
        "topic",
    )

    def __init__(self, topic: str, positions: Mapping[int, int]) -> None:
        self.topic = topic
        self._positions = dict(positions)
        self.ended: set[int] = set()
        self.out_of_range: set[int] = set()
        """Partitions whose position the broker does not have; not fetched until `seek`."""
        self.refused: dict[int, int] = {}
        """Error codes that will not go away by themselves; not fetched any more."""
        self.must_refresh = False
        self.must_wait = False
        """Something failed that asking at once would not mend. The shell waits and clears it."""

    @property
    def partitions(self) -> list[int]:
        return list(self._positions)

    @property
    def all_ended(self) -> bool:
        """Each partition has been read to its end at least once."""
        return self.ended.issuperset(self._positions)

    def position(self, partition: int) -> int:
        return self._positions[partition]

    def seek(self, partition: int, offset: int) -> None:
        """Hand out from `offset` on, whatever was handed out before."""
        self._positions[partition] = offset
        self.out_of_range.discard(partition)

    def requests(self, cluster: ClusterView, busy: frozenset[int] = frozenset()) -> list[Fetch]:
        """A request per leader that is not `busy`. A missing leader sets `must_refresh`."""
        by_broker: dict[int, list[int]] = {}
        for partition in self._positions:
            if partition in self.out_of_range or partition in self.refused:
                continue
            leader = cluster.leader_of(self.topic, partition)
            if leader is None:
                self.lost()
            elif leader not in busy:
                by_broker.setdefault(leader, []).append(partition)
        return [self._request(cluster, broker, parts) for broker, parts in by_broker.items()]

    def answered_untrusted(self, fetch: Fetch, response: FetchResponse) -> list[Fetched]:
        """The records that an answer brings, in order per partition.

        Raises RemoteProtocolError for bytes that are no records; positions then stay before them.
        """
        fetched: list[Fetched] = []
        if response.error_code != ErrorCode.NONE:
            if response.error_code not in RETRIABLE:
                self.refused.update(dict.fromkeys(fetch.positions, response.error_code))
            self.lost()
            return fetched
        for topic in response.responses:
            for part in topic.partitions:
                position = fetch.positions.get(part.partition_index)
                if position is None:
                    raise RemoteProtocolError(
                        f"the answer to Fetch holds partition {part.partition_index} of "
                        f"{self.topic}, which was not asked for"
                    )
                # Someone may have sought while the answer was on its way.
                if self._positions.get(part.partition_index) == position:
                    self._take_untrusted(part, position, fetched)
        return fetched

    def lost(self) -> None:
        """A leader is missing or did not answer; positions are as they were."""
        self.must_refresh = self.must_wait = True

    def _request(self, cluster: ClusterView, broker_id: int, partitions: list[int]) -> Fetch:
        topic = cluster.topic(self.topic)
        assert topic is not None, "a topic whose partitions have leaders is known"
        positions = {part: self._positions[part] for part in partitions}
        asked = [
            FetchPartition(
                partition=part,
                current_leader_epoch=topic.partitions[part].leader_epoch,
                fetch_offset=position,
                partition_max_bytes=PARTITION_BYTES_MAX,
            )
            for part, position in positions.items()
        ]
        request = FetchRequest(
            max_wait_ms=WAIT_MS,
            min_bytes=1,
            max_bytes=RESPONSE_BYTES_MAX,
            topics=[FetchTopic(topic=self.topic, topic_id=topic.topic_id, partitions=asked)],
        )
        return Fetch(broker_id, request, positions, topic.topic_id != ZERO_UUID)

    def _take_untrusted(self, part: PartitionData, position: int, into: list[Fetched]) -> None:
        partition, code = part.partition_index, part.error_code
        if code == ErrorCode.OFFSET_OUT_OF_RANGE:
            self.out_of_range.add(partition)
        elif code in RETRIABLE:
            self.must_wait = True
            self.must_refresh = self.must_refresh or code in INVALIDATES_METADATA
        elif code != ErrorCode.NONE:
            self.refused[partition] = code
        else:
            position = self._read_untrusted(part, position, into)
            self._positions[partition] = position
            if position >= part.high_watermark:
                self.ended.add(partition)

    def _read_untrusted(self, part: PartitionData, position: int, into: list[Fetched]) -> int:
        """Append the records from `position` on; returns the position after them."""
        data = part.records
        if data is None or len(data) == 0:
            return position
        assert isinstance(data, bytes | bytearray | memoryview), type(data)
        records: list[Fetched] = []
        start = position
        for batch in any_batches_untrusted(data):
            right = crc_is_right(batch) if isinstance(batch, Batch) else entry_crc_is_right(batch)
            if not right:
                raise RemoteProtocolError(
                    f"the batch after offset {position} of {self.topic}-{part.partition_index} "
                    "does not match its checksum"
                )
            if not (isinstance(batch, Batch) and batch.is_control):
                read = any_records_untrusted(batch, limit=DECOMPRESSED_BYTES_MAX)
                timed = batch.is_log_append_time
                records += [
                    Fetched(part.partition_index, record, timed)
                    for record in read
                    if record.offset >= position
                ]
            position = max(position, batch.next_offset)
        if position == start:
            raise RemoteProtocolError(
                f"{len(data):,} bytes for {self.topic}-{part.partition_index} hold nothing from "
                f"offset {start} on"
            )
        into += records
        return position
