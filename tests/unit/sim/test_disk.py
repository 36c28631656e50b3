"""The invented disk forgets what was not synced, keeps what was, and fails when it is told to."""

import errno
from collections.abc import Callable
from random import Random

import pytest

from ottla.sim.disk import ProcessEnds, SimDisk
from ottla.sim.platter import PAGE_BYTES

CUTS = 60


def made() -> SimDisk:
    disk = SimDisk(lambda: 7)
    disk.make_directory("t-0")
    return disk


def _write_two(disk: SimDisk) -> None:
    for name in ("t-0/a", "t-0/b"):
        disk.open(name).append([b"abcd"])


def contents(disk: SimDisk, path: str) -> bytes | None:
    return disk.read_whole(path)


def test_a_killed_process_leaves_the_page_cache() -> None:
    disk = made()
    disk.open("t-0/a").append([b"abc", b"def"])
    disk.end_process()
    assert contents(disk, "t-0/a") == b"abcdef"


def test_what_was_synced_survives_every_power_cut() -> None:
    for salt in range(CUTS):
        disk = made()
        file = disk.open("t-0/a")
        file.append([b"x" * PAGE_BYTES * 2])
        disk.sync([file], "t-0")
        file.append([b"y" * PAGE_BYTES * 2])
        disk.lose_power(Random(salt))
        found = contents(disk, "t-0/a")
        assert found is not None
        assert found.startswith(b"x" * PAGE_BYTES * 2)
        assert len(found) <= PAGE_BYTES * 4


def test_unsynced_pages_are_lost_kept_and_torn_in_any_mixture() -> None:
    shapes = set()
    for salt in range(CUTS * 5):
        disk = made()
        file = disk.open("t-0/a")
        disk.sync([file], "t-0")
        file.append([b"y" * PAGE_BYTES * 3])
        disk.lose_power(Random(salt))
        found = contents(disk, "t-0/a") or b""
        pages = [found[at : at + PAGE_BYTES] for at in range(0, len(found), PAGE_BYTES)]
        shapes.add(
            "".join(
                "y" if set(page) == {ord("y")} else "0" if set(page) == {0} else "t"
                for page in pages
            )
        )
    assert {"", "yyy", "0yy", "y0y", "yy0"} <= shapes
    assert any("t" in shape for shape in shapes)


def test_names_survive_as_the_first_so_many_changes() -> None:
    found = set()
    for salt in range(CUTS):
        disk = made()
        disk.sync([], "t-0")
        for name in ("t-0/a", "t-0/b", "t-0/c"):
            disk.open(name)
        disk.rename("t-0/a", "t-0/d")
        disk.lose_power(Random(salt))
        found.add(tuple(disk.names("t-0")))
    assert found == {(), ("a",), ("a", "b"), ("a", "b", "c"), ("b", "c", "d")}


def test_a_synced_file_in_a_directory_that_was_not_synced_may_be_gone() -> None:
    gone = 0
    for salt in range(CUTS):
        disk = made()
        disk.sync([], "t-0")
        file = disk.open("t-0/a")
        file.append([b"x"])
        disk.sync([file], None)
        disk.lose_power(Random(salt))
        gone += contents(disk, "t-0/a") is None
    assert 0 < gone < CUTS


def test_a_file_renamed_over_another_leaves_one_of_both() -> None:
    found = set()
    for salt in range(CUTS):
        disk = made()
        disk.write_whole_durably("t-0/a", b"old")
        disk.sync([], "t-0")
        disk.write_whole("t-0/a", b"new")
        disk.sync([disk.open("t-0/a")], None)
        disk.lose_power(Random(salt))
        found.add(contents(disk, "t-0/a"))
    assert found == {b"old", b"new"}


def test_a_handle_follows_its_file_and_ends_with_it() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abc"])
    disk.rename("t-0/a", "t-0/b")
    assert file.path == "t-0/b"
    disk.rename("t-0", "u-0")
    assert file.path == "u-0/b"
    assert file.read(1, 9) == b"bc"
    disk.remove("u-0/b")
    with pytest.raises(FileNotFoundError):
        file.read(0, 1)
    with pytest.raises(FileNotFoundError):
        file.append([b"x"])


def test_after_a_refused_sync_the_next_one_succeeds_and_brings_nothing() -> None:
    for salt in range(CUTS):
        disk = made()
        file = disk.open("t-0/a")
        disk.sync([file], "t-0")
        file.append([b"lost"])
        disk.refuse_syncs = 1
        with pytest.raises(OSError, match="refuses to sync"):
            disk.sync([file], "t-0")
        disk.sync([file], "t-0")
        assert file.read(0, 4) == b"lost"
        disk.forget_page_cache()
        assert file.read(0, 4) == bytes(4)
        disk.lose_power(Random(salt))
        assert contents(disk, "t-0/a") in (bytes(4), b"", bytes(1), bytes(2), bytes(3))


