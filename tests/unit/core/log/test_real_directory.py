"""The same log on a real directory: the fake disk promises nothing that a real one does not keep."""

from pathlib import Path
from shutil import copytree

from ottla.aio.disk import RealDisk
from ottla.core.log.log import Log, Shutdown
from tests.unit.core.log.building import (
    DIRECTORY,
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
)
from tests.unit.core.log.compacting import COMPACTED, clean, keyed, roll
from tests.unit.fakes.disk import MemoryDisk


def open_real(root: Path, shutdown: Shutdown, *, log_start: int = 0) -> Log:
    return Log.open(
        RealDisk(str(root), descriptors_max=4),
        DIRECTORY,
        settings=SMALL_SEGMENTS,
        now_ms=NOW_MS,
        shutdown=shutdown,
        recovery_point=0,
        log_start=log_start,
        jitter_ms=0,
    )


def work(log: Log) -> None:
    for at in range(60):
        append(log, batch_bytes((NOW_MS + at,) * 2, producer=(at % 2, 0, at)), epoch=at // 9)
    log.truncate_to(100)
    log.truncate_prefix(33)
    log.retire(NOW_MS, 100)
    log.sweep(NOW_MS + 60_000)
    log.sweep(NOW_MS + 120_000)
    for at in range(60, 90):
        append(log, batch_bytes((NOW_MS + at,) * 2), epoch=at // 9)


def test_a_real_directory_holds_what_the_fake_one_holds(tmp_path: Path) -> None:
    disk = MemoryDisk()
    fake = open_log(disk, settings=SMALL_SEGMENTS)
    work(fake)
    root = tmp_path / "data"
    root.mkdir()
    real = open_real(root, Shutdown.CLEAN)
    work(real)
    real.check_invariants()
    for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
        killed = tmp_path / shutdown.name
        copytree(root, killed)
        twin = open_real(killed, shutdown, log_start=33)
        assert contents(twin) == contents(fake)
        twin.check_invariants()
    fake.close(NOW_MS)
    real.close(NOW_MS)
    files = {
        f"{DIRECTORY}/{path.name}": path.read_bytes()
        for path in sorted((root / DIRECTORY).iterdir())
    }
    assert files == disk.files()
    assert contents(open_real(root, Shutdown.CLEAN, log_start=33)) == contents(fake)


def test_compaction_of_a_real_directory_leaves_what_that_of_the_fake_one_leaves(
    tmp_path: Path,
) -> None:
    def compact(disk: MemoryDisk | RealDisk) -> Log:
        log = Log.open(
            disk,
            DIRECTORY,
            settings=COMPACTED,
            now_ms=NOW_MS,
            shutdown=Shutdown.CLEAN,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
        )
        for at in range(90):
            value = None if at % 7 == 0 else b"%d" % at
            append(log, keyed((b"k%d" % (at % 8), value), producer=(at % 3, 0, at // 3)))
            if at % 30 == 29:
                roll(log)
                clean(log, disk, NOW_MS + at)
        return log

    fake = compact(MemoryDisk(NOW_MS))
    disk = RealDisk(str(tmp_path), descriptors_max=4)
    real = compact(disk)
    assert contents(real) == contents(fake)
    under_way = real.slice(0, real.end_offset, 1 << 20, at_least_one=True)
    assert under_way is not None
    whole = under_way.read()
    append(real, keyed((b"k1", b"newer"), (b"k2", b"newer")))
    roll(real)
    clean(real, disk, NOW_MS + 100)
    disk.open(f"{DIRECTORY}/other").append([b"x"])  # descriptors go round
    assert under_way.read() == whole
    real.sweep(NOW_MS + 200_000)
    assert not list(tmp_path.glob("*/*.deleted"))
    for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
        twin = Log.open(
            RealDisk(str(tmp_path), descriptors_max=4),
            DIRECTORY,
            settings=COMPACTED,
            now_ms=NOW_MS,
            shutdown=shutdown,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
        )
        assert contents(twin) == contents(real)
        twin.check_invariants()
