"""Looking up offsets by time: exact per record, also inside compressed batches."""

from random import Random

import pytest

from ottla.core.log.log import Log, Shutdown, TimestampOffset
from ottla.record.record import records_untrusted
from tests.unit.core.log.building import (
    NOW_MS,
    SETTINGS,
    append,
    batch_bytes,
    contents,
    open_log,
)
from tests.unit.fakes.disk import MemoryDisk

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4


def naive_times(log: Log) -> list[tuple[int, int, int]]:
    """(offset, timestamp, epoch) of every record."""
    return [
        (record.offset, record.timestamp_ms, batch.partition_leader_epoch)
        for batch in log.batches(log.start_offset, log.end_offset)
        for record in records_untrusted(batch, limit=1 << 20)
        if record.offset >= log.start_offset
    ]


def first_since(
    times: list[tuple[int, int, int]], timestamp_ms: int, end: int
) -> TimestampOffset | None:
    for offset, time_ms, epoch in times:
        if time_ms >= timestamp_ms and offset < end:
            return TimestampOffset(time_ms, offset, epoch)
    return None


def largest(times: list[tuple[int, int, int]], end: int) -> TimestampOffset | None:
    before = [(time_ms, -offset, epoch) for offset, time_ms, epoch in times if offset < end]
    if not before:
        return None
    time_ms, negative, epoch = max(before)
    return TimestampOffset(time_ms, -negative, epoch) if time_ms >= 0 else None


@pytest.mark.parametrize("seed", range(12))
def test_time_look_ups_agree_with_reading_everything(seed: int) -> None:
    random = Random(seed)
    value_bytes = random.choice([5, 700])
    settings = SETTINGS._replace(
        segment_bytes=random.choice([2_000, 30_000]) * (1 + value_bytes // 100),
        index_interval_bytes=random.choice([0, 300, 4096]),
        timestamp_log_append=seed == 11,
    )
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)
    spread = random.choice([0, 3, 40, 90])
    for at in range(80):
        times = [
            at + random.randint(-spread, spread) + 100 for _ in range(random.choice([1, 1, 2, 7]))
        ]
        codec = random.choice([0, 0, GZIP, SNAPPY, LZ4, ZSTD])
        data = batch_bytes(times, codec=codec, value=random.randbytes(value_bytes))
        append(log, data, epoch=at // 9, now_ms=at)
    log.truncate_prefix(random.choice([0, 0, log.end_offset // 3, log.end_offset - 5]))
    if seed % 2:
        log.retire(0, log.end_offset)
    everything = naive_times(log)
    killed = open_log(
        disk.copy(), settings=settings, shutdown=Shutdown.KILLED, log_start=log.start_offset
    )
    log.close(NOW_MS)
    closed = open_log(disk, settings=settings, log_start=log.start_offset)
    for one in (log, killed, closed):
        for end in (log.end_offset, log.end_offset - 1, log.end_offset // 2, log.start_offset):
            assert one.max_timestamp(end) == largest(everything, end)
            for timestamp_ms in range(0, 260, 3):
                expected = first_since(everything, timestamp_ms, end)
                assert one.offset_for_timestamp(timestamp_ms, end) == expected


def test_of_equal_timestamps_the_first_record_is_the_largest() -> None:
    log = open_log(MemoryDisk())
    append(log, batch_bytes((1, 5, 5)))
    append(log, batch_bytes((5, 2)))
    assert log.max_timestamp(5) == TimestampOffset(5, 1, 0)


def test_records_without_timestamps_are_found_by_no_time() -> None:
    log = open_log(MemoryDisk())
    append(log, batch_bytes((-1, -1)))
    assert log.max_timestamp(2) is None
    assert log.offset_for_timestamp(0, 2) is None
    assert log.offset_for_timestamp(-1, 2) == TimestampOffset(-1, 0, 0)


def test_an_empty_log_has_no_times() -> None:
    log = open_log(MemoryDisk())
    assert log.offset_for_timestamp(0, 0) is None
    assert log.max_timestamp(0) is None


def test_the_time_survives_truncation() -> None:
    disk = MemoryDisk()
    settings = SETTINGS._replace(segment_bytes=3_000, index_interval_bytes=100)
    log = open_log(disk, settings=settings)
    for at in range(40):
        append(log, batch_bytes((100 - at % 30, 50 + at)))
    for end_offset in range(80, 0, -6):
        log.truncate_to(end_offset)
        everything = naive_times(log)
        for timestamp_ms in range(40, 110, 5):
            expected = first_since(everything, timestamp_ms, end_offset)
            assert log.offset_for_timestamp(timestamp_ms, end_offset) == expected
        assert log.max_timestamp(log.end_offset) == largest(everything, end_offset)
    assert len(contents(log)) == 1
