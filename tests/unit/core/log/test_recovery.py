"""What survives a crash: every cut of the files, every kind of end, every failing call."""

import logging
import struct
from collections.abc import Callable

import pytest

from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.log import Log, Shutdown
from ottla.record.batch import batches_untrusted
from tests.unit.core.log.building import (
    DIRECTORY,
    NOW_MS,
    SETTINGS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
    state_of,
    sync_all,
)
from tests.unit.fakes.disk import MemoryDisk

UNCLEAN = (Shutdown.KILLED, Shutdown.POWER_LOST)
INDEXED = SETTINGS._replace(segment_bytes=20_000, index_interval_bytes=1_000)


def written(
    batches: int, *, close: bool = False, value_bytes: int = 20, settings: object = SMALL_SEGMENTS
) -> tuple[MemoryDisk, Log]:
    disk = MemoryDisk()
    log = open_log(disk, settings=settings)  # type: ignore[arg-type]
    for at in range(batches):
        data = batch_bytes(
            (NOW_MS + at * 7 % 11, NOW_MS + at), value=bytes(value_bytes), producer=(9, 1, 2 * at)
        )
        append(log, data, epoch=at // 4)
    if close:
        log.close(NOW_MS)
    return disk, log


def path_of_active(disk: MemoryDisk, suffix: str = ".log") -> str:
    return f"{DIRECTORY}/" + max(name for name in disk.names(DIRECTORY) if name.endswith(suffix))


def rebuilt(disk: MemoryDisk, *, settings: object = SMALL_SEGMENTS) -> dict[str, bytes]:
    """The indexes as a recovery that believes nothing would write them."""
    twin = disk.copy()
    log = open_log(twin, settings=settings, shutdown=Shutdown.POWER_LOST)  # type: ignore[arg-type]
    log.close(NOW_MS)
    return {path: data for path, data in twin.files().items() if path.endswith("index")}


@pytest.mark.parametrize("shutdown", UNCLEAN)
@pytest.mark.parametrize(("settings", "value_bytes"), [(SMALL_SEGMENTS, 20), (INDEXED, 900)])
def test_a_killed_log_comes_back_whole(
    shutdown: Shutdown, settings: object, value_bytes: int
) -> None:
    disk, log = written(33, value_bytes=value_bytes, settings=settings)
    before = state_of(log)
    twin = open_log(disk.copy(), settings=settings, shutdown=shutdown)  # type: ignore[arg-type]
    assert state_of(twin) == before
    assert twin.flushed_offset == 0
    twin.check_invariants()


@pytest.mark.parametrize("shutdown", UNCLEAN)
def test_a_log_cut_at_any_byte_of_its_last_batches_keeps_the_whole_ones(
    shutdown: Shutdown, caplog: pytest.LogCaptureFixture
) -> None:
    disk, log = written(9)
    all_batches = contents(log)
    path = path_of_active(disk)
    size = disk.size_bytes(path)
    sealed_bytes = log.size_bytes - size
    for cut in range(size + 1):
        torn = disk.copy()
        torn.open(path).truncate(cut)
        caplog.clear()
        twin = open_log(torn, settings=SMALL_SEGMENTS, shutdown=shutdown)
        kept = contents(twin)
        assert kept == all_batches[: len(kept)]
        assert sum(map(len, kept)) <= sealed_bytes + cut
        assert len(kept) == 9 or sum(map(len, all_batches[: len(kept) + 1])) > sealed_bytes + cut
        warnings = [record for record in caplog.records if "cut" in record.message]
        assert len(warnings) == (0 if sum(map(len, kept)) == sealed_bytes + cut else 1)
        twin.check_invariants()
        data = batch_bytes(producer=(9, 1, twin.end_offset))
        assert append(twin, data, epoch=9) == 2 * len(kept)
        again = open_log(torn.copy(), settings=SMALL_SEGMENTS, shutdown=shutdown)
        assert state_of(again) == state_of(twin)


def test_a_cut_is_told_with_file_position_offset_and_bytes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk, _ = written(3)
    path = path_of_active(disk)
    size = disk.size_bytes(path)
    disk.open(path).truncate(size - 5)
    open_log(disk, settings=SMALL_SEGMENTS, shutdown=Shutdown.KILLED)
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.__dict__["file"] == path
    assert record.__dict__["position"] == size // 3 * 2
    assert record.__dict__["offset"] == 4
    assert record.__dict__["bytes"] == size // 3 - 5


# Leader epoch and magic stand outside the checksum: some of their flips show, not all.
@pytest.mark.parametrize("at", [*range(12), 16, 17, *range(20, 120, 3), 129, 150, 200])
def test_after_a_power_cut_a_flipped_bit_ends_the_log_before_it(at: int) -> None:
    disk, log = written(30)
    all_batches = contents(log)
    path = sorted(name for name in disk.files() if name.endswith(".log"))[1]
    base_offset = int(path[-24:-4])
    data = bytearray(disk.files()[path])
    data[at] ^= 0x10
    disk.put(path, bytes(data))
    twin = open_log(
        disk, settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST, recovery_point=base_offset
    )
    kept = contents(twin)
    assert kept == all_batches[: len(kept)]
    damaged_at = at // len(all_batches[0])
    assert len(kept) == base_offset // 2 + damaged_at
    assert twin.end_offset == 2 * len(kept)
    twin.check_invariants()
    assert state_of(open_log(disk.copy(), settings=SMALL_SEGMENTS)) == state_of(twin)


def test_before_the_recovery_point_nothing_is_tested() -> None:
    disk, log = written(30)
    sync_all(disk, log)
    path = sorted(name for name in disk.files() if name.endswith(".log"))[0]
    data = bytearray(disk.files()[path])
    data[100] ^= 1
    disk.put(path, bytes(data))
    twin = open_log(
        disk,
        settings=SMALL_SEGMENTS,
        shutdown=Shutdown.POWER_LOST,
        recovery_point=log.recovery_point,
    )
    assert twin.end_offset == 60


@pytest.mark.parametrize("synced", [0, 1, 5, 9, 14, 20])
def test_what_was_flushed_survives_a_power_cut(synced: int) -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SMALL_SEGMENTS)
    recovery_point = 0
    for at in range(20):
        if at == synced:
            sync_all(disk, log)
            recovery_point = log.recovery_point
        append(log, batch_bytes(producer=(9, 1, at)), epoch=at // 4)
    if synced == 20:
        sync_all(disk, log)
        recovery_point = log.recovery_point
    assert recovery_point == synced
    twin = open_log(
        disk.after_power_cut() if synced else MemoryDisk(),
        settings=SMALL_SEGMENTS,
        shutdown=Shutdown.POWER_LOST,
        recovery_point=recovery_point,
    )
    assert contents(twin) == contents(log)[:synced]
    assert twin.epochs.entries() == [
        (epoch, start) for epoch, start in log.epochs.entries() if start < synced
    ]
    assert twin.producers.end_offset == synced
    twin.check_invariants()


def test_a_lost_end_of_a_sealed_segment_ends_the_log_there() -> None:
    disk, log = written(30)
    all_batches = contents(log)
    paths = sorted(name for name in disk.files() if name.endswith(".log"))
    size = len(all_batches[0])
    disk.open(paths[1]).truncate(len(disk.files()[paths[1]]) - size)  # exactly one batch is gone
    twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
    assert twin.end_offset == int(paths[2][-24:-4]) - 2
    assert contents(twin) == all_batches[: twin.end_offset // 2]
    twin.check_invariants()


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "torn": lambda data: data[:-3],
    "half": lambda data: data[: len(data) // 2],
    "zeros": lambda data: bytes(len(data)),
    "zero tail": lambda data: data + bytes(1200),
    "reversed": lambda data: data[::-1],
    "noise": lambda data: bytes((at * 37 + 11) % 256 for at in range(len(data))),
    "garbage behind": lambda data: data + b"\x7f" * 48,
}


@pytest.mark.parametrize("shutdown", Shutdown)
@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("which", ["first", "active"])
def test_a_damaged_index_is_never_believed(
    shutdown: Shutdown, suffix: str, spoil: str, which: str
) -> None:
    disk, log = written(60, value_bytes=900, settings=INDEXED, close=True)
    sync_all(disk, log)
    truth = state_of(log)
    paths = sorted(name for name in disk.files() if name.endswith(suffix))
    path = paths[0] if which == "first" else paths[-1]
    assert len(disk.files()[path]) >= 24
    disk.put(path, SPOILED[spoil](disk.files()[path]))
    twin = open_log(disk, settings=INDEXED, shutdown=shutdown, recovery_point=log.recovery_point)
    assert state_of(twin) == truth
    for offset in range(120):
        piece = twin.slice(offset, 120, 1, at_least_one=True)
        assert piece is not None
        (batch,) = batches_untrusted(piece.read())
        assert batch.base_offset <= offset <= batch.last_offset
        assert twin.slice(offset + 1, 120, 5000, at_least_one=False) or offset > 115
    twin.check_invariants()


@pytest.mark.parametrize("shutdown", Shutdown)
@pytest.mark.parametrize("suffix", [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint"])
def test_any_file_beside_the_data_may_be_missing(shutdown: Shutdown, suffix: str) -> None:
    disk, log = written(33, close=True)
    sync_all(disk, log)
    before = state_of(log)
    indexes = rebuilt(disk)
    for path in disk.files():
        if path.endswith(suffix):
            disk.remove(path)
    twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=shutdown, recovery_point=66)
    assert state_of(twin) == before
    twin.check_invariants()
    twin.close(NOW_MS)
    assert {path: disk.files()[path] for path in indexes} == indexes


@pytest.mark.parametrize("text", [b"", b"0\n", b"0\n2\n0 0\n", b"0\n1\nx 0\n", b"\xff", b"1\n0\n"])
def test_a_half_written_epoch_checkpoint_is_rebuilt_from_the_batches(text: bytes) -> None:
    disk, log = written(33, close=True)
    disk.put(f"{DIRECTORY}/leader-epoch-checkpoint", text)
    twin = open_log(disk, settings=SMALL_SEGMENTS)
    assert twin.epochs.entries() == log.epochs.entries()
    assert len(twin.epochs.entries()) == 9


def test_a_damaged_producer_snapshot_is_passed_over() -> None:
    disk, log = written(33, close=True)
    newest = path_of_active(disk, ".snapshot")
    data = disk.files()[newest]
    for spoiled in (b"", data[:-1], data[:-1] + b"\x7f", b"\0\2" + data[2:]):
        twin_disk = disk.copy()
        twin_disk.put(newest, spoiled)
        twin = open_log(twin_disk, settings=SMALL_SEGMENTS)
        assert twin.producers.encode() == log.producers.encode()
        assert not twin_disk.exists(newest)


def test_an_index_that_kafka_preallocated_is_cut_when_kafka_was_killed() -> None:
    disk, _ = written(60, value_bytes=900, settings=INDEXED, close=True)
    before = disk.files()
    for suffix, room in ((".index", 8 * 1000), (".timeindex", 12 * 1000)):
        path = path_of_active(disk, suffix)
        disk.put(path, before[path].ljust(room, b"\0"))
    twin = open_log(disk, settings=INDEXED, shutdown=Shutdown.KILLED)
    twin.close(NOW_MS)
    assert disk.files() == before


def test_data_that_kafka_preallocated_is_cut_as_well() -> None:
    disk, log = written(3)
    path = path_of_active(disk)
    disk.put(path, disk.files()[path].ljust(5000, b"\0"))
    twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=Shutdown.KILLED)
    assert state_of(twin) == state_of(log)


def test_leftovers_of_deleting_and_compacting_are_settled() -> None:
    disk, log = written(30, close=True)
    before = state_of(log)
    files = disk.files()
    name = f"{DIRECTORY}/{0:020d}"
    disk.put(name + ".log.deleted", b"x")
    disk.put(f"{DIRECTORY}/{999:020d}.index", b"")
    # An output that was complete: it replaces the two segments it was made of.
    paths = sorted(path for path in files if path.endswith(".log"))
    disk.put(name + ".log.swap", files[paths[0]] + files[paths[1]])
    disk.put(name + ".index.swap", b"")
    disk.put(name + ".timeindex.swap", b"")
    twin = open_log(disk, settings=SMALL_SEGMENTS)
    assert contents(twin) == before[0]
    assert twin.segment_count == log.segment_count - 1
    assert not [path for path in disk.files() if path.endswith(("swap", "cleaned", "deleted"))]
    assert not disk.exists(paths[1])
    assert not disk.exists(f"{DIRECTORY}/{999:020d}.index")
    twin.check_invariants()


def test_an_output_that_was_not_complete_is_thrown_away() -> None:
    disk, log = written(30, close=True)
    disk.put(f"{DIRECTORY}/{0:020d}.log.cleaned", b"x")
    disk.put(f"{DIRECTORY}/{0:020d}.log.swap", b"y")
    twin = open_log(disk, settings=SMALL_SEGMENTS)
    assert state_of(twin) == state_of(log)
    assert not [path for path in disk.files() if path.endswith(("swap", "cleaned"))]


def test_a_log_that_ends_before_its_start_begins_anew() -> None:
    disk, _ = written(3, close=True)
    log = open_log(disk, settings=SMALL_SEGMENTS, log_start=100)
    assert (log.start_offset, log.end_offset, log.segment_count) == (100, 100, 1)
    assert contents(log) == []
    assert append(log) == 100
    log.check_invariants()


def test_recovery_itself_may_be_interrupted_at_any_call() -> None:
    disk, log = written(30)
    path = sorted(name for name in disk.files() if name.endswith(".log"))[2]
    data = bytearray(disk.files()[path])
    data[150] ^= 1
    disk.put(path, bytes(data))
    expected = open_log(disk.copy(), settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
    assert 0 < expected.end_offset < log.end_offset
    for call in range(1, 1000):
        torn = disk.copy()
        torn.fail_in(call)
        try:
            open_log(torn, settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
        except OSError:
            pass
        if torn.failure_pending:
            assert call > 20
            return
        torn.mend()
        twin = open_log(torn, settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
        assert state_of(twin) == state_of(expected)
    raise AssertionError("the recovery does not end")


def test_a_kill_in_the_middle_of_a_write_may_have_left_a_whole_length_of_rubbish() -> None:
    disk, _ = written(9)
    path = path_of_active(disk)
    data = bytearray(disk.files()[path])
    data[-1] ^= 1
    disk.put(path, bytes(data))
    twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=Shutdown.KILLED)
    assert twin.end_offset == 16
    assert append(twin, batch_bytes(producer=(9, 1, 16))) == 16


def test_offsets_that_do_not_grow_end_the_log() -> None:
    disk, log = written(3)
    path = path_of_active(disk)
    data = disk.files()[path]
    size = len(contents(log)[0])
    disk.put(path, data[: 2 * size] + data[:size] + data[2 * size :])
    twin = open_log(disk.copy(), settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
    assert b"".join(contents(twin)) == data[: 2 * size]


def test_after_a_power_cut_a_snapshot_behind_the_recovery_point_is_not_believed() -> None:
    disk, log = written(33)
    expected = log.producers.encode()
    log.producers.producers.clear()
    log.producers.end_offset = 66
    disk.put(f"{DIRECTORY}/{66:020d}.snapshot", log.producers.encode())
    believed = open_log(disk.copy(), settings=SMALL_SEGMENTS, shutdown=Shutdown.KILLED)
    assert believed.producers.encode() != expected
    twin = open_log(disk.copy(), settings=SMALL_SEGMENTS, shutdown=Shutdown.POWER_LOST)
    assert twin.producers.encode() == expected


@pytest.mark.parametrize("shutdown", [Shutdown.CLEAN, Shutdown.KILLED])
@pytest.mark.parametrize("move", [1, -1, 3])
def test_an_index_that_points_to_other_batches_is_found_out(
    shutdown: Shutdown, move: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Sorted, inside the segment, at true batches: only reading there shows that it is wrong."""
    disk, log = written(60, value_bytes=900, settings=INDEXED, close=True)
    for path in [path for path in disk.files() if path.endswith("0.index")]:
        entries = list(struct.iter_unpack(">ii", disk.files()[path]))
        offsets = [offset for offset, _ in entries][: len(entries) - abs(move)]
        if move < 0:
            offsets = [offset for offset, _ in entries][-move:]
        positions = [position for _, position in entries][max(move, 0) :]
        moved = zip(offsets, positions, strict=False)
        disk.put(path, b"".join(struct.pack(">ii", *entry) for entry in moved))
    twin = open_log(disk, settings=INDEXED, shutdown=shutdown)
    for offset in range(120):
        piece = twin.slice(offset, 120, 1, at_least_one=True)
        assert piece is not None
        (batch,) = batches_untrusted(piece.read())
        assert batch.base_offset <= offset <= batch.last_offset
    assert state_of(twin) == state_of(log)
    rebuilt_files = [record for record in caplog.records if "rebuilt" in record.message]
    assert bool(rebuilt_files) is (move > 0)
    twin.check_invariants()


def test_a_run_of_batches_that_kafka_indexed_as_one_gets_no_second_entry() -> None:
    disk, log = written(10, value_bytes=900, settings=INDEXED, close=True)
    size = len(contents(log)[0])
    index = f"{DIRECTORY}/{0:020d}.index"
    # What a follower writes that appends the batches from 2 on at once: their last offset.
    disk.put(index, struct.pack(">ii", 3, size) + struct.pack(">ii", 19, 2 * size))
    for _ in range(12):
        append(log, epoch=log.last_epoch)
    twin = open_log(disk.copy(), settings=INDEXED, shutdown=Shutdown.KILLED)
    assert twin.end_offset == log.end_offset
    twin.check_invariants()
    for offset in range(twin.end_offset):
        piece = twin.slice(offset, twin.end_offset, 1, at_least_one=True)
        assert piece is not None
        (batch,) = batches_untrusted(piece.read())
        assert batch.base_offset <= offset <= batch.last_offset


@pytest.mark.parametrize("bit", [*range(8), 12, 20, 40, 63])
@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_flipped_offset_where_the_index_ends_moves_no_batch(bit: int, behind: int) -> None:
    """After a kill nothing before the index's last entry is read, so what is told of the batch there
    is the entry itself."""
    disk, log = written(9, settings=SETTINGS._replace(index_interval_bytes=0))
    whole = contents(log)
    log.close(NOW_MS)
    index = path_of_active(disk, ".index")
    if behind:
        disk.put(index, disk.files()[index][: -8 * behind])
    _, position = struct.unpack(">ii", disk.files()[index][-8:])
    path = path_of_active(disk)
    data = bytearray(disk.files()[path])
    data[position + 7 - bit // 8] ^= 1 << bit % 8
    disk.put(path, bytes(data))
    twin = open_log(disk, settings=SETTINGS, shutdown=Shutdown.KILLED)
    passes_for_torn = not behind and twin.end_offset == log.end_offset - 2
    assert twin.end_offset == log.end_offset or passes_for_torn
    damaged = log.end_offset - 2 * (behind + 1)
    for offset in [*range(twin.end_offset), *range(twin.end_offset)]:
        try:
            piece = twin.slice(offset, twin.end_offset, 1, at_least_one=True)
        except CorruptSegment:
            assert damaged <= offset < damaged + 2
            continue
        if piece is None:  # nothing stands behind that would tell that there must be something
            assert damaged <= offset
            assert not behind
            continue
        (batch,) = batches_untrusted(piece.read())
        assert (batch.base_offset, batch.data) == (offset // 2 * 2, whole[offset // 2])


@pytest.mark.parametrize("shutdown", Shutdown)
@pytest.mark.parametrize("where", ["first", "active"])
def test_damage_that_an_index_leads_to_never_stops_a_start(shutdown: Shutdown, where: str) -> None:
    disk, log = written(60, value_bytes=900, settings=INDEXED, close=True)
    sync_all(disk, log)
    logs = sorted(name for name in disk.files() if name.endswith(".log"))
    path = logs[0] if where == "first" else logs[-1]
    times = disk.files()[path.removesuffix(".log") + ".timeindex"]
    indexed = int(path[-24:-4]) + int.from_bytes(times[-4:], "big")
    data = bytearray(disk.files()[path])
    (position,) = [
        at
        for at in range(len(data) - 60)
        if int.from_bytes(data[at : at + 8], "big") == indexed - 1 and data[at + 16] == 2
    ]
    data[position:] = b"\xff" * (len(data) - position)  # no batch, and none behind it
    disk.put(path, bytes(data))
    twin = open_log(disk, settings=INDEXED, shutdown=shutdown, recovery_point=log.recovery_point)
    for segment in twin.segments:
        segment.times.check_invariants()
    assert append(twin, batch_bytes(producer=(8, 0, 0)), epoch=20) == twin.end_offset - 1


@pytest.mark.parametrize("flipped", [0, 1, 7, 28])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_flipped_epoch_speaks_for_its_own_batch_alone(flipped: int, is_lost: bool) -> None:
    disk, log = written(29, settings=SETTINGS, value_bytes=20)
    truth = log.epochs.entries()
    path = path_of_active(disk)
    data = bytearray(disk.files()[path])
    (size_bytes,) = {len(batch) for batch in contents(log)}
    data[flipped * size_bytes + 12] ^= 1
    disk.put(path, bytes(data))
    if is_lost:
        disk.remove(f"{DIRECTORY}/leader-epoch-checkpoint")
    twin = open_log(disk, settings=SETTINGS, shutdown=Shutdown.POWER_LOST)
    assert twin.end_offset == 58
    twin.epochs.settle(7)
    append(twin, batch_bytes(), epoch=7)
    if is_lost and flipped == 0:
        assert twin.epochs.entries() == [(0, 2), *truth[1:]]
    elif flipped == 28:
        assert twin.epochs.entries() == [*truth[:-1], (7, 58)]
    else:
        assert twin.epochs.entries() == truth
    for offset in range(59):
        if offset // 2 != flipped:
            piece = twin.slice(offset, 59, 1, at_least_one=True)
            assert piece is not None
            assert piece.size_bytes
    twin.check_invariants()


@pytest.mark.parametrize(
    ("cleaned_offset", "recovery_point", "believed"),
    [(None, 0, False), (0, 0, False), (10, 0, False), (11, 0, True), (None, 11, True)],
)
def test_a_gap_between_segments_is_a_loss_unless_compaction_may_have_left_it(
    cleaned_offset: int | None, recovery_point: int, believed: bool
) -> None:
    disk, log = written(0, settings=SMALL_SEGMENTS._replace(cleanup_compact=True))
    while log.segment_count < 4:
        append(log)
    bases = [segment.base_offset for segment in log.segments]
    assert bases == [0, 11, 22, 33]
    path = f"{DIRECTORY}/{0:020d}.log"
    disk.put(path, disk.files()[path][: -len(contents(log)[10])])  # batch 10, to the byte
    twin = Log.open(
        disk,
        DIRECTORY,
        settings=log.settings,
        now_ms=NOW_MS,
        shutdown=Shutdown.POWER_LOST,
        recovery_point=recovery_point,
        log_start=0,
        jitter_ms=0,
        cleaned_offset=cleaned_offset,
    )
    assert [segment.base_offset for segment in twin.segments] == (bases if believed else [0])
    assert twin.end_offset == (log.end_offset if believed else 10)
    twin.check_invariants()


@pytest.mark.parametrize("compacts", [False, True])
@pytest.mark.parametrize("number", [0, 3, 9])
def test_after_a_power_cut_a_batch_that_was_moved_forward_is_not_believed(
    number: int, compacts: bool
) -> None:
    """What follows does not fit to it; or nothing does, and only compaction leaves gaps."""
    settings = SETTINGS._replace(cleanup_compact=compacts)
    disk, log = written(0, settings=settings)
    for _ in range(10):
        append(log)
    path, size_bytes = path_of_active(disk), log.size_bytes // 10
    data = bytearray(disk.files()[path])
    data[number * size_bytes + 4] ^= 1
    disk.put(path, bytes(data))
    twin = open_log(disk, settings=settings, shutdown=Shutdown.POWER_LOST)
    twin.check_invariants()
    offsets = [batch.base_offset for batch in twin.batches(0, twin.end_offset)]
    moved = [number + (1 << 24)] if compacts else []
    assert offsets == [*range(number), *moved]


def test_no_segment_begins_behind_a_gap() -> None:
    _, log = written(0)
    for offset in range(0, 100, 3):
        log.append_batches(batch_bytes(base_offset=offset, leader_epoch=0), now_ms=NOW_MS)
    log.append_batches(batch_bytes(base_offset=1 << 40, leader_epoch=0), now_ms=NOW_MS)
    ends = [segment.end_offset() for segment in log.segments]
    bases = [segment.base_offset for segment in log.segments]
    assert len(bases) > 3
    assert bases[1:-1] == ends[:-2]
    assert bases[-1] == 1 << 40  # no segment has room for that gap
    log.check_invariants()


@pytest.mark.parametrize("shutdown", UNCLEAN)
@pytest.mark.parametrize("lost", [".index", ".timeindex"])
def test_a_rebuilt_index_is_not_believed_before_it_is_surely_on_the_disk(
    shutdown: Shutdown, lost: str
) -> None:
    disk, log = written(60, value_bytes=900, settings=INDEXED, close=True)
    sync_all(disk, log)
    point = log.recovery_point
    disk.remove(f"{DIRECTORY}/{0:020d}{lost}")
    open_log(disk, settings=INDEXED, shutdown=Shutdown.POWER_LOST, recovery_point=point)
    times = f"{DIRECTORY}/{0:020d}.timeindex"
    disk.put(times, disk.files()[times][:12])  # a power cut takes the rest, or none of it
    twin = open_log(disk, settings=INDEXED, shutdown=shutdown, recovery_point=point)
    wanted = [one.max_timestamp for one in twin.batches(0, twin.segments[1].base_offset)]
    for at, time_ms in enumerate(wanted):
        found = twin.offset_for_timestamp(time_ms, twin.end_offset)
        assert found is not None
        assert found.offset <= 2 * at + 1
    twin.close(NOW_MS)
    open_log(disk, settings=INDEXED, recovery_point=twin.end_offset)
    assert not [name for name in disk.names(DIRECTORY) if "rebuilt" in name]


@pytest.mark.parametrize("shutdown", UNCLEAN)
def test_the_producers_of_an_emptied_log_are_known_at_every_start(shutdown: Shutdown) -> None:
    disk, log = written(10, close=True)
    for name in disk.names(DIRECTORY)[1:]:
        if name.endswith(".log") and int(name[:20]):
            disk.remove(f"{DIRECTORY}/{name}")
    states = []
    for _ in range(3):
        twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=shutdown, log_start=log.end_offset)
        states.append(twin.producers.encode())
    assert states == [log.producers.encode()] * 3


@pytest.mark.parametrize("shutdown", UNCLEAN)
def test_the_producers_of_deleted_records_are_known_as_long_as_their_batches_are(
    shutdown: Shutdown,
) -> None:
    disk, log = written(10, settings=SETTINGS)
    log.truncate_prefix(log.end_offset)
    twin = open_log(disk, settings=SETTINGS, shutdown=shutdown, log_start=log.end_offset)
    assert twin.producers.encode() == log.producers.encode()


@pytest.mark.parametrize("shutdown", Shutdown)
@pytest.mark.parametrize("is_lost", [True, False])
@pytest.mark.parametrize("since", [1, 2, 9])
def test_a_log_from_elsewhere_is_read_whole_when_an_older_epoch_writes_on(
    shutdown: Shutdown, is_lost: bool, since: int
) -> None:
    disk, log = written(29)  # epochs 0 to 7
    for _ in range(since):
        append(log, epoch=3)
    log.close(NOW_MS)
    if is_lost:
        disk.remove(f"{DIRECTORY}/leader-epoch-checkpoint")
    twin = open_log(disk, settings=SMALL_SEGMENTS, shutdown=shutdown)
    twin.epochs.settle(3)
    if is_lost and since == 1:  # nothing yet tells that last batch from one that is damaged
        append(twin, epoch=3)
    for offset in range(twin.end_offset):
        piece = twin.slice(offset, twin.end_offset, 1, at_least_one=True)
        assert piece is not None
        assert piece.size_bytes
    ((epoch, start),) = twin.epochs.entries()
    assert (epoch, start - 58) == (3, 1 if is_lost and since == 1 else 0)
    assert twin.epochs.end_of(7, twin.end_offset) == (-1, -1)
    assert twin.epochs.end_of(3, twin.end_offset) == (3, twin.end_offset)
    twin.check_invariants()
