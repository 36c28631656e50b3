"""What one round of compaction leaves of a log, batch by batch, by Kafka's rules."""

from collections.abc import Callable

import pytest

from ottla import probe
from ottla.core.log.compaction import Compaction
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.dirty import cleanable, groups
from ottla.core.log.log import Log, Shutdown
from ottla.core.log.offset_map import OffsetMap, digest
from ottla.core.log.scrub import scrub
from ottla.record.batch import DELETE_HORIZON
from ottla.record.compress import GZIP, LZ4, NONE, SNAPPY, ZSTD
from tests.unit.core.log.building import NOW_MS, append, open_log, valid
from tests.unit.core.log.compacting import (
    COMPACTED,
    batches,
    clean,
    keyed,
    mark,
    pairs,
    records,
    roll,
)
from tests.unit.fakes.disk import MemoryDisk


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk(NOW_MS)


@pytest.fixture
def log(disk: MemoryDisk) -> Log:
    return open_log(disk, settings=COMPACTED)


def test_the_newest_record_of_every_key_stays_with_its_offset(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1"), (b"a", b"2")))
    append(log, keyed((b"c", b"1"), (b"b", b"2")))
    roll(log)
    assert clean(log, disk) > 0
    assert pairs(log) == [(2, b"a", b"2"), (3, b"c", b"1"), (4, b"b", b"2")]
    assert [(one.base_offset, one.last_offset) for one in batches(log)] == [(0, 2), (3, 4)]
    assert log.cleaned_offset == 5
    assert clean(log, disk) == 0


def test_a_clean_part_loses_what_the_dirty_part_replaces(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1")))
    roll(log)
    clean(log, disk)
    append(log, keyed((b"a", b"2")))
    roll(log)
    clean(log, disk)
    assert pairs(log) == [(1, b"b", b"1"), (2, b"active", b""), (3, b"a", b"2")]


def test_segments_are_written_together_up_to_the_size_of_one(disk: MemoryDisk, log: Log) -> None:
    for at in range(4):
        append(log, keyed((b"k%d" % at, b"v" * 200)))
        roll(log)
    assert log.segment_count == 5
    clean(log, disk)
    assert [one.base_offset for one in log.segments] == [0, 5, 7]
    assert {key for _, key, _ in pairs(log)} == {b"k0", b"k1", b"k2", b"k3", b"active"}


def test_a_group_ends_where_offsets_would_not_fit(disk: MemoryDisk, log: Log) -> None:
    far = (1 << 31) - 1
    append(log, keyed((b"a", b"1")))
    batch = bytearray(keyed((b"b", b"1")))
    batch[:8] = far.to_bytes(8, "big")
    batch[12:16] = bytes(4)
    log._roll(far, NOW_MS)
    log.append_batches(bytes(batch), now_ms=NOW_MS)
    roll(log)
    roll(log)
    assert [one.base_offset for one in log.segments] == [0, far, far + 1, far + 2]
    grouped = groups(log.segments[:-1], far + 2, COMPACTED._replace(segment_bytes=1 << 20))
    assert [len(one) for one in grouped] == [2, 1]
    clean(log, disk)
    assert [key for _, key, _ in pairs(log)] == [b"a", b"b", b"active"]


def test_a_group_has_no_more_than_an_index_can_hold(disk: MemoryDisk, log: Log) -> None:
    for at in range(6):
        append(log, keyed((b"k%d" % at, b"v" * 200)))
        roll(log)
    small = COMPACTED._replace(segment_bytes=1 << 20, segment_index_bytes=72)
    grouped = groups(log.segments[:-1], log.end_offset, small)
    sizes = [sum(segment.size_bytes for segment in group) for group in grouped]
    assert len(grouped) == 3
    assert max(sizes) <= 5 * 201, "five entries, each for more than 200 bytes"
    for _ in range(70):
        roll(log)
    grouped = groups(log.segments[:-1], log.end_offset, small._replace(segment_index_bytes=1 << 20))
    assert [len(one) for one in grouped] == [64, 12]


def test_a_tombstone_stays_until_its_horizon(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1"), times=(NOW_MS - 9, NOW_MS - 5)))
    append(log, keyed((b"a", None), (b"c", b"1"), times=(NOW_MS - 3, NOW_MS - 4)))
    roll(log)
    clean(log, disk, NOW_MS)
    assert pairs(log) == [(1, b"b", b"1"), (2, b"a", None), (3, b"c", b"1")]
    first, second = batches(log)
    assert first.delete_horizon_ms is None
    assert second.delete_horizon_ms == NOW_MS + 1000
    assert second.max_timestamp == NOW_MS - 3
    assert [one.timestamp_ms for one in records(log)] == [NOW_MS - 5, NOW_MS - 3, NOW_MS - 4]

    append(log, keyed((b"d", b"1")))
    roll(log)
    clean(log, disk, NOW_MS + 999)
    assert (2, b"a", None) in pairs(log)
    assert batches(log)[1].delete_horizon_ms == NOW_MS + 1000, "set once"

    append(log, keyed((b"e", b"1")))
    roll(log)
    clean(log, disk, NOW_MS + 1000)
    assert (2, b"a", None) not in pairs(log)
    assert (3, b"c", b"1") in pairs(log)


def test_headers_and_append_time_survive_a_horizon(disk: MemoryDisk) -> None:
    log = open_log(disk, settings=COMPACTED._replace(timestamp_log_append=True))
    append(log, keyed((b"headed", None), (b"headed", b"x")), now_ms=NOW_MS)
    append(log, keyed((b"headed", None)), now_ms=NOW_MS + 7)
    roll(log)
    before = bytes(batches(log)[1].data or b"")
    clean(log, disk, NOW_MS + 10)
    (last,) = [one for one in batches(log) if one.record_count]
    assert last.is_log_append_time
    assert last.max_timestamp == NOW_MS + 7
    assert last.attributes & DELETE_HORIZON
    assert [one.timestamp_ms for one in records(log)] == [NOW_MS + 7]
    assert b"\x02h\x02\xff" in bytes(last.data or b"")
    assert b"\x02h\x02\xff" in before


def test_records_without_a_key_go(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((None, b"1"), (b"a", b"1"), (None, None)))
    roll(log)
    clean(log, disk)
    assert pairs(log) == [(1, b"a", b"1")]


@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_keeps_its_codec_and_its_times(disk: MemoryDisk, log: Log, codec: int) -> None:
    values = [(b"key%d" % (at % 7), b"v%d" % at) for at in range(20)]
    append(log, keyed(*values, times=range(NOW_MS, NOW_MS + 20), codec=codec))
    append(log, keyed((b"key6", b"new"), times=(NOW_MS + 99,), codec=codec))
    roll(log)
    clean(log, disk)
    first = batches(log)[0]
    assert first.codec == codec
    assert (first.base_offset, first.last_offset, first.record_count) == (0, 19, 6)
    assert first.max_timestamp == NOW_MS + 19
    assert [one.timestamp_ms for one in records(log)] == [*range(NOW_MS + 14, NOW_MS + 20), NOW_MS + 99]  # fmt: skip


def test_the_largest_time_is_that_of_what_stays(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1"), times=(NOW_MS + 50, NOW_MS)))
    append(log, keyed((b"a", b"2"), times=(NOW_MS + 1,)))
    roll(log)
    clean(log, disk)
    assert [one.max_timestamp for one in batches(log)] == [NOW_MS, NOW_MS + 1]
    found = log.max_timestamp(2)
    assert found is not None
    assert (found.offset, found.timestamp_ms) == (1, NOW_MS)
    since = log.offset_for_timestamp(NOW_MS + 1, log.end_offset)
    assert since is not None
    assert since.offset == 2


def test_long_keys_are_told_apart(disk: MemoryDisk, log: Log) -> None:
    long = [b"x" * 23, b"x" * 24, b"x" * 25, digest(b"x" * 25)]
    append(log, keyed(*((key, b"old") for key in long)))
    append(log, keyed(*((key, b"new") for key in long[:-1])))
    roll(log)
    clean(log, disk)
    assert [(key, value) for _, key, value in pairs(log)] == [
        (long[3], b"old"),
        *((key, b"new") for key in long[:-1]),
    ]


# Bounds


def test_nothing_at_or_above_the_stable_end_is_touched(disk: MemoryDisk, log: Log) -> None:
    for _ in range(3):
        append(log, keyed((b"a", b"1")))
        roll(log)
    before = pairs(log)
    assert clean(log, disk, stable_end=0) == 0
    clean(log, disk, stable_end=2)
    assert log.cleaned_offset == 1
    assert pairs(log) == before
    clean(log, disk, stable_end=3)
    assert log.cleaned_offset == 3
    assert [one for one in pairs(log) if one[1] == b"a"] == [(2, b"a", b"1"), (4, b"a", b"1")]


def test_what_is_not_on_the_disk_replaces_nothing(disk: MemoryDisk, log: Log) -> None:
    """A power cut would take the newer record, and the older one would be gone already."""
    append(log, keyed((b"a", b"1")))
    roll(log)
    append(log, keyed((b"a", b"2")))
    on_disk = log.end_offset
    roll(log)
    log.flushed_offset = on_disk - 1
    clean(log, disk)
    assert (0, b"a", b"1") in pairs(log)
    log.flushed_offset = on_disk
    clean(log, disk)
    assert (0, b"a", b"1") not in pairs(log)


def test_a_lag_keeps_young_segments_and_an_overdue_one_is_cleaned(disk: MemoryDisk) -> None:
    log = open_log(disk, settings=COMPACTED._replace(min_compaction_lag_ms=100))
    append(log, keyed((b"a", b"1"), (b"a", b"2")))
    roll(log)
    assert cleanable(log, log.end_offset, NOW_MS + 99) is None
    assert cleanable(log, log.end_offset, NOW_MS + 101) is not None
    log.settings = COMPACTED._replace(min_cleanable_dirty_ratio=1.0, max_compaction_lag_ms=500)
    assert cleanable(log, log.end_offset, NOW_MS + 500) is None
    found = cleanable(log, log.end_offset, NOW_MS + 501)
    assert found is not None
    assert found.is_overdue


def test_too_little_dirt_is_left(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"x" * 800)))
    roll(log)
    clean(log, disk)
    append(log, keyed((b"b", b"x" * 100)))
    roll(log)
    log.settings = COMPACTED._replace(min_cleanable_dirty_ratio=0.5)
    assert clean(log, disk) == 0
    log.settings = COMPACTED._replace(min_cleanable_dirty_ratio=0.1)
    assert clean(log, disk) > 0


def test_a_map_that_is_too_small_takes_several_rounds(disk: MemoryDisk, log: Log) -> None:
    for at in range(30):
        append(log, keyed((b"k%d" % (at % 10), b"%d" % at), (b"j%d" % (at % 10), b"%d" % at)))
    roll(log)
    rounds = 0
    dirty = 0
    while clean(log, disk, keys_max=3):
        rounds += 1
        assert log.cleaned_offset is not None
        assert log.cleaned_offset > dirty
        dirty = log.cleaned_offset
    assert rounds > 5
    assert len(pairs(log)) == 20
    assert {value for _, _, value in pairs(log)} == {b"%d" % at for at in range(20, 30)}


# Producers (M73) and transactions (M82)


def test_the_last_batch_of_a_producer_stays_empty(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), producer=(7, 0, 0)))
    append(log, keyed((b"a", b"2"), (b"a", b"3"), producer=(7, 0, 1)))
    append(log, keyed((b"a", b"4")))
    roll(log)
    clean(log, disk)
    empty, _ = batches(log)
    assert (empty.base_offset, empty.last_offset, empty.record_count) == (1, 2, 0)
    assert (empty.producer_id, empty.base_sequence, empty.last_sequence) == (7, 1, 2)
    assert empty.size_bytes == 61
    assert (empty.base_timestamp, empty.max_timestamp) == (-1, NOW_MS)
    log.close(NOW_MS)
    for name in disk.names("t-0"):
        if name.endswith(".snapshot"):
            disk.remove(f"t-0/{name}")
    again = open_log(disk, settings=COMPACTED, recovery_point=log.end_offset)
    assert again.producers.producers[7].last_sequence == 2
    assert again.append(
        valid(keyed((b"a", b"2"), (b"a", b"3"), producer=(7, 0, 1))), leader_epoch=0, now_ms=NOW_MS
    ).duplicate  # type: ignore[union-attr]

    append(again, keyed((b"b", b"5"), producer=(7, 0, 3)))
    roll(again)
    clean(again, disk)
    assert all(one.record_count for one in batches(again)), "it is not its last any more"


