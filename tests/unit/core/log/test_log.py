"""Appending to a log, reading it back, and what its files hold."""

import struct

import pytest

from ottla.core.log.log import Appended, Log
from ottla.core.port import FileSlice
from ottla.errors import ErrorCode, LocalProtocolError
from ottla.record.batch import batches_untrusted, crc_is_right, header_untrusted
from tests.unit.core.log.building import (
    DIRECTORY,
    NOW_MS,
    SETTINGS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
    refused,
    state_of,
    valid,
)
from tests.unit.fakes.disk import MemoryDisk


def offsets_in(piece: FileSlice | None) -> list[int]:
    """The base offsets of the batches in a slice, which must be whole."""
    if piece is None:
        return []
    data = piece.read()
    assert len(data) == len(piece)
    found = list(batches_untrusted(data))
    assert sum(batch.size_bytes for batch in found) == len(data)
    return [batch.base_offset for batch in found]


def test_a_new_log_makes_its_directory_and_its_first_segment() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    assert disk.names(DIRECTORY) == [f"{0:020d}.{name}" for name in ("index", "log", "timeindex")]
    assert (log.start_offset, log.end_offset, log.last_epoch) == (0, 0, -1)
    assert log.slice(0, 10, 1000, at_least_one=True) is None
    log.check_invariants()


def test_a_leader_stamps_offset_and_epoch_and_changes_nothing_else() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    append(log, batch_bytes((NOW_MS, NOW_MS)), epoch=7)
    sent = batch_bytes((NOW_MS,) * 3)
    assert append(log, sent, epoch=7) == 2
    piece = log.slice(2, 5, 1 << 20, at_least_one=True)
    assert piece is not None
    stored = header_untrusted(piece.read())
    assert (stored.base_offset, stored.partition_leader_epoch, stored.last_offset) == (2, 7, 4)
    assert piece.read()[16:] == sent[16:]
    assert crc_is_right(stored)
    assert log.epochs.entries() == [(7, 0)]


def test_with_log_append_time_the_log_stamps_the_time() -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SETTINGS._replace(timestamp_log_append=True))
    outcome = log.append(valid(batch_bytes((5, 6))), leader_epoch=1, now_ms=NOW_MS)
    assert isinstance(outcome, Appended)
    assert outcome.log_append_time_ms == NOW_MS
    (batch,) = log.batches(0, 2)
    assert batch.is_log_append_time
    assert batch.max_timestamp == NOW_MS
    assert crc_is_right(batch)


def test_a_batch_larger_than_a_segment_is_refused() -> None:
    log = open_log(MemoryDisk(), settings=SMALL_SEGMENTS)
    outcome = refused(log, batch_bytes(value=bytes(1000)))
    assert outcome.error is ErrorCode.RECORD_LIST_TOO_LARGE
    assert log.end_offset == 0


def test_a_batch_gets_an_index_entry_when_enough_was_written_before_it() -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SETTINGS._replace(index_interval_bytes=200))
    size = len(batch_bytes((1, 2)))
    for at in range(6):
        append(log, batch_bytes((NOW_MS + at, NOW_MS + at - 1)))
    log.close(NOW_MS)
    files = disk.files()
    every = 200 // size + 1  # as many batches are more than the interval
    indexed = range(every, 6, every)
    assert list(struct.iter_unpack(">ii", files[f"{DIRECTORY}/{0:020d}.index"])) == [
        (2 * at + 1, at * size) for at in indexed
    ]
    # The largest timestamp and the last offset of its batch; on closing, the very largest.
    assert list(struct.iter_unpack(">qi", files[f"{DIRECTORY}/{0:020d}.timeindex"])) == [
        (NOW_MS + at, 2 * at + 1) for at in dict.fromkeys([*indexed, 5])
    ]


@pytest.mark.parametrize(
    ("change", "gap_ms", "rolls"),
    [
        ({}, 0, False),
        ({"segment_bytes": 250}, 0, True),
        ({"segment_ms": 50}, 49, False),
        ({"segment_ms": 50}, 51, True),
        ({"segment_index_bytes": 24, "index_interval_bytes": 0}, 0, True),
    ],
)
def test_a_segment_is_full_by_size_by_time_or_by_its_index(
    change: dict[str, int], gap_ms: int, rolls: bool
) -> None:
    settings = SETTINGS._replace(**change)  # type: ignore[arg-type]
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)
    append(log)
    append(log)
    append(log, batch_bytes((NOW_MS + gap_ms,)))
    assert (log.segment_count > 1) is rolls
    assert len(contents(log)) == 3
    log.check_invariants()


