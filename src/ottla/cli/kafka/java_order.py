"""The order in which Java's HashMap gives its keys, where scripts have learned to expect it.

By the key's hash, in a table that doubles whenever it is three quarters full; keys that share a place
stay in the order in which they came.
"""

from collections.abc import Sequence
from typing import Final

_TABLE_MIN: Final = 16


def string_hash(text: str) -> int:
    """`String.hashCode`, as a number from 0 on."""
    found = 0
    for unit in memoryview(text.encode("utf-16-le")).cast("H"):
        found = (31 * found + unit) & 0xFFFF_FFFF
    return found


def in_hash_order(keys: Sequence[str]) -> list[str]:
    size = _TABLE_MIN
    while len(keys) > size * 3 // 4:
        size *= 2

    def place(key: str) -> int:
        found = string_hash(key)
        return (found ^ (found >> 16)) & (size - 1)

    return sorted(keys, key=place)
