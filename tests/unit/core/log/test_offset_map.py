"""The map of keys says what a dictionary says, in the bytes that it counts."""

import gc
import random
import sys
from collections.abc import Iterable

import pytest

from ottla.core.log.offset_map import ENTRY_BYTES_MAX, OffsetMap, digest


def noted(pairs: Iterable[tuple[bytes, int]], offset_count: int = 1 << 20) -> OffsetMap:
    offset_map = OffsetMap(1 << 20, 0.9, offset_count)
    keys, offsets = zip(*pairs, strict=True)
    offset_map.note(keys, offsets)
    return offset_map


def test_the_last_offset_of_a_key_is_its_newest() -> None:
    offset_map = noted([(b"a", 5), (b"b", 6), (b"a", 1 << 40)])
    assert (offset_map.newest(b"a"), offset_map.newest(b"b")) == (1 << 40, 6)
    assert offset_map.newest(b"c") == -1
    assert offset_map.newest(b"of another size") == -1
    assert offset_map.key_count == 2


def test_the_empty_key_is_a_key() -> None:
    assert noted([(b"a", 5)]).newest(b"") == -1
    offset_map = noted([(b"", 5), (b"a", 6), (b"", 7)])
    assert (offset_map.newest(b""), offset_map.newest(b"a"), offset_map.key_count) == (7, 6, 2)


def test_a_long_key_is_not_taken_for_the_digest_of_another() -> None:
    long = b"x" * 25
    assert len(digest(long)) == 24
    offset_map = noted([(long, 1), (digest(long), 2)])
    assert (offset_map.newest(long), offset_map.newest(digest(long))) == (1, 2)
    assert offset_map.newest(b"x" * 24) == -1


@pytest.mark.parametrize("key_bytes", [1, 2, 8, 15])
def test_what_looks_like_a_key_across_two_entries_is_none(key_bytes: int) -> None:
    """All in one bucket, and offsets that are made of the same bytes as the keys."""
    known: dict[bytes, int] = {}
    offset_map = OffsetMap(1 << 20, 0.9, 1)
    chance = random.Random(key_bytes)
    for _ in range(2000):
        key = bytes(chance.choices((0, 1), k=key_bytes))
        other = bytes(chance.choices((0, 1), k=key_bytes))
        assert offset_map.newest(other) == known.get(other, -1)
        known[key] = int.from_bytes(bytes(chance.choices((0, 1), k=7)))
        offset_map.note([key], [known[key]])
    assert offset_map.key_count == len(known)
    assert {key: offset_map.newest(key) for key in known} == known


def test_it_says_what_a_dictionary_says() -> None:
    chance = random.Random(7)
    known: dict[bytes, int] = {}
    offset_map = OffsetMap(1 << 24, 0.9, 1 << 12)
    offset = 1 << 33
    for _ in range(200):
        keys = [chance.randbytes(chance.choice((0, 1, 3, 11, 23, 24, 40))) for _ in range(40)]
        keys += chance.choices([*known, b""], k=40)
        offsets = list(range(offset, offset + len(keys)))
        offset += len(keys)
        offset_map.note(keys, offsets)
        known.update(zip(keys, offsets, strict=True))
    assert offset_map.key_count == len(known)
    assert all(offset_map.newest(key) == at for key, at in known.items())
    marked = seal(offset_map, 1 << 33, offset, slice_keys=100)
    assert marked > len(known) // 1000
    assert all(offset_map.any_survives(at, at + 1) for at in known.values())


def seal(offset_map: OffsetMap, start: int, end: int, slice_keys: int) -> int:
    offset_map.seal(start, end)
    slices = 1
    while offset_map.mark(slice_keys):
        slices += 1
    return slices


def test_marks_are_coarse_but_never_miss() -> None:
    start = 1 << 40
    kept = [start + at * 7919 for at in range(3000)]
    offset_map = noted((b"%d" % at, one) for at, one in enumerate(kept))
    slices = seal(offset_map, start, kept[-1] + 1, 100)
    assert slices > 1
    assert len(offset_map._marks) < 1 << 16
    for one in kept:
        assert offset_map.any_survives(one, one + 1)
    assert not offset_map.any_survives(start + 4000, start + 5000)


def test_slices_are_as_much_work_whether_keys_are_many_or_few() -> None:
    for key_count in (1, 30, 3_000):
        offset_map = noted((b"%d" % at, at) for at in range(key_count))
        sealed = seal(offset_map, 0, key_count, 500)
        released = 1
        while offset_map.release(500):
            released += 1
        assert sealed <= 16
        assert released <= 16
        assert key_count < 3_000 or min(sealed, released) >= 6


def test_one_batch_may_hold_more_keys_than_the_map() -> None:
    offset_map = OffsetMap(0, 0.9, 10)
    assert offset_map.has_room(500)
    offset_map.note([b"a"], [1])
    assert not offset_map.has_room(1)


def test_a_small_map_is_soon_full() -> None:
    offset_map = OffsetMap(10 * ENTRY_BYTES_MAX, 1.0, 1 << 20)
    count = 0
    while offset_map.has_room(1):
        offset_map.note([b"key %d" % count], [count])
        count += 1
    assert 10 <= count <= 60


@pytest.mark.parametrize("key_bytes", [(4,), (11,), (23,), (36,), tuple(range(1, 30))])
def test_it_counts_what_it_takes(key_bytes: tuple[int, ...]) -> None:
    chance = random.Random(3)
    offset_map = OffsetMap(1 << 20, 0.9, 1 << 40)
    while offset_map.has_room(10):
        keys = [chance.randbytes(chance.choice(key_bytes)) for _ in range(10)]
        offset_map.note(keys, range(10))
    lists = [one for one in gc.get_referents(offset_map._by_size) if one]
    buckets = {id(one): sys.getsizeof(one) for one in gc.get_referents(*lists)}
    taken_bytes = sum(map(sys.getsizeof, lists)) + sum(buckets.values())
    assert taken_bytes <= offset_map.size_bytes <= 1.75 * taken_bytes
    assert offset_map.size_bytes <= 0.9 * (1 << 20)
