"""A partition is in exactly one log directory, the one that everybody names, and goes where it is sent.

Whoever describes the directories sees every partition once, and a copy of it at most once, elsewhere.
Once everything is healed and calm, no copy is left under way; what is described is what stands on
the disks, under the partition's name in one directory alone, and what the metadata says. A move that
was accepted is under way or done, as long as nothing happens to the node.

Source: KIP-113, KIP-858. Elsewhere: that a move loses no record, `kept.py` and `unchanged.py`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ottla.broker.node import Node
from ottla.core.log.checkpoint import PARTITION_METADATA
from ottla.core.metadata.partition import MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY
from ottla.core.metadata.records import DIRECTORIES_SINCE
from ottla.sim.checker.inside import leaders
from ottla.sim.checker.ledger import Ledger
from ottla.sim.checker.verdict import Violation
from ottla.sim.disk import SimDisk
from ottla.sim.history import (
    Create,
    Delete,
    FaultMark,
    LifeMark,
    Listing,
    MoveAsked,
    Outcome,
    PlacesSeen,
)

PROMISE: Final = "a partition is in one place"

Place = tuple[str, int]

_NEVER: Final = 1 << 62
_UNSAID: Final = (MIGRATING_DIRECTORY, UNASSIGNED_DIRECTORY)


def check(ledger: Ledger) -> Iterator[Violation]:
    moves = _Moves(ledger)
    listed: Listing | None = None
    for entry in ledger.history.entries:
        if isinstance(entry, Listing) and entry.final and entry.outcome is Outcome.OK:
            listed = entry
        if not isinstance(entry, PlacesSeen) or entry.outcome is not Outcome.OK:
            continue
        for text in _seen(entry):
            yield Violation(PROMISE, entry.ended_us, text)
        for text in moves.disobeyed(entry):
            yield Violation(PROMISE, entry.ended_us, text)
        if entry.final and listed is not None:
            for name, seen in listed.topics.items():
                for number in range(0 if seen.leaderless else seen.partitions):
                    if (name, number) not in entry.places and (name, number) not in ledger.flipped:
                        text = f"{name}-{number} is described in no log directory"
                        yield Violation(PROMISE, entry.ended_us, text)


def _seen(seen: PlacesSeen) -> Iterator[str]:
    for (name, number), paths in seen.places.items():
        if len(paths) > 1:
            yield f"{name}-{number} is described in {' and '.join(paths)}"
    for key, paths in seen.coming.items():
        where = f"{key[0]}-{key[1]}"
        if len(paths) > 1:
            yield f"{where} is on its way to {' and '.join(paths)}"
        if paths == seen.places.get(key):
            yield f"{where} is in {paths[0]} and on its way there"


class _Moves:
    """The moves that were asked for, and when nobody can say what came of them."""

    __slots__ = ("_by_place", "_quiet_until_us", "_topics_changed", "_troubles_us")

    def __init__(self, ledger: Ledger) -> None:
        self._by_place: dict[Place, list[MoveAsked]] = {}
        self._topics_changed: dict[str, list[Create | Delete]] = {}
        for entry in ledger.history.entries:
            if isinstance(entry, MoveAsked):
                self._by_place.setdefault((entry.topic, entry.partition), []).append(entry)
            elif isinstance(entry, Create | Delete):
                self._topics_changed.setdefault(entry.topic, []).append(entry)
        marks = ledger.history.marks
        faults_us = (mark.t_us for mark in marks if isinstance(mark, FaultMark))
        self._quiet_until_us = min(faults_us, default=_NEVER)
        self._troubles_us = [mark.t_us for mark in marks if isinstance(mark, LifeMark)]

    def disobeyed(self, seen: PlacesSeen) -> Iterator[str]:
        if seen.ended_us >= self._quiet_until_us:
            return
        for key, moves in self._by_place.items():
            done = [one for one in moves if one.outcome is Outcome.OK]
            last = max(done, key=lambda one: one.ended_us, default=None)
            if last is None or last.ended_us > seen.asked_us:
                continue
            since_us, until_us = last.asked_us, seen.ended_us
            others: list[MoveAsked | Create | Delete] = [one for one in moves if one is not last]
            others += self._topics_changed.get(key[0], ())
            if any(_overlaps(one.asked_us, one.ended_us, since_us, until_us) for one in others):
                continue
            if any(since_us <= t_us <= until_us for t_us in self._troubles_us):
                continue
            if last.path not in (*seen.places.get(key, ()), *seen.coming.get(key, ())):
                yield f"{key[0]}-{key[1]} was to move to {last.path}, and neither is nor goes there"


def _overlaps(asked_us: int, ended_us: int, since_us: int, until_us: int) -> bool:
    return asked_us <= until_us and (ended_us < 0 or ended_us >= since_us)


def disagreeing(node: Node) -> list[str]:
    """Partitions that the metadata puts elsewhere, once there is nothing to be told any more."""
    image = node.current.image
    if image.metadata_version < DIRECTORIES_SINCE:
        return []
    problems = []
    for leader in leaders(node):
        topic = image.topics[leader.partition.topic]
        named = topic.partitions[leader.partition.partition].directory_of(node.node_id)
        lives = node.replicas.dirs[leader.log_dir]
        if named is None or named in _UNSAID:
            continue
        if named != lives.directory_id:
            problems.append(
                f"{leader.partition.topic}-{leader.partition.partition} is in {lives.path}; the "
                f"metadata says {named.hex()}"
            )
    return problems


def misplaced(disks: Iterable[SimDisk], places: Mapping[Place, list[str]]) -> list[str]:
    """Partitions that do not stand where the last look has seen them, or elsewhere as well.

    A directory of the same name that was of a topic deleted while it could not be read is left to
    the next start.
    """
    by_path = {disk.path: disk for disk in disks}
    problems = []
    for (name, number), described in places.items():
        directory = f"{name}-{number}"
        metadata = f"{directory}/{PARTITION_METADATA}"
        whose = {by_path[path].read_whole(metadata) for path in described}
        found = [
            path
            for path, disk in by_path.items()
            if disk.names(directory) and disk.read_whole(metadata) in whose
        ]
        if found != described:
            problems.append(
                f"{name}-{number} was described in {' and '.join(described)}, stands in "
                f"{' and '.join(found) or 'no directory'}"
            )
    return problems
