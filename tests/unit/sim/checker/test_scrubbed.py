"""The last look at a disk finds what was flipped, and nothing else."""

import pytest

from ottla.sim.checker.scrubbed import scrubbed
from ottla.sim.disk import SimDisk
from ottla.sim.script import parse_plan
from ottla.sim.world import World

PLAN = """
seed 3
heal 500000 stop
client 0 administrator
client 1 producer
at 1000 client 0 create topic=t count=1 configs=internal.segment.bytes:300,index.interval.bytes:0
at 50000 client 1 send topic=t count=3 size_bytes=60
at 60000 client 1 send topic=t count=3 size_bytes=60
at 70000 client 1 send topic=t count=3 size_bytes=60
at 80000 client 1 send topic=t count=3 size_bytes=60
"""
LOG = "t-0/00000000000000000000.log"
INDEX = "t-0/00000000000000000000.index"


@pytest.fixture
def disk() -> SimDisk:
    world = World(parse_plan(PLAN))
    assert world.run().broken == []
    return world.processes[0].disk


def test_what_a_world_leaves_is_sound(disk: SimDisk) -> None:
    assert scrubbed(disk) == []


@pytest.mark.parametrize("path", [LOG, INDEX])
def test_what_was_flipped_is_found(disk: SimDisk, path: str) -> None:
    disk.flip(path, 8 * 70)
    assert scrubbed(disk) == []


def test_a_finding_where_nothing_was_flipped_is_wrong(disk: SimDisk) -> None:
    inode = dict(disk.inodes())[LOG]
    inode.data[70] ^= 1
    assert "the scrub finds" in scrubbed(disk)[0]


def test_damage_that_is_not_found_is_wrong(disk: SimDisk) -> None:
    inode = dict(disk.inodes())[LOG]
    inode.flipped[70] = (inode.data[70], 0)
    assert "the scrub does not find" in scrubbed(disk)[0]


def test_the_front_of_the_very_last_batch_is_excused(disk: SimDisk) -> None:
    last = max(path for path, inode in disk.inodes() if path.endswith(".log") and path[:2] == "t-")
    disk.flip(last, 8 * 8)
    assert scrubbed(disk) == []
