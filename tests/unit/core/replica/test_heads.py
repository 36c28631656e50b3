"""What was read to be tested is kept for a while, and never more than a bound."""

from tests.unit.fakes.disk import MemoryDisk

from ottla.core.port import FileSlice
from ottla.core.replica.heads import Heads
from ottla.limits import TESTED_BYTES_MAX


def of(size_bytes: int) -> FileSlice:
    file = MemoryDisk(0).open("a")
    return FileSlice(file, 0, size_bytes, bytes(size_bytes))


def test_the_newest_keep_theirs_and_the_oldest_are_read_again() -> None:
    heads = Heads()
    third = TESTED_BYTES_MAX // 3
    slices = [of(third) for _ in range(7)]
    for one in slices:
        heads.keep(one)
        heads.check_invariants()
    assert [bool(one.head) for one in slices] == [False] * 4 + [True] * 3


def test_one_that_is_as_large_as_all_may_be_stands_alone() -> None:
    heads = Heads()
    small, large = of(10), of(TESTED_BYTES_MAX)
    heads.keep(small)
    heads.keep(large)
    heads.check_invariants()
    assert (bool(small.head), bool(large.head)) == (False, True)


def test_many_small_ones_are_not_kept_either() -> None:
    heads = Heads()
    slices = [of(100) for _ in range(3_000)]
    for one in slices:
        heads.keep(one)
    heads.check_invariants()
    assert sum(bool(one.head) for one in slices) <= TESTED_BYTES_MAX // 1024
