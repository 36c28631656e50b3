"""Which of this broker's logs is compacted next, and when a step of it is done.

One log at a time. When none is under way all are looked at, a slice per step, and the one with the
greatest share of uncompacted bytes is taken; when none has enough, `log.cleaner.backoff.ms` passes.
A step takes about a tenth of a millisecond: whoever asks is served before the next one. After each
there is a pause, unless nobody has asked the broker anything for some time. What is read and written
counts against `log.cleaner.io.max.bytes.per.second`. New settings hold at once, as in Kafka, which
restarts its cleaner for them.

A round is given up, and begun anew later, when its partition is deleted, no longer compacted or not
served any more, or when the segments it was reading are gone. A log that can't be compacted (it is
damaged, or holds batches of magic 0 and 1) is left alone until the next start, with a WARNING; a disk
that refuses (it is full) is asked again later. Where originals were already being renamed, the
directory is not usable any more: `Broken`.

Elsewhere: what is enough, `core/log/dirty.py`; the rewriting, `core/log/compaction.py`; the deadline
that brings `step`, `table.py`. `log.cleaner.threads` above 1 changes nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

from ottla.core.effect import COMPACTION, Effect, Flush
from ottla.core.log.compaction import Abandoned, Compaction, Step, Sync
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.dirty import Cleanable, cleanable
from ottla.core.log.offset_map import OffsetMap
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDirs
from ottla.errors import ErrorCode
from ottla.settings.broker import LogSettings

logger: Final = logging.getLogger(__name__)

_LOOKED_AT: Final = 100
"""Logs per step: a few microseconds each, when nothing has to be read."""

_DELETED: Final = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
_QUIET_STEPS: Final = 100
"""After so many steps between which nobody asked anything there are no pauses. A pause takes one or two
milliseconds."""

_BACKOFF_MIN_MS: Final = 10
"""An operator may set 0, which would never let the loop sleep."""


@final
class Turn:
    """What follows from a step. `due_ms`: when the next one is due, a past time for at once; None: not
    before `flushed`."""

    __slots__ = ("due_ms", "effects", "finished", "put_in_place")

    def __init__(self, due_ms: int | None) -> None:
        self.due_ms = due_ms
        self.effects: list[Effect] = []
        self.finished: Leader | None = None  # its log is clean up to `cleaned_offset`
        self.put_in_place: Leader | None = None  # originals wait to be removed


@final
class Broken(Exception):
    """A disk refused in the middle of a swap: what it holds is known again after a start."""

    def __init__(self, problem: str, log_dir: int) -> None:
        super().__init__(problem)
        self.log_dir = log_dir


@final
class Cleaner:
    """`step` when it is due; `flushed` when a flush of `COMPACTION` has succeeded."""

    __slots__ = (
        "_best",
        "_dirs",
        "_free_ms",
        "_is_syncing",
        "_leader",
        "_quiet_steps",
        "_refused",
        "_round",
        "_settings",
        "_steps",
        "_to_look_at",
        "_turn",
    )

    def __init__(self, dirs: LogDirs, settings: LogSettings) -> None:
        self._dirs = dirs
        self._settings = settings
        self._leader: Leader | None = None  # whose log is under way
        self._round: Compaction | None = None
        self._steps: Iterator[Step] = iter(())
        self._turn = 0  # of the flush that is waited for
        self._is_syncing = False
        self._free_ms = 0.0  # when what was read and written is paid for
        self._quiet_steps = 0
        self._to_look_at: list[Leader] = []
        self._best: tuple[Cleanable, Leader] | None = None
        self._refused: set[Leader] = set()

    @property
    def backoff_ms(self) -> int:
        return max(_BACKOFF_MIN_MS, self._settings.cleaner_backoff_ms)

    def obey(self, settings: LogSettings, now_ms: int) -> int | None:
        """When the next step is due from now on; None: as before, when a flush has succeeded.

        What was read and written is paid for at the new rate, however long it would have taken at the old.
        """
        per_second = self._bytes_per_second
        self._settings = settings
        owed_ms = self._free_ms - now_ms
        if owed_ms > 0:  # and so the old rate is not infinite
            self._free_ms = now_ms + owed_ms * per_second / self._bytes_per_second
        return None if self._is_syncing else max(now_ms, int(self._free_ms))

    def step(self, leaders: Callable[[], Iterable[Leader]], now_ms: int, *, is_busy: bool) -> Turn:
        """Do a little, less when somebody else is waiting. Raises `Broken`."""
        self._is_syncing = False
        if not self._settings.cleaner_enabled:
            return Turn(now_ms + self.backoff_ms)
        if self._round is not None:
            return self._go_on(now_ms, is_busy)
        if not self._to_look_at:
            self._to_look_at = [one for one in leaders() if one.policy.settings.cleanup_compact]
            self._best = None
        self._look(now_ms)
        if self._to_look_at:
            return Turn(now_ms)
        if self._best is None:
            return Turn(now_ms + self.backoff_ms)
        found, leader = self._best
        self._best = None
        if not _is_compacted(leader):
            return Turn(now_ms)
        settings = self._settings
        offset_map = OffsetMap(
            settings.cleaner_dedupe_bytes, settings.cleaner_load_factor, found.offset_count
        )
        self._leader = leader
        self._round = Compaction(
            self._dirs[leader.log_dir].disk, leader.log, found, offset_map, now_ms
        )
        self._steps = self._round.steps()
        turn = Turn(now_ms)
        if leader.log.cleaned_offset is None:
            # Before the first gap: recovery has to know that there may be some.
            leader.log.cleaned_offset = leader.log.start_offset
            turn.finished = leader
        return turn

    def _look(self, now_ms: int) -> None:
        for _ in range(min(_LOOKED_AT, len(self._to_look_at))):
            leader = self._to_look_at.pop()
            if leader in self._refused or not _is_compacted(leader):
                continue
            try:
                found = cleanable(leader.log, leader.stable_end, now_ms)
            except OSError as error:
                self._refuse(leader, error)
                continue
            if found is not None and (self._best is None or found.ratio > self._best[0].ratio):
                self._best = (found, leader)

    def _go_on(self, now_ms: int, is_busy: bool) -> Turn:
        leader, compaction = self._leader, self._round
        assert leader is not None
        assert compaction is not None
        if not _is_compacted(leader):
            self.abandon()
            return Turn(now_ms)
        compaction.now_ms = now_ms
        self._quiet_steps = 0 if is_busy else self._quiet_steps + 1
        put_before = compaction.put_in_place
        turn = Turn(now_ms)
        try:
            done = next(self._steps, None)
        except Abandoned:
            self.abandon()
            return Turn(now_ms + self.backoff_ms)
        except OSError as error:
            if compaction.is_swapping:
                raise Broken(f"{leader.partition}: {error}", leader.log_dir) from error
            self._failed(leader, error)
            return Turn(now_ms + self.backoff_ms)
        if compaction.put_in_place > put_before:
            turn.put_in_place = leader
        if done is None:
            self._end(leader, compaction)
            turn.finished = leader
        elif isinstance(done, Sync):
            self._turn += 1
            self._is_syncing = True
            turn.due_ms = None
            turn.effects.append(
                Flush(COMPACTION, self._turn, done.files, done.directory, leader.log_dir)
            )
        else:
            turn.due_ms = self._paid_ms(done, now_ms)
        return turn

    def flushed(self, turn: int) -> bool:
        """True: the step after that flush may be done."""
        return self._round is not None and turn == self._turn

    @property
    def _bytes_per_second(self) -> float:
        return max(1.0, self._settings.cleaner_bytes_per_second_max)

    def _paid_ms(self, size_bytes: int, now_ms: int) -> int:
        """When the next step is due, as far as the disk may be used."""
        owed_ms = min(size_bytes * 1000 / self._bytes_per_second, 6e4)
        self._free_ms = max(self._free_ms, float(now_ms)) + owed_ms
        if self._free_ms >= now_ms + 1:
            return int(self._free_ms)
        return now_ms if self._quiet_steps < _QUIET_STEPS else now_ms - 1

    def _end(self, leader: Leader, compaction: Compaction) -> None:
        log = leader.log
        log.cleaned_offset = min(compaction.cleaned_offset, log.end_offset)
        logger.info(
            "a log is compacted",
            extra={
                "partition": leader.partition,
                "clean_until": log.cleaned_offset,
                "keys": compaction.keys,
                "bytes_read": compaction.bytes_read,
                "bytes_written": compaction.bytes_written,
            },
        )
        self.stop()

    def abandon(self) -> None:
        """Give up what is under way, and remove what of it is not in place."""
        leader, compaction = self._leader, self._round
        self.stop()
        if compaction is None or leader is None or leader.error is _DELETED:
            return
        try:
            compaction.undo()
        except OSError as error:
            logger.warning(
                "what compaction had begun is removed at the next start",
                extra={"partition": leader.partition, "error": str(error)},
            )

    def leave(self, leader: Leader) -> bool:
        """It goes to another directory. True: it was under way, so the next step is to be set."""
        if leader in self._to_look_at:
            self._to_look_at.remove(leader)
        if self._best is not None and self._best[1] is leader:
            self._best = None
        if self._leader is not leader:
            return False
        self.abandon()
        return True

    def lose(self, log_dir: int) -> bool:
        """That directory is offline. True: as for `leave`."""
        if self._leader is None or self._leader.log_dir != log_dir:
            return False
        self.stop()
        return True

    def stop(self) -> None:
        """Give up what is under way and touch nothing."""
        self._leader = self._round = None
        self._steps = iter(())
        self._turn += 1
        self._is_syncing = False

    def _failed(self, leader: Leader, error: OSError) -> None:
        self.abandon()
        if isinstance(error, CorruptSegment):
            self._refuse(leader, error)
        else:
            logger.warning(
                "compaction failed and is tried again",
                extra={"partition": leader.partition, "error": str(error)},
            )

    def _refuse(self, leader: Leader, error: OSError) -> None:
        self._refused = {one for one in self._refused if one.error is None}
        self._refused.add(leader)
        logger.warning(
            "a log is not compacted until the broker is started anew",
            extra={"partition": leader.partition, "error": str(error)},
        )


def _is_compacted(leader: Leader) -> bool:
    return leader.error is None and leader.log.settings.cleanup_compact