def test_a_segments_age_is_lessened_by_no_more_than_itself() -> None:
    """The jitter was drawn for a topic whose segments lasted longer."""
    log = open_log(MemoryDisk(), jitter_ms=3_600_010)
    log.settings = SETTINGS._replace(segment_ms=60_000)
    for age_ms in (0, 100, 59_990):
        append(log, batch_bytes((NOW_MS + age_ms,)))
    assert log.segment_count == 1
    append(log, batch_bytes((NOW_MS + 59_991,)))
    assert log.segment_count == 2


def test_without_timestamps_a_segment_ages_by_the_clock() -> None:
    log = open_log(MemoryDisk(), settings=SETTINGS._replace(segment_ms=50))
    append(log, batch_bytes((-1,)))
    append(log, batch_bytes((-1,)), now_ms=NOW_MS + 50)
    assert log.segment_count == 1
    append(log, batch_bytes((-1,)), now_ms=NOW_MS + 51)
    assert log.segment_count == 2


def test_a_segment_holds_no_offset_that_31_bits_cannot_tell() -> None:
    log = open_log(MemoryDisk())
    log.append_batches(batch_bytes(), now_ms=NOW_MS)
    log.append_batches(batch_bytes(base_offset=(1 << 31) - 1), now_ms=NOW_MS)
    assert log.segment_count == 1
    log.append_batches(batch_bytes(base_offset=1 << 31), now_ms=NOW_MS)
    assert log.segment_count == 2
    assert offsets_in(log.slice(5, 1 << 32, 1 << 20, at_least_one=True)) == [(1 << 31) - 1]
    assert offsets_in(log.slice(1 << 31, 1 << 32, 1 << 20, at_least_one=True)) == [1 << 31]
    log.check_invariants()


LARGE_SEGMENTS = SETTINGS._replace(segment_bytes=30_000, index_interval_bytes=3_000)
SIZES = {"small": (SMALL_SEGMENTS, 20), "large": (LARGE_SEGMENTS, 1_000)}


