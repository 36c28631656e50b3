"""The disk keeps its promises; what both disks promise is asked of both."""

import errno
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from ottla.aio.disk import RealDisk, RealFile, SystemEntropy
from ottla.core.port import Disk, FileSlice
from ottla.types import uuid_to_text
from tests.unit.fakes.disk import MemoryDisk


@pytest.fixture(params=["memory", "real"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "memory":
        yield MemoryDisk()
        return
    real = RealDisk(str(tmp_path), descriptors_max=2)  # so few that every test puts files aside
    yield real
    real.close()


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealDisk]:
    real = RealDisk(str(tmp_path), descriptors_max=2)
    yield real
    real.close()


def opened(real: RealDisk, path: str) -> RealFile:
    file = real.open(path)
    assert isinstance(file, RealFile)
    return file


# What both promise


def test_a_new_file_is_empty_and_grows_at_its_end(disk: Disk) -> None:
    file = disk.open("a")
    assert (file.path, file.size_bytes) == ("a", 0)
    assert file.append([b"one", memoryview(b"two")]) == 0
    assert file.append([b"three"]) == 6
    assert file.size_bytes == 11
    assert file.read(0, 11) == b"onetwothree"
    assert disk.size_bytes("a") == 11


def test_a_read_is_short_only_at_the_end(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"0123456789"])
    assert file.read(4, 3) == b"456"
    assert file.read(8, 100) == b"89"
    assert file.read(10, 1) == b""


@pytest.mark.parametrize("position", [0, 8, 1_000, 1 << 62])
def test_a_prefetch_changes_nothing_wherever_it_points(disk: Disk, position: int) -> None:
    file = disk.open("a")
    file.append([b"0123456789"])
    for _ in ("open", "put aside"):
        assert not file.prefetch(position, 1 << 20)
        file.forget(position, 1 << 20)
        assert (file.read(8, 100), file.size_bytes) == (b"89", 10)
        file.close()


def test_what_was_cut_off_is_overwritten(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"0123456789"])
    file.truncate(4)
    assert file.append([b"xy"]) == 4
    assert file.read(0, 100) == b"0123xy"


def test_two_opens_of_a_path_see_the_same_file(disk: Disk) -> None:
    first, second = disk.open("a"), disk.open("a")
    first.append([b"12"])
    assert second.size_bytes == 2
    assert second.append([b"3"]) == 2
    assert first.read(0, 9) == b"123"


def test_a_closed_file_opens_itself_again(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"12"])
    file.close()
    assert file.append([b"3"]) == 2
    assert file.read(0, 9) == b"123"


def test_a_handle_follows_its_file_to_another_name(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"12"])
    file.close()
    disk.rename("a", "b")
    assert file.path == "b"
    assert file.read(0, 9) == b"12"
    assert disk.names("") == ["b"]


def test_handles_follow_their_directory_to_another_name(disk: Disk) -> None:
    disk.make_directory("t-0")
    file = disk.open("t-0/a")
    file.append([b"12"])
    disk.rename("t-0", "t-0.delete")
    file.close()
    assert file.path == "t-0.delete/a"
    assert file.read(0, 9) == b"12"
    assert disk.names("t-0") == []
    disk.make_directory("t-0")
    assert disk.open("t-0/a").size_bytes == 0


def test_a_rename_replaces_what_is_there(disk: Disk) -> None:
    old, new = disk.open("old"), disk.open("new")
    old.append([b"gone"])
    new.append([b"stays"])
    disk.rename("new", "old")
    assert disk.open("old").read(0, 9) == b"stays"
    with pytest.raises(OSError, match="removed"):
        old.read(0, 9)


def test_a_removed_file_is_not_read_through_its_handle(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"12"])
    disk.remove("a")
    with pytest.raises(FileNotFoundError):
        file.read(0, 2)
    with pytest.raises(FileNotFoundError):
        file.append([b"3"])
    assert not disk.exists("a")
    assert disk.open("a").size_bytes == 0


def test_what_is_not_there_can_be_removed(disk: Disk) -> None:
    disk.remove("a")
    disk.remove_tree("t-0")
    assert disk.names("") == []


def test_a_directory_goes_with_the_files_in_it(disk: Disk) -> None:
    disk.make_directory("t-0")
    disk.make_directory("t-0")
    file = disk.open("t-0/a")
    disk.open("t-0/b")
    disk.remove_tree("t-0")
    assert disk.names("") == []
    assert not disk.exists("t-0")
    with pytest.raises(FileNotFoundError):
        file.append([b"1"])


