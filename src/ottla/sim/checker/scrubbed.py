"""What a world leaves on its disk is sound, and where a bit was flipped, `ottla log verify` finds it.

The scrub that the command runs (`core/log/scrub.py`) goes over the directories of all partitions
after the last clean stop. Every file in which a flipped bit stands has to be named, or to lie beside
one that is; nothing else may be.

Three kinds of damage are excused, because nothing tells them from what is right: in the front of a
log's very last batch; in a base offset or a leader epoch, which no checksum covers; and in an offset
of an index that was made larger, as Kafka's followers index a run of batches by its last offset. A recovery
may have believed such an epoch: of a partition that was struck, only damage that stands is judged.

Source: ADR 13. Elsewhere: that nothing damaged is served, `unchanged.py`.
"""

from collections import defaultdict
from collections.abc import Collection
from typing import Final

from ottla.core.log.scrub import scrub
from ottla.core.replica.directory import partition_of
from ottla.sim.disk import SimDisk
from ottla.types import TopicPartition

_FRONT_BYTES: Final = 17  # what the checksum does not cover
_LENGTH_AT: Final = 8
_LENGTH_END: Final = 12
_MAGIC_AT: Final = 16
_ENTRY_BYTES: Final = 8  # of an offset index: offset, position
_OFFSET_BYTES: Final = 4
_OF_SEGMENTS: Final = (".log", ".index", ".timeindex", ".snapshot")


def scrubbed(disk: SimDisk, struck: Collection[TopicPartition] = ()) -> list[str]:
    """What is wrong with the disk, or with what the scrub says of it. `struck`: bits of these
    partitions were flipped, whether or not they still stand."""
    found = disk.twin()
    damage: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for path, places in disk.damage().items():
        directory, _, name = path.partition("/")
        if name.endswith(_OF_SEGMENTS):
            damage[directory][name] = places
    problems = []
    for directory in found.names(""):
        partition = partition_of(directory)
        if partition is not None and (partition not in struck or directory in damage):
            problems += _one(found, directory, damage.get(directory, {}))
    return problems


def _one(disk: SimDisk, directory: str, damaged: dict[str, list[int]]) -> list[str]:
    findings = scrub(disk, directory).findings
    if not damaged:
        return [
            f"the scrub finds {one.path} position {one.position}: {one.problem}" for one in findings
        ]
    if not any(name.endswith(".log") for name in damaged):
        named = {one.path.rpartition("/")[2] for one in findings}
        strange = [one for one in findings if one.path.rpartition("/")[2] not in damaged]
        problems = [f"the scrub finds {one.path}: {one.problem}" for one in strange]
    else:
        problems = []  # one damaged segment makes its neighbors and its indexes look wrong
        named = {one.path.rpartition("/")[2] for one in findings}
    logs = [name for name in disk.names(directory) if name.endswith(".log")]
    for name, places in damaged.items():
        is_last = name[:20] == logs[-1][:20]
        if name in named or (is_last and not name.endswith(".log")):
            continue
        if findings and name.endswith(".log"):
            continue
        if name.endswith(".index") and all(
            place % _ENTRY_BYTES < _OFFSET_BYTES for place in places
        ):
            continue
        if name.endswith(".log"):
            data = disk.read_whole(f"{directory}/{name}") or b""
            if all(place in _excused(data, is_last=is_last) for place in places):
                continue
        problems.append(f"the scrub does not find {directory}/{name} {places}")
    return problems


def _excused(data: bytes, *, is_last: bool) -> set[int]:
    """The bytes of a segment that may be damaged without anybody seeing it."""
    at = last = 0
    excused: set[int] = set()
    while at + _FRONT_BYTES <= len(data):
        length = int.from_bytes(data[at + _LENGTH_AT : at + _LENGTH_END], "big", signed=True)
        last = at
        excused.update(range(at, at + _LENGTH_AT))
        excused.update(range(at + _LENGTH_END, at + _MAGIC_AT))
        if length <= 0 or at + _LENGTH_END + length > len(data):
            break
        at += _LENGTH_END + length
    if is_last:
        excused.update(range(last, len(data)))
    return excused
