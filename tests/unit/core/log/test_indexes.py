"""Index files of many blocks: what they find is what a list would find."""

from bisect import bisect_right
from random import Random

import pytest

from ottla.core.log.offset_index import OffsetIndex
from ottla.core.log.time_index import TimeIndex
from tests.unit.fakes.disk import MemoryDisk, MemoryFile

BASE = 1_000


@pytest.mark.parametrize("count", [0, 1, 2, 511, 512, 513, 1024, 3000])
@pytest.mark.parametrize("written_out", [0.0, 0.5, 1.0])
def test_an_offset_index_finds_the_last_entry_at_or_before(count: int, written_out: float) -> None:
    random = Random(count)
    index = OffsetIndex(MemoryDisk(), "x.index", BASE)
    offsets: list[int] = []
    positions: list[int] = []
    for at in range(count):
        offsets.append((offsets[-1] if offsets else BASE) + random.randint(1, 9))
        positions.append((positions[-1] if positions else 0) + random.randint(4097, 9000))
        index.append(offsets[-1], positions[-1])
        if at == int(count * written_out):
            index.write_out()
    index.check_invariants(1 << 30)
    asked = [random.randint(BASE, BASE + 5 * count + 9) for _ in range(300)]
    for offset in [*asked, *sorted(asked), *offsets[:50], *offsets[-50:]]:
        slot = bisect_right(offsets, offset) - 1
        assert index.position_at_most(offset) == (positions[slot] if slot >= 0 else 0)
    for position in [random.randint(0, 7000 * count + 9) for _ in range(300)]:
        slot = bisect_right(positions, position) - 1
        assert index.batch_start_at_most(position) == (positions[slot] if slot >= 0 else 0)
    assert index.last_position() == (positions[-1] if positions else 0)


def test_an_index_is_the_same_after_cutting_and_growing_again() -> None:
    random = Random(1)
    disk = MemoryDisk()
    index = OffsetIndex(disk, "x.index", BASE)
    kept: list[tuple[int, int]] = []
    for _ in range(60):
        for _ in range(random.randint(0, 300)):
            last = kept[-1] if kept else (BASE, 0)
            kept.append((last[0] + random.randint(1, 3), last[1] + 5000))
            index.append(*kept[-1])
        if random.random() < 0.5:
            index.write_out()
        if random.random() < 0.6 and kept:
            cut = random.choice(kept[-400:])[0] + random.randint(-1, 1)
            kept = [entry for entry in kept if entry[0] < cut]
            index.keep_below(cut)
        assert index.count == len(kept)
        for slot in [random.randrange(len(kept)) for _ in range(20) if kept]:
            assert index.entry(slot) == kept[slot]
            assert index.position_at_most(kept[slot][0]) == kept[slot][1]
    index.write_out()
    again = OffsetIndex(disk, "x.index", BASE)
    assert again.load(1 << 40)
    assert [again.entry(slot) for slot in range(again.count)] == kept


def test_a_second_search_reads_only_the_block_that_has_the_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = OffsetIndex(MemoryDisk(), "x.index", BASE)
    for at in range(20_000):
        index.append(BASE + at, 5_000 * (at + 1))
    index.write_out()
    offsets = [Random(1).randrange(BASE, BASE + 20_000) for _ in range(2)] + [BASE + 9_000]
    for offset in offsets:
        index.position_at_most(offset)
    sizes: list[int] = []
    read = MemoryFile.read

    def counted(file: MemoryFile, position: int, size_bytes: int) -> bytes:
        sizes.append(size_bytes)
        return read(file, position, size_bytes)

    monkeypatch.setattr(MemoryFile, "read", counted)
    for offset in offsets:
        index.position_at_most(offset)
    assert [size for size in sizes if size == 8] == []
    assert len(sizes) <= len(offsets)


def test_a_time_index_grows_by_time_only() -> None:
    index = TimeIndex(MemoryDisk(), "x.timeindex", BASE)
    for timestamp_ms, offset in [(-1, 1001), (5, 1002), (5, 1003), (4, 1004), (9, 1005)]:
        index.append(timestamp_ms, offset)
    assert [index.entry(slot) for slot in range(index.count)] == [(5, 1002), (9, 1005)]
    assert [index.at_most(timestamp_ms) for timestamp_ms in (4, 5, 8, 9)] == [
        None,
        (5, 1002),
        (5, 1002),
        (9, 1005),
    ]
    index.keep_below(1005)
    assert index.last() == (5, 1002)
    index.append(6, 1006)
    assert index.last() == (6, 1006)
    index.check_invariants()
