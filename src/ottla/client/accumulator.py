"""Records of one topic, gathered until they are sent: which partition, and which batch of it.

Decides the partition (murmur2 of the key; without a key, one partition until a batch is full) and
where one batch ends and the next begins. Holds what it was given and nothing else: whoever appends
looks at `size_bytes` and drains in time.

Elsewhere: what is sent when, and again, `sender.py`.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, final

from ottla.client.metadata import TopicView
from ottla.client.partitioner import StickyChoice, partition_for_key
from ottla.record.builder import record_size_max
from ottla.record.record import Headers

BATCH_BYTES_MAX: Final = 256 * 1024
"""Of one batch before compression; a larger record is alone in its batch. Small enough for any
topic's max.message.bytes in use; where it is not, the sender splits."""


class Draft(NamedTuple):
    """A record that has no offset yet."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@final
class Accumulator:
    """`below(n)` draws a number in 0..n-1. `partition`: where all records go, whatever their keys."""

    __slots__ = ("_batches", "_open_bytes", "_partition", "_sticky", "record_count", "size_bytes")

    def __init__(self, below: Callable[[int], int], partition: int | None = None) -> None:
        self._sticky = StickyChoice(below, BATCH_BYTES_MAX)
        self._partition = partition
        self._batches: dict[int, list[list[Draft]]] = {}
        self._open_bytes: dict[int, int] = {}
        self.record_count = 0
        self.size_bytes = 0
        """An upper bound of what is held, as it would be on the wire without compression."""

    def append(self, topic: TopicView, draft: Draft) -> int:
        """Keep a record; returns its partition."""
        size_bytes = record_size_max(draft.key, draft.value, draft.headers)
        partition = self._choose(topic, draft, size_bytes)
        batches = self._batches.setdefault(partition, [])
        open_bytes = self._open_bytes.get(partition, 0) + size_bytes
        if not batches or open_bytes > BATCH_BYTES_MAX:
            batches.append([])
            open_bytes = size_bytes
        batches[-1].append(draft)
        self._open_bytes[partition] = open_bytes
        self.record_count += 1
        self.size_bytes += size_bytes
        return partition

    def drain(self) -> dict[int, list[list[Draft]]]:
        """Everything held, as batches by partition; nothing is held after."""
        batches, self._batches = self._batches, {}
        self._open_bytes.clear()
        self.record_count = self.size_bytes = 0
        return batches

    def _choose(self, topic: TopicView, draft: Draft, size_bytes: int) -> int:
        if self._partition is not None:
            return self._partition
        count = len(topic.partitions)
        if draft.key is not None:
            return partition_for_key(draft.key, count)
        partition = self._sticky.pick(topic.led or range(count))
        self._sticky.produced(size_bytes)
        return partition
