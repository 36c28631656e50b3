"""One flipped bit anywhere in a segment or an index: nothing wrong is served, nothing else is lost."""

import random

import pytest

from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.log import Log, Shutdown
from ottla.core.log.segment import Segment
from ottla.core.log.sound import BATCHES_MAX
from ottla.core.log.tested import FOR_MS
from ottla.core.port import File, FileSlice
from ottla.record.batch import batches_untrusted, header_untrusted
from tests.unit.core.log.building import (
    NOW_MS,
    SETTINGS,
    append,
    batch_bytes,
    contents,
    open_log,
)
from tests.unit.fakes.disk import MemoryDisk

INDEXED = SETTINGS._replace(segment_bytes=24_000, index_interval_bytes=2_000)


def written(batches: int = 60) -> tuple[MemoryDisk, Log]:
    """Two segments and a half, in three leader epochs, with indexes that are used."""
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk, settings=INDEXED)
    for at in range(batches):
        times = tuple(NOW_MS + at * 10 + one for one in range(1 + at % 3))
        data = batch_bytes(times, value=b"%03d" % at * 100, producer=(7, 0, log.end_offset))
        append(log, data, epoch=at // 25)
    return disk, log


def closed(batches: int = 60) -> tuple[MemoryDisk, list[bytes]]:
    disk, log = written(batches)
    whole = contents(log)
    log.close(NOW_MS)
    return disk, whole


def flipped(disk: MemoryDisk, path: str, at: int, bit: int) -> MemoryDisk:
    twin = disk.copy()
    data = bytearray(twin.files()[path])
    data[at] ^= 1 << bit
    twin.put(path, bytes(data))
    return twin


def judge(log: Log, whole: list[bytes], damaged: int | None) -> int:
    """Read from every batch's first and last offset; how many of the undamaged were refused.

    `damaged`: the batch that may be refused, and must not be served.
    """
    refused = 0
    for _ in range(2):  # all is tested; then what was sound is not again
        refused = 0
        for number, expected in enumerate(whole):
            header = header_untrusted(expected)
            for start in {header.base_offset, header.last_offset}:
                try:
                    piece = log.slice(
                        start, log.end_offset, 3_000, at_least_one=True, now_ms=NOW_MS
                    )
                except CorruptSegment:
                    refused += number != damaged
                    continue
                if piece is None:
                    assert number == damaged == len(whole) - 1, f"offset {start} is gone"
                    continue
                served = [bytes(batch.data or b"") for batch in batches_untrusted(piece.read())]
                assert served == whole[number : number + len(served)], f"from offset {start}"
                assert sum(map(len, served)) == len(piece), f"from offset {start}"
                assert damaged is None or not number <= damaged < number + len(served)
    return refused


def test_a_slice_has_the_bytes_that_were_tested() -> None:
    _, log = written()
    for start in range(0, log.end_offset, 7):
        for size_bytes in (1, 700, 3_000, 100_000):
            piece = log.slice(start, log.end_offset, size_bytes, at_least_one=True)
            assert piece is not None
            assert piece.head == piece.file.read(piece.position, piece.size_bytes)
            assert piece.read() == piece.head


def test_a_slice_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what stands behind it is looked at in the same read."""
    _, log = written()
    first = log.slice(0, log.end_offset, 3_000, at_least_one=True)
    assert first is not None
    reads: list[tuple[int, int]] = []
    file = type(first.file)
    really_read = file.read

    def counted(self: File, position: int, size_bytes: int) -> bytes:
        reads.append((position, size_bytes))
        return really_read(self, position, size_bytes)

    monkeypatch.setattr(file, "read", counted)
    piece = log.slice(*following(first), 3_000, at_least_one=True)
    assert piece is not None
    assert piece.position == first.size_bytes
    assert [position for position, _ in reads if position == piece.position] == [piece.position]
    assert piece.size_bytes < max(size for _, size in reads) < piece.size_bytes + 61


def test_what_was_tested_or_written_a_moment_ago_is_not_tested_again() -> None:
    disk, log = written(20)
    path, whole = segments_of(disk)[-1], contents(log)
    now_ms = NOW_MS
    for _ in range(3):
        piece = log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=now_ms)
        assert piece is not None
        served = list(batches_untrusted(piece.read()))
        again = log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=now_ms + FOR_MS - 1)
        assert again is not None
        assert not again.head
        assert [one.data for one in batches_untrusted(again.read())] == [one.data for one in served]
        now_ms += FOR_MS
    flip(disk, path, 40, 1)
    piece = log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=now_ms - 1)
    assert piece is not None
    assert piece.read()[: len(whole[0])] != whole[0]  # it was sound so short a time ago
    for late_ms in (None, now_ms):
        with pytest.raises(CorruptSegment):
            log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=late_ms)


def test_other_bytes_are_tested_anew() -> None:
    disk, log = written(20)
    log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=NOW_MS)
    log.truncate_to(10)
    flip(disk, segments_of(disk)[0], 40, 1)
    with pytest.raises(CorruptSegment):
        log.slice(0, log.end_offset, 3_000, at_least_one=True, now_ms=NOW_MS)


def test_answers_follow_each_other_though_nothing_is_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each tells where the next one begins: who goes on is not searched for."""
    log = open_log(MemoryDisk(NOW_MS))
    for at in range(60):
        append(log, batch_bytes((NOW_MS,) * (1 + at % 3), value=b"v" * 300))
    for _ in range(2):
        offset, sizes = 0, []
        while offset < log.end_offset:
            piece = log.slice(offset, log.end_offset, 3_000, at_least_one=True, now_ms=NOW_MS)
            assert piece is not None
            sizes.append(len(piece))
            offset, _ = following(piece)
            monkeypatch.setattr(Segment, "find", not_to_be_called)
        monkeypatch.undo()
    assert sum(sizes) == log.size_bytes
    assert len(sizes) < 60


def not_to_be_called(segment: Segment, offset: int) -> None:
    raise AssertionError(f"offset {offset} is searched for")


def flip(disk: MemoryDisk, path: str, at: int, bit: int) -> None:
    disk._contents[path].data[at] ^= 1 << bit


def following(piece: FileSlice) -> tuple[int, int]:
    *_, last = batches_untrusted(piece.read())
    return last.next_offset, 1 << 40


def segments_of(disk: MemoryDisk) -> list[str]:
    return [path for path in disk.files() if path.endswith(".log")]


def batch_at(disk: MemoryDisk, path: str, at: int, whole: list[bytes]) -> int:
    position = 0
    for batch in batches_untrusted(disk.files()[path]):
        if position <= at < position + batch.size_bytes:
            return whole.index(bytes(batch.data or b""))
        position += batch.size_bytes
    raise AssertionError("between two batches")


def flips(size_bytes: int, wanted: int, *, seed: int) -> list[tuple[int, int]]:
    """Every bit of the first header, and many others, most of them in headers' neighborhoods."""
    chance = random.Random(seed)
    first = [(at, bit) for at in range(61) for bit in range(8)]
    return first + [(chance.randrange(size_bytes), chance.randrange(8)) for _ in range(wanted)]


@pytest.mark.parametrize("number", [0, 1])
def test_a_flipped_bit_of_a_segment_costs_its_batch_and_no_other(number: int) -> None:
    disk, whole = closed()
    path = segments_of(disk)[number]
    for at, bit in flips(len(disk.files()[path]), 300, seed=number):
        twin = flipped(disk, path, at, bit)
        log = open_log(twin, settings=INDEXED, recovery_point=120)
        damaged = batch_at(disk, path, at, whole)
        assert judge(log, whole, damaged) == 0, f"byte {at} bit {bit}"


@pytest.mark.parametrize("number", [0, 1])
def test_every_header_of_a_segment_is_guarded(number: int) -> None:
    """The bytes before the checksum, of every batch."""
    disk, whole = closed()
    path = segments_of(disk)[number]
    position = 0
    for batch in batches_untrusted(disk.files()[path]):
        for at in range(17):
            twin = flipped(disk, path, position + at, (at * 5 + position) % 8)
            log = open_log(twin, settings=INDEXED, recovery_point=120)
            damaged = whole.index(bytes(batch.data or b""))
            assert judge(log, whole, damaged) == 0, f"byte {at} of the batch at {position}"
        position += batch.size_bytes


def test_a_bit_that_flips_under_a_running_log_is_seen() -> None:
    disk, log = written()
    whole = contents(log)
    assert judge(log, whole, None) == 0
    path = segments_of(disk)[1]
    for at, bit in flips(len(disk.files()[path]), 60, seed=9):
        content = disk._contents[path].data
        content[at] ^= 1 << bit
        log.tested.clear()  # it was a moment ago
        assert judge(log, whole, batch_at_live(log, whole, path, at)) == 0
        content[at] ^= 1 << bit
    assert judge(log, whole, None) == 0


def batch_at_live(log: Log, whole: list[bytes], path: str, at: int) -> int:
    base = int(path.rpartition("/")[2][:20])
    position = 0
    for number, data in enumerate(whole):
        if header_untrusted(data).base_offset < base:
            continue
        if position <= at < position + len(data):
            return number
        position += len(data)
    raise AssertionError("behind the end")


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
def test_a_flipped_bit_of_an_index_costs_nothing(suffix: str) -> None:
    disk, whole = closed()
    for path in [path for path in disk.files() if path.endswith(suffix)]:
        for at in range(len(disk.files()[path])):
            for bit in (0, 3, 7):
                log = open_log(flipped(disk, path, at, bit), settings=INDEXED, recovery_point=120)
                assert judge(log, whole, None) == 0, f"{path} byte {at} bit {bit}"


def test_an_index_that_lies_ends_no_answer_inside_a_batch() -> None:
    """Where it points to looks like a batch: all bytes there are 2, as is the magic."""
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk, settings=INDEXED)
    for _ in range(60):
        append(log, batch_bytes(value=b"\2" * 350))
    whole = contents(log)
    log.close(NOW_MS)
    (path, *_) = [path for path in disk.files() if path.endswith(".index")]
    for at in range(4, len(disk.files()[path]), 8):
        for bit in range(16):
            twin = flipped(disk, path, at + 2 + bit // 8, bit % 8)
            log = open_log(twin, settings=INDEXED, recovery_point=60)
            assert judge(log, whole, None) == 0, f"byte {at} bit {bit}"


def test_a_flipped_bit_of_an_index_misleads_no_look_up_by_time() -> None:
    disk, whole = closed()
    headers = [header_untrusted(data) for data in whole]
    for path in [path for path in disk.files() if path.endswith("index")]:
        for at in range(len(disk.files()[path])):
            log = open_log(flipped(disk, path, at, at % 8), settings=INDEXED, recovery_point=120)
            for header in headers[:: 1 + at % 5]:
                found = log.offset_for_timestamp(header.base_timestamp, log.end_offset)
                assert found is not None
                assert found.offset == header.base_offset, f"{path} byte {at} bit {at % 8}"


@pytest.mark.parametrize("shutdown", [Shutdown.CLEAN, Shutdown.KILLED])
def test_damage_in_the_active_segment_cuts_nothing_behind_it(shutdown: Shutdown) -> None:
    disk, log = written()
    whole = contents(log)
    end_offset = log.end_offset
    if shutdown is Shutdown.CLEAN:
        log.close(NOW_MS)
    path = segments_of(disk)[-1]
    positions = [0]
    for batch in batches_untrusted(disk.files()[path]):
        positions.append(positions[-1] + batch.size_bytes)
    for position in positions[:-2]:  # behind the last but one, damage is a torn tail
        for at in (0, 3, 8, 11, 13, 16, 20, 40):
            twin = flipped(disk, path, position + at, 2)
            again = open_log(twin, settings=INDEXED, shutdown=shutdown)
            assert again.end_offset == end_offset, f"byte {at} of the batch at {position}"
            assert judge(again, whole, batch_at(disk, path, position + at, whole)) == 0
            assert append(again, epoch=2) == end_offset


def test_one_answer_holds_a_bounded_number_of_batches() -> None:
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk)
    for _ in range(BATCHES_MAX + 10):
        append(log)
    piece = log.slice(0, log.end_offset, 10_000_000, at_least_one=False)
    assert piece is not None
    assert sum(1 for _ in batches_untrusted(piece.read())) == BATCHES_MAX
    rest = log.slice(BATCHES_MAX, log.end_offset, 10_000_000, at_least_one=False)
    assert rest is not None
    assert sum(1 for _ in batches_untrusted(rest.read())) == 10


