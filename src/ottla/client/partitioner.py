"""Which partition a record goes to when nobody says so.

Keyed records: murmur2 of the key, as every Kafka client does it, so that Ottla's producer and
others agree on where a key lives. Records without a key stick to one partition until about a
batch's worth of bytes went there, then to another (KIP-794): that fills batches and still spreads
evenly.
"""

from collections.abc import Callable, Sequence
from typing import Final, final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit hash of Kafka's default partitioner, unsigned. murmur2(b"21") == 0xC5F2F8EC."""
    size = len(data)
    value = (_SEED ^ size) & _MASK
    whole = size & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        value = (value * _M & _MASK) ^ k
    if whole < size:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    value = (value ^ value >> 13) * _M & _MASK
    return value ^ value >> 15


def partition_for_key(key: bytes, partition_count: int) -> int:
    """Where a key lives in a topic of that many partitions, whether they have a leader or not."""
    return (murmur2(key) & 0x7FFFFFFF) % partition_count


@final
class StickyChoice:
    """The partition of one topic that records without a key go to for now.

    `below(n)` draws a number in 0..n-1; chance is an argument.
    """

    __slots__ = ("_below", "_bytes_since", "_partition", "_sticky_bytes")

    def __init__(self, below: Callable[[int], int], sticky_bytes: int) -> None:
        self._below = below
        self._sticky_bytes = sticky_bytes
        self._partition = -1
        self._bytes_since = 0

    def pick(self, available: Sequence[int]) -> int:
        """One of `available` (those with a leader, or all): the last one if it is there."""
        if self._bytes_since >= self._sticky_bytes or self._partition not in available:
            self._partition = available[self._below(len(available))]
            self._bytes_since = 0
        return self._partition

    def produced(self, size_bytes: int) -> None:
        """Count what went to the partition picked last."""
        self._bytes_since += size_bytes
