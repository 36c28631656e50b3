"""The newest offset of every key in the dirty part of a log, in bounded memory.

A key is told apart by itself when it is short, else by 192 bits of its hash; Kafka takes 128 bits of
every key. Key and offset make an entry. Entries of one size whose keys agree in some bits of a hash
lie in one short string of bytes, a bucket, which C searches: a quarter of what a dictionary takes,
little more than Kafka's 24 bytes per key, and nothing has to be built anew because it has grown.

What is taken of `log.cleaner.dedupe.buffer.size` is counted, so it holds for the process. Neither
that nor any answer depends on the hash, which is another one in every process: nobody who chooses
keys can make all of them lie in one bucket, and the simulator sees the same world again.

Besides, the map knows which offsets survive: a batch of the dirty part that holds none of them is
dropped without being looked into.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from struct import Struct
from typing import Final, final

_SHORT_BYTES_MAX: Final = 23
_DIGEST_BYTES: Final = 24
"""One more than the longest short key: no key can be taken for the digest of another."""

_OFFSET: Final = Struct("=q")
_OFFSET_BYTES: Final = _OFFSET.size
_pack_offset: Final = _OFFSET.pack
_put_offset: Final = _OFFSET.pack_into
_get_offset: Final = _OFFSET.unpack_from

_ENTRY_BYTES_MIN: Final = 24
_KEYS_PER_BUCKET: Final = 64
_MARKS_PER_KEY: Final = 4
_BUCKET_BYTES: Final = 80
"""An empty one, with what the allocator keeps beside it."""
_POINTER_BYTES: Final = 8
ENTRY_BYTES_MAX: Final = 128
"""What a key takes at most: a bucket of its own, an entry with room for the next, its marks."""


def digest(key: bytes) -> bytes:
    """What stands for a key that is not short, or empty."""
    return blake2b(key, digest_size=_DIGEST_BYTES).digest()


@final
class OffsetMap:
    """Filled by `note`; then `mark`ed until nothing is left to mark, and asked; `release`d.

    Marking and releasing go in slices, because half a million keys take a tenth of a second.
    """

    __slots__ = (
        "_bucket_count",
        "_by_size",
        "_bytes_max",
        "_counts",
        "_empty",
        "_marks",
        "_shift",
        "_start",
        "_unmarked",
        "key_count",
        "size_bytes",
    )

    def __init__(self, buffer_bytes: int, load_factor: float, offset_count: int) -> None:
        """`offset_count`: there are no more keys than that."""
        self._bytes_max = int(buffer_bytes * min(load_factor, 1.0))
        key_count_max = min(self._bytes_max // _ENTRY_BYTES_MIN, offset_count)
        self._bucket_count = key_count_max // _KEYS_PER_BUCKET + 1
        self._by_size: list[list[bytearray]] = [[] for _ in range(_DIGEST_BYTES + 1)]
        self._counts = [0] * (_DIGEST_BYTES + 1)  # keys of each size
        self._empty = bytearray()
        self._start = 0
        self._shift = 0
        self._marks = bytearray()  # per 2**shift offsets: does one of them survive?
        self._unmarked: Iterator[Iterator[tuple[int]]] = iter(())
        self.key_count = 0
        self.size_bytes = 0

    def has_room(self, record_count: int) -> bool:
        """Whether a batch of so many records fits. The first one always does, or a log whose
        batches are large would never be cleaned."""
        wanted_bytes = record_count * ENTRY_BYTES_MAX
        return not self.key_count or self.size_bytes + wanted_bytes <= self._bytes_max

    def note(self, keys: Sequence[bytes], offsets: Sequence[int]) -> None:
        """The newest record of each of these keys, in the order of the log, is there.

        Hot: a loop that calls nothing of Python's but for keys that are new.
        """
        by_size, count = self._by_size, self._bucket_count
        for key, offset in zip(keys, offsets, strict=True):
            size = len(key)
            if not 0 < size <= _SHORT_BYTES_MAX:
                key, size = digest(key), _DIGEST_BYTES
            buckets = by_size[size] or self._buckets_of(size)
            bucket = buckets[hash(key) % count]
            at = bucket.find(key)
            # Inside an entry, or across two of them, it is none.
            while at > 0 and at % (size + _OFFSET_BYTES):
                at = bucket.find(key, at + 1)
            if at >= 0:
                _put_offset(bucket, at + size, offset)
            else:
                self._add(buckets, key, offset)

    def _buckets_of(self, size: int) -> list[bytearray]:
        buckets = self._by_size[size] = [self._empty] * self._bucket_count
        self.size_bytes += self._bucket_count * _POINTER_BYTES
        return buckets

    def _add(self, buckets: list[bytearray], key: bytes, offset: int) -> None:
        entry = key + _pack_offset(offset)
        number = hash(key) % self._bucket_count
        bucket = buckets[number]
        if bucket:
            bucket += entry
        else:
            buckets[number] = bytearray(entry)
        # A string that grows takes an eighth more than it has, and leaves gaps behind it.
        self.size_bytes += len(entry) + (len(entry) >> 2) + _MARKS_PER_KEY
        if self._counts[len(key)] < self._bucket_count:  # it may be the first one of its bucket
            self.size_bytes += _BUCKET_BYTES
        self._counts[len(key)] += 1
        self.key_count += 1

    def newest(self, key: bytes) -> int:
        """What was noted of `key` last; -1: nothing."""
        size = len(key)
        if not 0 < size <= _SHORT_BYTES_MAX:
            key, size = digest(key), _DIGEST_BYTES
        buckets = self._by_size[size]
        if not buckets:
            return -1
        bucket = buckets[hash(key) % self._bucket_count]
        at = bucket.find(key)
        while at > 0 and at % (size + _OFFSET_BYTES):
            at = bucket.find(key, at + 1)
        return -1 if at < 0 else _get_offset(bucket, at + size)[0]

    def seal(self, start: int, end: int) -> None:
        """No more keys come; all offsets are in start..end."""
        marks_max = max(1024, self.key_count * _MARKS_PER_KEY)
        self._start = start
        self._shift = max(0, ((end - start) // marks_max).bit_length())
        self._marks = bytearray(((end - start) >> self._shift) + 1)
        self._unmarked = self._survivors()

    def _survivors(self) -> Iterator[Iterator[tuple[int]]]:
        """The offsets in every bucket."""
        for size, buckets in enumerate(self._by_size):
            yield from map(Struct(f"={size}xq").iter_unpack, buckets)

    def mark(self, count: int) -> bool:
        """Mark about so many survivors. False: all are."""
        marks, start, shift = self._marks, self._start, self._shift
        marked = 0
        for offsets in islice(self._unmarked, self._buckets_of_keys(count)):
            marked += 1
            for (offset,) in offsets:
                marks[(offset - start) >> shift] = 1
        return marked > 0

    def _buckets_of_keys(self, count: int) -> int:
        """How many buckets hold about so many keys, or are as much work."""
        lists = sum(1 for keys in self._counts if keys)
        return min(count, count * lists * self._bucket_count // max(1, self.key_count) + 1)

    def any_survives(self, start: int, end: int) -> bool:
        """May the newest record of a key be in start..end? If so this is true, and hardly ever else."""
        first = (start - self._start) >> self._shift
        last = (end - 1 - self._start) >> self._shift
        return self._marks.find(1, first, last + 1) >= 0

    def release(self, count: int) -> bool:
        """Forget about so many keys. False: all are forgotten."""
        for buckets in self._by_size:
            if buckets:
                del buckets[-self._buckets_of_keys(count) :]
                return True
        return False
