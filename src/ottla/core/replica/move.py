"""A partition moves to another log directory while it is served.

A copy grows in the target under a name that ends in `-future`, piece by piece, until it has nearly
caught up and is on the disk; then the metadata log is told the new place; then the rest follows, the
copy gets the partition's name, and appends go there. What stood in the old place is deleted when the
new one is surely on its disk.

Promises: whenever the process or the machine stops, one directory has everything that was
acknowledged, and it is the one that the next start takes: before the copy has the partition's name,
the old one alone has it; afterwards the one that the metadata names. For that, the copy is on its
disk as far as the high watermark when it gets its name: while the last flush is under way, the old
log is not flushed, so that nothing more is acknowledged where an acknowledgment waits for the disk.

A move that does not succeed (a disk refuses, the partition is deleted) leaves the partition where it
was. One that a stop interrupts begins anew at the next start; one that had to wait for others until
then is forgotten.

Source: KIP-113, KIP-858. Elsewhere: who asks, `broker/handle/alter_replica_log_dirs.py`; which
directory is believed, `log_dirs.py`.
"""

import logging
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, final

from ottla.core.deadline import Deadlines
from ottla.core.effect import Effect, Flush
from ottla.core.log.checkpoint import PARTITION_METADATA, format_partition_metadata
from ottla.core.log.log import Log
from ottla.core.log.recovery import Shutdown
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDir, LogDirs
from ottla.core.replica.removal import Removals
from ottla.errors import LocalProtocolError
from ottla.types import TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

_PIECE_BYTES: Final = 1024 * 1024
_PAUSE_MS: Final = 5
_TELL_PAUSE_MS: Final = 1_000
_NOBODY: Final = TopicPartition("", -1)
_ACTIVE_MAX: Final = 4  # of a thousand that are asked for at once
_PIECES_PER_STEP: Final = 4  # when the copy has nearly everything


class Phase(Enum):
    WAITING = auto()  # for others to be done
    COPYING = auto()
    FLUSHING = auto()  # nearly everything is in the copy
    TELLING = auto()  # the metadata log is being told
    DRAINING = auto()  # no new flush of the old log begins; the last is under way
    CLOSING = auto()  # the last flush of the copy
    SWAPPED = auto()  # appends go to the new place; its name is not yet on the disk


@final
class Move:
    __slots__ = ("is_flushing", "leader", "log", "old", "phase", "target")

    def __init__(self, leader: Leader, target: LogDir) -> None:
        self.leader = leader
        self.target = target
        self.log: Log | None = None  # the copy
        self.old = leader.log_dir
        self.phase = Phase.WAITING
        self.is_flushing = False  # the copy, which has not yet taken over

    @property
    def copy(self) -> Log:
        assert self.log is not None, "nothing of it is copied yet"
        return self.log

    @property
    def size_bytes(self) -> int:
        return 0 if self.log is None else self.log.size_bytes

    @property
    def lag(self) -> int:
        """How many offsets the copy lacks."""
        copied = self.leader.log.start_offset if self.log is None else self.log.end_offset
        return self.leader.log.end_offset - copied

    @property
    def is_swapped(self) -> bool:
        return self.phase is Phase.SWAPPED