def filled(size: str = "small") -> tuple[MemoryDisk, Log]:
    """40 batches of two records in several segments, with several index entries each.

    Large segments are found by their indexes, small ones by a scan.
    """
    settings, value_bytes = SIZES[size]
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)
    for at in range(40):
        value = bytes(value_bytes)
        append(log, batch_bytes((NOW_MS + at, NOW_MS + at), value=value), epoch=at // 15)
    assert log.segment_count > 2
    return disk, log


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("size_bytes_max", [0, 1, 130, 300, 700, 3_000, 9_000, 20_000, 1 << 20])
@pytest.mark.parametrize("at_least_one", [False, True])
def test_a_reader_gets_every_batch_once_whatever_it_asks_for(
    size: str, size_bytes_max: int, at_least_one: bool
) -> None:
    _, log = filled(size)
    got: list[int] = []
    start = 0
    while start < log.end_offset:
        piece = log.slice(start, log.end_offset, size_bytes_max, at_least_one=at_least_one)
        if piece is None:
            break
        offsets = offsets_in(piece)
        assert len(piece) <= size_bytes_max or (at_least_one and len(offsets) == 1)
        got += offsets
        start = offsets[-1] + 2
    batch_size = len(contents(log)[0])
    assert got == (list(range(0, 80, 2)) if at_least_one or size_bytes_max >= batch_size else [])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("with_memory", [False, True])
def test_a_slice_begins_with_the_batch_of_its_start_and_ends_before_its_end(
    size: str, with_memory: bool
) -> None:
    disk, log = filled(size)
    for start in range(80):
        for end in (start, start + 1, start + 2, start + 5, 80, 99):
            if not with_memory:
                log = open_log(disk.copy(), settings=log.settings) if start % 16 == 0 else log
            offsets = offsets_in(log.slice(start, end, 1 << 20, at_least_one=True))
            first = start // 2 * 2
            if first + 2 > min(end, 80):
                assert offsets == []
            else:
                assert offsets == list(range(first, offsets[-1] + 1, 2))
                assert offsets[-1] + 2 <= end


@pytest.mark.parametrize("size", SIZES)
def test_sealed_and_reopened_segments_read_the_same(size: str) -> None:
    disk, log = filled(size)
    log.close(NOW_MS)
    twin = open_log(disk, settings=log.settings)
    assert state_of(twin) == state_of(log)
    assert [batch.base_offset for batch in twin.batches(7, 20)] == list(range(6, 20, 2))
    twin.check_invariants()


def test_a_slice_stays_readable_while_its_segment_is_deleted() -> None:
    disk, log = filled()
    piece = log.slice(0, 80, 1 << 20, at_least_one=True)
    assert piece is not None
    before = piece.read()
    log.truncate_prefix(40)
    assert log.retire(NOW_MS, 80) > 0
    assert piece.read() == before
    assert log.sweep(NOW_MS + 59_999) == NOW_MS + 60_000
    assert piece.read() == before
    assert log.sweep(NOW_MS + 60_000) is None
    assert not [name for name in disk.names(DIRECTORY) if name.endswith(".deleted")]


@pytest.mark.parametrize(
    "data",
    [
        batch_bytes(base_offset=1),
        batch_bytes(base_offset=2)[:-1],
        batch_bytes(base_offset=2)[:-1] + b"\xff",
        batch_bytes(base_offset=2) + batch_bytes(base_offset=2),
        bytes(100),
    ],
)
def test_batches_with_offsets_are_checked_before_any_is_written(data: bytes) -> None:
    log = open_log(MemoryDisk())
    log.append_batches(batch_bytes((NOW_MS, NOW_MS)), now_ms=NOW_MS)
    before = state_of(log)
    with pytest.raises(LocalProtocolError):
        log.append_batches(data, now_ms=NOW_MS)
    assert state_of(log) == before


def test_batches_with_offsets_keep_their_bytes_and_bring_their_epochs() -> None:
    log = open_log(MemoryDisk())
    data = batch_bytes(leader_epoch=3) + batch_bytes(base_offset=4, leader_epoch=5)
    log.append_batches(data, now_ms=NOW_MS)
    assert b"".join(contents(log)) == data
    assert log.end_offset == 5
    assert log.epochs.entries() == [(3, 0), (5, 4)]
    assert log.epoch_end(4) == (3, 4)
    assert log.epoch_end(5) == (5, 5)
    assert log.epoch_end(6) == (-1, -1)


def test_a_flush_names_the_files_that_are_not_yet_on_the_disk() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    append(log)
    request = log.flush_request()
    assert request is not None
    assert request.directory == DIRECTORY
    assert {file.path.partition("/")[2] for file in request.files} == {
        f"{0:020d}.log",
        "leader-epoch-checkpoint",
    }
    assert log.flushed_offset == 0
    log.flushed(1)
    assert log.flush_request() is None
    append(log)
    request = log.flush_request()
    assert request is not None
    assert request.partition == ("t", 0)
    assert (request.end_offset, request.directory) == (2, None)
    assert [file.path for file in request.files] == [f"{DIRECTORY}/{0:020d}.log"]
    assert log.flushed_offset == 1
    log.flushed(2)
    assert log.flushed_offset == 2


def test_the_recovery_point_waits_for_the_files_of_sealed_segments() -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SMALL_SEGMENTS)
    append(log)
    first = log.flush_request()
    while log.segment_count == 1:
        append(log)
    second = log.flush_request()
    assert first is not None
    assert second is not None
    assert second.directory == DIRECTORY
    assert {file.path[-6:] for file in second.files} >= {".index", "eindex", "00.log", "apshot"}
    log.flushed(first.end_offset)
    assert (log.flushed_offset, log.recovery_point) == (1, 0)
    log.flushed(second.end_offset)
    assert log.recovery_point == log.flushed_offset == log.end_offset


def test_settings_can_change_while_the_log_is_open() -> None:
    log = open_log(MemoryDisk())
    append(log)
    append(log)
    assert log.segment_count == 1
    log.settings = SMALL_SEGMENTS
    for _ in range(20):
        append(log)
    assert log.segment_count > 1


def test_both_bounds_of_a_segment_may_be_reached_but_not_passed() -> None:
    size = len(batch_bytes())
    settings = SETTINGS._replace(segment_bytes=3 * size, index_interval_bytes=size)
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)
    for _ in range(3):
        append(log)
    assert log.segment_count == 1
    append(log)
    assert log.segment_count == 2
    # Only before the third batch more than the interval was written since the beginning.
    assert disk.files()[f"{DIRECTORY}/{0:020d}.index"] == struct.pack(">ii", 2, 2 * size)


def test_a_sealed_segment_holds_the_recovery_point_until_its_own_flush_is_done() -> None:
    log = open_log(MemoryDisk(), settings=SETTINGS._replace(retention_ms=0, segment_ms=50))
    append(log)
    first = log.flush_request()
    append(log, batch_bytes((NOW_MS + 51,)))
    log.truncate_to(1)
    assert log.segment_count == 2  # an empty active segment, and the sealed one before it
    second = log.flush_request()
    assert first is not None
    assert second is not None
    assert first.end_offset == second.end_offset == 1
    assert len(second.files) > len(first.files)
    log.flushed(1)
    assert (log.flushed_offset, log.recovery_point) == (1, 0)
    log.flushed(1)
    assert log.recovery_point == 1
