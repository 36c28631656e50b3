"""Where a partition begins, and whether a position still holds: questions to leaders.

RESET asks ListOffsets for a time, the beginning or the end. VALIDATE asks OffsetForLeaderEpoch where
the log of a new leader leaves what was read (KIP-320); what was only fetched ahead is then dropped
before anybody is told. Both are asked again after a moment where the answer may change.

Promises: each partition is asked about once at a time; an answer from before a seek changes nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, final

from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.partition import Reading, Stage
from ottla.client.lookup import LATEST, NO_OFFSET
from ottla.client.metadata import ClusterView
from ottla.errors import INVALIDATES_METADATA, RETRIABLE, ApiError, ErrorCode
from ottla.types import TopicPartition
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.message.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)

CONSUMER: Final = -1
_UNDEFINED: Final = -1


class OffsetsAsk(NamedTuple):
    """`asked`: by partition, the seek it belongs to."""

    broker_id: int
    request: ListOffsetsRequest
    asked: Mapping[TopicPartition, int]


class EpochsAsk(NamedTuple):
    broker_id: int
    request: OffsetForLeaderEpochRequest
    asked: Mapping[TopicPartition, int]


@final
class Locator:
    """Works on the `readings` that its owner adds and removes."""

    __slots__ = (
        "_options",
        "_readings",
        "_retry_ms",
        "_under_way",
        "must_refresh",
        "next_ms",
        "truncated",
    )

    def __init__(
        self, options: ConsumerOptions, readings: dict[TopicPartition, Reading], retry_ms: int
    ) -> None:
        self._options = options
        self._readings = readings
        self._retry_ms = retry_ms
        self._under_way: dict[TopicPartition, int] = {}
        self.must_refresh: set[str] = set()
        self.next_ms: int | None = None
        self.truncated: dict[TopicPartition, int | None] = {}
        """Where logs differ from what was handed out; None: from an unknown offset on. The owner decides,
        and clears them."""

    def asks(self, now_ms: int, cluster: ClusterView) -> list[OffsetsAsk | EpochsAsk]:
        self.next_ms = None
        resets: dict[int, list[Reading]] = {}
        checks: dict[int, list[Reading]] = {}
        for place, reading in self._readings.items():
            if reading.stage not in (Stage.RESET, Stage.VALIDATE):
                continue
            if self._under_way.get(place) == reading.seeks:
                continue
            if reading.retry_at_ms > now_ms:
                self.next_ms = min(self.next_ms or reading.retry_at_ms, reading.retry_at_ms)
                continue
            leader = cluster.leader_of(*place)
            if leader is None:
                self.must_refresh.add(place.topic)
                continue
            reading.leader_epoch = cluster.leader_epoch_of(*place)
            if reading.stage is Stage.RESET:
                resets.setdefault(leader, []).append(reading)
            elif reading.leader_epoch < 0:
                # A cluster that does not tell epochs cannot be asked by them.
                reading.stage = Stage.FETCH
            else:
                checks.setdefault(leader, []).append(reading)
        found: list[OffsetsAsk | EpochsAsk] = []
        found += [self._offsets_ask(broker, readings) for broker, readings in resets.items()]
        found += [self._epochs_ask(broker, readings) for broker, readings in checks.items()]
        for ask in found:
            self._under_way.update(ask.asked)
        return found

    def offsets_untrusted(
        self, ask: OffsetsAsk, response: ListOffsetsResponse, now_ms: int
    ) -> None:
        for topic in response.topics:
            for part in topic.partitions:
                place = TopicPartition(topic.name, part.partition_index)
                reading = self._current(ask.asked, place, Stage.RESET)
                if reading is None:
                    continue
                if part.error_code != ErrorCode.NONE:
                    self._refused(reading, part.error_code, now_ms)
                elif part.offset == NO_OFFSET:
                    # A time after the last record.
                    reading.reset_ms = LATEST
                else:
                    reading.seek(part.offset)
        self._done(ask.asked)

    def epochs_untrusted(
        self, ask: EpochsAsk, response: OffsetForLeaderEpochResponse, now_ms: int
    ) -> None:
        for topic in response.topics:
            for part in topic.partitions:
                place = TopicPartition(topic.topic, part.partition)
                reading = self._current(ask.asked, place, Stage.VALIDATE)
                if reading is None:
                    continue
                if part.error_code != ErrorCode.NONE:
                    self._refused(reading, part.error_code, now_ms)
                elif part.end_offset >= reading.fetch_offset:
                    reading.stage = Stage.FETCH
                elif reading.held:
                    # Only what was fetched ahead is gone, perhaps: what was handed out is asked about.
                    reading.forget_held()
                    if reading.epoch < 0:
                        reading.stage = Stage.FETCH
                else:
                    is_known = part.end_offset != _UNDEFINED and part.leader_epoch != _UNDEFINED
                    self.truncated[place] = part.end_offset if is_known else None
        self._done(ask.asked)

    def lost(self, ask: OffsetsAsk | EpochsAsk, now_ms: int) -> None:
        """No answer came."""
        self._done(ask.asked)
        for place in ask.asked:
            self.must_refresh.add(place.topic)
            if place in self._readings:
                self._readings[place].retry_at_ms = now_ms + self._retry_ms

    def refused(self, ask: OffsetsAsk | EpochsAsk, error: ApiError, now_ms: int) -> None:
        """The broker does not know the request: positions are taken for good as they are."""
        self._done(ask.asked)
        for place in ask.asked:
            reading = self._readings.get(place)
            if reading is None:
                continue
            if isinstance(ask, EpochsAsk):
                reading.stage = Stage.FETCH
            else:
                reading.trouble = error
                reading.retry_at_ms = now_ms + self._retry_ms

    def _current(
        self, asked: Mapping[TopicPartition, int], place: TopicPartition, stage: Stage
    ) -> Reading | None:
        reading = self._readings.get(place)
        if reading is None or asked.get(place) != reading.seeks or reading.stage is not stage:
            return None
        return reading

    def _done(self, asked: Mapping[TopicPartition, int]) -> None:
        for place, seeks in asked.items():
            if self._under_way.get(place) == seeks:
                del self._under_way[place]

    def _refused(self, reading: Reading, code: int, now_ms: int) -> None:
        reading.retry_at_ms = now_ms + self._retry_ms
        if code in INVALIDATES_METADATA:
            self.must_refresh.add(reading.place.topic)
        elif code not in RETRIABLE:
            reading.trouble = ApiError(code, f"partition {reading.place}")

    def _offsets_ask(self, broker_id: int, readings: list[Reading]) -> OffsetsAsk:
        def asked(one: Reading) -> ListOffsetsPartition:
            return ListOffsetsPartition(one.place.partition, one.leader_epoch, one.reset_ms)

        request = ListOffsetsRequest(
            replica_id=CONSUMER,
            isolation_level=self._options.isolation_level,
            topics=[
                ListOffsetsTopic(name, [asked(one) for one in some])
                for name, some in _by_topic(readings).items()
            ],
        )
        return OffsetsAsk(broker_id, request, {one.place: one.seeks for one in readings})

    def _epochs_ask(self, broker_id: int, readings: list[Reading]) -> EpochsAsk:
        def asked(one: Reading) -> OffsetForLeaderPartition:
            return OffsetForLeaderPartition(one.place.partition, one.leader_epoch, one.fetch_epoch)

        request = OffsetForLeaderEpochRequest(
            replica_id=CONSUMER,
            topics=[
                OffsetForLeaderTopic(name, [asked(one) for one in some])
                for name, some in _by_topic(readings).items()
            ],
        )
        return EpochsAsk(broker_id, request, {one.place: one.seeks for one in readings})


def _by_topic(readings: Iterable[Reading]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for reading in readings:
        found.setdefault(reading.place.topic, []).append(reading)
    return found