def test_aborted_records_go_at_once_and_their_marker_later(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1")))
    append(log, keyed((b"a", b"2"), (b"b", b"2"), producer=(7, 0, 0), transactional=True))
    marker = mark(log, 7, commit=False)
    append(log, keyed((b"c", b"3"), producer=(7, 1, 0)))
    roll(log)
    clean(log, disk, NOW_MS)
    assert pairs(log) == [(0, b"a", b"1"), (marker + 1, b"c", b"3")]
    (control,) = [one for one in batches(log) if one.is_control]
    assert control.delete_horizon_ms is None, "its records were still met"
    assert [one.first_offset for one in log.aborted(0, 100)] == [1]

    append(log, keyed((b"d", b"4")))
    roll(log)
    clean(log, disk, NOW_MS + 1)
    (control,) = [one for one in batches(log) if one.is_control]
    assert control.delete_horizon_ms == NOW_MS + 1001
    assert log.aborted(0, 100) == []

    append(log, keyed((b"e", b"5")))
    roll(log)
    clean(log, disk, NOW_MS + 1001)
    assert [one for one in batches(log) if one.is_control] == []


def test_a_commit_marker_stays_while_its_records_do(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), producer=(7, 0, 0), transactional=True))
    roll(log)
    mark(log, 7, commit=True)
    append(log, keyed((b"z", b"1"), producer=(7, 1, 0)))
    roll(log)
    for at in range(3):
        clean(log, disk, NOW_MS + 5000 * at)
        append(log, keyed((b"b", b"%d" % at)))
        roll(log)
        (control,) = [one for one in batches(log) if one.is_control]
        assert control.delete_horizon_ms is None
    append(log, keyed((b"a", b"2")))
    roll(log)
    clean(log, disk, NOW_MS + 50_000)  # the records go
    append(log, keyed((b"b", b"x")))
    roll(log)
    clean(log, disk, NOW_MS + 50_001)  # the marker gets a horizon
    assert sum(one.is_control for one in batches(log)) == 1
    append(log, keyed((b"b", b"y")))
    roll(log)
    clean(log, disk, NOW_MS + 60_000)
    assert sum(one.is_control for one in batches(log)) == 0


