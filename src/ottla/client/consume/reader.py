"""Everything about reading assigned partitions, without a socket: what to ask, and what came.

`asks` says what to send now; the shell sends it and brings the answer, or the news that none came.
`take` hands records out, in the order of each partition, partitions in turn. Positions, seeks and
pauses are here; who assigns partitions, and where committed offsets come from, is not.

Elsewhere: Fetch, `fetcher.py`; first offsets and truncated logs, `locator.py`; groups, `client/member`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias, final

from ottla import probe
from ottla.client.consume.batch import ConsumedBatch
from ottla.client.consume.fetcher import FetchAsk, Fetcher
from ottla.client.consume.held import Corrupt
from ottla.client.consume.locator import EpochsAsk, Locator, OffsetsAsk
from ottla.client.consume.options import ConsumerOptions
from ottla.client.consume.partition import NO_POSITION, Reading, Stage
from ottla.client.consume.record import ConsumedRecord, OffsetAndMetadata
from ottla.client.consume.trouble import NoOffset, OutOfRange, Truncated
from ottla.client.lookup import EARLIEST, LATEST
from ottla.client.metadata import Address, ClusterView, LeaderHint
from ottla.client.reset import duration_ms
from ottla.errors import ApiError, LocalProtocolError
from ottla.types import NO_EPOCH, TopicPartition
from ottla.wire.message.fetch import FetchResponse
from ottla.wire.message.list_offsets import ListOffsetsResponse
from ottla.wire.message.offset_for_leader_epoch import OffsetForLeaderEpochResponse

Ask: TypeAlias = FetchAsk | OffsetsAsk | EpochsAsk
Answer: TypeAlias = FetchResponse | ListOffsetsResponse | OffsetForLeaderEpochResponse

_DURATION: Final = "by_duration:"


@final
class Reader:
    """`wall_ms`: the time of day, for `by_duration` resets; all other times are the caller's `now_ms`."""

    __slots__ = (
        "_fetcher",
        "_locator",
        "_readings",
        "_ready",
        "_reset",
        "_troubled",
        "_wall_ms",
        "is_due",
    )

    def __init__(
        self, options: ConsumerOptions, wall_ms: Callable[[], int], *, retry_ms: int = 100
    ) -> None:
        self._wall_ms = wall_ms
        self._reset = _reset(options.offset_reset)
        self._readings: dict[TopicPartition, Reading] = {}
        self._ready: deque[Reading] = deque()
        """Those that hold something, in the order in which they come."""
        self._troubled: list[Reading] = []
        self._fetcher = Fetcher(options, self._readings, self._ready, retry_ms)
        self._locator = Locator(options, self._readings, retry_ms)
        self.is_due = False
        """`asks` may have something new."""

    # ---- what is read

    @property
    def places(self) -> frozenset[TopicPartition]:
        return frozenset(self._readings)

    def add(self, places: Iterable[TopicPartition], *, ask_group: bool) -> None:
        """Read these too, from committed offsets (`ask_group`), or from where the reset rule says."""
        for place in places:
            if place in self._readings:
                continue
            reading = Reading(place, Stage.COMMITTED)
            self._readings[place] = reading
            if not ask_group:
                self._begin(reading)
        self.is_due = True

    def remove(self, places: Iterable[TopicPartition]) -> None:
        """Nothing of these is handed out any more."""
        for place in places:
            self._readings.pop(place, None)
        self.is_due = True

    def awaiting_committed(self) -> list[TopicPartition]:
        """Partitions that cannot begin before it is known what the group committed."""
        return [place for place, one in self._readings.items() if one.stage is Stage.COMMITTED]

    def committed(self, found: Mapping[TopicPartition, OffsetAndMetadata | None]) -> None:
        """What the group committed; None: nothing."""
        for place, offset in found.items():
            reading = self._readings.get(place)
            if reading is None or reading.stage is not Stage.COMMITTED:
                continue
            if offset is None:
                self._begin(reading)
            else:
                reading.seek(offset.offset, offset.leader_epoch)
        self.is_due = True

    # ---- positions

    def position(self, place: TopicPartition) -> int | None:
        """The next offset to hand out; None: not known yet."""
        position = self._of(place).position
        return None if position == NO_POSITION else position

    def positions(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """What a commit of everything handed out says."""
        if probe.MUTANTS and probe.mutant("KIP62-fetched-is-committed"):
            return {
                place: OffsetAndMetadata(reading.fetch_offset, "", reading.fetch_epoch)
                for place, reading in self._readings.items()
                if reading.position != NO_POSITION
            }
        return {
            place: OffsetAndMetadata(reading.position, "", reading.epoch)
            for place, reading in self._readings.items()
            if reading.position != NO_POSITION
        }

    def seek(self, place: TopicPartition, offset: int, epoch: int = NO_EPOCH) -> None:
        if offset < 0:
            raise LocalProtocolError(f"seek to offset {offset} of {place}: 0 or more is expected")
        self._of(place).seek(offset, epoch)
        self.is_due = True

    def seek_to(self, places: Iterable[TopicPartition], reset_ms: int) -> None:
        """To EARLIEST, LATEST, or a time; without any named, all."""
        for place in list(places) or list(self._readings):
            self._of(place).seek_to(reset_ms)
        self.is_due = True

    def advance_to(self, place: TopicPartition, offset: int) -> None:
        """The position, after `take` with `advance=False`."""
        reading = self._readings.get(place)
        if reading is not None:
            reading.position = offset

    def pause(self, places: Iterable[TopicPartition], *, is_paused: bool) -> None:
        for place in places:
            self._of(place).is_paused = is_paused
        self.is_due = True

    @property
    def paused(self) -> frozenset[TopicPartition]:
        return frozenset(place for place, one in self._readings.items() if one.is_paused)

    def of(self, place: TopicPartition) -> Reading | None:
        return self._readings.get(place)

    # ---- requests and answers

    @property
    def next_ms(self) -> int | None:
        """When `asks` may have something though nothing happened."""
        times = [one.next_ms for one in (self._fetcher, self._locator) if one.next_ms is not None]
        return min(times, default=None)

    @property
    def must_refresh(self) -> set[str]:
        """Topics of which newer metadata is needed."""
        return self._fetcher.must_refresh | self._locator.must_refresh

    def refreshed(self) -> None:
        self._fetcher.must_refresh.clear()
        self._locator.must_refresh.clear()
        self.is_due = True

    def take_hints(self) -> tuple[list[LeaderHint], dict[int, Address]]:
        """Leaders that answers told of, with the addresses of brokers (KIP-951)."""
        fetcher = self._fetcher
        hints, fetcher.hints = fetcher.hints, []
        addresses, fetcher.addresses = fetcher.addresses, {}
        return hints, addresses

    def asks(self, now_ms: int, cluster: ClusterView) -> list[Ask]:
        """What is to be sent now."""
        self.is_due = False
        asks: list[Ask] = list(self._locator.asks(now_ms, cluster))
        asks += self._fetcher.asks(now_ms, cluster)
        # The fetcher finds out that a position has to be checked.
        asks += self._locator.asks(now_ms, cluster)
        return asks

    def answered_untrusted(self, ask: Ask, answer: Answer, now_ms: int) -> None:
        """Take an answer in. After a RemoteProtocolError the caller says that it was `lost`."""
        self.is_due = True
        if isinstance(ask, FetchAsk):
            assert isinstance(answer, FetchResponse)
            self._fetcher.answered_untrusted(ask, answer, now_ms)
        elif isinstance(ask, OffsetsAsk):
            assert isinstance(answer, ListOffsetsResponse)
            self._locator.offsets_untrusted(ask, answer, now_ms)
        else:
            assert isinstance(answer, OffsetForLeaderEpochResponse)
            self._locator.epochs_untrusted(ask, answer, now_ms)
        self._decide()

    def lost(self, ask: Ask, now_ms: int) -> None:
        """No answer came, or none that makes sense."""
        self.is_due = True
        if isinstance(ask, FetchAsk):
            self._fetcher.lost(ask, now_ms)
        else:
            self._locator.lost(ask, now_ms)

    def refused(self, ask: Ask, error: ApiError, now_ms: int) -> None:
        """The broker does not serve such a request at all."""
        self.is_due = True
        if isinstance(ask, FetchAsk):
            self._fetcher.refused(ask, error, now_ms)
        else:
            self._locator.refused(ask, error, now_ms)
        self._decide()

    # ---- records

    @property
    def has_records(self) -> bool:
        """`take` has something to hand out, or to raise."""
        if self._troubled:
            return True
        return any(not reading.is_paused for reading in self._ready)

    def take(
        self, count: int, *, advance: bool = True
    ) -> dict[TopicPartition, list[ConsumedRecord]]:
        """Up to `count` records. Raises what is in the way of them, where there are none.

        Partitions come in turn: one that has more waits behind the others.
        """
        taken: dict[TopicPartition, list[ConsumedRecord]] = {}
        for reading in self._in_turn():
            while count > 0 and (batch := self._batch_of(reading, advance)) is not None:
                next_offset, records = batch.take(count)
                count -= len(records)
                if advance:
                    reading.position = next_offset
                reading.epoch = batch.leader_epoch
                if reading.place in taken:
                    taken[reading.place] += records
                else:
                    taken[reading.place] = records
            self._put_back(reading)
            if count <= 0:
                break
        if not taken:
            self._raise_trouble()
        return taken

    def take_batches(self, count: int) -> list[ConsumedBatch]:
        """Whole batches with at least `count` records together, if there are so many."""
        taken: list[ConsumedBatch] = []
        for reading in self._in_turn():
            while count > 0 and (batch := self._batch_of(reading, True)) is not None:
                reading.batch = None
                reading.position, reading.epoch = batch.next_offset, batch.leader_epoch
                taken.append(batch)
                count -= len(batch)
            self._put_back(reading)
            if count <= 0:
                break
        if not taken:
            self._raise_trouble()
        return taken

    def _in_turn(self) -> Iterator[Reading]:
        """Those that hold something, each once. Whoever takes from one puts it back."""
        ready = self._ready
        for _ in range(len(ready)):
            reading = ready.popleft()
            if self._readings.get(reading.place) is not reading:
                continue
            if reading.is_paused or reading.stage is Stage.STUCK:
                self._put_back(reading)
            else:
                yield reading

    def _put_back(self, reading: Reading) -> None:
        """Behind the others, if it still holds something."""
        if reading.batch is not None or reading.held:
            self._ready.append(reading)

    def _batch_of(self, reading: Reading, advance: bool) -> ConsumedBatch | None:
        """The batch to go on with, decoding the next one where that is handed out."""
        while reading.batch is None or not len(reading.batch):
            reading.batch = None
            if not reading.held:
                return None
            held = reading.held[0]
            try:
                reading.batch = held.next_batch_untrusted()
            except Corrupt as error:
                reading.held.clear()
                reading.held_bytes = 0
                if advance:
                    reading.position = held.next_offset
                reading.stop(error)
                self._troubled.append(reading)
                return None
            if reading.batch is None:
                reading.held.popleft()
                reading.held_bytes -= held.size_bytes
                self.is_due = True
                if advance:
                    # Past what holds no records: control batches, and what was aborted.
                    reading.position = held.next_offset
        return reading.batch

    # ---- decisions

    def _decide(self) -> None:
        """Positions that turned out to be nowhere: by the reset rule, or a trouble."""
        for place in self._fetcher.out_of_range:
            reading = self._readings.get(place)
            if reading is None or reading.stage is not Stage.FETCH:
                continue
            if self._reset is None:
                reading.stop(OutOfRange({place: reading.position}))
            else:
                reading.seek_to(self._reset_ms())
        self._fetcher.out_of_range.clear()
        for place, diverged in self._locator.truncated.items():
            reading = self._readings.get(place)
            if reading is None or reading.stage is not Stage.VALIDATE:
                continue
            if self._reset is None:
                reading.stop(Truncated({place: reading.position}, {place: diverged}))
            elif diverged is None:
                reading.seek_to(self._reset_ms())
            else:
                reading.seek(diverged)
        self._locator.truncated.clear()
        self._troubled = [one for one in self._readings.values() if one.trouble is not None]

    def _begin(self, reading: Reading) -> None:
        """Where nothing says where to begin."""
        if self._reset is None:
            reading.stop(NoOffset([reading.place]))
            self._troubled.append(reading)
        else:
            reading.seek_to(self._reset_ms())

    def _reset_ms(self) -> int:
        assert self._reset is not None, "asked only where there is a rule"
        return self._reset if self._reset < 0 else self._wall_ms() - self._reset

    def _raise_trouble(self) -> None:
        """What only a seek ends is raised each time; the rest may have passed by the next time."""
        for reading in self._troubled:
            trouble = reading.trouble
            if trouble is None or self._readings.get(reading.place) is not reading:
                continue
            if reading.stage is not Stage.STUCK:
                reading.trouble = None
            raise trouble
        self._troubled.clear()

    def _of(self, place: TopicPartition) -> Reading:
        reading = self._readings.get(place)
        if reading is None:
            raise LocalProtocolError(f"partition {place} is not assigned to this consumer")
        return reading


def _reset(rule: str) -> int | None:
    """EARLIEST, LATEST, or a duration before now in ms; None: nowhere."""
    match rule:
        case "earliest":
            return EARLIEST
        case "latest":
            return LATEST
        case "none":
            return None
    try:
        if rule.startswith(_DURATION) and (back_ms := duration_ms(rule[len(_DURATION) :])) >= 0:
            return back_ms
    except ValueError:
        pass
    raise LocalProtocolError(
        f"offset_reset {rule!r}; earliest, latest, none or by_duration:PT1H is expected"
    )
