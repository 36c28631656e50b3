"""Truncating a log at both ends, retention, and what goes with the segments."""

import pytest

from ottla.core.log.log import Log, Shutdown
from tests.unit.core.log.building import (
    DIRECTORY,
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
    state_of,
    sync_all,
)
from tests.unit.fakes.disk import MemoryDisk

DAY_MS = 86_400_000


def filled(settings: object = SMALL_SEGMENTS, *, batches: int = 30) -> tuple[MemoryDisk, Log]:
    """A batch of two records every day; an epoch lasts four."""
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)  # type: ignore[arg-type]
    for at in range(batches):
        time_ms = NOW_MS + at * DAY_MS
        append(
            log,
            batch_bytes((time_ms, time_ms), producer=(at % 3, 0, at // 3 * 2)),
            epoch=at // 4,
            now_ms=time_ms,
        )
    return disk, log


@pytest.mark.parametrize("end_offset", [0, 1, 2, 7, 16, 17, 40, 58, 59])
def test_after_truncating_nothing_remembers_what_was_cut(end_offset: int) -> None:
    disk, log = filled(SMALL_SEGMENTS._replace(segment_ms=1000 * DAY_MS))
    whole = end_offset // 2
    _, shorter = filled(SMALL_SEGMENTS._replace(segment_ms=1000 * DAY_MS), batches=whole)
    log.truncate_to(end_offset)
    assert log.end_offset == 2 * whole
    assert contents(log) == contents(shorter)
    assert log.epochs.entries() == shorter.epochs.entries()
    assert log.producers.encode() == shorter.producers.encode()
    log.check_invariants()
    # What comes now is indexed as if nothing had been cut.
    for _ in range(12):
        append(log, epoch=9)
    log.check_invariants()
    log.close(NOW_MS)
    assert state_of(open_log(disk, settings=log.settings)) == state_of(log)


def test_truncating_below_the_first_segment_begins_the_log_there() -> None:
    disk, log = filled()
    log.truncate_prefix(40)
    log.retire(NOW_MS, 60)
    log.truncate_to(10)
    assert (log.start_offset, log.end_offset, log.segment_count) == (10, 10, 1)
    assert log.epochs.entries() == []
    assert append(log, epoch=20) == 10
    log.check_invariants()
    log.close(NOW_MS)
    assert state_of(open_log(disk, settings=SMALL_SEGMENTS)) == state_of(log)


def test_truncating_at_the_end_forgets_an_epoch_that_wrote_nothing() -> None:
    _, log = filled()
    log.begin_epoch(50)
    assert log.last_epoch == 50
    log.truncate_to(log.end_offset)
    assert log.last_epoch == 7
    assert log.end_offset == 60


def test_moving_the_start_keeps_the_segment_that_holds_it() -> None:
    disk, log = filled()
    log.truncate_prefix(25)
    assert log.start_offset == 25
    assert log.epochs.entries()[0] == (3, 25)
    count = log.retire(NOW_MS, 60)
    assert count == 1
    first = min(name for name in disk.names(DIRECTORY) if name.endswith(".log"))
    assert int(first[:20]) == 16
    assert log.retire(NOW_MS, 60) == 0
    log.check_invariants()
    twin = open_log(disk.copy(), settings=SMALL_SEGMENTS, log_start=25)
    assert twin.start_offset == 25
    assert twin.producers.encode() == log.producers.encode()
    assert not [name for name in disk.names(DIRECTORY) if name == f"{0:020d}.snapshot"]


@pytest.mark.parametrize(
    ("change", "now_days", "high_watermark", "start_offset"),
    [
        ({"retention_ms": None}, 1000, 60, 0),
        ({"retention_ms": 10 * DAY_MS}, 9, 60, 0),
        ({"retention_ms": 10 * DAY_MS}, 20, 60, 16),  # segments of four days: 0..3, 4..7 are over
        ({"retention_ms": 10 * DAY_MS}, 20, 15, 8),
        ({"retention_ms": 10 * DAY_MS}, 20, 0, 0),
        ({"retention_ms": 10 * DAY_MS}, 1000, 60, 60),  # the active segment as well
        ({"retention_ms": 10 * DAY_MS}, 1000, 59, 56),
        ({"retention_ms": None, "retention_bytes": 1}, 0, 60, 56),
        ({"retention_ms": None, "retention_bytes": 0}, 0, 60, 60),
        ({"retention_ms": None, "retention_bytes": 1500}, 0, 60, 32),
        ({"retention_ms": 0, "cleanup_delete": False, "cleanup_compact": True}, 1000, 60, 0),
    ],
)
def test_old_segments_go_by_age_and_size_but_never_above_the_high_watermark(
    change: dict[str, int | None], now_days: int, high_watermark: int, start_offset: int
) -> None:
    settings = SMALL_SEGMENTS._replace(segment_bytes=500, segment_ms=1000 * DAY_MS, **change)  # type: ignore[arg-type]
    disk, log = filled(settings)
    assert log.segment_count == 8
    before = contents(log)
    log.retire(NOW_MS + now_days * DAY_MS, high_watermark)
    assert log.start_offset == start_offset
    assert contents(log) == before[start_offset // 2 :]
    assert log.end_offset == 60
    log.check_invariants()
    twin = open_log(disk.copy(), settings=settings, shutdown=Shutdown.KILLED)
    assert contents(twin) == contents(log)
    assert twin.end_offset == 60
    assert append(log) == 60


def test_without_timestamps_a_segment_is_as_old_as_its_file() -> None:
    disk = MemoryDisk(now_ms=NOW_MS)
    log = open_log(disk, settings=SMALL_SEGMENTS)
    append(log, batch_bytes((-1,)))
    assert log.retire(NOW_MS + 7 * DAY_MS, 1) == 0
    assert log.retire(NOW_MS + 7 * DAY_MS + 1, 1) == 1
    assert (log.start_offset, log.end_offset) == (1, 1)
    assert log.retire(NOW_MS + 100 * DAY_MS, 1) == 0  # an empty segment stays


def test_truncated_files_are_removed_after_the_delay() -> None:
    disk, log = filled()
    log.truncate_to(10)
    assert [name for name in disk.names(DIRECTORY) if name.endswith(".deleted")]
    assert log.sweep(NOW_MS) == NOW_MS + 60_000
    assert log.sweep(NOW_MS + 59_999) == NOW_MS + 60_000
    assert log.sweep(NOW_MS + 60_000) is None
    assert not [name for name in disk.names(DIRECTORY) if name.endswith(".deleted")]


def test_truncating_takes_back_what_was_flushed_and_where_the_log_began() -> None:
    disk, log = filled()
    sync_all(disk, log)
    log.truncate_prefix(20)
    assert log.flushed_offset == 60
    log.truncate_to(18)
    assert (log.start_offset, log.end_offset) == (18, 18)
    assert log.flushed_offset == log.recovery_point == 18
    log.check_invariants()
    append(log)
    assert log.flush_request() is not None
