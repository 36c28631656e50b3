"""Which partitions live on this broker: their logs opened, kept and removed as the image says.

The table follows the image's deltas and nothing else. What takes the disk a while, thousands of new
partitions or deleted ones, is done in pieces, so that nothing ever holds up the loop.

Recurring work has deadlines: checkpoints every minute, retention every
log.retention.check.interval.ms, flush.ms per partition.

Promises: no acknowledgment passes what the flush policy asks for. After a flush that failed, its log
directory is offline: its partitions answer KAFKA_STORAGE_ERROR until the process is started again,
and nothing more is written there; the other directories serve on.

Elsewhere: one partition, see `leader.py`; how it is opened, `opening.py`, and removed, `removal.py`;
which directory it is in, `log_dirs.py`, and how it gets to another, `move.py`; what a log deletes,
`core/log/retention.py`. Left whole on purpose: its duties share the deadlines and the two maps.
"""

import logging
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Final, final

from ottla import probe
from ottla.core.deadline import Deadlines, earliest
from ottla.core.effect import STRAYS, Effect, Flush
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.core.log.checkpoint import CLEANED_OFFSETS, LOG_STARTS, RECOVERY_POINTS
from ottla.core.metadata.image import TOPIC_RESOURCE, Delta, Image
from ottla.core.metadata.partition import TopicImage
from ottla.core.replica.checkpoints import ALL
from ottla.core.replica.cleaner import Broken, Cleaner
from ottla.core.replica.hosted import HostedTopic, Unmade
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDir, LogDirs
from ottla.core.replica.move import Moves
from ottla.core.replica.opening import Openings
from ottla.core.replica.policy import Policy, policy_of
from ottla.core.replica.removal import Removals
from ottla.core.waiting import WaitList
from ottla.errors import ErrorCode
from ottla.settings.broker import BrokerSettings
from ottla.settings.topic import topic_settings
from ottla.types import BrokerId, TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

__all__ = ["HostedTopic", "ReplicaTable"]

# How much of a round is done before the loop gets its turn: well below 50 ms each.
_RETENTION_SLICE: Final = 250
_SLICE_PAUSE_MS: Final = 10
# An operator may set 0, which would never let the loop sleep.
_CHECKPOINT_PAUSE_MS: Final = 1_000

_OF_LOGS: Final = (LOG_STARTS, RECOVERY_POINTS, CLEANED_OFFSETS)
"""The checkpoints that the next process opens logs by."""

_OFFLINE_TEXT: Final = (
    "log directory is offline: the disk did not take what was written. Its partitions answer "
    "KAFKA_STORAGE_ERROR until the broker is started anew"
)


class _Duty(Enum):
    CHECKPOINT = auto()
    RETENTION = auto()
    COMPACTION = auto()
    FLUSH = auto()
    SWEEP = auto()


