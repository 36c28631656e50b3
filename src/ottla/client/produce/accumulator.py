"""Records of many topics, gathered into one open batch per partition, within bounds of memory.

Decides where one batch ends and the next begins, and whether there is room.

Promises: what is held never exceeds `buffer_memory`, counted as the records would be on the wire
without compression; `append` takes a record whole or raises. Whoever appends from another thread
holds a lock that the sender's owner holds too.

`append` runs once per record: its first lines are the usual case, written out. Elsewhere: which
partition a record goes to, `topic_lanes.py`; what may be taken at all, `intake.py`; what is sent when,
`schedule.py`.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

from ottla.client.metadata import TopicView
from ottla.client.produce.batch import NEAR_MS, RECORD_OVERHEAD_BYTES, Draft, RecordBatch, Wait
from ottla.client.produce.delivery import BatchDelivery, Delivery
from ottla.client.produce.fate import BufferFull, RecordTooLarge, TopicUnknown
from ottla.client.produce.intake import check_extras, check_size, owned, record_bytes_max, stretches
from ottla.client.produce.lane import Lane
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.topic_lanes import TopicLanes
from ottla.errors import OttlaError
from ottla.record.batch import HEADER_BYTES
from ottla.record.builder import record_size_max
from ottla.record.compress import NONE
from ottla.record.record import Headers

_RATIO_MARGIN: Final = 1.05


@final
class Accumulator:
    """`below(n)` draws a number in 0..n-1. `wake` is called when a batch is opened. `wait`: the
    shell's way to wait for a batch. `delivery`: what a record's fate is to look like, without slots of
    its own."""

    __slots__ = (
        "_below",
        "_delivery",
        "_number",
        "_options",
        "_topics",
        "_wait",
        "_wake",
        "busy",
        "fresh",
        "incomplete",
        "is_pressing",
        "is_starved",
        "refusal",
        "room_bytes",
    )

    def __init__(
        self,
        options: ProducerOptions,
        *,
        below: Callable[[int], int],
        wake: Callable[[], None],
        wait: Wait,
        delivery: type[Delivery] = Delivery,
    ) -> None:
        self._options = options
        self._below = below
        self._wake = wake
        self._wait = wait
        self._delivery = delivery
        self._topics: dict[str, TopicLanes] = {}
        self._number = 0
        self.room_bytes = options.buffer_memory
        self.busy: dict[Lane, None] = {}
        """The lanes with something in their queues, the one whose turn it is first."""
        self.fresh: list[RecordBatch] = []
        """Opened since somebody looked, who then says when that was."""
        self.incomplete: dict[RecordBatch, Lane] = {}
        """All that has no fate, the oldest first."""
        self.is_starved = False
        """Somebody found no room: what is open is to be sent."""
        self.is_pressing = False
        """A batch is full: whoever appends in a loop lets the others have their turn."""
        self.refusal: OttlaError | None = None
        """Why no more records are taken."""

    # ---- records

    def append(
        self,
        topic: str,
        value: object,
        key: object,
        headers: Headers,
        partition: object,
        timestamp_ms: int,
    ) -> Delivery:
        """Take a record; what a caller may mistake is looked at here, whatever its type.

        Raises BufferFull, RecordTooLarge, TopicUnknown, ProducerClosed, LocalProtocolError for a
        partition that is not there, TypeError for what is no bytes.
        """
        known = self._topics.get(topic)
        if known is not None and not headers and type(value) is bytes:
            if partition is not None:
                lane = known.lanes.get(partition) if type(partition) is int else None
                batch = None if lane is None else lane.open
            elif key is None:
                batch = known.sticky_batch
            else:
                lane = known.by_key.get(key) if type(key) is bytes else None
                batch = None if lane is None else lane.open
            if batch is not None:
                room = batch.room - len(value) - RECORD_OVERHEAD_BYTES
                keys = batch.keys
                plain_key: bytes | None = None
                if key is not None:
                    if keys is not None and type(key) is bytes:
                        plain_key = key
                        room -= len(key) + 2
                    else:
                        room = -1
                if room >= 0 and (
                    timestamp_ms == batch.last_timestamp_ms or batch.turn(timestamp_ms)
                ):
                    batch.room = room
                    values = batch.values
                    delivery = self._delivery()
                    delivery._batch = batch
                    delivery._index = len(values)
                    values.append(value)
                    if keys is not None:
                        keys.append(plain_key)
                    return delivery
        own_value, own_key = owned("value", value), owned("key", key)
        return self._append_rare(topic, own_value, own_key, headers, partition, timestamp_ms)

    def _append_rare(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        headers: Headers,
        partition: object,
        timestamp_ms: int,
    ) -> Delivery:
        """`append` for whatever is not usual: a new batch, headers, another millisecond."""
        check_extras(headers, timestamp_ms)
        known = self._known(topic)
        size = record_bytes_max(key, value, headers)
        check_size(self._options, topic, size)
        is_sticky = False
        if partition is not None:
            lane = known.lane(partition)
        elif key is None and self._options.partitioner is None:
            lane, is_sticky = known.sticky_for(size), True
        else:
            lane = known.chosen(key, value)
        batch = lane.open
        if batch is not None and abs(timestamp_ms - batch.timestamps[0][1]) >= NEAR_MS:
            # Far apart, deltas are long; nobody would be far apart from a batch's only record.
            size += 8
        if batch is None or batch.room < size:
            if batch is not None and is_sticky:
                self.close(batch)
                lane = known.sticky_for(size)
            batch = self._open(lane, size)
        index = batch.add_rare(value, key, headers, timestamp_ms)
        batch.room -= size
        if is_sticky:
            known.sticky_batch = batch
        return self._delivery.of(batch, index)

    def append_batch(
        self,
        topic: str,
        records: Sequence[bytes | Draft],
        partition: int | None,
        timestamp_ms: int,
    ) -> BatchDelivery:
        """Take records that were handed over together, all or none, in batches of their own.

        Without `partition` keys decide; all those without one go to one partition.
        """
        known = self._known(topic)
        by_lane: dict[Lane, Sequence[bytes | Draft]] = {}
        if partition is not None:
            by_lane[known.lane(partition)] = records
        else:
            by_lane = known.divided(records)
        planned = [
            (lane, stretch, size)
            for lane, some in by_lane.items()
            for stretch, size in stretches(self._options, topic, some)
        ]
        needed = sum(size for _, _, size in planned)
        if needed > self._options.buffer_memory:
            raise RecordTooLarge(
                f"{len(records):,} records for topic '{topic}' need up to {needed:,} bytes together; "
                f"buffer_memory is {self._options.buffer_memory:,}: hand over fewer at once"
            )
        self._reserve(needed)
        batches = []
        for lane, some, size in planned:
            if lane.open is not None:
                self.close(lane.open)
            batch = self._new_batch(lane, size)
            batch.add_all(some, timestamp_ms)
            self.close(batch)
            batches.append(batch)
        if batches:
            self._wake()
        return BatchDelivery(batches)

    # ---- topics

    def topic_view(self, name: str) -> TopicView | None:
        known = self._topics.get(name)
        return None if known is None else known.view

    @property
    def topics(self) -> list[str]:
        return list(self._topics)

    def learn(self, view: TopicView) -> None:
        """The topic is as this says."""
        known = self._topics.get(view.name)
        if known is None:
            self._topics[view.name] = TopicLanes(view, self._options, self._below)
        else:
            known.learn(view)

    # ---- batches

    def close(self, batch: RecordBatch) -> None:
        """Nothing is added to it any more; the room it did not need is there again."""
        used = batch.held_bytes - batch.room
        known = self._topics.get(batch.topic)
        if known is not None:
            lane = known.lanes[batch.partition]
            if lane.open is batch:
                lane.open = None
            if known.sticky_batch is batch:
                known.sticky_batch = None
            if known.sticky is lane:
                known.sticky_bytes += used
        self.room_bytes += batch.close()

    def replace(self, batch: RecordBatch, lane: Lane) -> list[RecordBatch]:
        """Two batches of half the records each have taken the place of one that is too large."""
        known = self._topics[batch.topic]
        known.ratio = max(1.0, known.ratio)
        records = batch.records()
        middle = len(records) // 2
        parts = []
        for place, drafts in enumerate((records[:middle], records[middle:])):
            part = RecordBatch(batch.topic, batch.partition, (*batch.order, place), self._wait)
            part.created_ms = batch.created_ms
            part.is_uncertain = part.is_untraceable = batch.is_uncertain
            for value, key, headers, timestamp_ms in drafts:
                part.add_rare(value, key, headers, timestamp_ms or 0)
            # Counted anew, as its records may be; the buffer is not asked: they are there already.
            part.held_bytes = HEADER_BYTES + sum(
                record_size_max(key, value, headers) for value, key, headers, _ in drafts
            )
            part.close()
            self.room_bytes -= part.held_bytes
            parts.append(part)
        # As old as the one they come from, so that their time is over in time.
        self.incomplete = {
            one: where
            for each, where in self.incomplete.items()
            for one in ((*parts, batch) if each is batch else (each,))
        }
        self.done(batch)
        batch.give_way(parts)
        lane.replace(batch, parts)
        self.busy[lane] = None
        return parts

    def done(self, batch: RecordBatch) -> None:
        """It needs no room any more."""
        if self.incomplete.pop(batch, None) is not None:
            self.room_bytes += batch.held_bytes
            batch.held_bytes = 0
            self.is_starved = False
            if self._options.codec and batch.ratio != 1.0:
                self._topics[batch.topic].observed(batch.ratio)

    # ---- inside

    def _known(self, topic: str) -> TopicLanes:
        if self.refusal is not None:
            raise self.refusal
        known = self._topics.get(topic)
        if known is None:
            raise TopicUnknown(f"the partitions of topic '{topic}' are not known yet")
        return known

    def _open(self, lane: Lane, needed: int) -> RecordBatch:
        """An empty open batch with room for at least so much, the lane's last."""
        if lane.open is not None:
            self.close(lane.open)
        self.is_pressing = bool(lane.queue)
        ratio = min(1.0, self._topics[lane.topic].ratio * _RATIO_MARGIN)
        held = max(int(self._options.batch_size / ratio), HEADER_BYTES + needed)
        if self._options.codec == NONE:
            held = min(held, max(self._options.max_request_size, HEADER_BYTES + needed))
        held = min(held, self._options.buffer_memory)
        self._reserve(held)
        batch = self._new_batch(lane, held)
        batch.room = held - HEADER_BYTES
        lane.open = batch
        self._wake()
        return batch

    def _reserve(self, size: int) -> None:
        if size > self.room_bytes:
            self.is_starved = True
            self._wake()
            raise BufferFull(
                f"buffer_memory is used up: {size:,} bytes are needed, {self.room_bytes:,} of "
                f"{self._options.buffer_memory:,} are left"
            )

    def _new_batch(self, lane: Lane, held: int) -> RecordBatch:
        self._number += 1
        batch = RecordBatch(lane.topic, lane.partition, (self._number,), self._wait)
        batch.held_bytes = held
        self.room_bytes -= held
        lane.queue.append(batch)
        self.busy[lane] = None
        self.incomplete[batch] = lane
        self.fresh.append(batch)
        return batch