def test_the_last_marker_of_a_producer_keeps_its_epoch(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), producer=(7, 0, 0), transactional=True))
    mark(log, 7, commit=False, epoch=3)
    roll(log)
    for at in range(4):
        clean(log, disk, NOW_MS + 5000 * at)
        append(log, keyed((b"b", b"%d" % at)))
        roll(log)
    (control,) = [one for one in batches(log) if one.is_control]
    assert control.record_count == 0
    assert control.producer_epoch == 3
    log.close(NOW_MS)
    assert open_log(disk, settings=COMPACTED).producers.producers[7].epoch == 3


def test_a_marker_is_no_record_whatever_its_key(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), producer=(7, 0, 0), transactional=True))
    mark(log, 7, commit=True)
    append(log, keyed((b"\0\0\0\1", b"the key of a commit marker")))
    append(log, keyed((b"z", b"1"), producer=(7, 1, 0)))
    roll(log)
    clean(log, disk)
    assert sum(one.is_control and one.record_count == 1 for one in batches(log)) == 1


def test_an_earlier_abort_does_not_void_a_later_commit(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), producer=(7, 0, 0), transactional=True))
    mark(log, 7, commit=False)
    roll(log)
    clean(log, disk)
    append(log, keyed((b"a", b"2"), producer=(7, 0, 1), transactional=True))
    mark(log, 7, commit=True)
    roll(log)
    clean(log, disk)
    assert (b"a", b"2") in [(key, value) for _, key, value in pairs(log)]


