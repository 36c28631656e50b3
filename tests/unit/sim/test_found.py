"""Mistakes that simulated worlds have found, each as small as it can be shown."""

from random import Random

import pytest

from ottla.core.log.log import Appended, Log
from ottla.core.log.recovery import Shutdown
from ottla.core.replica.policy import policy_of
from ottla.record.builder import BatchBuilder
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.settings.broker import broker_settings
from ottla.settings.topic import topic_settings
from ottla.sim.disk import ProcessEnds, SimDisk

NOW_MS = 1_700_000_000_000
BROKER = broker_settings({})
SETTINGS = topic_settings({"internal.segment.bytes": "300"}, BROKER)
CHECKS = policy_of(SETTINGS, BROKER).checks


class _Worst(Random):
    """Nothing that was not synced is kept."""

    def random(self) -> float:
        return 0.0


def batch(count: int, *, producer_id: int = -1) -> ValidBatch:
    builder = BatchBuilder()
    for _ in range(count):
        builder.append(NOW_MS, None, b"v" * 100)
    data = builder.build(
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=0 if producer_id >= 0 else -1,
    )
    valid = validate_untrusted(
        memoryview(bytes(data)), api_version=9, now_ms=NOW_MS, settings=CHECKS
    )
    assert isinstance(valid, ValidBatch)
    return valid


def opened(disk: SimDisk, shutdown: Shutdown, *, point: int = 0, log_start: int = 0) -> Log:
    return Log.open(
        disk,
        "t-0",
        settings=SETTINGS,
        now_ms=NOW_MS,
        shutdown=shutdown,
        recovery_point=point,
        log_start=log_start,
        jitter_ms=0,
    )


def append(log: Log, what: ValidBatch) -> None:
    assert isinstance(log.append(what, leader_epoch=0, now_ms=NOW_MS), Appended)


def flush(disk: SimDisk, log: Log) -> None:
    request = log.flush_request()
    if request is not None:
        disk.sync(request.files, request.directory)
        log.flushed(request.end_offset)


@pytest.mark.parametrize("change", range(1, 12))
def test_a_segment_that_a_killed_process_began_survives_a_power_cut(change: int) -> None:
    """The name of its file was not on the disk, and nobody after the kill brought it there."""
    disk = SimDisk(lambda: NOW_MS)
    log = opened(disk, Shutdown.CLEAN)
    disk.root.sync()
    append(log, batch(1))
    append(log, batch(1))
    flush(disk, log)
    disk.fuse.crash_in = change
    try:
        append(log, batch(1))  # begins a segment
    except ProcessEnds:
        pass
    disk.end_process()
    log = opened(disk, Shutdown.KILLED, point=2)
    append(log, batch(1))
    flush(disk, log)
    acknowledged = log.end_offset
    disk.lose_power(_Worst())
    assert opened(disk, Shutdown.POWER_LOST).end_offset == acknowledged


def test_a_producer_whose_batch_holds_the_log_start_is_known_after_a_kill() -> None:
    """Its batch begins before the log's start, where the replay begins."""
    disk = SimDisk(lambda: NOW_MS)
    log = opened(disk, Shutdown.CLEAN)
    append(log, batch(2, producer_id=7))
    disk.end_process()
    log = opened(disk, Shutdown.KILLED, log_start=1)
    assert log.producers.producers[7].last_sequence == 1


def timed(log: Log, *times_ms: int) -> None:
    for time_ms in times_ms:
        builder = BatchBuilder()
        builder.append(time_ms, None, b"v" * 10)
        what = validate_untrusted(
            memoryview(bytes(builder.build())), api_version=9, now_ms=NOW_MS, settings=CHECKS
        )
        assert isinstance(what, ValidBatch)
        append(log, what)


def test_the_largest_time_of_what_is_left_is_found_when_its_batch_is_damaged() -> None:
    disk = SimDisk(lambda: NOW_MS)
    log = opened(disk, Shutdown.CLEAN)
    timed(log, NOW_MS - 2, NOW_MS, NOW_MS - 1)
    data = disk.read_whole("t-0/00000000000000000000.log")
    assert data is not None
    second = 12 + int.from_bytes(data[8:12], "big")
    disk.flip("t-0/00000000000000000000.log", (second + 16) * 8)  # its magic
    found = log.max_timestamp(3)
    assert found is not None
    assert (found.timestamp_ms, found.offset) == (NOW_MS - 1, 2)


@pytest.mark.parametrize("refused", ["refuse_reads", "refuse_writes"])
def test_a_rebuilding_that_the_disk_refuses_is_done_when_it_does_not(refused: str) -> None:
    disk = SimDisk(lambda: NOW_MS)
    log = opened(disk, Shutdown.CLEAN)
    timed(log, *(NOW_MS - 4 + at for at in range(5)))
    assert log.segment_count > 1
    log.close(NOW_MS)
    disk.end_process()
    disk.open("t-0/00000000000000000000.timeindex").truncate(0)
    again = opened(disk, Shutdown.CLEAN, point=5)
    refusals = 0
    for at in range(1, 12):
        disk.refuse_reads = disk.refuse_writes = 0
        setattr(disk, refused, 1 if at % 2 else 0)
        try:
            found = again.offset_for_timestamp(NOW_MS - 4, 5)
        except OSError:
            refusals += 1
            continue
        assert found is not None
        assert found.offset == 0
    assert refusals
