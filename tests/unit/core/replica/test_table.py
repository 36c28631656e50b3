"""The table follows the image: what is opened, kept, set aside, removed, flushed and checkpointed."""

import errno
import logging
from collections.abc import Iterator

import pytest
from tests.unit.core.replica.house import (
    NOW_MS,
    House,
    batch,
    flushes,
    partition_image,
    topic_id_of,
)
from tests.unit.fakes.disk import MemoryDisk

from ottla.core.effect import Effect, Flush
from ottla.core.log.checkpoint import format_partition_metadata, parse_offsets
from ottla.core.log.recovery import Shutdown
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.types import TopicPartition

DELAY_MS = 60_000
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.check_invariants()


def append(house: House, topic: str, partition: int = 0, *values: bytes) -> list[Effect]:
    leader = house.leader(topic, partition)
    data = batch(*values, timestamp_ms=house.now_ms)
    valid = validate_untrusted(
        data, api_version=9, now_ms=house.now_ms, settings=leader.policy.checks
    )
    assert isinstance(valid, ValidBatch)
    leader.append(valid, house.now_ms)
    return house.table.appended(leader, house.now_ms)


def tick_until(house: House, at_ms: int) -> list[Effect]:
    """All that is due up to then, each at its time."""
    effects: list[Effect] = []
    while (due_ms := house.table.next_ms()) is not None and due_ms <= at_ms:
        house.now_ms = max(house.now_ms, due_ms)
        house.disk.now_ms = house.now_ms
        effects += house.table.tick(house.now_ms)
    house.now_ms = at_ms
    house.disk.now_ms = at_ms
    return effects


def refuse_checkpoints(patch: pytest.MonkeyPatch, disk: MemoryDisk) -> None:
    whole = disk.write_whole

    def full(path: str, data: bytes) -> None:
        if path.endswith("-offset-checkpoint") and "/" not in path:
            raise OSError(errno.ENOSPC, "no space left on the disk", path)
        whole(path, data)

    patch.setattr(disk, "write_whole", full)


def directories(house: House) -> list[str]:
    return [name for name in house.disk.names("") if house.disk.names(name)]


# --- following the image --------------------------------------------------------------------------


def test_a_created_topic_has_a_directory_that_names_it_per_partition(house: House) -> None:
    topic_id = house.create("t", 2)
    assert directories(house) == ["t-0", "t-1"]
    for number in range(2):
        metadata = house.disk.read_whole(f"t-{number}/partition.metadata")
        assert metadata == format_partition_metadata(topic_id)
        assert house.leader("t", number).partition == ("t", number)
    assert house.table.topic_of(topic_id) == "t"


