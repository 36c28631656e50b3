"""The process ends, or the power goes, at every call of a compaction: before it or after it, never in between."""

from random import Random
from typing import Final

import pytest

from ottla import probe
from ottla.core.log.compaction import Compaction, Sync
from ottla.core.log.dirty import cleanable
from ottla.core.log.log import Log, Shutdown
from ottla.core.log.offset_map import OffsetMap
from ottla.sim.disk import ProcessEnds, SimDisk
from tests.unit.core.log.building import DIRECTORY, NOW_MS, append
from tests.unit.core.log.compacting import COMPACTED, keyed, latest

SETTINGS: Final = COMPACTED._replace(segment_bytes=600, index_interval_bytes=100)
Content = list[tuple[int, int, bytes]]


class World:
    """A log with a dirty part, some of it not yet flushed, and what it was known to hold."""

    def __init__(self, seed: int) -> None:
        chance = Random(seed)
        self.disk = SimDisk(lambda: NOW_MS)
        self.log = opened(self.disk, Shutdown.CLEAN, 0, None)
        self.disk.sync([], DIRECTORY)
        for at in range(40):
            value = None if chance.random() < 0.2 else b"%d" % at
            key = b"k%d" % chance.randrange(6)
            append(self.log, keyed((key, value), (b"j%d" % (at % 8), b"x" * 30)))
            if at == 20:
                self.flush()
        self.model = latest(self.log)
        self.recovery_point = self.log.recovery_point

    def flush(self) -> None:
        request = self.log.flush_request()
        assert request is not None
        self.disk.sync(request.files, request.directory)
        self.log.flushed(request.end_offset)

    def compact(self, contents: list[Content] | None = None) -> None:
        """One round; `contents` collects what the log holds after each step that changes it."""
        found = cleanable(self.log, self.log.end_offset, NOW_MS)
        assert found is not None
        compaction = Compaction(
            self.disk, self.log, found, OffsetMap(1 << 20, 0.9, found.offset_count), NOW_MS
        )
        compaction.step_cost = 1
        for step in compaction.steps():
            if isinstance(step, Sync):
                self.disk.sync(step.files, step.directory)
            if contents is not None:
                content = content_of(self.log)
                if not contents or contents[-1] != content:
                    contents.append(content)
        self.log.cleaned_offset = compaction.cleaned_offset


def opened(disk: SimDisk, shutdown: Shutdown, recovery_point: int, cleaned: int | None) -> Log:
    return Log.open(
        disk,
        DIRECTORY,
        settings=SETTINGS,
        now_ms=NOW_MS,
        shutdown=shutdown,
        recovery_point=recovery_point,
        log_start=0,
        jitter_ms=0,
        cleaned_offset=cleaned,
    )


def content_of(log: Log) -> Content:
    return [
        (batch.base_offset, batch.record_count, bytes(batch.data or b""))
        for batch in log.batches(0, log.end_offset)
    ]


def all_contents(seed: int) -> list[Content]:
    world = World(seed)
    contents = [content_of(world.log)]
    world.compact(contents)
    return contents


def calls_of_a_round(seed: int) -> int:
    world = World(seed)
    before = world.disk.changes
    world.compact()
    return world.disk.changes - before


def crashed(seed: int, call: int, torn_percent: int) -> World:
    world = World(seed)
    world.disk.fuse.crash_in = call
    world.disk.fuse.torn_percent = torn_percent
    with pytest.raises(ProcessEnds):
        world.compact()
    world.disk.fuse.ended = False
    return world


def check(disk: SimDisk, shutdown: Shutdown, recovery_point: int) -> Log:
    """Recovery works, leaves nothing over, and is done."""
    log = opened(disk, shutdown, recovery_point, 0)
    log.check_invariants()
    names = disk.names(DIRECTORY)
    assert not [name for name in names if name.endswith((".cleaned", ".swap", ".deleted"))]
    disk.end_process()
    disk.fuse.ended = False
    again = opened(disk, shutdown, recovery_point, 0)
    assert content_of(again) == content_of(log)
    return again


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_at_any_call_leaves_one_of_the_states_on_the_way(seed: int) -> None:
    contents = all_contents(seed)
    assert len(contents) > 3
    calls = calls_of_a_round(seed)
    for call in range(1, calls + 1):
        world = crashed(seed, call, torn_percent=50)
        world.disk.end_process()
        world.disk.fuse.ended = False
        log = check(world.disk, Shutdown.KILLED, world.recovery_point)
        assert content_of(log) in contents, call
        assert latest(log) == world.model


def below(content: Content, offset: int) -> Content:
    return [batch for batch in content if batch[0] < offset]


def power_cuts(seed: int, recoveries: int) -> None:
    """What was flushed is as it was before or after a swap; of the rest, what is there is whole."""
    contents = all_contents(seed)
    known = {batch for content in contents for batch in content}
    calls = calls_of_a_round(seed)
    for call in range(1, calls + 1):
        for turn in range(recoveries):
            world = crashed(seed, call, torn_percent=50)
            world.disk.lose_power(Random(seed * 1000 + call * 10 + turn))
            world.disk.fuse.ended = False
            log = check(world.disk, Shutdown.POWER_LOST, world.recovery_point)
            found = content_of(log)
            assert log.end_offset >= world.recovery_point, call
            flushed = below(found, world.recovery_point)
            assert flushed in [below(one, world.recovery_point) for one in contents], call
            assert set(found) <= known, call


@pytest.mark.parametrize("seed", range(2))
def test_a_power_cut_at_any_call_takes_nothing_that_was_flushed(seed: int) -> None:
    power_cuts(seed, 3)


def test_a_power_cut_after_the_round_takes_nothing_that_was_flushed() -> None:
    contents = all_contents(0)
    for turn in range(30):
        world = World(0)
        world.compact()
        world.disk.lose_power(Random(turn))
        world.disk.fuse.ended = False
        log = check(world.disk, Shutdown.POWER_LOST, world.recovery_point)
        found = below(content_of(log), world.recovery_point)
        assert found in [below(one, world.recovery_point) for one in contents]


@pytest.mark.parametrize("mutant", ["M38-swap-without-sync", "M38-swap-undone"])
def test_a_swap_that_is_not_safe_is_noticed(mutant: str) -> None:
    probe.breed(mutant)
    try:
        with pytest.raises(AssertionError):
            power_cuts(0, 6)
    finally:
        probe.breed()