def test_damage_below_the_high_watermark_is_told_though_it_claims_to_stand_above() -> None:
    disk, log = written(6)
    first = contents(log)[1]  # offsets 1 and 2
    path = segments_of(disk)[0]
    assert log.slice(1, 2, 3_000, at_least_one=True) is None  # the end is inside it
    twin = flipped(disk, path, header_untrusted(contents(log)[0]).size_bytes + 4, 5)
    again = open_log(twin, settings=INDEXED, recovery_point=log.end_offset)
    end_offset = header_untrusted(first).next_offset
    for end in (end_offset, end_offset + 3, log.end_offset):
        with pytest.raises(CorruptSegment):
            again.slice(1, end, 3_000, at_least_one=True)


def test_what_stands_before_damage_is_held_against_its_neighbors_as_well() -> None:
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk)
    for _ in range(10):
        append(log)
    path, size_bytes = segments_of(disk)[0], log.size_bytes // 10
    moved = flipped(disk, path, 5 * size_bytes + 7, 0)  # 5 becomes 4
    log = open_log(flipped(moved, path, 8 * size_bytes + 40, 0), recovery_point=10)
    served = []
    for start in range(10):
        try:
            piece = log.slice(start, 10, 1_000, at_least_one=True)
        except CorruptSegment:
            served.append(-1)
            continue
        assert piece is not None
        served.append(next(batches_untrusted(piece.read())).base_offset)
    assert served == [0, 1, 2, 3, 4, -1, 6, 7, -1, 9]


