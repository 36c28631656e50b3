"""When a broker compacts its logs, and everything that may come in between."""

import errno
import logging
from collections.abc import Mapping

import pytest
from tests.unit.core.log.compacting import latest
from tests.unit.core.replica.house import NOW_MS, House
from tests.unit.fakes.disk import MemoryDisk

from ottla.core.effect import COMPACTION, Effect, Flush
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import Image
from ottla.core.replica.leader import Leader
from ottla.errors import ErrorCode
from ottla.record.batch import header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.validate import ValidBatch

CHECKPOINT = "cleaner-offset-checkpoint"
COMPACTED = {
    "cleanup.policy": "compact",
    "internal.segment.bytes": "500",
    "min.cleanable.dirty.ratio": "0.1",
}


class CompactingHouse(House):
    """A house whose shell performs what compaction asks for, at once unless `holding`."""

    def __init__(
        self, disk: MemoryDisk | None = None, *, image: Image | None = None, **settings: str
    ) -> None:
        given = {name.replace("_", "."): text for name, text in settings.items()}
        super().__init__(disk, settings={"log.cleaner.backoff.ms": "100", **given}, image=image)
        self.holding = False
        self.held: list[Flush] = []
        self.flushed = 0

    def write_keys(self, name: str, count: int = 30, keys: int = 3) -> None:
        leader = self.leader(name)
        for at in range(count):
            builder = BatchBuilder()
            builder.append(self.now_ms, b"k%d" % (at % keys), b"%d" % at + b"v" * 50)
            header = header_untrusted(memoryview(builder.build()))
            leader.append(ValidBatch(header, self.now_ms, 0), self.now_ms)
        self.perform(self.table.appended(leader, self.now_ms))

    def perform(self, effects: list[Effect]) -> None:
        self.write(effects)
        for effect in effects:
            if not isinstance(effect, Flush):
                continue
            if effect.partition == COMPACTION and self.holding:
                self.held.append(effect)
                continue
            self.disk.sync(effect.files, effect.directory)  # type: ignore[arg-type]
            self.flushed += 1
            if effect.partition == COMPACTION:
                self.perform(self.table.compaction_flushed(effect.end_offset, self.now_ms))
            else:
                self.perform(self.table.flushed(effect.partition, effect.end_offset, self.now_ms))

    def release(self) -> None:
        self.holding = False
        for flush in self.held:
            self.disk.sync(flush.files, flush.directory)  # type: ignore[arg-type]
            self.perform(self.table.compaction_flushed(flush.end_offset, self.now_ms))

    def pass_time(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while (due_ms := self.table.next_ms()) is not None and due_ms <= end_ms:
            self.now_ms = max(self.now_ms, due_ms)
            self.perform(self.table.tick(self.now_ms))
        self.now_ms = end_ms

    def half_way(self, name: str = "t") -> Leader:
        """A log with a part rewritten that waits for its flush."""
        self.create(name, configs=COMPACTED)
        self.write_keys(name)
        self.holding = True
        self.pass_time(200)
        assert self.left_over(name)
        return self.leader(name)

    def left_over(self, name: str = "t") -> list[str]:
        names = self.disk.names(f"{name}-0")
        return [one for one in names if one.endswith((".cleaned", ".swap"))]


@pytest.fixture
def house() -> CompactingHouse:
    return CompactingHouse()


def values(leader: Leader) -> Mapping[bytes, bytes]:
    return latest(leader.log)


def test_a_log_is_compacted_when_enough_of_it_is_dirty(house: CompactingHouse) -> None:
    house.create("t", configs=COMPACTED)
    house.create("plain", configs={**COMPACTED, "cleanup.policy": "delete"})
    house.write_keys("t")
    house.write_keys("plain")
    before, plain = values(house.leader("t")), house.leader("plain").log.size_bytes
    size_bytes = house.leader("t").log.size_bytes
    house.pass_time(90)
    assert house.leader("t").log.size_bytes == size_bytes
    house.pass_time(1000)
    log = house.leader("t").log
    assert log.size_bytes < size_bytes / 3
    assert values(house.leader("t")) == before
    assert log.cleaned_offset == log.segments[-1].base_offset
    assert house.disk.read_whole(CHECKPOINT) == b"0\n1\nt 0 %d\n" % log.cleaned_offset
    assert house.leader("plain").log.size_bytes == plain
    house.check_invariants()


def test_what_is_clean_is_known_after_a_restart(house: CompactingHouse) -> None:
    house.create("t", configs=COMPACTED)
    house.write_keys("t")
    house.pass_time(1000)
    cleaned = house.leader("t").log.cleaned_offset
    for shutdown in (Shutdown.KILLED, Shutdown.POWER_LOST):
        again = house.restarted(shutdown)
        assert again.leader("t").log.cleaned_offset == cleaned
        assert values(again.leader("t")) == values(house.leader("t"))
    house.stop()
    again = house.restarted(Shutdown.CLEAN)
    assert again.leader("t").log.cleaned_offset == cleaned


def test_files_that_were_replaced_go_after_their_delay(house: CompactingHouse) -> None:
    house.create("t", configs={**COMPACTED, "file.delete.delay.ms": "5000"})
    house.write_keys("t")
    house.pass_time(1000)
    assert [name for name in house.disk.names("t-0") if name.endswith(".deleted")]
    house.pass_time(6000)
    assert not [name for name in house.disk.names("t-0") if name.endswith(".deleted")]


def test_nothing_is_compacted_where_it_is_switched_off() -> None:
    house = CompactingHouse(log_cleaner_enable="false")
    house.create("t", configs=COMPACTED)
    house.write_keys("t")
    house.pass_time(5000)
    assert house.leader("t").log.cleaned_offset is None
    assert house.disk.read_whole(CHECKPOINT) is None


def test_the_filthiest_log_is_first(house: CompactingHouse) -> None:
    for name in ("a", "b"):
        house.create(name, configs=COMPACTED)
        house.write_keys(name, keys=30)
    house.pass_time(1000)
    house.write_keys("a", 15)
    house.write_keys("b", 60)
    known = house.leader("a").log.cleaned_offset
    house.holding = True
    house.pass_time(200)
    assert house.left_over("b")
    house.release()
    assert house.leader("a").log.cleaned_offset == known
    house.pass_time(1000)
    assert house.leader("a").log.cleaned_offset != known


def test_reading_and_writing_is_throttled() -> None:
    house = CompactingHouse(log_cleaner_io_max_bytes_per_second="1000.0")
    house.create("t", configs=COMPACTED)
    house.write_keys("t", 60)
    size_bytes = house.leader("t").log.size_bytes
    house.pass_time(2 * size_bytes - 1000)
    assert house.leader("t").log.cleaned_offset == 0
    house.pass_time(2 * size_bytes)
    assert house.leader("t").log.cleaned_offset != 0


def test_it_pauses_beside_requests_and_hurries_when_nobody_asks(house: CompactingHouse) -> None:
    house.create("t", configs={**COMPACTED, "internal.segment.bytes": "100000"})
    house.write_keys("t", 5_000)
    now_ms = house.now_ms + 100  # `log.cleaner.backoff.ms`
    pauses = {}
    for is_asked, steps in ((True, 50), (False, 150)):
        pauses[is_asked] = rests = []
        for _ in range(steps):
            house.table.is_busy = is_asked
            house.perform(house.table.tick(now_ms))
            due_ms = house.table.next_ms()
            assert due_ms is not None
            rests.append(due_ms >= now_ms)
    assert house.leader("t").log.cleaned_offset == 0, "the round is under way"
    assert all(pauses[True])
    assert all(pauses[False][:99])
    assert not any(pauses[False][100:])


def test_a_wait_of_0_does_not_keep_the_loop_busy() -> None:
    house = CompactingHouse(log_cleaner_backoff_ms="0")
    ticks = 0
    while (due_ms := house.table.next_ms()) is not None and due_ms <= NOW_MS + 1000:
        ticks += 1
        house.perform(house.table.tick(due_ms))
    assert ticks <= 101


# In between


def test_a_topic_may_be_deleted_meanwhile(house: CompactingHouse) -> None:
    house.half_way()
    house.perform(house.delete("t"))
    house.release()
    house.pass_time(1000)
    house.create("t", configs=COMPACTED)
    assert house.leader("t").log.cleaned_offset is None
    house.write_keys("t")
    house.pass_time(1000)
    assert house.leader("t").log.cleaned_offset
    house.pass_time(100_000)
    assert [name for name in house.disk.names("") if name.endswith("-delete")] == []


def test_a_topic_may_no_longer_want_it_meanwhile(house: CompactingHouse) -> None:
    leader = house.half_way()
    before = leader.log.size_bytes
    house.perform(house.configure("t", {**COMPACTED, "cleanup.policy": "delete"}))
    house.release()
    house.pass_time(1000)
    assert leader.log.size_bytes == before
    assert house.left_over() == []
    house.perform(house.configure("t", {**COMPACTED, "cleanup.policy": "compact,delete"}))
    house.pass_time(1000)
    assert leader.log.size_bytes < before


def test_records_may_be_deleted_meanwhile(house: CompactingHouse) -> None:
    leader = house.half_way()
    before = values(leader)
    leader.log.truncate_prefix(12)
    leader.log.retire(house.now_ms, leader.high_watermark)
    house.release()
    house.pass_time(1000)
    assert house.left_over() == []
    assert leader.log.start_offset == 12
    assert leader.log.cleaned_offset == leader.log.segments[-1].base_offset
    assert values(leader) == before
    leader.log.check_invariants()


def test_retention_goes_on_in_a_log_that_is_compacted(house: CompactingHouse) -> None:
    house.create("t", configs={**COMPACTED, "cleanup.policy": "compact,delete"})
    house.write_keys("t", keys=30)
    house.pass_time(1000)
    house.now_ms += 8 * 86_400_000
    house.write_keys("t", keys=30)
    house.pass_time(1000)
    leader = house.leader("t")
    assert leader.log.start_offset >= 30
    assert len(values(leader)) == 30
    house.check_invariants()


def test_a_stop_meanwhile_leaves_nothing_over(house: CompactingHouse) -> None:
    leader = house.half_way()
    before = values(leader)
    house.stop()
    assert house.left_over() == []
    assert values(house.restarted(Shutdown.CLEAN).leader("t")) == before


def test_a_kill_meanwhile_is_undone_at_the_next_start(house: CompactingHouse) -> None:
    leader = house.half_way()
    before = values(leader)
    again = house.restarted(Shutdown.KILLED)
    assert values(again.leader("t")) == before
    assert not [name for name in again.disk.names("t-0") if name.endswith(".cleaned")]


# The disk


def test_a_disk_that_refuses_is_asked_again(
    house: CompactingHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house.create("t", configs=COMPACTED)
    house.write_keys("t")
    house.pass_time(99)
    house.disk.fail_in(6, changes_only=True)  # behind the checkpoint of the beginning
    house.pass_time(20)
    assert not house.disk.failure_pending
    assert "compaction failed and is tried again" in caplog.text
    assert house.left_over() == []
    assert house.leader("t").error is None
    house.disk.mend()
    house.pass_time(1000)
    assert house.leader("t").log.cleaned_offset


def test_a_swap_that_fails_half_way_takes_the_directory_offline(house: CompactingHouse) -> None:
    leader = house.half_way()
    before = values(leader)
    house.holding = False
    disk = house.disk
    rename = disk.rename

    def refuses(old: str, new: str) -> None:
        if new.endswith(".deleted"):
            raise OSError(errno.EIO, "the disk refuses rename", old)
        rename(old, new)

    disk.rename = refuses  # type: ignore[method-assign]
    house.release()
    assert house.table.is_offline
    assert leader.error is ErrorCode.KAFKA_STORAGE_ERROR
    assert house.table.next_ms() is None
    again = house.restarted(Shutdown.KILLED)
    assert values(again.leader("t")) == before
    assert not [name for name in again.disk.names("t-0") if name.endswith(".swap")]


def test_a_damaged_log_is_left_alone_and_others_go_on(
    house: CompactingHouse, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("bad", "good"):
        house.create(name, configs=COMPACTED)
        house.write_keys(name, 60 if name == "bad" else 30)
    path = house.leader("bad").log.segments[0].path()
    data = bytearray(house.disk.files()[path])
    data[70] ^= 1
    house.disk._contents[path].data[:] = data
    with caplog.at_level(logging.WARNING):
        house.pass_time(5000)
    told = [one for one in caplog.records if "not compacted until" in one.getMessage()]
    assert len(told) == 1
    assert house.leader("bad").log.cleaned_offset == 0
    assert house.left_over("bad") == []
    assert house.leader("good").log.cleaned_offset


def test_a_new_rate_holds_at_once_for_what_was_read_at_the_old_one() -> None:
    house = CompactingHouse(log_cleaner_io_max_bytes_per_second="1.0")
    house.create("t", configs=COMPACTED)
    house.write_keys("t", 60)
    house.pass_time(30_000)
    begun = house.table.next_ms()
    assert house.leader("t").log.cleaned_offset == 0
    faster = CompactingHouse(log_cleaner_io_max_bytes_per_second="1000000.0").settings
    house.perform(house.table.obey(faster, house.image, house.now_ms))
    assert begun is not None
    assert begun > house.now_ms + 1_000, "the old rate would have waited"
    house.pass_time(1_000)
    assert house.leader("t").log.cleaned_offset != 0


def test_new_settings_take_no_step_before_its_flush(house: CompactingHouse) -> None:
    house.create("t", configs=COMPACTED)
    house.write_keys("t", 60)
    house.holding = True
    house.pass_time(1_000)
    assert house.held
    before = len(house.held), house.left_over("t")
    house.perform(house.table.obey(house.settings, house.image, house.now_ms))
    house.pass_time(60_000)
    assert (len(house.held), house.left_over("t")) == before
    house.release()
    house.pass_time(1_000)
    assert house.leader("t").log.cleaned_offset


def test_a_longer_wait_between_two_looks_is_obeyed(house: CompactingHouse) -> None:
    house.create("t", configs=COMPACTED)
    slow = CompactingHouse(log_cleaner_backoff_ms="100000").settings
    house.perform(house.table.obey(slow, house.image, house.now_ms))
    house.pass_time(200)
    house.write_keys("t")
    house.pass_time(90_000)
    assert house.leader("t").log.cleaned_offset is None
    house.pass_time(20_000)
    assert house.leader("t").log.cleaned_offset


def test_an_offset_of_a_log_that_is_gone_does_not_stay_on_record(house: CompactingHouse) -> None:
    house.create("t", configs=COMPACTED)
    house.write_keys("t")
    house.pass_time(1000)
    house.disk.remove_tree("t-0")
    again = CompactingHouse(house.disk, image=house.image)
    assert again.leader("t").log.cleaned_offset is None
    again.pass_time(120_000)
    assert again.disk.read_whole(CHECKPOINT) == b"0\n0\n"
