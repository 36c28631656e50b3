"""`ottla log verify`: one line for each damaged thing, and nothing for what is well."""

import json
import random
from pathlib import Path

import pytest

from ottla.aio.disk import RealDisk
from ottla.cli.main import main
from ottla.core.log.log import Log, Shutdown
from tests.unit.core.log.building import NOW_MS, append, batch_bytes
from tests.unit.core.log.test_sound import INDEXED


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Two topics, one of them with several segments, as a clean stop leaves them."""
    disk = RealDisk(str(tmp_path), descriptors_max=16)
    for name, batches in (("t-0", 60), ("u-1", 3)):
        log = Log.open(
            disk,
            name,
            settings=INDEXED,
            now_ms=NOW_MS,
            shutdown=Shutdown.CLEAN,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
        )
        for at in range(batches):
            data = batch_bytes((NOW_MS + at,), value=b"%03d" % at * 300, producer=(7, 0, at))
            append(log, data, epoch=at // 25)
        log.close(NOW_MS)
    disk.close()
    return tmp_path


def snapshot(root: Path) -> dict[Path, tuple[bytes, int]]:
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_sound_directory_is_well_and_untouched(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(written)
    assert main(["log", "verify", str(written)]) == 0
    assert capsys.readouterr().out == "2 partitions, 63 sound batches, 0.1 MiB: all is well\n"
    assert snapshot(written) == before


def test_a_flipped_bit_is_named_with_file_position_and_offset(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written / "t-0" / f"{0:020d}.log"
    data = bytearray(path.read_bytes())
    size = int.from_bytes(data[8:12], "big") + 12
    data[2 * size + 100] ^= 4
    path.write_bytes(data)
    assert main(["log", "verify", str(written), "--topic", "t"]) == 1
    first, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{path}  position {2 * size}  offset 2  the checksum is wrong"
    assert main(["log", "verify", str(written), "--topic", "u"]) == 0
    capsys.readouterr()
    assert main(["log", "verify", str(written), "--json"]) == 1
    told = capsys.readouterr()
    [item] = json.loads(told.out)["items"]
    assert item == {
        "file": str(path),
        "position": 2 * size,
        "offset": 2,
        "problem": "the checksum is wrong",
    }
    assert told.err == "2 partitions, 62 sound batches, 0.1 MiB: 1 finding\n"


@pytest.mark.parametrize("suffix", [".log", ".index", ".timeindex", ".snapshot"])
def test_no_flip_stays_hidden(
    written: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sealed segment; the newest one may be being written to, so its end is not judged."""
    chance = random.Random(suffix)
    path = next(path for path in sorted((written / "t-0").iterdir()) if path.name.endswith(suffix))
    whole = path.read_bytes()
    for _ in range(60):
        data = bytearray(whole)
        at = chance.randrange(len(data))
        if suffix == ".index" and at % 8 == 3:
            continue  # the next batch's offset does no harm there, and may be what Kafka meant
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        assert main(["log", "verify", str(written)]) == 1
        assert str(path.with_suffix("")) in capsys.readouterr().out
    path.write_bytes(whole)
    assert main(["log", "verify", str(written)]) == 0


def test_a_directory_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", str(tmp_path / "absent")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main(["log", "verify", str(tmp_path)]) == 1
    assert "no partition" in capsys.readouterr().err
