"""What can't be written is written later; what can't be flushed is never tried again."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.aio import flusher as module
from ottla.aio.disk import RealDisk
from ottla.aio.flusher import Flusher
from ottla.core.effect import Flush, WriteWhole
from ottla.core.event import Flushed
from ottla.types import TopicPartition

PARTITION = TopicPartition("t", 0)
WAIT_S = 10.0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDisk]:
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    yield disk
    disk.close()


class Refusing:
    """os.write refuses while `error` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error = 0
        really = os.write

        def write(descriptor: int, data: memoryview) -> int:
            if self.error and threading.current_thread() is not threading.main_thread():
                raise OSError(self.error, os.strerror(self.error))
            return really(descriptor, data)

        monkeypatch.setattr(os, "write", write)


def test_a_file_that_found_no_room_is_written_when_there_is(
    disk: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = Refusing(monkeypatch)
    flusher = Flusher(disk, lambda event: None)
    refusing.error = errno.ENOSPC
    flusher.write_whole(WriteWhole("a", b"1"))
    flusher.dispatch()
    assert flusher.wait_idle(WAIT_S)
    assert not (tmp_path / "a").exists()
    refusing.error = 0
    flusher.retry()
    assert flusher.close(WAIT_S)
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_flush_may_grow_until_a_thread_begins_with_it(disk: RealDisk) -> None:
    outcomes: list[Flushed] = []
    flusher = Flusher(disk, outcomes.append, log_dir=3)
    flush = Flush(PARTITION, 1, (disk.open("a"),))
    flusher.flush(flush)
    assert flush.gathering
    flush.end_offset = 5
    flusher.dispatch()
    assert flusher.close(WAIT_S)
    assert not flush.gathering
    assert [(one.end_offset, one.log_dir) for one in outcomes] == [(5, 3)]


def test_a_newer_file_wins_over_one_that_found_no_room(
    disk: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.0)
    refusing = Refusing(monkeypatch)
    flusher = Flusher(disk, lambda event: None)
    refusing.error = errno.ENOSPC
    for path in "ab":
        flusher.write_whole(WriteWhole(path, b"old"))
    flusher.dispatch()
    assert flusher.wait_idle(WAIT_S)
    refusing.error = 0
    flusher.write_whole(WriteWhole("a", b"new"))
    flusher.dispatch()
    assert flusher.close(WAIT_S)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "b").read_bytes() == b"old"


def test_what_found_no_room_is_not_tried_again_while_a_newer_one_is_written(
    disk: RealDisk,
) -> None:
    flusher = Flusher(disk, lambda event: None)
    flusher._unwritten["a"] = b"old"
    flusher.write_whole(WriteWhole("a", b"new"))
    with flusher._lock:
        taken = flusher._take()
        flusher._requeue()  # a turn ends while a thread writes
    assert isinstance(taken, WriteWhole)
    assert taken.data == b"new"
    assert flusher._wholes == {}


def test_a_failed_flush_is_told_once_and_not_repeated(
    disk: RealDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []

    def refuse(descriptor: int) -> None:
        syncs.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    outcomes: list[Flushed] = []
    flusher = Flusher(disk, outcomes.append)
    file = disk.open("a")
    file.append([b"1"])
    flusher.flush(Flush(PARTITION, 1, (file,)))
    flusher.dispatch()
    assert flusher.close(WAIT_S)
    assert len(syncs) == 1
    ((partition, error),) = [(one.partition, one.error) for one in outcomes]
    assert partition == PARTITION
    assert error == f"[Errno 5] Input/output error: '{tmp_path / 'a'}'"