@final
class Moves:
    """All that are under way: at most one per partition."""

    __slots__ = (
        "_deadlines",
        "_dirs",
        "_moves",
        "_orphans",
        "_removals",
        "_waiting",
        "moved_at_once",
        "released",
        "told",
    )

    def __init__(
        self, dirs: LogDirs, removals: Removals, orphans: set[tuple[TopicPartition, int]]
    ) -> None:
        """`orphans`: (partition, directory) whose flush is under way for nobody; shared."""
        self._dirs = dirs
        self._removals = removals
        self._moves: dict[TopicPartition, Move] = {}
        self._waiting: dict[TopicPartition, None] = {}  # by when they came
        self._deadlines: Deadlines[TopicPartition] = Deadlines()
        self.told: dict[tuple[Uuid, int], Uuid] = {}
        """(topic, partition) -> the directory that the metadata log is to be told."""
        self.moved_at_once: list[Leader] = []
        """Partitions that moved without a flush of the copy at the end: nothing was appended."""
        self.released: list[Leader] = []
        """Partitions that may be flushed again: their move was given up at its end."""
        self._orphans = orphans

    def under_way(self) -> Iterator[Move]:
        return (move for move in self._moves.values() if move.phase is not Phase.SWAPPED)

    def leaving(self) -> Iterator[tuple[int, Leader]]:
        """(the directory it was in, the partition) of those that wait for their last flush."""
        swapped = (one for one in self._moves.values() if one.phase is Phase.SWAPPED)
        return ((one.old, one.leader) for one in swapped)

    def of(self, partition: TopicPartition) -> Move | None:
        return self._moves.get(partition)

    def ask(self, leader: Leader, target: LogDir, now_ms: int) -> None:
        """Move a partition that is elsewhere, as soon as there is room for it."""
        assert leader.log_dir != target.number
        assert leader.partition not in self._moves
        self._moves[leader.partition] = Move(leader, target)
        target.partition_count += 1
        self._waiting[leader.partition] = None
        self._let_next(now_ms)

    def tell_later(self, key: tuple[Uuid, int], directory_id: Uuid, now_ms: int) -> None:
        """The metadata log could not be told; the next tick that this brings is to try again."""
        self.told.setdefault(key, directory_id)
        self._deadlines.set(_NOBODY, now_ms + _TELL_PAUSE_MS)

    def _let_next(self, now_ms: int) -> None:
        if self._waiting and len(self._moves) - len(self._waiting) < _ACTIVE_MAX:
            partition = next(iter(self._waiting))
            del self._waiting[partition]
            self._deadlines.set(partition, now_ms)

    def _begin(self, move: Move, now_ms: int) -> None:
        leader, target = move.leader, move.target
        if (leader.partition, target.number) in self._orphans:
            self._deadlines.set(leader.partition, now_ms + _PAUSE_MS)
            return  # an earlier copy of it is still being flushed
        # Once the metadata names the target, a start must find nothing there but the copy.
        target.directories.make_room(leader.partition)
        directory = target.directories.future_name(leader.partition)
        target.disk.make_directory(directory)
        metadata = f"{directory}/{PARTITION_METADATA}"
        target.disk.write_whole(metadata, format_partition_metadata(leader.topic_id))
        log = Log.open(
            target.disk,
            directory,
            settings=leader.policy.settings,
            now_ms=now_ms,
            shutdown=Shutdown.CLEAN,
            recovery_point=0,
            log_start=_first_batch_offset(leader.log),
            jitter_ms=0,
            cleaned_offset=leader.log.cleaned_offset,
        )
        log.flush_with(metadata)
        move.log = log
        move.phase = Phase.COPYING
        self._deadlines.set(leader.partition, now_ms)
        self._let_next(now_ms)
        logger.info(
            "partition moves",
            extra={
                "partition": leader.partition,
                "to": target.path,
                "bytes": leader.log.size_bytes,
            },
        )

    def cancel(self, partition: TopicPartition, why: str, now_ms: int) -> None:
        """The partition stays where it is, or is deleted; its copy goes."""
        move = self._moves.pop(partition, None)
        if move is None:
            return
        self._deadlines.cancel(partition)
        self._waiting.pop(partition, None)
        self._let_next(now_ms)
        if move.leader.holds_flushes:
            move.leader.holds_flushes = False
            self.released.append(move.leader)
        if move.phase is Phase.SWAPPED:
            self._removals.free_moved(move.leader, move.old, now_ms)
            return
        logger.warning("partition is not moved", extra={"partition": partition, "why": why})
        if move.phase in (Phase.TELLING, Phase.DRAINING, Phase.CLOSING):
            key = (move.leader.topic_id, partition.partition)
            self.told[key] = self._dirs[move.old].directory_id
        if move.is_flushing:
            self._orphans.add((partition, move.target.number))
        move.target.partition_count -= 1
        if move.log is not None:
            self._removals.remove_later(move.log.directory, move.target.number, now_ms)

    def cancel_at(self, log_dir: int, now_ms: int) -> None:
        """The directory is offline: nothing comes from there, nothing goes there."""
        for partition, move in list(self._moves.items()):
            if log_dir in (move.old, move.target.number):
                self.cancel(partition, "a log directory is offline", now_ms)

    def suspend(self) -> None:
        """The process ends: what is not swapped begins anew at the next start."""
        self._waiting.clear()
        for partition, move in list(self._moves.items()):
            if move.phase is not Phase.SWAPPED:
                del self._moves[partition]
                self._deadlines.cancel(partition)
                move.leader.holds_flushes = False

    # --- steps ------------------------------------------------------------------------------------

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for partition in self._deadlines.due(now_ms):
            if partition == _NOBODY:
                continue
            move = self._moves[partition]
            try:
                if move.phase is Phase.WAITING:
                    self._begin(move, now_ms)
                elif move.phase is Phase.DRAINING:
                    effects += self._drained(move, now_ms)
                else:
                    assert move.phase is Phase.COPYING
                    effects += self._copy_on(move, now_ms)
            except (OSError, LocalProtocolError) as error:
                self.cancel(partition, str(error), now_ms)
        return effects

    def _copy_on(self, move: Move, now_ms: int) -> list[Effect]:
        if not _copy(move, 1, now_ms):
            self._deadlines.set(move.leader.partition, now_ms + _PAUSE_MS)
            return []
        move.phase = Phase.FLUSHING
        flush = _flush(move)
        assert flush is not None, "nothing of the copy was ever flushed"
        return [flush]

    def flushed(self, leader: Leader, end_offset: int, number: int, now_ms: int) -> bool:
        """A flush of a copy in directory `number` is done. True: the partition has moved there."""
        move = self._moves.get(leader.partition)
        if move is None or move.target.number != number:
            return False
        move.is_flushing = False
        move.copy.flushed(end_offset)
        if move.phase is Phase.FLUSHING:
            move.phase = Phase.TELLING
            self.told[leader.topic_id, leader.partition.partition] = move.target.directory_id
            return False
        return move.phase is Phase.CLOSING and self._close(move, now_ms)

    def placed(self, partition: TopicPartition, directory_id: Uuid | None, now_ms: int) -> None:
        """What the metadata now says of a partition: the new place is on record."""
        move = self._moves.get(partition)
        if move is None or move.phase is not Phase.TELLING:
            return
        if directory_id == move.target.directory_id:
            move.phase = Phase.DRAINING
            self._deadlines.set(partition, now_ms)

    def _drained(self, move: Move, now_ms: int) -> list[Effect]:
        """Let the old log's flushes end, catch up, and flush the copy for the last time."""
        move.leader.holds_flushes = True
        is_near = _copy(move, _PIECES_PER_STEP, now_ms)
        if move.leader.flushes or not is_near:
            self._deadlines.set(move.leader.partition, now_ms + 1)
            return []
        move.phase = Phase.CLOSING
        flush = _flush(move)
        if flush is not None:
            return [flush]
        if self._close(move, now_ms):
            self.moved_at_once.append(move.leader)
        return []

    def _close(self, move: Move, now_ms: int) -> bool:
        """The copy takes over, unless too much was appended since it was flushed."""
        try:
            if _copy(move, _PIECES_PER_STEP, now_ms):
                self._swap(move, now_ms)
                return True
            move.phase = Phase.DRAINING
            self._deadlines.set(move.leader.partition, now_ms)
        except (OSError, LocalProtocolError) as error:
            self.cancel(move.leader.partition, str(error), now_ms)
        return False

    def _swap(self, move: Move, now_ms: int) -> None:
        leader, target = move.leader, move.target
        copy = move.copy
        aside, name = copy.directory, str(leader.partition)
        copy.close(now_ms)
        target.disk.rename(aside, name)
        try:
            log = Log.open(
                target.disk,
                name,
                settings=leader.policy.settings,
                now_ms=now_ms,
                shutdown=Shutdown.KILLED,  # what is in the page cache only is still to be flushed
                recovery_point=copy.flushed_offset,
                log_start=leader.log.start_offset,
                jitter_ms=0,
                cleaned_offset=leader.log.cleaned_offset,
            )
        except OSError:
            self._take_name_back(move, aside)
            raise
        if log.end_offset != leader.log.end_offset:
            self._take_name_back(move, aside)
            raise LocalProtocolError(
                f"its copy ends at {log.end_offset} instead of {leader.log.end_offset}: it was damaged"
            )
        log.producers.take_over(leader.log.producers)
        # Until its name is on the disk, a power cut leaves what the old place has there.
        log.flushed_offset = min(log.flushed_offset, leader.log.flushed_offset)
        self._dirs[move.old].partition_count -= 1
        leader.moved(log, target.number)
        leader.holds_flushes = False
        # The old log is not closed, as one that is deleted isn't: its disk may have no room for that.
        move.phase = Phase.SWAPPED

    def _take_name_back(self, move: Move, aside: str) -> None:
        """Where not even that is possible the partition serves no more: as long as the metadata names
        the target, a start takes the copy, which has all that was acknowledged until now."""
        try:
            move.target.disk.rename(str(move.leader.partition), aside)
        except OSError:
            move.leader.fail()
            raise

    def settled(self, partition: TopicPartition, now_ms: int) -> None:
        """The partition was flushed in its new place: the old one may go."""
        move = self._moves.get(partition)
        if move is None or move.phase is not Phase.SWAPPED:
            return
        del self._moves[partition]
        self._let_next(now_ms)
        self._removals.free_moved(move.leader, move.old, now_ms)
        logger.info("partition has moved", extra={"partition": partition, "to": move.target.path})


def _first_batch_offset(log: Log) -> int:
    """Where the copy begins: a log may begin inside a batch, a copy has to have all of it."""
    first = next(iter(log.batches(log.start_offset, log.start_offset + 1)), None)
    return log.start_offset if first is None else min(first.base_offset, log.start_offset)


def _copy(move: Move, pieces: int, now_ms: int) -> bool:
    """Copy at most so many pieces; True: the copy has everything."""
    source, copy = move.leader.log, move.copy
    for _ in range(pieces):
        if copy.end_offset >= source.end_offset:
            break
        start = max(copy.end_offset, source.start_offset)
        piece = source.slice(start, source.end_offset, _PIECE_BYTES, at_least_one=True)
        if piece is None:
            raise OSError(f"{move.leader.partition} can't be read from offset {start} on")
        copy.append_batches(piece.read(), now_ms=now_ms)
    return copy.end_offset >= source.end_offset


def _flush(move: Move) -> Flush | None:
    flush = move.copy.flush_request()
    if flush is not None:
        flush.log_dir = move.target.number
        move.is_flushing = True
    return flush