def test_an_answer_ends_with_a_whole_batch_though_the_one_before_it_has_a_wrong_length() -> None:
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk)
    for offset in (0, 1, 5):  # compaction leaves gaps; only there is looked at what stands before
        log.append_batches(batch_bytes(base_offset=offset, leader_epoch=0), now_ms=NOW_MS)
    path, size_bytes = segments_of(disk)[0], log.size_bytes // 3
    for bit in range(8):
        twin = flipped(disk, path, 11, bit)
        again = open_log(twin, recovery_point=log.end_offset)
        try:
            piece = again.slice(1, log.end_offset, 1_000, at_least_one=True)
        except CorruptSegment:
            continue
        assert piece is not None
        assert len(piece) % size_bytes == 0, f"bit {bit}"


def test_the_epoch_of_a_batch_is_tested_though_the_log_begins_inside_it() -> None:
    disk = MemoryDisk(NOW_MS)
    log = open_log(disk)
    for _ in range(3):
        append(log, batch_bytes((NOW_MS,) * 4))
    log.truncate_prefix(2)
    assert log.epochs.entries() == [(0, 2)]
    piece = log.slice(2, log.end_offset, 1_000, at_least_one=True)
    assert piece is not None
    path = segments_of(disk)[0]
    again = open_log(flipped(disk, path, 14, 3), recovery_point=log.end_offset, log_start=2)
    with pytest.raises(CorruptSegment, match="leader epoch"):
        again.slice(2, log.end_offset, 1_000, at_least_one=True)


def test_a_length_that_leads_past_sound_batches_hides_none_of_them() -> None:
    value = b"v" * (256 - len(batch_bytes(value=b"v" * 128)) + 128)
    assert len(batch_bytes(value=value)) == 256
    disk = MemoryDisk(NOW_MS)
    settings = SETTINGS._replace(segment_bytes=1_000_000, index_interval_bytes=2_000)
    log = open_log(disk, settings=settings)
    for _ in range(300):
        append(log, batch_bytes(value=value))
    whole, path = contents(log), segments_of(disk)[0]
    log.close(NOW_MS)
    # The third batch claims to be larger by 64 KiB: where it would end, a sound one begins.
    twin = flipped(disk, path, 2 * 256 + 9, 0)
    assert judge(open_log(twin, settings=settings, shutdown=Shutdown.CLEAN), whole, 2) == 0
