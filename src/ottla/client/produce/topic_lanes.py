"""One topic of a producer: which of its partitions a record goes to.

A record's own partition, else the partitioner's word, else the key's hash; without a key the topic's
sticky partition, which changes at the end of a batch once a batch's worth of bytes went there, to one
that is likelier the shorter its queue (KIP-794). Keys are remembered, because murmur2 in Python costs
more than all else that is done for a record.

Elsewhere: the arithmetic, `partitioner.py`; what is done with the record, `accumulator.py`.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

from ottla.client.metadata import TopicView
from ottla.client.produce.batch import Draft, RecordBatch
from ottla.client.produce.lane import Lane
from ottla.client.produce.options import ProducerOptions
from ottla.client.produce.partitioner import partition_for_key, pick_by_load
from ottla.errors import LocalProtocolError

_REMEMBERED_KEYS_MAX: Final = 8_192
_RATIO_MIN: Final = 0.05


@final
class TopicLanes:
    """One topic's partitions, and where its next record without key goes."""

    __slots__ = (
        "_below",
        "_options",
        "by_key",
        "lanes",
        "ratio",
        "sticky",
        "sticky_batch",
        "sticky_bytes",
        "view",
    )

    def __init__(
        self, view: TopicView, options: ProducerOptions, below: Callable[[int], int]
    ) -> None:
        self._options = options
        self._below = below
        self.view = view
        self.lanes: dict[int, Lane] = {}
        self.by_key: dict[bytes, Lane] = {}
        self.sticky: Lane | None = None
        self.sticky_batch: RecordBatch | None = None
        self.sticky_bytes = 0
        self.ratio = 1.0
        """What compression has left of this topic's records, guessed with care: batches that do not
        fit are worse than batches that are not full."""

    def observed(self, ratio: float) -> None:
        """A batch was compressed. Kafka's steps: quickly worse, slowly better."""
        if ratio > self.ratio:
            self.ratio = max(self.ratio + 0.05, ratio)
        else:
            self.ratio = max(self.ratio - 0.005, ratio, _RATIO_MIN)

    def learn(self, view: TopicView) -> None:
        """The topic is as this says."""
        if len(self.view.partitions) != len(view.partitions):
            self.by_key.clear()
        self.view = view
        if self.sticky is not None and self.sticky.partition not in view.led:
            self.sticky = self.sticky_batch = None

    def lane(self, partition: object) -> Lane:
        """The partition's; raises LocalProtocolError if there is none."""
        count = len(self.view.partitions)
        if type(partition) is not int or not 0 <= partition < count:
            raise LocalProtocolError(
                f"topic '{self.view.name}' has {count} partitions, 0 to {count - 1}; there is "
                f"no partition {partition}"
            )
        lane = self.lanes.get(partition)
        if lane is None:
            lane = Lane(
                self.view.name,
                partition,
                is_ordered=self._options.max_in_flight == 1,
            )
            self.lanes[partition] = lane
        return lane

    def chosen(self, key: bytes | None, value: bytes | None) -> Lane:
        """Where the partitioner, or the hash of the key, wants it."""
        partitioner = self._options.partitioner
        if partitioner is None:
            assert key is not None
            lane = self.by_key.get(key)
            if lane is None:
                lane = self.lane(partition_for_key(key, len(self.view.partitions)))
                if len(self.by_key) >= _REMEMBERED_KEYS_MAX:
                    self.by_key.clear()
                self.by_key[key] = lane
            return lane
        if callable(partitioner):
            every = list(range(len(self.view.partitions)))
            partition = partitioner(key, every, self.view.led)
        else:
            partition = partitioner.partition(self.view, key, value)
        return self.lane(partition)

    def sticky_for(self, size: int) -> Lane:
        """Where a record of that size without key goes. It changes between batches only."""
        lane = self.sticky
        is_new = self.sticky_bytes == 0
        if lane is not None and (
            lane.open is not None or is_new or self.sticky_bytes + size < self._options.sticky_bytes
        ):
            return lane
        led = self.view.led or range(len(self.view.partitions))
        loads = [len(self.lanes[p].queue) if p in self.lanes else 0 for p in led]
        self.sticky = lane = self.lane(led[pick_by_load(loads, self._below)])
        self.sticky_bytes = 0
        self.sticky_batch = None
        return lane

    def divided(self, records: Sequence[bytes | Draft]) -> dict[Lane, Sequence[bytes | Draft]]:
        """Where each goes, in order; those without key to one place together."""
        is_sticky = self._options.partitioner is None
        if is_sticky and set(map(type, records)) == {bytes}:
            return {self.sticky_for(0): records}
        by_lane: dict[Lane, list[bytes | Draft]] = {}
        sticky: Lane | None = None
        for record in records:
            key, value = (record.key, record.value) if isinstance(record, Draft) else (None, record)
            if key is None and is_sticky:
                lane = sticky = sticky or self.sticky_for(0)
            else:
                lane = self.chosen(key, value)
            by_lane.setdefault(lane, []).append(record)
        return dict(by_lane)
