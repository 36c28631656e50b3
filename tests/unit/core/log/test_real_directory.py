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
