"""The newest offset of every key in the dirty part of a log, in bounded memory.

A key is told apart by itself when it is short, else by 192 bits of its hash; Kafka takes 128 bits of
every key. What an entry costs is an upper bound of what CPython allocates for it, the growing
dictionary included, so `log.cleaner.dedupe.buffer.size` holds for the process; Kafka packs an entry
into 24 bytes, so one buffer holds fewer keys here, and a log with more is cleaned in several rounds.

Besides, the map knows which offsets survive: a batch of the dirty part that holds none of them is
dropped without being looked into.
"""

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Final, final

SHORT_KEY_BYTES_MAX: Final = 23
_DIGEST_BYTES: Final = 24
"""One more than the longest short key: no key can be taken for the digest of another."""

ENTRY_BYTES: Final = 200
"""Key 64, offset 32, its share of a dictionary that doubles 90, its place among the survivors 16."""


def digest(key: bytes) -> bytes:
    """What stands for a key of more than `SHORT_KEY_BYTES_MAX` bytes."""
    return blake2b(key, digest_size=_DIGEST_BYTES).digest()


@final
class OffsetMap:
    """Filled once, then sealed and asked."""

    __slots__ = ("_survivors", "keys_max", "latest")

    def __init__(self, buffer_bytes: int, load_factor: float) -> None:
        self.keys_max: int = max(1, int(buffer_bytes * load_factor) // ENTRY_BYTES)
        self.latest: dict[bytes, int] = {}
        self._survivors = array("q")

    def has_room(self, record_count: int) -> bool:
        """Whether a batch of so many records fits. The first one always does, or a log whose
        batches are large would never be cleaned."""
        latest = self.latest
        return not latest or len(latest) + record_count <= self.keys_max

    def seal(self) -> None:
        """No more keys come: from now on `any_survives` may be asked."""
        self._survivors = array("q", sorted(self.latest.values()))

    def any_survives(self, start: int, end: int) -> bool:
        """Is the newest record of any key in start..end? Only for offsets that were mapped."""
        survivors = self._survivors
        at = bisect_left(survivors, start)
        return at < len(survivors) and survivors[at] < end