def test_a_file_needs_its_directory(disk: Disk) -> None:
    with pytest.raises(FileNotFoundError):
        disk.open("t-0/a")


def test_names_are_sorted_and_of_one_level(disk: Disk) -> None:
    disk.make_directory("t-1")
    disk.open("t-1/z")
    disk.open("t-1/a")
    disk.open("b")
    assert disk.names("") == ["b", "t-1"]
    assert disk.names("t-1") == ["a", "z"]
    assert disk.names("nowhere") == []


def test_small_files_are_replaced_whole(disk: Disk) -> None:
    assert disk.read_whole("a") is None
    disk.write_whole("a", b"first")
    disk.write_whole("a", b"second")
    assert disk.read_whole("a") == b"second"
    assert disk.names("") == ["a"]


@pytest.mark.parametrize("ask", ["size_bytes", "modified_ms"])
def test_what_is_not_there_has_no_size_and_no_time(disk: Disk, ask: str) -> None:
    with pytest.raises(FileNotFoundError):
        disk.size_bytes("a") if ask == "size_bytes" else disk.modified_ms("a")


def test_a_slice_reads_its_stretch(disk: Disk) -> None:
    file = disk.open("a")
    file.append([b"0123456789"])
    part = FileSlice(file, 3, 4)
    assert (len(part), part.read()) == (4, b"3456")


# What only the real one has to promise


