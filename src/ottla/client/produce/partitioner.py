"""Which partition a record goes to when nobody says so.

Keyed records: murmur2 of the key, as every Kafka client does it, so that Ottla's producer and
others agree on where a key lives. Records without a key stick to one partition until a batch's
worth of bytes went there, then to another, more likely one whose queue is short (KIP-794): that
fills batches, spreads evenly, and does not pile up at a slow broker.

Elsewhere: when sticking ends, `accumulator.py`, which knows where batches end.
"""

from collections.abc import Callable, Sequence
from struct import Struct, unpack_from
from typing import Final, Protocol, final

from ottla.client.metadata import TopicView

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF
_WORDS: Final = [Struct(f"<{count}I").unpack_from for count in range(16)]
"""Little-endian words of 32 bits, by how many."""


class Partitioner(Protocol):
    """Decides for every record that names no partition."""

    def partition(self, topic: TopicView, key: bytes | None, value: bytes | None) -> int: ...


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner, unsigned. murmur2(b"21") == 0xC5F2F8EC."""
    size = len(data)
    value = _SEED ^ size
    count = size >> 2
    words = _WORDS[count](data) if count < len(_WORDS) else unpack_from(f"<{count}I", data)
    for k in words:
        k = k * _M & _MASK
        # Masked once at the end: what is above 32 bits changes nothing below.
        value = (value * _M ^ (k ^ k >> 24) * _M) & _MASK
    whole = count << 2
    if whole < size:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    value = (value ^ value >> 13) * _M & _MASK
    return value ^ value >> 15


def partition_for_key(key: bytes, partition_count: int) -> int:
    """Where a key lives in a topic of that many partitions, whether they have a leader or not."""
    return (murmur2(key) & 0x7FFFFFFF) % partition_count


def pick_by_load(loads: Sequence[int], below: Callable[[int], int]) -> int:
    """An index, the likelier the shorter its queue: weights are the longest queue + 1 - its own.

    `below(n)` draws a number in 0..n-1. pick_by_load([0, 3, 1], …) draws with weights 4, 1, 3.
    """
    longest = max(loads)
    if longest == min(loads):
        return below(len(loads))
    drawn = below(sum(longest + 1 - load for load in loads))
    for index, load in enumerate(loads):
        drawn -= longest + 1 - load
        if drawn < 0:
            return index
    raise AssertionError("below(n) drew n or more")


@final
class RoundRobin:
    """Each record to the next partition that has a leader, whatever its key; per topic."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: dict[str, int] = {}

    def partition(self, topic: TopicView, key: bytes | None, value: bytes | None) -> int:
        turn = self._turns.get(topic.name, 0)
        self._turns[topic.name] = turn + 1
        led = topic.led
        return led[turn % len(led)] if led else turn % len(topic.partitions)