# What is left alone


@pytest.mark.parametrize(("at", "problem"), [(-1, "checksum"), (15, "leader epoch 1 instead of 0")])
def test_damage_is_not_written_again(disk: MemoryDisk, log: Log, at: int, problem: str) -> None:
    append(log, keyed((b"a", b"1")))
    append(log, keyed((b"a", b"2")))
    roll(log)
    path = log.segments[0].path()
    data = bytearray(disk.files()[path])
    data[at] ^= 1
    disk._contents[path].data[:] = data
    with pytest.raises(CorruptSegment, match=problem):
        clean(log, disk)
    assert disk.names("t-0") == [name for name in disk.names("t-0") if "." not in name[21:]]


def test_a_round_that_changes_nothing_writes_nothing(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"b", b"1")))
    roll(log)
    file = log.segments[0].file
    clean(log, disk)
    assert log.segments[0].file is file
    assert not [name for name in disk.names("t-0") if name.endswith((".deleted", ".cleaned"))]
    assert log.cleaned_offset == 2


def test_an_undone_round_leaves_nothing(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"a", b"2")))
    roll(log)
    before = disk.files()
    found = cleanable(log, log.end_offset, NOW_MS)
    assert found is not None
    compaction = Compaction(disk, log, found, OffsetMap(1 << 20, 0.9, 100), NOW_MS)
    compaction.step_cost = 1
    for _ in compaction.steps():
        if any(name.endswith(".cleaned") for name in disk.names("t-0")):
            break
    assert any(name.endswith(".log.cleaned") for name in disk.names("t-0"))
    compaction.undo()
    assert disk.files() == before