def test_a_full_disk_takes_what_fits_and_again_after_a_removal() -> None:
    disk = made()
    file = disk.open("t-0/a")
    disk.full_bytes = 4
    file.append([b"abcd"])
    with pytest.raises(OSError, match="no space") as refusal:
        file.append([b"e"])
    assert refusal.value.errno == errno.ENOSPC
    assert file.size_bytes == 4
    disk.remove("t-0/a")
    disk.open("t-0/b").append([b"wxyz"])


def test_a_process_may_end_in_the_middle_of_any_change() -> None:
    for changes in range(1, 5):
        disk = made()
        disk.fuse.crash_in = changes
        disk.fuse.torn_percent = 50
        with pytest.raises(ProcessEnds):
            _write_two(disk)
        with pytest.raises(ProcessEnds):
            disk.open("t-0/c")  # nothing a dead process does happens
        disk.end_process()
        assert not disk.exists("t-0/c")
        assert contents(disk, "t-0/a") in (None, b"", b"ab", b"abcd")
    assert disk.names("t-0") == ["a", "b"]


def test_a_twin_is_a_copy() -> None:
    disk = made()
    disk.open("t-0/a").append([b"abc"])
    twin = disk.twin()
    twin.open("t-0/a").append([b"d"])
    twin.lose_power(Random(1))
    assert contents(disk, "t-0/a") == b"abc"
    found = contents(twin, "t-0/a")
    assert found is not None
    assert found.startswith(b"abc")


def test_a_flipped_bit_is_flipped_for_good() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"\x00\x00"])
    disk.sync([file], "t-0")
    assert disk.flip("t-0/a", 9)
    assert contents(disk, "t-0/a") == b"\x00\x02"
    disk.lose_power(Random(1))
    assert not disk.flip("t-0/none", 0)


def test_a_flipped_bit_is_damage_until_it_is_gone() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abcd"])
    assert disk.flip("t-0/a", 8 * 2)
    assert disk.damage() == {"t-0/a": [2]}
    assert contents(disk, "t-0/a") == b"abbd"
    file.truncate(2)
    assert disk.damage() == {}
    disk.flip("t-0/a", 3)
    disk.flip("t-0/a", 3)
    assert disk.damage() == {}
    assert not disk.flip("t-0/none", 0)


def test_a_flipped_bit_is_on_the_platter_too() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abcd"])
    disk.sync([file], "t-0")
    disk.flip("t-0/a", 8)
    disk.lose_power(_Kept())
    assert contents(disk, "t-0/a") == b"accd"
    assert disk.damage() == {"t-0/a": [1]}


class _Kept(Random):
    def random(self) -> float:
        return 0.3


@pytest.mark.parametrize(
    ("armed", "code"),
    [
        ("refuse_reads", errno.EIO),
        ("refuse_opens", errno.EMFILE),
        ("refuse_removals", errno.EIO),
        ("refuse_renames", errno.EIO),
        ("refuse_writes", errno.EIO),
    ],
)
def test_a_refusal_comes_as_often_as_it_is_armed_and_changes_nothing(armed: str, code: int) -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abc"])
    calls: dict[str, Callable[[], object]] = {
        "refuse_reads": lambda: file.read(0, 3),
        "refuse_opens": lambda: disk.open("t-0/b"),
        "refuse_removals": lambda: disk.remove("t-0/a"),
        "refuse_renames": lambda: disk.rename("t-0/a", "t-0/c"),
        "refuse_writes": lambda: file.append([b"d"]),
    }
    setattr(disk, armed, 1)
    with pytest.raises(OSError) as refused:
        calls[armed]()
    assert refused.value.errno == code
    assert disk.names("t-0") == ["a"]
    assert file.read(0, 9) == b"abc"
    calls[armed]()


def test_whoever_looks_from_outside_is_refused_nothing() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abc"])
    disk.refuse_reads = disk.refuse_opens = 2
    with disk.at_rest():
        assert contents(disk, "t-0/a") == b"abc"
    assert (disk.refuse_reads, disk.refuse_opens) == (2, 2)


def test_what_somebody_else_leaves_is_on_the_platter() -> None:
    disk = made()
    file = disk.open("t-0/a")
    file.append([b"abcd"])
    disk.flip("t-0/a", 0)
    disk.sync([file], "t-0")
    disk.leave_copy("t-0/a", ".swap", half=False)
    disk.leave_copy("t-0/a", ".cleaned", half=True)
    disk.inherit("old-0", {"x": b"xyz"})
    disk.take_away("t-0/a")
    disk.sync([], "t-0")
    disk.lose_power(_Worst())
    assert contents(disk, "t-0/a.swap") == b"`bcd"
    assert contents(disk, "t-0/a.cleaned") == b"`b"
    assert contents(disk, "old-0/x") == b"xyz"
    assert contents(disk, "t-0/a") is None
    assert disk.damage() == {"t-0/a.cleaned": [0], "t-0/a.swap": [0]}


class _Worst(Random):
    def random(self) -> float:
        return 0.0
