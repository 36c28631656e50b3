"""KafkaConsumer: kafka-python's, on the consumer of `ottla.aio`.

Every call goes to the client's thread and waits for its end, while the calling thread stands by for the
callbacks of a rebalance (`handoff.py`). What is fetched ahead, heartbeats and commits go on there,
whatever the program does in between. Only records that came already are taken on the calling thread: there
and back would cost as much as 500 of them, and they are warm where they are made.

Promises: a record counts as processed when it was handed out: by `poll` all that it returns, by the
iterator each one when the next is asked for. What came and was not handed out is held (`held.py`) and
comes first next time. A deserializer that raises loses nothing: the records before the one it cannot
read are handed out, then its exception comes, and the position stays there.
After a fork the child begins as a consumer of its own, with the same subscription.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import inf
from types import TracebackType
from typing import ClassVar, Final, NamedTuple, TypeVar, Unpack, final

from ottla.aio.consumer import Consumer
from ottla.client.consume.record import ConsumedRecord
from ottla.errors import OttlaError
from ottla.kafka import loop
from ottla.kafka.arguments import Callback, ConsumerArguments
from ottla.kafka.config import For, configured, defaults, number
from ottla.kafka.consumer.given import offsets_of, place_of, whole_ms
from ottla.kafka.consumer.held import Held, Records
from ottla.kafka.consumer.line import Line
from ottla.kafka.consumer.told import Listener, ToldOnPoll
from ottla.kafka.errors import IllegalStateError, KafkaError
from ottla.kafka.future import Future
from ottla.kafka.loop import Kept, Logged
from ottla.kafka.serializer import Deserialize, deserializing
from ottla.kafka.structs import (
    ConsumerGroupMetadata,
    MemberState,
    OffsetAndMetadata,
    OffsetAndTimestamp,
    TopicPartition,
)
from ottla.kafka.translation import public, translated

T = TypeVar("T")

_CLOSE_MS: Final = 30_000
_WAIT_MS_MAX: Final = 3_600_000
_TURN_S: Final = 0.05
"""So often a program that only ever finds records there lets the client's thread have a turn: the group hears
that it polls, what it processed may be committed."""


@final
class KafkaConsumer:
    """Reads records. For one thread; the constructor has reached a broker."""

    DEFAULT_CONFIG: ClassVar[Mapping[str, object]] = defaults(For.CONSUMER)
    DEFAULT_SESSION_TIMEOUT_MS_0_9: ClassVar[int] = 30_000
    DEFAULT_SESSION_TIMEOUT_MS_PRE_KIP_735: ClassVar[int] = 10_000

    def __init__(self, *topics: str, **configs: Unpack[ConsumerArguments]) -> None:
        self._closed = True  # until it is open
        self.config = configured(For.CONSUMER, configs)
        self._deserialize_key = deserializing("key_deserializer", self.config["key_deserializer"])
        self._deserialize_value = deserializing(
            "value_deserializer", self.config["value_deserializer"]
        )
        self._has_deserializer = (
            self._deserialize_key is not None or self._deserialize_value is not None
        )
        self._poll_records_max = number(self.config, "max_poll_records")
        timeout_ms = self.config["consumer_timeout_ms"]
        assert timeout_ms is None or isinstance(timeout_ms, int | float)
        # Below zero was "for ever" once.
        self._timeout_ms = inf if timeout_ms is None or timeout_ms < 0 else float(timeout_ms)
        self._wanted: _Subscribed | list[TopicPartition] | None = None
        """What was subscribed or assigned last, to be said again after a fork."""
        self._open()
        self._closed = False
        if topics:
            # One list is taken as the topics themselves, as in kafka-python.
            first = topics[0]
            self.subscribe(first if len(topics) == 1 and not isinstance(first, str) else topics)

    def _open(self) -> None:
        self._line = Line(self.config)
        self._generation = loop.generation()
        self._held = Held()
        self._processed: dict[TopicPartition, int] = {}
        self._consumed_count = 0
        self._turn_due = 0.0
        # What the iterator hands out now, and how far it is.
        self._run_of: list[ConsumedRecord] = []
        self._run_at = 0

    def __enter__(self) -> "KafkaConsumer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What failed in the middle is not processed: it is not committed.
        self.close(autocommit=error is None)

    def __del__(self) -> None:
        if not self._closed and self._generation == loop.generation():
            with Logged("consumer that nobody closed"):
                self._line.close_soon()

    def close(self, autocommit: bool = True, timeout_ms: float | None = None) -> None:
        """Committed (with `enable_auto_commit`), out of the group, nothing open. A second time is no
        mistake."""
        if self._closed:
            return
        try:
            if self._generation == loop.generation():
                with Logged("position of a consumer that closes"):
                    self._settle()
                wait_ms = _CLOSE_MS if timeout_ms is None else max(0, int(timeout_ms))
                with public():
                    self._line.close(auto_commit=autocommit, timeout_ms=wait_ms)
        finally:
            self._closed = True
            self._run_of, self._run_at = [], 0

    # ---- what to read

    def subscribe(
        self,
        topics: Iterable[str] = (),
        pattern: str | None = None,
        listener: Listener | None = None,
    ) -> None:
        """Read these topics, or those whose names match, as a member of the group.

        `listener` is called inside `poll`, on the thread that polls.
        """
        if isinstance(topics, str):
            raise TypeError(f"topics {topics!r}: a list of names is expected")
        names = list(topics or ())
        if names and pattern is not None:
            raise IllegalStateError("subscribe to topics or to a pattern, not to both")
        if not names and pattern is None:
            raise ValueError("topics or a pattern is expected")
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"topic {name!r}: a name is expected")

        self._ensure_open()
        self._rewind()
        self._subscribe(_Subscribed(names, pattern, listener))

    def _subscribe(self, wanted: "_Subscribed") -> None:
        names, pattern, listener = wanted
        line = self._line
        told = None if listener is None else ToldOnPoll(listener, line.handoff)
        self._call(lambda: line.consumer.subscribe(names, pattern=pattern, listener=told))
        self._wanted = wanted

    def subscription(self) -> set[str] | None:
        """The topics that are subscribed; None: none are."""
        found = self._call(self._consumer.subscription)
        return None if not found else set(found)

    def unsubscribe(self) -> None:
        """Nothing is subscribed or assigned."""
        self._call(self._consumer.unsubscribe)
        self._run_of, self._run_at = [], 0
        self._held.clear()
        self._processed.clear()
        self._wanted = None

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read exactly these, without the group deciding."""
        places = [place_of(one) for one in partitions]
        self._ensure_open()
        self._rewind()
        self._assign(places)

    def _assign(self, places: list[TopicPartition]) -> None:
        consumer = self._consumer
        self._call(lambda: consumer.assign(places))
        self._wanted = places

    def assignment(self) -> set[TopicPartition]:
        return set(self._call(self._consumer.assignment))

    # ---- records

    def poll(
        self,
        timeout_ms: float = 0,
        max_records: int | None = None,
        update_offsets: bool = True,
    ) -> Records:
        """Records that came, waiting up to `timeout_ms` for the first; {}: none did."""
        if not isinstance(timeout_ms, int | float) or timeout_ms < 0:
            raise ValueError(f"timeout_ms={timeout_ms!r}: 0 or more is expected")
        if max_records is not None and (not isinstance(max_records, int) or max_records < 1):
            raise ValueError(f"max_records={max_records!r}: 1 or more is expected")
        self._ensure_open()
        self._put_back()
        count = self._poll_records_max if max_records is None else max_records
        came = self._held.take(count) or self._polled(timeout_ms, count)
        found = self._readable(came)
        if not update_offsets:
            self._held.put_back(came)
            return found
        for place, records in found.items():
            self._processed[place] = records[-1].offset + 1
            self._consumed_count += len(records)
            self._held.put_back({place: came[place][len(records) :]})
        self._held.put_back({place: came[place] for place in came if place not in found})
        return found

    def __iter__(self) -> Iterator[ConsumedRecord]:
        return self

    def __next__(self) -> ConsumedRecord:
        """The next record; StopIteration when none came for `consumer_timeout_ms`."""
        at = self._run_at
        try:
            record = self._run_of[at]
        except IndexError:
            self._next_run()
            at = 0
            record = self._run_of[at]
        if self._has_deserializer:
            record = _read(record, self._deserialize_key, self._deserialize_value)
        self._run_at = at + 1
        return record

    def _next_run(self) -> None:
        """Records of one partition are there to be handed out. Raises StopIteration."""
        if self._closed:
            raise StopIteration("this KafkaConsumer is closed")
        self._ensure_open()
        self._note()
        began = time.monotonic()
        while not (run := self._held.take_run()):
            left_ms = self._timeout_ms - (time.monotonic() - began) * 1000
            # The last look is one without waiting: what is there is handed out.
            wait_ms = min(max(left_ms, 0), _WAIT_MS_MAX)
            self._held.put_back(self._polled(wait_ms, self._poll_records_max))
            if not self._held and left_ms <= 0:
                raise StopIteration
        self._run_of, self._run_at = run, 0

    # ---- offsets

    def commit(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None,
        timeout_ms: float | None = None,
    ) -> None:
        """These, or all positions, are the group's. Raises CommitFailedError, …"""
        self._needs_group()
        self._settle()
        self._run(self._consumer.commit(offsets_of(offsets), timeout_ms=whole_ms(timeout_ms)))

    def commit_async(
        self,
        offsets: Mapping[TopicPartition, OffsetAndMetadata | int] | None = None,
        callback: Callback | None = None,
    ) -> Future:
        """Begin a commit. `callback(offsets, exception or None)` runs inside a later call."""
        self._needs_group()
        self._settle()
        future = Future()
        told = callback or self.config["default_offset_commit_callback"]
        handoff = self._line.handoff

        def ended(
            committed: Mapping[TopicPartition, OffsetAndMetadata], error: OttlaError | None
        ) -> None:
            problem = None if error is None else translated(error)

            def tell() -> None:
                if callable(told):
                    with Logged("commit callback"):
                        told(dict(committed), problem if problem is not None else True)
                if problem is None:
                    future.success(dict(committed))
                else:
                    future.failure(problem)

            handoff.tell(tell)

        self._call(lambda: self._consumer.commit_nowait(offsets_of(offsets), ended))
        return future

    def committed(
        self, partition: TopicPartition, metadata: bool = False, timeout_ms: float | None = None
    ) -> int | OffsetAndMetadata | None:
        """What the group committed; None: nothing."""
        self._needs_group()
        place = place_of(partition)
        found = self._run(self._consumer.committed([place], timeout_ms=whole_ms(timeout_ms)))[place]
        return found if metadata or found is None else found.offset

    def position(self, partition: TopicPartition, timeout_ms: float | None = None) -> int:
        """The offset of the next record. Raises IllegalStateError if it is not assigned."""
        place = place_of(partition)
        self._ensure_open()
        self._settle()
        return self._run(self._consumer.position(place, timeout_ms=whole_ms(timeout_ms)))

    def highwater(self, partition: TopicPartition) -> int | None:
        """The end of the partition as last heard; None: not heard yet."""
        place = place_of(partition)
        return self._call(lambda: self._consumer.highwater(place))

    def seek(self, partition: TopicPartition, offset: int) -> None:
        place = place_of(partition)
        if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
            raise ValueError(f"offset {offset!r}: a whole number, 0 or more, is expected")
        self._moved([place])
        try:
            self._seek(place, offset)
        except IllegalStateError as error:
            raise ValueError(error.args[0]) from error

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        """Of these; of all that are assigned when none is named."""
        places = self._assigned(partitions)
        self._moved(places)
        self._call(lambda: self._consumer.seek_to_beginning(places))

    def seek_to_end(self, *partitions: TopicPartition) -> None:
        places = self._assigned(partitions)
        self._moved(places)
        self._call(lambda: self._consumer.seek_to_end(places))

    def pause(self, *partitions: TopicPartition) -> None:
        """`poll` returns nothing of these until `resume`."""
        places = [place_of(one) for one in partitions]
        self._rewind(places)
        self._call(lambda: self._consumer.pause(places))

    def paused(self) -> set[TopicPartition]:
        return set(self._call(self._consumer.paused))

    def resume(self, *partitions: TopicPartition) -> None:
        places = [place_of(one) for one in partitions]
        self._call(lambda: self._consumer.resume(places))

    def beginning_offsets(
        self, partitions: Iterable[TopicPartition], timeout_ms: float | None = None
    ) -> dict[TopicPartition, int]:
        places = [place_of(one) for one in partitions]
        self._ensure_open()
        return self._run(self._consumer.beginning_offsets(places, timeout_ms=whole_ms(timeout_ms)))

    def end_offsets(
        self, partitions: Iterable[TopicPartition], timeout_ms: float | None = None
    ) -> dict[TopicPartition, int]:
        """The offsets that the next records will have."""
        places = [place_of(one) for one in partitions]
        self._ensure_open()
        return self._run(self._consumer.end_offsets(places, timeout_ms=whole_ms(timeout_ms)))

    def offsets_for_times(
        self, timestamps: Mapping[TopicPartition, int], timeout_ms: float | None = None
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record at or after each time in ms; None: there is none."""
        times_ms = {place_of(one): int(at_ms) for one, at_ms in timestamps.items()}
        for place, at_ms in times_ms.items():
            if at_ms < 0:
                raise ValueError(f"{place}: a time of {at_ms} ms is before all times")
        self._ensure_open()
        return self._run(
            self._consumer.offsets_for_times(times_ms, timeout_ms=whole_ms(timeout_ms))
        )

    # ---- the rest

    def topics(self) -> set[str]:
        """All topics that this client may see."""
        self._ensure_open()
        return set(self._run(self._consumer.topics()))

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        """None: there is no such topic."""
        self._ensure_open()
        found = self._run(self._consumer.partitions_for_topic(topic))
        return None if found is None else set(found)

    def group_metadata(self) -> ConsumerGroupMetadata:
        """Who this consumer is in its group."""
        if self.config["group_id"] is None:
            return ConsumerGroupMetadata(None)
        found = self._call(self._consumer.group_metadata)
        state = MemberState.STABLE if found.generation_id >= 0 else MemberState.UNJOINED
        return ConsumerGroupMetadata(*found, state)

    def bootstrap(self, timeout_ms: float | None = None, refresh: bool = False) -> bool:
        """A broker has answered: that is so since the constructor."""
        self._ensure_open()
        if refresh:
            self._run(self._line.session.admin.reach(whole_ms(timeout_ms) or _CLOSE_MS))
        return True

    def bootstrap_connected(self) -> bool:
        return not self._closed and bool(self._line.session.client.cluster.brokers)

    def metrics(self, raw: bool = False) -> dict[str, dict[str, float]]:
        """Numbers by group. `raw` is taken and means nothing here."""
        places = self.assignment()
        consumer = self._consumer
        lags = self._call(lambda: [consumer.lag(place) for place in places])
        prefix = self.config["metric_group_prefix"]
        return {
            f"{prefix}-fetch-manager-metrics": {
                "records-consumed-total": self._consumed_count,
                "records-lag-max": max((lag for lag in lags if lag is not None), default=0),
            },
            f"{prefix}-coordinator-metrics": {"assigned-partitions": len(places)},
            "kafka-metrics-count": {"count": 3},
        }

    # ---- inside

    @property
    def _consumer(self) -> Consumer:
        return self._line.consumer

    def _ensure_open(self) -> None:
        if self._closed:
            raise IllegalStateError("this KafkaConsumer is closed")
        if self._generation != loop.generation():
            self._open()
            match self._wanted:
                case _Subscribed():
                    self._subscribe(self._wanted)
                case list():
                    self._assign(self._wanted)
                case None:
                    pass

    def _needs_group(self) -> None:
        self._ensure_open()
        if self.config["group_id"] is None:
            raise IllegalStateError("a consumer without group_id commits nothing")

    def _run(self, work: "loop.Work[T]") -> T:
        with public():
            return self._line.handoff.run(work)

    def _call(self, f: Callable[[], T]) -> T:
        """`f` runs on the client's thread, between two of its turns."""
        self._ensure_open()
        with public():
            return self._line.session.thread.call(f)

    def _polled(self, timeout_ms: float, max_records: int) -> Records:
        """Records with positions where they were; they are moved by what is `_processed`."""
        self._note()
        if time.monotonic() < self._turn_due and (came := self._taken(max_records)):
            return came
        processed, self._processed = self._processed, {}
        found = self._run(self._poll(processed, int(timeout_ms), max_records))
        self._turn_due = time.monotonic() + _TURN_S
        return {place: _listed(records) for place, records in found.items()}

    def _taken(self, max_records: int) -> Records:
        """Records that came already."""
        line = self._line
        try:
            with public(), line.guard:
                return line.consumer.take(max_records)
        except KafkaError:
            raise
        except BaseException:
            # A Ctrl-C in the middle of it: what was being taken comes again.
            self._settle()
            self._call(line.consumer.take_back)
            raise

    async def _poll(
        self, processed: Mapping[TopicPartition, int], timeout_ms: int, max_records: int
    ) -> dict[TopicPartition, Sequence[ConsumedRecord]]:
        self._advance(processed)
        return await self._consumer.poll(timeout_ms, max_records, advance=False)

    def _settle(self) -> None:
        """The consumer below knows how far this one is."""
        self._note()
        processed, self._processed = self._processed, {}
        if processed:
            self._call(lambda: self._advance(processed))

    def _advance(self, processed: Mapping[TopicPartition, int]) -> None:
        for place, offset in processed.items():
            self._consumer.advance_to(place, offset)

    def _note(self) -> None:
        """What the iterator handed out is processed; the rest of its run is not."""
        at = self._run_at
        if at:
            record = self._run_of[at - 1]
            self._processed[TopicPartition(record.topic, record.partition)] = record.offset + 1
            self._consumed_count += at
            self._run_of, self._run_at = self._run_of[at:], 0

    def _put_back(self) -> None:
        """The iterator's run is held again."""
        self._note()
        if self._run_of:
            first = self._run_of[0]
            self._held.put_back({TopicPartition(first.topic, first.partition): self._run_of})
            self._run_of = []

    def _rewind(self, places: Collection[TopicPartition] | None = None) -> None:
        """What is held of these (None: of any) will come again."""
        self._put_back()
        self._settle()
        dropped = self._held.drop(places)
        if dropped:
            assigned = self._call(self._consumer.assignment)
            for place, offset in dropped.items():
                if place in assigned:
                    self._seek(place, offset)

    def _seek(self, place: TopicPartition, offset: int) -> None:
        consumer = self._consumer
        self._call(lambda: consumer.seek(place, offset))

    def _moved(self, places: Collection[TopicPartition]) -> None:
        """What was handed out says nothing of the position any more."""
        self._ensure_open()
        self._put_back()
        self._held.drop(places)
        for place in places:
            self._processed.pop(place, None)

    def _assigned(self, partitions: Collection[TopicPartition]) -> list[TopicPartition]:
        assigned = self.assignment()
        places = [place_of(one) for one in partitions]
        for place in places:
            if place not in assigned:
                raise ValueError(f"partition {place} is not assigned to this consumer")
        if not places and not assigned:
            raise IllegalStateError("no partitions are assigned")
        return places or list(assigned)

    def _readable(self, came: Records) -> Records:
        """As many as can be read; raises only if the very first cannot."""
        if not self._has_deserializer:
            return came
        key, value = self._deserialize_key, self._deserialize_value
        made: Records = {}
        failure = Kept()
        for place, records in came.items():
            some: list[ConsumedRecord] = []
            with failure:
                for record in records:
                    some.append(_read(record, key, value))
            if some:
                made[place] = some
        if not made and failure.error is not None:
            self._held.put_back(came)
            raise failure.error
        return made


class _Subscribed(NamedTuple):
    names: list[str]
    pattern: str | None
    listener: Listener | None


def _read(
    record: ConsumedRecord, key: Deserialize | None, value: Deserialize | None
) -> ConsumedRecord:
    fields: list[object] = list(record)
    if key is not None:
        fields[6] = key(record.topic, record.headers, record.key)
    if value is not None:
        fields[7] = value(record.topic, record.headers, record.value)
    # A record's key and value are what the program makes of them.
    return ConsumedRecord._make(fields)


def _listed(records: Sequence[ConsumedRecord]) -> list[ConsumedRecord]:
    return records if isinstance(records, list) else list(records)
