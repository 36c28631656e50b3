"""What a file is asked for while it is read once from front to back."""

from typing import Final

from ottla.core.log.read_ahead import PIECE_BYTES, ReadAhead
from ottla.core.port import File
from tests.unit.fakes.disk import MemoryDisk

SIZE_BYTES: Final = 40 * PIECE_BYTES
AHEAD_BYTES: Final = 16 * PIECE_BYTES


class WatchedFile:
    """Tells what was asked for ahead, and checks that nothing is read before that."""

    def __init__(self, file: File) -> None:
        self._file = file
        self.asked: list[tuple[int, int]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)

    def prefetch(self, position: int, size_bytes: int) -> bool:
        self.asked.append((position, position + size_bytes))
        return self._file.prefetch(position, size_bytes)

    def read_once(self, position: int, size_bytes: int) -> bytes:
        assert self.asked
        assert self.asked[0][0] <= position
        assert position + size_bytes <= self.asked[-1][1]
        return self._file.read_once(position, size_bytes)


def watched(disk: MemoryDisk) -> WatchedFile:
    file = disk.open("a")
    file.append([bytes(SIZE_BYTES)])
    return WatchedFile(file)


def test_pieces_are_asked_for_once_in_order_and_ever_further_ahead() -> None:
    file = watched(MemoryDisk())
    ahead = ReadAhead(file, 0, SIZE_BYTES)  # type: ignore[arg-type]
    distances = []
    for position in range(0, SIZE_BYTES, PIECE_BYTES):
        assert len(ahead.read(position, PIECE_BYTES)) == PIECE_BYTES
        distances.append(file.asked[-1][1] - position - PIECE_BYTES)
    assert distances[:3] == [PIECE_BYTES, 2 * PIECE_BYTES, 3 * PIECE_BYTES]
    assert max(distances) == AHEAD_BYTES
    assert distances[-1] == 0
    assert all(end - begin == PIECE_BYTES for begin, end in file.asked)
    assert [0, *(end for _, end in file.asked)] == [*(begin for begin, _ in file.asked), SIZE_BYTES]


def test_a_block_larger_than_a_piece_is_asked_for_whole() -> None:
    file = watched(MemoryDisk())
    ahead = ReadAhead(file, 100, SIZE_BYTES)  # type: ignore[arg-type]
    assert len(ahead.read(100, 5 * PIECE_BYTES)) == 5 * PIECE_BYTES
    assert file.asked[0] == (100, 100 + 5 * PIECE_BYTES)


def test_what_it_brought_goes_once_it_is_read_and_nothing_else() -> None:
    disk = MemoryDisk()
    disk.cold_from = 2 * PIECE_BYTES
    file = watched(disk)
    ahead = ReadAhead(file, 0, SIZE_BYTES)  # type: ignore[arg-type]
    for position in range(0, 6 * PIECE_BYTES, PIECE_BYTES):
        ahead.read(position, PIECE_BYTES)
        assert all(end <= position for _, end in disk.forgotten)
    assert len(disk.forgotten) == 3
    ahead.finish()
    assert disk.forgotten == [piece for piece in file.asked if piece[0] >= disk.cold_from]