def test_an_existing_file_has_the_size_it_was_left_with(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    disk = RealDisk(str(tmp_path), descriptors_max=2)
    file = disk.open("a")
    assert file.size_bytes == 5
    assert file.append([b"6"]) == 5
    disk.close()
    assert (tmp_path / "a").read_bytes() == b"123456"


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_only_so_many_files_are_really_open(real: RealDisk) -> None:
    before = open_descriptors()
    files = [real.open(str(number)) for number in range(20)]
    for turn in range(3):
        for number, file in enumerate(files):
            assert file.append([bytes((number,)) * 10]) == turn * 10
            assert open_descriptors() <= before + 2
    assert all(f.read(0, 99) == bytes((n,)) * 30 for n, f in enumerate(files))


def test_a_file_in_use_stays_open_while_others_come_and_go(real: RealDisk) -> None:
    busy = opened(real, "busy")
    descriptor = busy.descriptor
    for number in range(10):
        busy.append([b"x"])
        real.open(str(number)).close()
    assert busy.descriptor == descriptor


def test_close_and_reopen_many_times_keeps_the_count_right(real: RealDisk) -> None:
    before = open_descriptors()
    files = [real.open(str(number)) for number in range(3)]
    for _ in range(20):
        for file in files:
            file.append([b"x"])
            file.close()
    assert open_descriptors() == before
    for file in files:
        file.append([b"x"])
    assert open_descriptors() == before + 2


def test_files_and_directories_are_for_their_owner_only(real: RealDisk, tmp_path: Path) -> None:
    real.make_directory("t-0")
    real.open("t-0/a")
    real.write_whole("t-0/b", b"1")
    real.write_whole_durably("t-0/c", b"1")
    assert stat.S_IMODE((tmp_path / "t-0").stat().st_mode) == 0o700
    for name in "abc":
        assert stat.S_IMODE((tmp_path / "t-0" / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("path", ["/etc/passwd", "../a", "t/../../a", "", ".", "t//a", "a\0b"])
def test_no_path_leaves_the_directory(real: RealDisk, path: str) -> None:
    for attempt in (
        real.open,
        real.exists,
        real.size_bytes,
        real.make_directory,
        real.remove,
        real.read_whole,
        lambda bad: real.write_whole(bad, b""),
        lambda bad: real.rename("a", bad),
        lambda bad: real.rename(bad, "a"),
    ):
        with pytest.raises(ValueError, match="not a path inside"):
            attempt(path)


def test_links_are_not_followed(real: RealDisk, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "file").symlink_to(outside / "secret")
    (tmp_path / "directory").symlink_to(outside)
    with pytest.raises(OSError, match="not a plain file"):
        real.open("file")
    with pytest.raises(OSError) as refused:
        real.read_whole("file")
    assert refused.value.errno == errno.ELOOP
    with pytest.raises(NotADirectoryError):
        real.open("directory/secret")
    assert real.names("directory") == []
    real.remove("directory")
    assert (outside / "secret").read_bytes() == b"secret"


def test_an_append_that_fails_leaves_the_file_as_it_was(
    real: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = real.open("a")
    file.append([b"12345"])

    def half_then_full(descriptor: int, data: memoryview, position: int) -> int:
        if position > 5:
            raise OSError(errno.ENOSPC, "no space left")
        return really_write(descriptor, bytes(data)[:3], position)

    really_write: Final = os.pwrite
    monkeypatch.setattr(os, "pwrite", half_then_full)
    with pytest.raises(OSError, match="no space"):
        file.append([b"abcdef"])
    monkeypatch.undo()
    assert file.size_bytes == 5
    assert (tmp_path / "a").read_bytes() == b"12345"
    assert file.append([b"6"]) == 5
    assert file.read(0, 99) == b"123456"


def test_a_short_write_is_completed(real: RealDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write: Final = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda d, data, at: really_write(d, bytes(data)[:2], at))
    file = real.open("a")
    assert file.append([b"abcdefg"]) == 0
    assert file.read(0, 99) == b"abcdefg"


def test_more_chunks_than_one_call_takes(real: RealDisk) -> None:
    chunks = [b"%04d" % number for number in range(3000)]
    file = real.open("a")
    file.append([b"x"])
    assert file.append(chunks) == 1
    assert file.read(1, 12_000) == b"".join(chunks)


def test_flushing_does_not_disturb_the_loop(real: RealDisk) -> None:
    """A thread syncs what the loop's thread appends to, renames, puts aside and removes."""
    real.make_directory("t-0")
    files = [real.open(f"t-0/{number}") for number in range(6)]
    failures: list[BaseException] = []
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            try:
                real.sync(files, "t-0")
            except OSError as error:
                failures.append(error)

    thread = threading.Thread(target=flush)
    thread.start()
    for turn in range(50):
        for file in files[:5]:
            file.append([b"x"])
        if turn == 20:
            real.rename("t-0/4", "t-0/4.deleted")
        if turn == 30:
            real.remove("t-0/5")
    done.set()
    thread.join(30)
    assert not thread.is_alive()
    assert failures == []
    assert [file.size_bytes for file in files[:5]] == [50] * 5


def test_sync_passes_over_what_was_removed(real: RealDisk) -> None:
    real.make_directory("t-0")
    file = real.open("t-0/a")
    real.remove_tree("t-0")
    real.sync([file], "t-0")


def test_a_clean_stop_syncs_exactly_what_was_written(
    real: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("a", "b", "c"):
        real.open(path).append([b"1"])
    real.write_whole("small", b"1")
    real.sync([real.open("b")])
    synced: list[str] = []
    monkeypatch.setattr(
        os,
        "fdatasync",
        lambda fd: synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))),
    )
    real.sync_all()
    assert sorted(synced) == ["a", "c", "small"]
    synced.clear()
    real.sync_all()
    assert synced == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every file is synced for itself")
def test_many_files_are_synced_at_once_and_what_the_disk_did_not_take_is_told(
    real: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [opened(real, f"f{number}") for number in range(300)]
    for file in files:
        file.append([b"1"])
    monkeypatch.setattr(os, "fdatasync", lambda fd: pytest.fail("one by one"))
    monkeypatch.setattr(os, "sync", lambda: None)  # what it would say of a failure
    with monkeypatch.context() as patch:
        patch.setattr(real, "_root", os.open(os.devnull, os.O_PATH))
        with pytest.raises(OSError):
            real.sync_all()
        os.close(real._root)
    assert all(file.changed for file in files)
    real.sync_all()
    assert not any(file.changed for file in files)


def test_a_file_written_durably_is_synced_before_it_gets_its_name(
    real: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoint").write_bytes(b"old")
    seen: list[bytes] = []
    monkeypatch.setattr(
        os, "fdatasync", lambda fd: seen.append((tmp_path / "checkpoint").read_bytes())
    )
    monkeypatch.setattr(os, "fsync", lambda fd: seen.append((tmp_path / "checkpoint").read_bytes()))
    real.write_whole_durably("checkpoint", b"new")
    assert seen == [b"old", b"new"]
    assert real.names("") == ["checkpoint"]


def test_random_ids_never_look_like_an_option() -> None:
    entropy = SystemEntropy()
    texts = {uuid_to_text(entropy.uuid()) for _ in range(500)}
    assert len(texts) == 500
    assert not any(text.startswith("-") for text in texts)
    assert {entropy.below(3) for _ in range(200)} == {0, 1, 2}


# Too few descriptors, and a directory that is only looked at


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """os.open and os.dup are refused as often as the one number in the list says."""
    left = [0]
    really: dict[str, Callable[..., int]] = {"open": os.open, "dup": os.dup}

    def refused(name: str) -> Callable[..., int]:
        def call(*args: object, **kwargs: object) -> int:
            if left[0] > 0:
                left[0] -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return really[name](*args, **kwargs)

        return call

    for name in really:
        monkeypatch.setattr(os, name, refused(name))
    monkeypatch.setattr("ottla.aio.disk._EXHAUSTED_PAUSE_S", 0.0)
    return left


def test_without_descriptors_left_another_file_gives_its_own(
    real: RealDisk, scarce: list[int]
) -> None:
    first, second = opened(real, "a"), opened(real, "b")
    first.append([b"1"])
    second.append([b"2"])
    second.close()
    scarce[0] = 1
    second.append([b"3"])
    assert first.descriptor == -1
    assert (first.read(0, 9), second.read(0, 9)) == (b"1", b"23")


def test_without_descriptors_a_file_that_is_alone_says_so(
    real: RealDisk, scarce: list[int]
) -> None:
    file = opened(real, "a")
    file.append([b"1"])
    file.close()
    scarce[0] = 1
    with pytest.raises(OSError, match="Too many open files"):
        file.append([b"2"])
    assert file.append([b"2"]) == 1


def test_a_sync_waits_for_a_descriptor_and_is_no_failed_sync(
    real: RealDisk, scarce: list[int]
) -> None:
    file = opened(real, "a")
    file.append([b"1"])
    scarce[0] = 7
    real.sync([file], "")
    assert scarce[0] == 0
    assert not file.changed


def test_a_failed_sync_names_the_file(
    real: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    file = opened(real, "a")
    file.append([b"1"])
    with pytest.raises(OSError, match="Input/output error") as caught:
        real.sync([file])
    assert caught.value.filename == str(tmp_path / "a")
    assert file.changed


def test_the_page_cache_of_every_file_is_given_up(
    real: RealDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    real.make_directory("t-0")
    opened(real, "t-0/a").append([b"1"])
    opened(real, "t-0/b").append([b"2"])
    opened(real, "c").append([b"3"])
    given_up: list[str] = []

    def advise(descriptor: int, start: int, size_bytes: int, advice: int) -> None:
        assert (start, size_bytes, advice) == (0, 0, os.POSIX_FADV_DONTNEED)
        given_up.append(os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2])

    monkeypatch.setattr(os, "posix_fadvise", advise)
    real.forget_page_cache()
    assert sorted(given_up) == ["a", "b"]


def test_a_directory_that_is_only_read_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    disk = RealDisk(str(tmp_path), descriptors_max=2, read_only=True)
    file = disk.open("a")
    assert file.read(0, 9) == b"1"
    with pytest.raises(OSError, match="Bad file descriptor"):
        file.append([b"2"])
    with pytest.raises(FileNotFoundError):
        disk.open("b")
    disk.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_volume_says_where_it_is_and_what_room_it_has(tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=8)
    volume = disk.volume()
    disk.close()
    assert volume.path == str(tmp_path)
    assert 0 < volume.usable_bytes <= volume.total_bytes


def test_a_file_that_is_opened_again_is_not_put_aside_for_itself(tmp_path: Path) -> None:
    disk = RealDisk(str(tmp_path), descriptors_max=1)
    first, second = disk.open("a"), disk.open("b")
    first.close()
    second.close()
    disk.open("c").append([b"c"])
    second.append([b"1"])
    first.append([b"2"])
    second.append([b"3"])
    assert (disk.read_whole("a"), disk.read_whole("b")) == (b"2", b"13")
    first, second = disk.open("d"), disk.open("e")
    first.close()
    first.append([b"first"])
    second.append([b"second"])
    assert (disk.read_whole("d"), disk.read_whole("e")) == (b"first", b"second")
    disk.close()
