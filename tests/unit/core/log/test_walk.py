"""What a walk over a whole log leaves in memory: what was there before."""

import pytest

from tests.unit.core.log.building import append, batch_bytes, open_log
from tests.unit.fakes.disk import MemoryDisk

VALUE = b"v" * 16_000
BATCHES = 50


def walk(disk: MemoryDisk, *, whole: bool = True) -> int:
    """The size of the log that was walked over; nothing is let go of that is still to be read."""
    log = open_log(disk)
    for _ in range(BATCHES):
        append(log, batch_bytes(value=VALUE))
    append(log, batch_bytes(value=VALUE * 20))  # larger than what is read at once
    append(log, batch_bytes(value=VALUE))
    (segment,) = log.segments
    count = 0
    for position, _ in segment.walk(whole=whole):
        count += 1
        assert all(end <= position for _, end in disk.forgotten)
    assert count == BATCHES + 2
    return segment.size_bytes


def test_what_it_brought_is_let_go_of_behind_it() -> None:
    disk = MemoryDisk()
    disk.cold_from = 0
    size_bytes = walk(disk)
    begins = [begin for begin, _ in disk.forgotten]
    ends = [end for _, end in disk.forgotten]
    assert len(begins) > 5
    assert [0, *ends] == [*begins, size_bytes]


def test_what_others_had_brought_stays() -> None:
    disk = MemoryDisk()
    walk(disk)
    assert disk.forgotten == []


def test_where_a_part_was_in_memory_that_part_stays() -> None:
    disk = MemoryDisk()
    disk.cold_from = 400_000
    size_bytes = walk(disk)
    assert disk.forgotten[-1][1] == size_bytes
    assert disk.cold_from - 2 * len(VALUE) < disk.forgotten[0][0] < size_bytes // 2 + len(VALUE) * 8


@pytest.mark.parametrize("cold_from", [0, 400_000])
def test_who_reads_headers_only_lets_go_of_nothing(cold_from: int) -> None:
    disk = MemoryDisk()
    disk.cold_from = cold_from
    walk(disk, whole=False)
    assert disk.forgotten == []