# Reading what is left


def test_a_read_inside_a_gap_begins_behind_it(disk: MemoryDisk, log: Log) -> None:
    for at in range(10):
        append(log, keyed((b"a", b"%d" % at)))
    append(log, keyed((b"b", b"1")))
    roll(log)
    clean(log, disk)
    assert [one[0] for one in pairs(log)] == [9, 10]
    for start in (0, 4, 9):
        found = log.slice(start, log.end_offset, 1 << 20, at_least_one=True)
        assert found is not None
        assert found.read()[:8] == (9).to_bytes(8, "big")


def test_answers_under_way_can_be_read_until_the_files_go(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), (b"a", b"2")))
    roll(log)
    under_way = log.slice(0, 2, 1 << 20, at_least_one=True)
    assert under_way is not None
    whole = under_way.read()
    for at in range(3):  # also when its name is used again and again
        clean(log, disk, NOW_MS + at)
        append(log, keyed((b"a", b"%d" % at), (b"a", b"x")))
        roll(log)
    assert under_way.read() == whole
    assert log.sweep(NOW_MS + 59_999) == NOW_MS + 60_000
    assert under_way.read() == whole
    log.sweep(NOW_MS + 70_000)
    assert not [name for name in disk.names("t-0") if name.endswith(".deleted")]


def test_a_walk_that_began_before_ends_after(disk: MemoryDisk, log: Log) -> None:
    for at in range(6):
        append(log, keyed((b"k%d" % at, b"1")))
        roll(log)
    seen = []
    for batch in log.batches(0, log.end_offset):
        seen.append(batch.base_offset)
        if len(seen) == 3:
            clean(log, disk)
    assert seen == sorted(set(seen))
    assert {offset for offset, key, _ in pairs(log) if key != b"active"} <= set(seen)


def test_a_compacted_log_is_sound(disk: MemoryDisk, log: Log) -> None:
    for at in range(60):
        append(log, keyed((b"k%d" % (at % 9), None if at % 5 == 0 else b"%d" % at), producer=(at % 3, 0, at // 3)))  # fmt: skip
        if at % 10 == 9:
            roll(log)
            clean(log, disk, NOW_MS + 700 * at)
    log.close(NOW_MS)
    assert scrub(disk, "t-0").findings == ()
    again = open_log(disk, settings=COMPACTED, shutdown=Shutdown.KILLED)
    assert pairs(again) == pairs(log)
    again.check_invariants()


def test_gaps_are_believed_after_the_policy_was_changed(disk: MemoryDisk, log: Log) -> None:
    for at in range(9):
        append(log, keyed((b"a", b"%d" % at)))
        roll(log)
    clean(log, disk)
    end = log.end_offset
    log.settings = log.settings._replace(cleanup_compact=False, cleanup_delete=True)
    before = pairs(log)
    for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
        again = Log.open(
            disk.copy(),
            "t-0",
            settings=log.settings,
            now_ms=NOW_MS,
            shutdown=shutdown,
            recovery_point=0,
            log_start=0,
            jitter_ms=0,
            cleaned_offset=log.cleaned_offset,
        )
        assert again.end_offset == end
        assert pairs(again) == before


def test_the_largest_time_may_belong_to_no_record(disk: MemoryDisk, log: Log) -> None:
    append(log, keyed((b"a", b"1"), times=(NOW_MS + 500,), producer=(7, 0, 0)))
    append(log, keyed((b"a", b"2")))
    roll(log)
    clean(log, disk)
    assert batches(log)[0].max_timestamp == NOW_MS + 500
    found = log.max_timestamp(2)
    assert found is not None
    assert (found.offset, found.timestamp_ms) == (1, NOW_MS)


@pytest.mark.parametrize(
    ("mutant", "notices"),
    [
        ("M18-compaction-past-watermark", test_nothing_at_or_above_the_stable_end_is_touched),
        ("M73-last-batch-goes", test_the_last_batch_of_a_producer_stays_empty),
        ("M82-marker-of-kept-data-goes", test_a_commit_marker_stays_while_its_records_do),
    ],
)
def test_the_mistake_is_noticed(
    disk: MemoryDisk, log: Log, mutant: str, notices: Callable[[MemoryDisk, Log], None]
) -> None:
    probe.breed(mutant)
    try:
        with pytest.raises((AssertionError, ValueError)):
            notices(disk, log)
    finally:
        probe.breed()
