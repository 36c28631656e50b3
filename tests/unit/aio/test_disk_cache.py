"""What reading a stretch once leaves in the kernel's memory, as `mincore` tells.

Asking by a read that must not wait (`RWF_NOWAIT`) would not do: it begins to bring what is not there,
and now and then that has come before the read returns.
"""

import ctypes
import mmap
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ottla.aio.disk import RealDisk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="page cache advice is Linux's")

_SIZE_BYTES: Final = 16 << 20
_PIECE_BYTES: Final = 64 << 10
_END: Final = 4 << 20
_WAIT_S: Final = 30.0


class Memory:
    """Which pages of a file are in memory. Looking brings none."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _SIZE_BYTES)
        self._first = ctypes.c_char.from_buffer(self._map)
        self._pages = (ctypes.c_ubyte * (_SIZE_BYTES // mmap.PAGESIZE))()
        self._mincore = ctypes.CDLL(None, use_errno=True).mincore

    def bytes_there(self, begin: int, end: int) -> int:
        first = ctypes.byref(self._first)
        if self._mincore(first, ctypes.c_size_t(_SIZE_BYTES), self._pages) != 0:
            raise OSError(ctypes.get_errno(), "mincore")
        pages = self._pages[begin // mmap.PAGESIZE : end // mmap.PAGESIZE]
        return sum(page & 1 for page in pages) * mmap.PAGESIZE

    def comes(self, begin: int, end: int) -> bool:
        """Whether all of it is there before long: what is brought takes a moment."""
        deadline = time.monotonic() + _WAIT_S
        while self.bytes_there(begin, end) < end - begin:
            if time.monotonic() > deadline:
                return False
            os.sched_yield()
        return True

    def close(self) -> None:
        del self._first
        self._map.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[RealDisk]:
    """With one file, `a`, of random bytes, of which nothing is in memory."""
    with (tmp_path / "a").open("wb") as written:
        written.write(os.urandom(_SIZE_BYTES))
        written.flush()
        os.fsync(written)
        os.posix_fadvise(written.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    disk = RealDisk(str(tmp_path), descriptors_max=8)
    disk.open("a").read(0, 0)  # a prefetch opens no file
    yield disk
    disk.close()


@pytest.fixture
def memory(disk: RealDisk, tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "a")
    try:
        if memory.bytes_there(0, _SIZE_BYTES) > 0:
            pytest.skip("this file system keeps in memory what it is told to let go of")
        yield memory
    finally:
        memory.close()


def test_what_is_read_once_brings_nothing_else_and_goes_again(
    disk: RealDisk, memory: Memory
) -> None:
    file = disk.open("a")
    for position in range(0, _END, _PIECE_BYTES):
        assert len(file.read_once(position, _PIECE_BYTES)) == _PIECE_BYTES
    last = _SIZE_BYTES - _PIECE_BYTES
    file.read_once(last, _PIECE_BYTES)  # what was asked for before it is there now, too
    assert memory.bytes_there(0, _END) == _END
    assert memory.bytes_there(_END, last) == 0
    file.forget(0, _END)
    assert memory.bytes_there(0, _END) == 0
    assert memory.bytes_there(last, _SIZE_BYTES) == _PIECE_BYTES


def test_who_reads_on_after_it_is_read_ahead_for(disk: RealDisk, memory: Memory) -> None:
    file = disk.open("a")
    file.read_once(0, _PIECE_BYTES)
    for position in (_PIECE_BYTES, 2 * _PIECE_BYTES):
        assert len(file.read(position, _PIECE_BYTES)) == _PIECE_BYTES
    assert memory.comes(3 * _PIECE_BYTES, 3 * _PIECE_BYTES + mmap.PAGESIZE)


def test_a_prefetch_brings_what_it_names(disk: RealDisk, memory: Memory) -> None:
    file = disk.open("a")
    for position in range(0, _END, 2 * _PIECE_BYTES):
        file.prefetch(position, _PIECE_BYTES)
        assert memory.comes(position, position + _PIECE_BYTES)
    assert memory.bytes_there(0, _SIZE_BYTES) == _END // 2


def test_a_prefetch_tells_what_it_has_to_bring(disk: RealDisk, memory: Memory) -> None:
    file = disk.open("a")
    # What comes while it is asked for counts as there. A busy host makes that so for a while.
    deadline = time.monotonic() + _WAIT_S
    while not file.prefetch(0, _PIECE_BYTES):
        assert time.monotonic() < deadline, "all came while it was asked for"
        file.forget(0, _PIECE_BYTES)
    assert memory.comes(0, _PIECE_BYTES)
    assert not file.prefetch(0, _PIECE_BYTES)