@final
class ReplicaTable:
    """Every partition the image places on this broker."""

    __slots__ = (
        "_by_id",
        "_by_name",
        "_cleaner",
        "_deadlines",
        "_default_policy",
        "_node_id",
        "_opening",
        "_openings",
        "_orphans",
        "_owes_checkpoint",
        "_removals",
        "_round",
        "_settings",
        "_waiting",
        "dirs",
        "is_busy",
        "is_loaded",
        "moves",
    )

    def __init__(self, dirs: LogDirs, settings: BrokerSettings, waiting: WaitList) -> None:
        self.dirs = dirs
        self._settings = settings
        self._node_id: BrokerId = settings.node_id
        self._waiting = waiting
        self._by_name: dict[str, HostedTopic] = {}
        self._by_id: dict[Uuid, HostedTopic] = {}
        self._default_policy = policy_of(topic_settings({}, settings), settings)
        self._deadlines: Deadlines[tuple[_Duty, str, int]] = Deadlines()
        # What is still to be visited in this round of retention, last first.
        self._round: list[Leader] = []
        # (partition, directory) whose flush is under way for a log that was deleted or a copy that
        # was given up: its outcome is not their successor's, which waits for it with its own.
        self._orphans: set[tuple[TopicPartition, int]] = set()
        self._opening: set[TopicPartition] = set()  # to be flushed before anybody is served
        self._removals = Removals(dirs)
        self.moves = Moves(dirs, self._removals, self._orphans)
        self._openings = Openings(settings.node_id, dirs, self._removals, self.moves)
        self._cleaner = Cleaner(dirs, settings.logs)
        self._owes_checkpoint = False  # one that had to be written at once was refused
        self.is_loaded = False
        self.is_busy = False
        """Somebody has asked the broker something since compaction has last looked."""

    # --- what handlers ask ------------------------------------------------------------------------

    def topic(self, name: str) -> HostedTopic | None:
        return self._by_name.get(name)

    def topics(self, names: list[str] | None) -> list[HostedTopic]:
        """Those named that are here, or all, sorted by name."""
        found = sorted(self._by_name) if names is None else names
        return [self._by_name[name] for name in found if name in self._by_name]

    def topic_by_id(self, topic_id: Uuid) -> HostedTopic | None:
        return self._by_id.get(topic_id)

    def topic_of(self, topic_id: Uuid) -> str | None:
        hosted = self._by_id.get(topic_id)
        return None if hosted is None else hosted.name

    def leader(self, topic: str, partition: int) -> Leader | ErrorCode:
        hosted = self._by_name.get(topic)
        if hosted is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        return hosted.leader(partition)

    def appended(self, leader: Leader, now_ms: int) -> list[Effect]:
        """What follows from an append: the flush its policy wants, and waking who waited for it."""
        moved = leader.advance()
        effects = self._waiting.wake(leader.partition, now_ms) if moved else []
        policy = leader.policy
        segment_count = leader.log.segment_count
        rolled = segment_count > leader.segment_count
        leader.segment_count = segment_count
        if rolled or policy.unflushed_max is not None:
            effects += self._flush_if_due(leader, rolled=rolled)
        if policy.flush_ms is not None and not leader.flush_timed:
            leader.flush_timed = True
            self._deadlines.set(_duty(_Duty.FLUSH, leader), now_ms + policy.flush_ms)
        return effects

    def _flush_if_due(self, leader: Leader, *, rolled: bool) -> list[Effect]:
        """A sealed segment goes to the disk in the background: it bounds what a recovery reads."""
        if (leader.partition, leader.log_dir) in self._orphans:
            return []
        if rolled:
            leader.under_way = None  # it does not know the new segment
            flush = leader.flush_now()
        else:
            leader.widen_flush()
            flush = leader.flush_due()
        return [] if flush is None else [flush]

    def aborted(self, leader: Leader, start: int, end: int) -> list[AbortedTransaction] | ErrorCode:
        """The aborted transactions that reach into start..end, by their first offset.

        Only a log that was written elsewhere has any, as no transaction can be begun here: so
        whether there is an index of them is looked up once.
        """
        try:
            if leader.has_aborted is None:
                names = self.dirs[leader.log_dir].disk.names(leader.log.directory)
                leader.has_aborted = any(name.endswith(".txnindex") for name in names)
            if not leader.has_aborted:
                return []
            return sorted(leader.log.aborted(start, end), key=lambda one: one.first_offset)
        except OSError as error:
            return leader.unreadable(error)

    def segment_starts(self, leader: Leader) -> list[tuple[int, int]] | ErrorCode:
        """(base offset, when it was last written) of each segment, oldest first."""
        directory = leader.log.directory
        disk = self.dirs[leader.log_dir].disk
        try:
            return [
                (int(name[: -len(".log")]), disk.modified_ms(f"{directory}/{name}"))
                for name in disk.names(directory)
                if name.endswith(".log")
            ]
        except OSError as error:
            return leader.unreadable(error)

    def delete_before(self, starts: Mapping[TopicPartition, int]) -> list[Effect]:
        """Let these logs, which stand here, begin at these offsets, none of which is behind a high
        watermark. The segments go with the next round of retention.

        It is written down before it is done: a kill must not bring deleted records back. OSError:
        it can't be, and nothing is deleted.
        """
        effects: list[Effect] = []
        if not (probe.MUTANTS and probe.mutant("KIP107-start-not-kept")):
            changes = self.dirs.checkpoints(
                (LOG_STARTS,), self._leaders(), starts, leaving=self.moves.leaving()
            )
            for log_dir, effect in changes:
                try:
                    log_dir.disk.write_whole(effect.path, effect.data)
                except OSError:
                    log_dir.checkpoints.forget(effect.path)
                    raise
                effects.append(effect)
        for partition, start_offset in starts.items():
            leader = self.leader(partition.topic, partition.partition)
            assert isinstance(leader, Leader)
            leader.log.truncate_prefix(start_offset)
        return effects

    # --- following the image ----------------------------------------------------------------------

    def load(self, image: Image, now_ms: int) -> list[Effect]:
        """Open everything the image places here, and set aside what it does not. Once, at the start,
        with an image that no power cut can take back."""
        self._openings.now_ms = now_ms
        delay_ms = self._default_policy.settings.file_delete_delay_ms
        for log_dir in self.dirs.online():
            log_dir.survey()
            self._removals.at_start(log_dir, now_ms + delay_ms)
        self._openings.is_loading = True
        for topic in image.topics.values():
            self._host(topic, image)
        self._openings.is_loading = False
        self._resume_moves(now_ms)
        effects: list[Effect] = []
        for log_dir in self.dirs.online():
            aside = log_dir.directories.set_aside_strays()
            if aside is not None:
                names = TopicPartition(STRAYS, log_dir.number)
                effects.append(Flush(names, 0, (), aside, log_dir.number))
        self.is_loaded = True
        logs = self._settings.logs
        self._deadlines.set((_Duty.RETENTION, "", 0), now_ms + logs.initial_task_delay_ms)
        self._compact_later(now_ms)
        checkpoint_ms = now_ms + self._checkpoint_interval_ms()
        self._deadlines.set((_Duty.CHECKPOINT, "", 0), checkpoint_ms)
        checkpoints = self._checkpoint_owed()
        if checkpoints:
            self._openings.reopen(self._by_id)
        # What a killed process had not yet brought to the disk is to be acknowledged now.
        effects += self._due_flushes()
        self._opening.update(one.partition for one in effects if isinstance(one, Flush))
        return [*effects, *checkpoints]

    def _checkpoint_owed(self) -> list[Effect]:
        """Checkpoints that speak of a partition's predecessor are written anew as soon as they can
        be: the next process would believe them, and cut what was acknowledged since."""
        disowned = any(log_dir.directories.disowned for log_dir in self.dirs.online())
        if not (self._owes_checkpoint or disowned):
            return []
        again, self._owes_checkpoint = self._owes_checkpoint, False
        return self._checkpoint_now(_OF_LOGS, again=again)

    def _resume_moves(self, now_ms: int) -> None:
        """What an earlier process was moving is moved anew, from the beginning."""
        for log_dir in self.dirs.online():
            for directory, partition in log_dir.directories.unfinished_moves():
                self._removals.remove_later(directory, log_dir.number, now_ms)
                leader = self.leader(partition.topic, partition.partition)
                if isinstance(leader, Leader):
                    self.move(leader, log_dir, now_ms)

    def obey(self, settings: BrokerSettings, image: Image, now_ms: int) -> list[Effect]:
        """The broker's own settings have changed: every topic follows in what it does not override."""
        self._settings = settings
        due_ms = self._cleaner.obey(settings.logs, now_ms)
        if due_ms is not None:
            self._deadlines.set((_Duty.COMPACTION, "", 0), due_ms)
        self._default_policy = policy_of(topic_settings({}, settings), settings)
        effects: list[Effect] = []
        for name in self._by_name:
            effects += self._configure(name, image, now_ms)
        return effects

    def follow(self, image: Image, delta: Delta, now_ms: int) -> list[Effect]:
        """Do here what the delta says; `image` is the one after it."""
        self._openings.now_ms = now_ms
        effects: list[Effect] = []
        if delta.deleted:
            for topic in delta.deleted:
                effects += self._drop(topic.topic_id, now_ms)
            self._removals.rename_some(now_ms)
            effects += self._checkpoint_now(_OF_LOGS)
        for topic in delta.created:
            self._host(topic, image)
        for change in delta.changed:
            effects += self._change(change.after, image, change.partitions, now_ms)
        for kind, name in delta.configs_changed:
            if kind == TOPIC_RESOURCE:
                effects += self._configure(name, image, now_ms)
        return effects

    def _host(self, topic: TopicImage, image: Image) -> None:
        policy = self._policy_of(topic.name, image)
        hosted = HostedTopic(topic.name, topic.topic_id, policy, self._openings.make)
        self._by_name[topic.name] = hosted
        self._by_id[topic.topic_id] = hosted
        for number, partition in enumerate(topic.partitions):
            hosted.leaders.append(self._openings.place(hosted, number, partition))

    def _change(
        self, topic: TopicImage, image: Image, partitions: tuple[int, ...], now_ms: int
    ) -> list[Effect]:
        hosted = self._by_id[topic.topic_id]
        effects: list[Effect] = []
        for number in partitions:
            partition = topic.partitions[number]
            if number == len(hosted.leaders):
                hosted.leaders.append(self._openings.place(hosted, number, partition))
                continue
            leader = hosted.leaders[number]
            if isinstance(leader, Unmade):
                leader.image = partition
            elif isinstance(leader, Leader):
                leader.follow(partition, self._node_id)
                self.moves.placed(leader.partition, partition.directory_of(self._node_id), now_ms)
                effects += self._waiting.wake(leader.partition, now_ms)
            elif leader is ErrorCode.NOT_LEADER_OR_FOLLOWER:
                hosted.leaders[number] = self._openings.place(hosted, number, partition)
            elif (topic.topic_id, number) in self._openings.unopened:
                self._openings.unopened[topic.topic_id, number] = partition
        return effects

    def _drop(self, topic_id: Uuid, now_ms: int) -> list[Effect]:
        hosted = self._by_id.pop(topic_id)
        del self._by_name[hosted.name]
        effects: list[Effect] = []
        for number, leader in enumerate(hosted.leaders):
            if not isinstance(leader, Leader):
                self._openings.forget(hosted, number)
                continue
            self.moves.cancel(leader.partition, "it was deleted", now_ms)
            self.dirs[leader.log_dir].partition_count -= 1
            self.dirs[leader.log_dir].directories.disowned.add(leader.partition)
            leader.error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if leader.flushes and not (probe.MUTANTS and probe.mutant("M60-flush-of-predecessor")):
                self._orphans.add((leader.partition, leader.log_dir))
            for duty in (_Duty.FLUSH, _Duty.SWEEP):
                self._deadlines.cancel(_duty(duty, leader))
            self._removals.add(leader)
            effects += self._waiting.wake(leader.partition, now_ms)
        return effects

    def _checkpoint_now(self, names: tuple[str, ...], *, again: bool = False) -> list[Effect]:
        """Write these checkpoints where they differ: a kill finds them, and soon a power cut.

        What is refused is tried with every tick. `again`: that it is was told."""
        effects: list[Effect] = []
        owing: set[int] = set()
        leaving = self.moves.leaving()
        for log_dir, effect in self.dirs.checkpoints(names, self._leaders(), leaving=leaving):
            try:
                log_dir.disk.write_whole(effect.path, effect.data)
            except OSError as error:
                log_dir.checkpoints.forget(effect.path)
                owing.add(log_dir.number)
                self._owes_checkpoint = True
                if again:
                    continue
                why = {"path": effect.path, "error": str(error)}
                logger.error("a checkpoint can't be written; it will be tried again", extra=why)
            effects.append(effect)
        if names == _OF_LOGS:
            for log_dir in self.dirs.online():
                if log_dir.number not in owing:
                    log_dir.directories.disowned.clear()
        return effects

    def _configure(self, name: str, image: Image, now_ms: int) -> list[Effect]:
        hosted = self._by_name.get(name)
        if hosted is None:
            return []
        hosted.policy = self._policy_of(name, image)
        effects: list[Effect] = []
        for leader in hosted.leaders:
            if isinstance(leader, Leader):
                leader.policy = hosted.policy
                leader.log.settings = hosted.policy.settings
                if leader.error is None:
                    effects += self.appended(leader, now_ms)
        return effects

    def _policy_of(self, topic: str, image: Image) -> Policy:
        overrides = image.topic_configs(topic)
        if not overrides:
            return self._default_policy  # one for all: thousands of topics have no overrides
        return policy_of(topic_settings(overrides, self._settings), self._settings)

    # --- the disk ---------------------------------------------------------------------------------

    def flushed(
        self, partition: TopicPartition, end_offset: int, now_ms: int, log_dir: int = 0
    ) -> list[Effect]:
        """A Flush has succeeded (else: `go_offline`): what waited for it is released."""
        leader = self._kept(partition)
        is_orphan = (partition, log_dir) in self._orphans
        self._orphans.discard((partition, log_dir))
        if leader is not None and leader.log_dir != log_dir:
            if not is_orphan and self.moves.flushed(leader, end_offset, log_dir, now_ms):
                return self._has_moved(leader, now_ms)
            return self._release(now_ms)
        self._opening.discard(partition)
        if leader is None:
            return []
        if leader.flushes and not is_orphan:
            leader.flushed(end_offset)
            if not leader.is_settled:
                leader.settle(self._node_id)
            self.moves.settled(partition, now_ms)
        return self.appended(leader, now_ms)

    def _kept(self, partition: TopicPartition) -> Leader | None:
        """Also one that serves nobody, because its disk has failed or the process is ending."""
        hosted = self._by_name.get(partition.topic)
        if hosted is None or partition.partition >= len(hosted.leaders):
            return None
        leader = hosted.leaders[partition.partition]
        return leader if isinstance(leader, Leader) else None

    def _release(self, now_ms: int) -> list[Effect]:
        """Those whose flushes waited for the end of a move that is given up; not all serve on."""
        effects: list[Effect] = []
        while self.moves.released:
            leader = self.moves.released.pop()
            effects += self._flush_if_due(leader, rolled=False)
            effects += self._waiting.wake(leader.partition, now_ms)
        return effects

    def _has_moved(self, leader: Leader, now_ms: int) -> list[Effect]:
        """Its log is in another directory now: what it begins with is written down there, and the
        flush that brings its name to the disk begins."""
        effects = self._checkpoint_now(_OF_LOGS)
        flush = leader.flush_now()
        assert flush is not None, "a name that changed is to be flushed"
        return [*effects, flush, *self.appended(leader, now_ms)]

    def move(self, leader: Leader, target: LogDir, now_ms: int) -> ErrorCode:
        """Let the partition be in this directory, sooner or later (KIP-113)."""
        under_way = self.moves.of(leader.partition)
        if under_way is not None:
            if under_way.target is target:
                return ErrorCode.NONE
            if under_way.is_swapped:
                return ErrorCode.KAFKA_STORAGE_ERROR  # its old place is still being left
            self.moves.cancel(leader.partition, "another directory was asked for", now_ms)
        if leader.log_dir == target.number:
            return ErrorCode.NONE
        if self.dirs.has_offline:
            return ErrorCode.KAFKA_STORAGE_ERROR  # it might have a copy of it already
        if self._cleaner.leave(leader):
            self._compact_later(now_ms)
        self.moves.ask(leader, target, now_ms)
        return ErrorCode.NONE

    def go_offline(self, why: str, now_ms: int, log_dir: int = 0) -> list[Effect]:
        """A flush has failed. The kernel now calls pages clean that it could not write, so a second
        one would succeed and mean nothing: what waits for this disk is refused."""
        lost = self.dirs[log_dir]
        if lost.is_offline:
            return []
        lost.is_offline = True
        logger.error(_OFFLINE_TEXT, extra={"error": why, "directory": lost.path})
        effects: list[Effect] = []
        self.moves.cancel_at(log_dir, now_ms)
        if self._cleaner.lose(log_dir):
            self._compact_later(now_ms)
        for leader in list(self._leaders()):
            if leader.log_dir == log_dir:
                leader.fail()
                self._opening.discard(leader.partition)
                effects += self._waiting.wake(leader.partition, now_ms)
        self._opening.discard(TopicPartition(STRAYS, log_dir))
        effects += self._release(now_ms)
        if self.dirs.all_offline:
            self._opening.clear()
            self._openings.clear()
            self._round.clear()
            self._deadlines = Deadlines()
        return effects

    @property
    def is_offline(self) -> bool:
        """Whether no directory serves any more."""
        return self.dirs.all_offline

    @property
    def is_examined(self) -> bool:
        """Whether every log was opened, and with it examined."""
        return not self._openings.unopened

    @property
    def is_open(self) -> bool:
        """Whether what a killed process left is flushed: before, the end may be below a known one."""
        return self.is_loaded and not self._opening

    def _due_flushes(self) -> list[Effect]:
        flushes = [leader.flush_due() for leader in self._leaders()]
        return [flush for flush in flushes if flush is not None]

    # --- recurring work ---------------------------------------------------------------------------

    def next_ms(self) -> int | None:
        return earliest(
            self._deadlines.next_ms(),
            self._removals.next_ms(),
            self._openings.next_ms(),
            self.moves.next_ms(),
        )

    def tick(self, now_ms: int) -> list[Effect]:
        self._openings.now_ms = now_ms
        effects: list[Effect] = []
        self._removals.tick(now_ms)
        opened = self._openings.tick(self._by_id)
        checkpoints = self._checkpoint_owed()
        if checkpoints:
            opened += self._openings.reopen(self._by_id)
        for reopened in opened:
            if (reopened.partition, reopened.log_dir) not in self._orphans:
                flush = reopened.settle_first()
                effects += [] if flush is None else [flush]
        effects += checkpoints
        effects += self.moves.tick(now_ms)
        while self.moves.moved_at_once:
            effects += self._has_moved(self.moves.moved_at_once.pop(), now_ms)
        effects += self._release(now_ms)
        for key in self._deadlines.due(now_ms):
            duty, name, number = key
            match duty:
                case _Duty.CHECKPOINT:
                    self._deadlines.set(key, now_ms + self._checkpoint_interval_ms())
                    effects += self._checkpoints()
                case _Duty.RETENTION:
                    self._retain(now_ms)
                case _Duty.COMPACTION:
                    effects += self._compact(now_ms)
                case _Duty.FLUSH:
                    effects += self._flush_timed(name, number)
                case _Duty.SWEEP:
                    leader = self.leader(name, number)
                    if isinstance(leader, Leader):
                        self._sweep(leader, now_ms)
        return effects

    def _flush_timed(self, name: str, number: int) -> list[Effect]:
        leader = self.leader(name, number)
        if not isinstance(leader, Leader):
            return []
        leader.flush_timed = False
        flush = leader.flush_now()
        return [] if flush is None else [flush]

    def _retain(self, now_ms: int) -> None:
        """A slice of the round over all logs: what is too old or too much goes."""
        if not self._round:
            self._round = list(self._leaders())
            self._round.reverse()
        expiration_ms = self._settings.logs.producer_id_expiration_ms
        for _ in range(min(_RETENTION_SLICE, len(self._round))):
            leader = self._round.pop()
            if leader.error is not None:
                continue
            try:
                leader.log.producers.expire(now_ms, expiration_ms)
                leader.log.retire(now_ms, leader.high_watermark)
                self._sweep(leader, now_ms)
            except OSError as error:
                logger.error(
                    "old segments can't be removed",
                    extra={"partition": leader.partition, "error": str(error)},
                )
        pause_ms = _SLICE_PAUSE_MS
        if not self._round:
            pause_ms = max(pause_ms, self._settings.logs.retention_check_interval_ms)
        self._deadlines.set((_Duty.RETENTION, "", 0), now_ms + pause_ms)

    def _compact(self, now_ms: int) -> list[Effect]:
        """A step of compaction, and when the next one is due."""
        try:
            turn = self._cleaner.step(self._compactable, now_ms, is_busy=self.is_busy)
        except Broken as error:
            self._compact_later(now_ms)
            return self.go_offline(f"compaction: {error}", now_ms, error.log_dir)
        self.is_busy = False
        if turn.due_ms is not None:
            self._deadlines.set((_Duty.COMPACTION, "", 0), turn.due_ms)
        effects = turn.effects
        if turn.put_in_place is not None:
            self._sweep(turn.put_in_place, now_ms)
        if turn.finished is not None:
            effects += self._checkpoint_now((CLEANED_OFFSETS,))
            flush = turn.finished.flush_now()
            effects += [] if flush is None else [flush]
        return effects

    def _compact_later(self, now_ms: int) -> None:
        self._deadlines.set((_Duty.COMPACTION, "", 0), now_ms + self._cleaner.backoff_ms)

    def _compactable(self) -> Iterator[Leader]:
        """Those that may be compacted; not what is on its way to another directory."""
        return (one for one in self._leaders() if self.moves.of(one.partition) is None)

    def compaction_flushed(self, turn: int, now_ms: int) -> list[Effect]:
        """What compaction waited for is on the disk."""
        return self._compact(now_ms) if self._cleaner.flushed(turn) else []

    def _sweep(self, leader: Leader, now_ms: int) -> None:
        """Remove what its delay is over for; the rest when it is."""
        # There are fewer segments than before: the next one that begins is to be noticed.
        leader.segment_count = min(leader.segment_count, leader.log.segment_count)
        try:
            due_ms = leader.log.sweep(now_ms)
            if due_ms is not None:
                self._deadlines.set(_duty(_Duty.SWEEP, leader), due_ms)
        except OSError as error:
            logger.error(
                "files of deleted segments can't be removed",
                extra={"partition": leader.partition, "error": str(error)},
            )

    def _checkpoints(self) -> list[Effect]:
        leaving = self.moves.leaving()
        changes = self.dirs.checkpoints(ALL, self._leaders(), leaving=leaving)
        return [effect for _, effect in changes]

    def _checkpoint_interval_ms(self) -> int:
        interval_ms = self._settings.logs.recovery_point_checkpoint_interval_ms
        return max(_CHECKPOINT_PAUSE_MS, interval_ms)

    # --- the end ----------------------------------------------------------------------------------

    def close(self, now_ms: int) -> list[Effect]:
        """Nothing is appended any more, and everything goes to the disk.

        The outcomes of the flushes come in as `flushed`; then `close_logs`.
        """
        self.moves.suspend()
        self._cleaner.abandon()
        flushes = [leader.close(now_ms) for leader in self._leaders()]
        return [flush for flush in flushes if flush is not None]

    def close_logs(self, now_ms: int) -> list[Effect]:
        """Clean end of every log, and the checkpoints to be written.

        After a flush that failed everything is left as it is: the recovery points that were
        written before say what is on the disk.
        """
        self._removals.free_all(now_ms)
        for leader in self._leaders():
            leader.close_log(now_ms)
        return self._checkpoints()

    @property
    def is_durable(self) -> bool:
        """Whether everything is on the disk, in every directory."""
        return all(map(self.is_dir_durable, self.dirs.dirs)) and not self.dirs.offline_paths

    def is_dir_durable(self, log_dir: int) -> bool:
        """Whether all of it is on the disk. Without that, no marker of a clean stop is written:
        it would make the next process believe what it must check."""
        if probe.MUTANTS and probe.mutant("M32-clean-without-flush"):
            return True
        if self.dirs[log_dir].is_offline or self._openings.unopened:
            return False
        return all(leader.durable for leader in self._leaders() if leader.log_dir == log_dir)

    def _leaders(self) -> Iterator[Leader]:
        for hosted in self._by_name.values():
            for leader in hosted.leaders:
                if isinstance(leader, Leader):
                    yield leader

    def check_invariants(self) -> None:
        assert len(self._by_name) == len(self._by_id)
        for hosted in self._by_name.values():
            assert self._by_id[hosted.topic_id] is hosted
            for number, leader in enumerate(hosted.leaders):
                if isinstance(leader, Leader):
                    assert leader.partition == (hosted.name, number)
                    leader.check_invariants()


def _duty(duty: _Duty, leader: Leader) -> tuple[_Duty, str, int]:
    return duty, leader.partition.topic, leader.partition.partition