@pytest.mark.parametrize(
    ("topic", "partition", "error"),
    [
        ("missing", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", -1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("led elsewhere", 0, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        ("kept elsewhere", 0, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        ("leaderless", 0, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    ],
)
def test_who_asks_for_what_is_not_led_here_is_told_so(
    house: House, topic: str, partition: int, error: ErrorCode
) -> None:
    house.create("t")
    house.create("led elsewhere", [partition_image(leader=2, replicas=(1, 2))])
    house.create("kept elsewhere", [partition_image(leader=2, replicas=(2,))])
    house.create("leaderless", [partition_image(leader=-1)])
    assert house.table.leader(topic, partition) is error
    assert not house.disk.exists("kept elsewhere-0")


def test_a_topic_grows_and_changes_its_leader(house: House) -> None:
    house.create("t")
    house.change("t", 1, partition_image(leader_epoch=3))
    assert house.leader("t", 1).leader_epoch == 3
    house.change("t", 1, partition_image(leader=-1, leader_epoch=4))
    assert house.table.leader("t", 1) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    house.change("t", 1, partition_image(leader_epoch=5))
    assert house.leader("t", 1).leader_epoch == 5


def test_a_deleted_topic_frees_its_name_at_once_and_its_files_later(house: House) -> None:
    old_id = house.create("t", 2)
    append(house, "t")
    house.delete("t")
    assert house.table.leader("t", 0) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert house.table.topic_of(old_id) is None
    aside = directories(house)
    assert [name[:3] for name in aside] == ["t-0", "t-1"]
    for name in aside:
        unique = name[len("t-0.") : -len("-delete")]
        assert name.endswith("-delete")
        assert len(bytes.fromhex(unique)) == 16
    house.create("t", topic_id=topic_id_of(9))
    assert house.leader("t").log.end_offset == 0
    tick_until(house, NOW_MS + DELAY_MS - 1)
    assert [name for name in directories(house) if name.endswith("-delete")] == aside
    tick_until(house, NOW_MS + DELAY_MS)
    assert directories(house) == ["t-0"]


def test_removing_many_directories_is_spread_over_turns(house: House) -> None:
    house.create("t", 50)
    for number in range(50):
        house.leader("t", number)  # made on the spot
    house.delete("t")
    house.table.tick(NOW_MS + DELAY_MS)
    left = directories(house)
    assert 0 < len(left) < 50
    tick_until(house, NOW_MS + DELAY_MS + 1000)
    assert directories(house) == []


def test_names_set_aside_fit_a_file_name(house: House) -> None:
    house.create("n" * 249)
    house.delete("n" * 249)
    (aside,) = directories(house)
    assert len(aside) == 255
    assert aside.endswith("-delete")


def test_settings_hold_at_once(house: House) -> None:
    house.create("t", 2)
    assert house.leader("t", 1).policy.checks.bytes_max > 5000
    house.configure("t", {"max.message.bytes": "5000", "segment.bytes": "2000000"})
    for number in range(2):
        leader = house.leader("t", number)
        assert leader.policy.checks.bytes_max == 5000
        assert leader.log.settings.segment_bytes == 2_000_000
    house.configure("t", {})
    assert house.leader("t").policy.checks.bytes_max > 5000


def test_a_log_that_cannot_be_opened_takes_only_its_partition_out_of_service(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.disk.fail_in(1, changes_only=True)
    house.create("t", 2)
    assert house.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
    assert isinstance(house.table.leader("t", 1), Leader)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_log_that_could_not_be_opened_is_opened_when_the_disk_lets_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    for step in range(1, 8):
        name = f"t{step}"
        house.disk.fail_in(step, stays_broken=True, changes_only=True)
        house.create(name)
        if not house.disk.failure_pending:
            assert house.table.leader(name, 0) is ErrorCode.KAFKA_STORAGE_ERROR
        caplog.clear()
        tick_until(house, house.now_ms + 10_000)
        assert not [one for one in caplog.records if one.levelno == logging.ERROR]  # told once
        house.disk.mend()
        tick_until(house, house.now_ms + 2_000)
        append(house, name)
        assert house.leader(name).log.end_offset == 1
    house.delete("t1")
    house.disk.fail_in(1, stays_broken=True, changes_only=True)
    house.create("gone", topic_id=topic_id_of(99))
    house.disk.mend()
    house.delete("gone")
    tick_until(house, house.now_ms + 10_000)
    assert house.table.leader("gone", 0) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    house.check_invariants()


def test_a_log_that_cannot_be_opened_at_the_start_is_no_stray_and_loses_nothing() -> None:
    house = House()
    house.create("t")
    for _ in range(5):
        append(house, "t")
    house.write(house.table.delete_before({TopicPartition("t", 0): 2}))
    files = house.disk.files()
    for step in range(1, 30):
        disk = house.disk.copy()
        disk.fail_in(step, stays_broken=True)
        try:
            again = house.restarted(Shutdown.KILLED, disk=disk)
        except OSError:
            continue  # the log directory itself could not be read: no start
        disk.mend()
        assert not [name for name in disk.names("") if "stray" in name]
        again.now_ms += 70_000
        again.write(again.table.tick(again.now_ms))
        assert b"t 0 2" in disk.files()["log-start-offset-checkpoint"]
        log = again.leader("t").log
        assert (log.start_offset, log.end_offset) == (2, 5)
    assert files.keys() <= house.disk.files().keys()


# --- what an earlier process left ------------------------------------------------------------------


@pytest.mark.parametrize("shutdown", [Shutdown.KILLED, Shutdown.POWER_LOST])
def test_after_a_crash_the_same_records_are_there(house: House, shutdown: Shutdown) -> None:
    house.create("t", 2)
    for _ in range(3):
        append(house, "t", 1)
    again = house.restarted(shutdown)
    assert again.leader("t", 1).log.end_offset == 3
    assert again.leader("t", 1).high_watermark == 3
    again.check_invariants()


def test_after_a_clean_stop_the_same_records_are_there(house: House) -> None:
    house.create("t")
    for _ in range(3):
        append(house, "t")
    house.leader("t").log.truncate_prefix(1)
    house.stop()
    assert house.table.leader("t", 0) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    again = house.restarted(Shutdown.CLEAN)
    log = again.leader("t").log
    assert (log.start_offset, log.end_offset, log.flushed_offset) == (1, 3, 3)
    written = parse_offsets("x", house.disk.read_whole(RECOVERY_POINTS) or b"")
    assert written == {TopicPartition("t", 0): 3}


def test_a_flushed_log_of_several_segments_is_believed_after_a_clean_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House(settings={"ottla.flush": "ack", "log.roll.ms": "1"})
    house.create("t")
    for _ in range(3):
        house.now_ms += 10
        house.flush(append(house, "t"))
    assert house.leader("t").log.segment_count > 1
    house.stop()
    written = parse_offsets("x", house.disk.read_whole(RECOVERY_POINTS) or b"")
    assert written == {TopicPartition("t", 0): 3}
    again = house.restarted(Shutdown.CLEAN)
    assert again.leader("t").log.end_offset == 3
    assert "damaged" not in caplog.text


def test_a_flush_that_nobody_has_begun_takes_later_appends_along() -> None:
    house = House(settings={"ottla.flush": "ack"})
    house.create("t")
    (flush,) = [one for one in append(house, "t") if isinstance(one, Flush)]
    flush.gathering = True  # the shell holds it until the turn ends
    assert append(house, "t") + append(house, "t") == []
    assert flush.end_offset == 3
    flush.gathering = False
    assert append(house, "t") == []
    assert flush.end_offset == 3
    (following,) = [one for one in house.flush([flush]) if isinstance(one, Flush)]
    assert house.leader("t").high_watermark == 3
    assert following.end_offset == 4


def test_a_flush_does_not_take_another_segment_along() -> None:
    house = House(settings={"ottla.flush": "ack", "log.roll.ms": "1"})
    house.create("t")
    (flush,) = [one for one in append(house, "t") if isinstance(one, Flush)]
    flush.gathering = True
    house.now_ms += 10
    append(house, "t")
    leader = house.leader("t")
    assert leader.log.segment_count == 2
    append(house, "t")
    assert flush.end_offset == 1


def test_after_a_clean_stop_and_a_power_cut_the_same_records_are_there(house: House) -> None:
    house.create("t")
    for _ in range(3):
        append(house, "t")
    house.stop()
    after = house.disk.after_power_cut()
    for name in (RECOVERY_POINTS, HIGH_WATERMARKS):  # the shell wrote these durably
        after.put(name, house.disk.read_whole(name) or b"")
    again = house.restarted(Shutdown.POWER_LOST, disk=after)
    assert again.leader("t").log.end_offset == 3


def test_directories_nobody_claims_are_kept_as_strays(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.create("t")
    house.disk.put("gone-3/00000000000000000000.log", b"data")
    house.disk.put("__cluster_metadata-0/00000000000000000000.log", b"data")
    house.disk.put("cleaner-offset-checkpoint", b"0\n0\n")
    house.disk.put("old-0.00000000000000000000000000000000-stray/x", b"data")
    house.disk.put("f-0.00000000000000000000000000000000-future/x", b"data")
    again = house.restarted(Shutdown.KILLED)
    names = again.disk.names("")
    (stray,) = (name for name in names if name.startswith("gone-3."))
    assert stray.endswith("-stray")
    assert again.disk.read_whole(f"{stray}/00000000000000000000.log") == b"data"
    for kept in (
        "__cluster_metadata-0",
        "cleaner-offset-checkpoint",
        "old-0.00000000000000000000000000000000-stray",
        "f-0.00000000000000000000000000000000-future",
        "t-0",
    ):
        assert kept in names
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "gone-3" in record.getMessage()
    tick_until(again, NOW_MS + 10 * DELAY_MS)
    assert stray in again.disk.names("")


def test_nobody_is_served_before_the_strays_names_are_on_the_disk() -> None:
    """A power cut would bring the directory back under the name that a new topic may have by then."""
    disks = [MemoryDisk(NOW_MS), MemoryDisk(NOW_MS)]
    for disk in disks:
        disk.put("gone-0/00000000000000000000.log", b"of Kafka before 2.8")
    again = House(disks[0], others=disks[1:])
    names = [effect for effect in again.started if isinstance(effect, Flush)]
    assert [one.log_dir for one in names] == [0, 1]
    for one in names:
        assert str(one.directory).startswith("gone-0.")
        assert one.directory in again.disk_of(one.log_dir).names("")
        assert not again.table.is_open
        again.flush([one], error="EIO" if one.log_dir else None)
    assert again.table.is_open


def test_what_could_not_be_set_aside_is_not_a_new_topics(house: House) -> None:
    house.create("t")
    append(house, "t")
    house.disk.remove("t-0/partition.metadata")
    disk = house.disk.copy()

    def refused(old: str, new: str) -> None:
        raise OSError(errno.EIO, "the disk refuses", old)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "rename", refused)
        again = House(disk, shutdown=Shutdown.KILLED)
    assert directories(again) == ["t-0"]
    again.create("t", topic_id=topic_id_of(99))
    assert again.leader("t").log.end_offset == 0
    (stray,) = (name for name in directories(again) if name.endswith("-stray"))
    assert disk.size_bytes(f"{stray}/00000000000000000000.log") > 0


def test_a_directory_of_another_topic_of_this_name_is_a_stray(house: House) -> None:
    house.create("t")
    append(house, "t")
    other = House(House().disk)
    other.create("t", topic_id=topic_id_of(99))
    again = House(house.disk.copy(), shutdown=Shutdown.KILLED, image=other.image)
    assert again.leader("t").log.end_offset == 0
    assert sum(name.endswith("-stray") for name in again.disk.names("")) == 1
    metadata = again.disk.read_whole("t-0/partition.metadata")
    assert metadata == format_partition_metadata(topic_id_of(99))


def test_a_predecessors_checkpoints_are_forgotten_however_often_the_new_log_is_refused() -> None:
    house = House()
    house.create("t")
    for _ in range(5):
        append(house, "t")
    house.write(house.table.delete_before({TopicPartition("t", 0): 4}))
    other = House(House().disk)
    other.create("t", topic_id=topic_id_of(99))
    refused = 0
    for step in range(1, 12):
        disk = house.disk.copy()
        disk.fail_in(step, stays_broken=True, changes_only=True)
        again = House(disk, shutdown=Shutdown.KILLED, image=other.image)
        disk.mend()
        refused += again.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
        again.now_ms += 2_000
        again.table.tick(again.now_ms)
        log = again.leader("t").log
        assert (log.start_offset, log.end_offset) == (0, 0)
        append(again, "t")
        after = again.restarted(Shutdown.KILLED, disk=disk.copy()).leader("t").log
        assert (after.start_offset, after.end_offset) == (0, 1)
    assert refused >= 3


def test_who_comes_after_a_deleted_topic_is_not_served_while_a_checkpoint_speaks_of_that(
    house: House,
) -> None:
    """The disk is full for checkpoints and takes appends; the process is killed at any moment."""
    house.create("t")
    for _ in range(5):
        append(house, "t")
    house.write(house.table.delete_before({TopicPartition("t", 0): 4}))
    with pytest.MonkeyPatch.context() as patch:
        refuse_checkpoints(patch, house.disk)
        house.delete("t")
        house.create("t", topic_id=topic_id_of(99))
        assert house.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
        tick_until(house, house.now_ms + 5_000)
        assert house.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
        killed = house.disk.copy()
        refuse_checkpoints(patch, killed)
        again = house.restarted(Shutdown.KILLED, disk=killed)
        assert again.table.leader("t", 0) is ErrorCode.KAFKA_STORAGE_ERROR
        patch.undo()
    for one in (house, again):
        tick_until(one, one.now_ms + 70_000)
        append(one, "t")
        after = one.restarted(Shutdown.KILLED).leader("t").log
        assert (after.start_offset, after.end_offset) == (0, 1)


@pytest.mark.parametrize("content", [None, b"", b"rubbish"])
def test_a_directory_that_names_no_topic_is_taken_by_its_name(
    house: House, content: bytes | None
) -> None:
    house.create("t")
    append(house, "t")
    disk = house.disk.copy()
    disk.remove("t-0/partition.metadata")
    if content is not None:
        disk.put("t-0/partition.metadata", content)
    again = house.restarted(Shutdown.KILLED, disk=disk)
    assert again.leader("t").log.end_offset == 1
    assert disk.read_whole("t-0/partition.metadata") == house.disk.read_whole(
        "t-0/partition.metadata"
    )


def test_what_was_to_be_removed_is_removed_by_the_next_process(house: House) -> None:
    house.create("t")
    house.delete("t")
    again = house.restarted(Shutdown.KILLED)
    assert len(directories(again)) == 1
    tick_until(again, NOW_MS + DELAY_MS)
    assert directories(again) == []


@pytest.mark.parametrize("content", [b"", b"rubbish", b"0\n7\nt 0 5\n", b"\xff\xfe"])
def test_a_broken_checkpoint_costs_nothing_but_time(house: House, content: bytes) -> None:
    house.create("t")
    append(house, "t")
    disk = house.disk.copy()
    for name in (RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS):
        disk.put(name, content)
    assert house.restarted(Shutdown.POWER_LOST, disk=disk).leader("t").log.end_offset == 1


def test_a_clean_stop_leaves_nothing_to_lose(house: House) -> None:
    house.create("t", 3)
    append(house, "t", 0)
    house.flush(house.table.close(NOW_MS)[:0])
    assert not house.table.is_durable
    flushed = House()
    flushed.create("t", 3)
    append(flushed, "t", 0)
    pending = flushed.table.close(NOW_MS)
    assert ("t", 0) in flushes(pending)
    flushed.flush(pending)
    assert flushed.table.is_durable


def test_a_stop_during_a_flush_also_flushes_what_came_after_it() -> None:
    house = House(settings={"ottla.flush": "ack"})
    house.create("t")
    under_way = append(house, "t")
    append(house, "t")
    rest = house.table.close(NOW_MS)
    house.flush(under_way)
    assert not house.table.is_durable
    house.flush(rest)
    assert house.table.is_durable
    house.check_invariants()


def test_a_stop_with_a_failed_flush_is_not_clean(house: House) -> None:
    house.create("t")
    append(house, "t")
    house.flush(house.table.close(NOW_MS), error="input/output error")
    house.table.close_logs(NOW_MS)
    assert not house.table.is_durable


# --- flushing -------------------------------------------------------------------------------------


def test_flush_ms_brings_what_was_written_to_the_disk_in_time(house: House) -> None:
    house.create("t", configs={"flush.ms": "1000"})
    append(house, "t")
    house.now_ms += 400
    append(house, "t")
    assert flushes(tick_until(house, NOW_MS + 999)) == []
    due = tick_until(house, NOW_MS + 1000)
    assert flushes(due) == [("t", 0)]
    house.flush(due)
    assert house.leader("t").log.flushed_offset == 2
    assert flushes(tick_until(house, NOW_MS + 20_000)) == []


def test_a_sealed_segment_is_flushed_in_the_background(house: House) -> None:
    house.create("t", configs={"internal.segment.bytes": str(len(batch()))})
    assert flushes(append(house, "t")) == []
    assert flushes(append(house, "t")) == [("t", 0)]


def test_after_a_kill_what_was_not_flushed_is_flushed_before_it_is_readable() -> None:
    settings = {"ottla.flush": "ack"}
    house = House(settings=settings)
    house.create("t")
    append(house, "t")
    again = House(house.disk.copy(), shutdown=Shutdown.KILLED, settings=settings, image=house.image)
    assert again.leader("t").high_watermark == 0
    assert flushes(again.started) == [("t", 0)]
    again.flush(again.started)
    assert again.leader("t").high_watermark == 1


def test_settings_that_ask_for_the_disk_hold_from_the_next_append_on(house: House) -> None:
    house.create("t")
    append(house, "t")
    assert flushes(house.configure("t", {"flush.messages": "1"})) == [("t", 0)]
    assert house.leader("t").high_watermark == 1  # what was readable stays so


def test_the_outcome_of_a_flush_of_nobody_is_ignored(house: House) -> None:
    house.create("t")
    append(house, "t")
    for partition in (TopicPartition("gone", 0), TopicPartition("t", 5), TopicPartition("t", 0)):
        assert house.table.flushed(partition, 9, NOW_MS) == []
    assert house.leader("t").log.flushed_offset == 0


# --- recurring work --------------------------------------------------------------------------------


def test_checkpoints_are_written_when_they_changed(house: House) -> None:
    house.create("t", 2)
    append(house, "t")
    first = house.write(tick_until(house, NOW_MS + 60_000))
    assert sorted(first) == [LOG_STARTS, RECOVERY_POINTS, HIGH_WATERMARKS]
    marks = parse_offsets("x", house.disk.read_whole(HIGH_WATERMARKS) or b"")
    assert marks == {TopicPartition("t", 0): 1, TopicPartition("t", 1): 0}
    assert house.write(tick_until(house, NOW_MS + 120_000)) == []
    append(house, "t", 1)
    assert house.write(tick_until(house, NOW_MS + 180_000)) == [HIGH_WATERMARKS]


def test_old_segments_go_with_the_retention_round(house: House) -> None:
    size = len(batch(b"x" * 100))
    house.create(
        "t", configs={"internal.segment.bytes": str(size), "retention.bytes": str(2 * size)}
    )
    for _ in range(6):
        append(house, "t", 0, b"x" * 100)
    tick_until(house, NOW_MS + 30_000)
    assert house.leader("t").log.start_offset == 4
    deleted = [name for name in house.disk.names("t-0") if name.endswith(".deleted")]
    assert deleted
    tick_until(house, NOW_MS + 30_000 + DELAY_MS)
    assert not [name for name in house.disk.names("t-0") if name.endswith(".deleted")]


def test_deleted_files_of_an_earlier_process_are_removed_too(house: House) -> None:
    house.create("t")
    append(house, "t")
    disk = house.disk.copy()
    disk.put("t-0/00000000000000000007.log.deleted", b"old")
    again = house.restarted(Shutdown.KILLED, disk=disk)
    tick_until(again, NOW_MS + 30_000 + DELAY_MS)
    assert not [name for name in disk.names("t-0") if name.endswith(".deleted")]


@pytest.mark.parametrize(
    "key", ["log.flush.offset.checkpoint.interval.ms", "log.initial.task.delay.ms"]
)
def test_an_interval_of_0_lets_the_loop_sleep(key: str) -> None:
    house = House(settings={key: "0", "log.retention.check.interval.ms": "1"})
    house.create("t")
    turns = 0
    while house.table.next_ms() is not None and house.now_ms < NOW_MS + 1000:
        house.now_ms = house.table.next_ms() or 0
        house.table.tick(house.now_ms)
        turns += 1
    assert turns <= 105


@pytest.mark.interpreted
def test_a_round_over_many_partitions_is_cut_into_slices(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.core.replica.table._RETENTION_SLICE", 10)
    size = len(batch(b"x" * 100))
    house.create(
        "t", 35, configs={"internal.segment.bytes": str(size), "retention.bytes": str(size)}
    )
    for number in range(35):
        for _ in range(2):
            append(house, "t", number, b"x" * 100)

    def done() -> int:
        return sum(house.leader("t", number).log.start_offset > 0 for number in range(35))

    seen = []
    house.now_ms += 30_000
    for _ in range(4):
        house.table.tick(house.now_ms)
        seen.append(done())
        next_ms = house.table.next_ms()
        assert next_ms is not None
        house.now_ms = next_ms
    assert seen == [10, 20, 30, 35]


def test_silent_producers_are_forgotten(house: House) -> None:
    house.create("t")
    leader = house.leader("t")
    valid = validate_untrusted(
        batch(producer_id=5, producer_epoch=0, base_sequence=0),
        api_version=9,
        now_ms=NOW_MS,
        settings=leader.policy.checks,
    )
    assert isinstance(valid, ValidBatch)
    leader.append(valid, NOW_MS)
    house.table.appended(leader, NOW_MS)
    tick_until(house, NOW_MS + 80_000_000)
    assert list(leader.log.producers.producers) == [5]
    tick_until(house, NOW_MS + 90_000_000)
    assert list(leader.log.producers.producers) == []


def test_a_disk_that_refuses_recurring_work_stops_nothing(house: House) -> None:
    house.create("t")
    house.create("u")
    house.delete("u")
    house.disk.fail_in(1, stays_broken=True)
    tick_until(house, NOW_MS + 400_000)
    house.disk.mend()
    assert isinstance(house.table.leader("t", 0), Leader)
    assert house.table.next_ms() is not None


@pytest.mark.parametrize("step", range(1, 40))
def test_a_disk_that_fails_at_any_step_leaves_a_table_that_can_be_used(step: int) -> None:
    house = House()
    house.create("a", 2)
    append(house, "a")
    house.disk.fail_in(step, changes_only=True)
    house.create("b", 2)
    house.delete("a")
    house.create("a", topic_id=topic_id_of(50))
    for topic in ("a", "b"):
        found = house.table.leader(topic, 0)
        if isinstance(found, Leader):
            append(house, topic)
        else:
            assert found is ErrorCode.KAFKA_STORAGE_ERROR
    house.disk.mend()
    house.check_invariants()
    again = house.restarted(Shutdown.KILLED)
    for topic in ("a", "b"):
        before, after = house.table.leader(topic, 0), again.leader(topic)
        if isinstance(before, Leader):
            assert after.log.end_offset == before.log.end_offset
