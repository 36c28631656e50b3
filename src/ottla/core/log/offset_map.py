"""The newest offset of every key in the dirty part of a log, in bounded memory.

A key is told apart by itself when it is short, else by 192 bits of its hash; Kafka takes 128 bits of
every key. What an entry costs is an upper bound of what CPython allocates for it, the growing
dictionary included, so `log.cleaner.dedupe.buffer.size` holds for the process; Kafka packs an entry
into 24 bytes, so one buffer holds fewer keys here, and a log with more is cleaned in several rounds.

Besides, the map knows which offsets survive: a batch of the dirty part that holds none of them is
dropped without being looked into.
"""

from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, final

SHORT_KEY_BYTES_MAX: Final = 23
_DIGEST_BYTES: Final = 24
"""One more than the longest short key: no key can be taken for the digest of another."""

ENTRY_BYTES: Final = 200
"""Key 64, offset 32, its share of a dictionary that doubles 90, of the survivors' marks the rest."""

_MARKS_PER_KEY: Final = 14


def digest(key: bytes) -> bytes:
    """What stands for a key of more than `SHORT_KEY_BYTES_MAX` bytes."""
    return blake2b(key, digest_size=_DIGEST_BYTES).digest()


@final
class OffsetMap:
    """Filled through `latest`; then `mark`ed until nothing is left to mark, and asked; `release`d.

    Marking and releasing go in slices, because half a million keys take a tenth of a second.
    """

    __slots__ = ("_marks", "_shift", "_start", "_unmarked", "keys_max", "latest")

    def __init__(self, buffer_bytes: int, load_factor: float) -> None:
        self.keys_max: int = max(1, int(buffer_bytes * min(load_factor, 1.0)) // ENTRY_BYTES)
        self.latest: dict[bytes, int] = {}
        self._start = 0
        self._shift = 0
        self._marks = bytearray()  # per 2**shift offsets: does one of them survive?
        self._unmarked: Iterator[int] = iter(())

    def has_room(self, record_count: int) -> bool:
        """Whether a batch of so many records fits. The first one always does, or a log whose
        batches are large would never be cleaned."""
        latest = self.latest
        return not latest or len(latest) + record_count <= self.keys_max

    def seal(self, start: int, end: int) -> None:
        """No more keys come; all offsets are in start..end."""
        marks_max = max(1024, min(len(self.latest), self.keys_max) * _MARKS_PER_KEY)
        self._start = start
        self._shift = max(0, ((end - start) // marks_max).bit_length())
        self._marks = bytearray(((end - start) >> self._shift) + 1)
        self._unmarked = iter(self.latest.values())

    def mark(self, count: int) -> bool:
        """Mark so many survivors. False: all are."""
        marks, start, shift = self._marks, self._start, self._shift
        marked = 0
        for offset in islice(self._unmarked, count):
            marks[(offset - start) >> shift] = 1
            marked += 1
        return marked == count

    def any_survives(self, start: int, end: int) -> bool:
        """May the newest record of a key be in start..end? If so this is true, and hardly ever else."""
        first = (start - self._start) >> self._shift
        last = (end - 1 - self._start) >> self._shift
        return self._marks.find(1, first, last + 1) >= 0

    def release(self, count: int) -> bool:
        """Forget so many keys. False: all are forgotten."""
        latest = self.latest
        for _ in range(min(count, len(latest))):
            latest.popitem()
        return bool(latest)
