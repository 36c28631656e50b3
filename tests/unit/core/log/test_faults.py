"""The disk refuses its n-th call, for every n: nothing acknowledged is lost, nothing is half there."""

from collections.abc import Callable

import pytest

from ottla.core.log.log import Appended, Log, Shutdown
from tests.unit.core.log.building import (
    NOW_MS,
    SETTINGS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
    valid,
)
from tests.unit.fakes.disk import MemoryDisk

TIGHT = SMALL_SEGMENTS._replace(segment_bytes=400, index_interval_bytes=100)


def prepared(batches: int) -> tuple[MemoryDisk, Log]:
    disk = MemoryDisk()
    log = open_log(disk, settings=TIGHT)
    for at in range(batches):
        append(log, batch_bytes((NOW_MS + at,), producer=(9, 0, at)), epoch=at // 3)
    return disk, log


def for_every_failing_call(
    prepare: Callable[[], tuple[MemoryDisk, Log]],
    work: Callable[[Log], object],
    *,
    stays_broken: bool,
) -> "list[tuple[MemoryDisk, Log]]":
    """(disk, log) after each way to fail; the last one is after no failure."""
    outcomes: list[tuple[MemoryDisk, Log]] = []
    for call in range(1, 500):
        disk, log = prepare()
        disk.fail_in(call, stays_broken=stays_broken)
        failed = False
        try:
            work(log)
        except OSError:
            failed = True
        if disk.failure_pending:
            disk.mend()
            outcomes.append((disk, log))
            return outcomes
        disk.mend()
        if failed:
            outcomes.append((disk, log))
    raise AssertionError("the work does not end")


@pytest.mark.parametrize("stays_broken", [False, True])
@pytest.mark.parametrize("before", [0, 3, 4, 8, 9])
def test_a_failed_append_leaves_the_log_as_it_was(before: int, stays_broken: bool) -> None:
    """With 3 and 8 batches the append begins a segment, with 9 an epoch."""
    data = batch_bytes((NOW_MS + before,), producer=(9, 0, before))
    outcomes = for_every_failing_call(
        lambda: prepared(before),
        lambda log: append(log, data, epoch=before // 3),
        stays_broken=stays_broken,
    )
    _, untouched = prepared(before)
    *failures, (_, done) = outcomes
    assert failures
    assert done.end_offset == before + 1
    for disk, log in failures:
        log.check_invariants()
        assert contents(log) == contents(untouched)
        assert log.producers.encode() == untouched.producers.encode()
        assert append(log, data, epoch=before // 3) == before
        assert contents(log) == contents(done)
        log.check_invariants()
        for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
            twin = open_log(disk.copy(), settings=TIGHT, shutdown=shutdown)
            assert contents(twin) == contents(done)
            assert twin.producers.encode() == done.producers.encode()
            assert twin.epochs.entries() == done.epochs.entries()
            twin.check_invariants()


@pytest.mark.parametrize("end_offset", [1, 4, 7, 9])
def test_a_failed_truncation_leaves_a_log_that_can_be_truncated(end_offset: int) -> None:
    everything = contents(prepared(10)[1])
    outcomes = for_every_failing_call(
        lambda: prepared(10), lambda log: log.truncate_to(end_offset), stays_broken=False
    )
    assert len(outcomes) > 3
    for disk, log in outcomes:
        kept = contents(log)
        assert end_offset <= len(kept) == log.end_offset
        assert kept == everything[: len(kept)]
        log.truncate_to(end_offset)
        assert contents(log) == everything[:end_offset]
        log.check_invariants()
        append(log, epoch=4)
        twin = open_log(disk.copy(), settings=TIGHT, shutdown=Shutdown.KILLED)
        assert contents(twin) == contents(log)
        twin.check_invariants()


def test_a_failed_retirement_loses_nothing_that_must_stay() -> None:
    def work(log: Log) -> None:
        log.truncate_prefix(7)
        log.retire(NOW_MS, 10)
        log.sweep(NOW_MS + 60_000)

    everything = contents(prepared(10)[1])
    outcomes = for_every_failing_call(lambda: prepared(10), work, stays_broken=False)
    assert len(outcomes) > 3
    for disk, log in outcomes:
        log.check_invariants()
        work(log)
        log.check_invariants()
        assert log.start_offset == 7
        assert b"".join(contents(log)) == b"".join(everything[7 - 7 % 3 :][-len(contents(log)) :])
        twin = open_log(disk.copy(), settings=TIGHT, shutdown=Shutdown.KILLED, log_start=7)
        assert contents(twin) == contents(log)
        twin.check_invariants()


def test_a_failed_close_is_like_a_kill() -> None:
    outcomes = for_every_failing_call(
        lambda: prepared(9), lambda log: log.close(NOW_MS), stays_broken=True
    )
    expected = contents(prepared(9)[1])
    for disk, _ in outcomes:
        twin = open_log(disk, settings=TIGHT, shutdown=Shutdown.KILLED)
        assert contents(twin) == expected
        assert twin.producers.end_offset == 9
        twin.check_invariants()


def test_a_killed_process_may_have_done_any_first_part_of_its_calls() -> None:
    """Kill after every changing call of 12 appends: what was acknowledged is there."""
    data = [batch_bytes((NOW_MS + at,), producer=(9, 0, at)) for at in range(12)]
    for call in range(1, 500):
        disk = MemoryDisk()
        disk.fail_in(call, stays_broken=True, changes_only=True)
        acknowledged = 0
        try:
            log = open_log(disk, settings=TIGHT)
            for at in range(12):
                append(log, data[at], epoch=at // 3)
                acknowledged += 1
        except OSError:
            pass
        finished = disk.failure_pending
        disk.mend()
        for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
            twin = open_log(disk.copy(), settings=TIGHT, shutdown=shutdown)
            assert twin.end_offset == acknowledged
            twin.check_invariants()
            if acknowledged:
                retry = valid(data[acknowledged - 1])
                outcome = twin.append(retry, leader_epoch=4, now_ms=NOW_MS)
                assert isinstance(outcome, Appended)
                assert outcome.duplicate
                assert outcome.base_offset == acknowledged - 1
        if finished:
            assert acknowledged == 12
            return
    raise AssertionError("the appends do not end")


def test_a_full_disk_is_told_and_the_log_goes_on_when_there_is_room() -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SETTINGS._replace(index_interval_bytes=0))
    for at in range(600):  # the index is written out once
        if at % 7 == 0:
            disk.fail_in(1, changes_only=True)
            with pytest.raises(OSError, match="refuses"):
                append(log)
            disk.mend()
        append(log)
    assert log.end_offset == 600
    log.check_invariants()
