"""Which partitions live on this broker: their logs opened, kept and removed as the image says.

The table follows the image's deltas and nothing else. The directory of a deleted partition is
renamed at once and removed after `file.delete.delay.ms`, so that a reader that is still being sent
a slice of it finishes.

Recurring work has deadlines: checkpoints every minute, retention every
log.retention.check.interval.ms, flush.ms per partition, removals. Long rounds are cut into slices,
so that 5,000 partitions never hold up the loop.

Promises: no acknowledgment passes what the flush policy asks for. After a flush that failed, the
directory is offline: every partition answers KAFKA_STORAGE_ERROR until the process is started again,
and nothing more is written. A partition that could not be opened is tried again until it can be.

Elsewhere: one partition, see `leader.py`; directories, see `directory.py`; what a log deletes, see
`core/log/retention.py`. Left whole on purpose: its duties share the deadlines and the two maps.
"""

import logging
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Final, final

from ottla import probe
from ottla.core.deadline import Deadlines
from ottla.core.effect import Effect, Flush
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.core.log.checkpoint import CLEANED_OFFSETS, LOG_STARTS, RECOVERY_POINTS
from ottla.core.log.recovery import Shutdown
from ottla.core.metadata.image import TOPIC_RESOURCE, Delta, Image
from ottla.core.metadata.partition import INTERNAL_TOPICS, PartitionImage, TopicImage
from ottla.core.port import Disk, Entropy
from ottla.core.replica.checkpoints import ALL, Checkpoints
from ottla.core.replica.cleaner import Broken, Cleaner
from ottla.core.replica.directory import Directories
from ottla.core.replica.isr import Isr
from ottla.core.replica.leader import Leader
from ottla.core.replica.policy import Policy, policy_of
from ottla.core.waiting import WaitList
from ottla.errors import ErrorCode
from ottla.settings.broker import BrokerSettings
from ottla.settings.topic import topic_settings
from ottla.types import NO_EPOCH, NO_LEADER, BrokerId, TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

# How much of a round is done before the loop gets its turn: well below 50 ms each.
_RETENTION_SLICE: Final = 250
_REMOVAL_SLICE: Final = 20
_SLICE_PAUSE_MS: Final = 10
# An operator may set 0, which would never let the loop sleep.
_CHECKPOINT_PAUSE_MS: Final = 1_000
_REOPEN_PAUSE_MS: Final = 2_000

_OFFLINE_TEXT: Final = (
    "the log directory is offline: the disk did not take what was written. "
    "All partitions answer KAFKA_STORAGE_ERROR until the broker is started anew"
)
_OFFLINE: Final = ErrorCode.KAFKA_STORAGE_ERROR


class _Duty(Enum):
    CHECKPOINT = auto()
    RETENTION = auto()
    COMPACTION = auto()
    FLUSH = auto()
    SWEEP = auto()
    REMOVE = auto()
    REOPEN = auto()


@final
class HostedTopic:
    """A topic of the image and its partitions here; a partition that can't be asked is an error."""

    __slots__ = ("leaders", "name", "policy", "topic_id")

    def __init__(self, name: str, topic_id: Uuid, policy: Policy) -> None:
        self.name = name
        self.topic_id = topic_id
        self.policy = policy
        self.leaders: list[Leader | ErrorCode] = []

    def leader(self, partition: int) -> Leader | ErrorCode:
        """The partition if this broker leads it, else what its client is told."""
        if not 0 <= partition < len(self.leaders):
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        leader = self.leaders[partition]
        if isinstance(leader, Leader) and leader.error is not None:
            return leader.error
        return leader

    def known_leader(self, partition: int) -> tuple[int, int]:
        """(broker, leader epoch) as the image says, for a client that asked the wrong one."""
        leader = self.leaders[partition] if 0 <= partition < len(self.leaders) else None
        if isinstance(leader, Leader):
            return leader.leader_id, leader.leader_epoch
        return NO_LEADER, NO_EPOCH


@final
class ReplicaTable:
    """Every partition the image places on this broker."""

    __slots__ = (
        "_by_id",
        "_by_name",
        "_checkpoints",
        "_cleaner",
        "_deadlines",
        "_default_policy",
        "_directories",
        "_disk",
        "_entropy",
        "_node_id",
        "_opening",
        "_orphan_flushes",
        "_round",
        "_settings",
        "_shutdown",
        "_unopened",
        "_waiting",
        "is_busy",
        "is_offline",
    )

    def __init__(
        self,
        disk: Disk,
        entropy: Entropy,
        settings: BrokerSettings,
        waiting: WaitList,
        shutdown: Shutdown,
    ) -> None:
        self._disk = disk
        self._entropy = entropy
        self._settings = settings
        self._node_id: BrokerId = settings.node_id
        self._waiting = waiting
        self._shutdown = shutdown
        self._by_name: dict[str, HostedTopic] = {}
        self._by_id: dict[Uuid, HostedTopic] = {}
        self._default_policy = policy_of(topic_settings({}, settings), settings)
        self._directories = Directories(disk, entropy, shutdown)
        self._deadlines: Deadlines[tuple[_Duty, str, int]] = Deadlines()
        # What is still to be visited in this round of retention, last first.
        self._round: list[Leader] = []
        # Partitions deleted while a flush was under way: its outcome is not their successor's.
        self._orphan_flushes: set[TopicPartition] = set()
        self._opening: set[TopicPartition] = set()  # to be flushed before anybody is served
        self._checkpoints = Checkpoints(disk)
        self._cleaner = Cleaner(disk, settings.logs)
        # Led here, had the disk let it be opened: tried again, oldest first.
        self._unopened: dict[tuple[Uuid, int], PartitionImage] = {}
        self.is_offline = False
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
        if leader.partition in self._orphan_flushes:
            return []
        flush = leader.flush_now() if rolled else leader.flush_due()
        return [] if flush is None else [flush]

    def aborted(self, leader: Leader, start: int, end: int) -> list[AbortedTransaction] | ErrorCode:
        """The aborted transactions that reach into start..end, by their first offset.

        Only a log that was written elsewhere has any, as no transaction can be begun here: so
        whether there is an index of them is looked up once.
        """
        try:
            if leader.has_aborted is None:
                names = self._disk.names(leader.log.directory)
                leader.has_aborted = any(name.endswith(".txnindex") for name in names)
            if not leader.has_aborted:
                return []
            return sorted(leader.log.aborted(start, end), key=lambda one: one.first_offset)
        except OSError as error:
            return leader.unreadable(error)

    def segment_starts(self, leader: Leader) -> list[tuple[int, int]] | ErrorCode:
        """(base offset, when it was last written) of each segment, oldest first."""
        directory = leader.log.directory
        try:
            return [
                (int(name[: -len(".log")]), self._disk.modified_ms(f"{directory}/{name}"))
                for name in self._disk.names(directory)
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
            for effect in self._checkpoints.changes((LOG_STARTS,), self._leaders(), starts):
                try:
                    self._disk.write_whole(effect.path, effect.data)
                except OSError:
                    self._checkpoints.forget(effect.path)
                    raise
                effects.append(effect)
        for partition, start_offset in starts.items():
            leader = self.leader(partition.topic, partition.partition)
            assert isinstance(leader, Leader)
            leader.log.truncate_prefix(start_offset)
        return effects

    # --- following the image ----------------------------------------------------------------------

    def load(self, image: Image, now_ms: int) -> list[Effect]:
        """Open everything the image places here. Once, at the start; then `settle`."""
        self._directories.survey(
            self._checkpoints.read(RECOVERY_POINTS),
            self._checkpoints.read(LOG_STARTS),
            self._checkpoints.read(CLEANED_OFFSETS),
        )
        delay_ms = self._default_policy.settings.file_delete_delay_ms
        for directory in self._directories.leftovers():
            self._deadlines.set((_Duty.REMOVE, directory, 0), now_ms + delay_ms)
        for topic in image.topics.values():
            self._host(topic, image, now_ms)
        logs = self._settings.logs
        self._deadlines.set((_Duty.RETENTION, "", 0), now_ms + logs.initial_task_delay_ms)
        self._deadlines.set((_Duty.COMPACTION, "", 0), now_ms + self._cleaner.backoff_ms)
        checkpoint_ms = now_ms + self._checkpoint_interval_ms()
        self._deadlines.set((_Duty.CHECKPOINT, "", 0), checkpoint_ms)
        # What a killed process had not yet brought to the disk is to be acknowledged now.
        effects = self._due_flushes()
        self._opening.update(one.partition for one in effects if isinstance(one, Flush))
        if self._directories.has_disowned:
            effects += self._checkpoint_now((LOG_STARTS, RECOVERY_POINTS, CLEANED_OFFSETS))
        return effects

    def obey(self, settings: BrokerSettings, image: Image, now_ms: int) -> list[Effect]:
        """The broker's own settings have changed: every topic follows in what it does not override."""
        self._settings = settings
        self._cleaner.obey(settings.logs)
        self._default_policy = policy_of(topic_settings({}, settings), settings)
        effects: list[Effect] = []
        for name in self._by_name:
            effects += self._configure(name, image, now_ms)
        return effects

    def settle(self) -> None:
        """Set strays aside, once no power cut can take back the metadata that disowns them."""
        self._directories.set_aside_strays()

    def follow(self, image: Image, delta: Delta, now_ms: int) -> list[Effect]:
        """Do here what the delta says; `image` is the one after it."""
        effects: list[Effect] = []
        for topic in delta.deleted:
            effects += self._drop(topic.topic_id, now_ms)
        for topic in delta.created:
            self._host(topic, image, now_ms)
        for change in delta.changed:
            effects += self._change(change.after, image, change.partitions, now_ms)
        for kind, name in delta.configs_changed:
            if kind == TOPIC_RESOURCE:
                effects += self._configure(name, image, now_ms)
        return effects

    def _host(self, topic: TopicImage, image: Image, now_ms: int) -> None:
        hosted = HostedTopic(topic.name, topic.topic_id, self._policy_of(topic.name, image))
        self._by_name[topic.name] = hosted
        self._by_id[topic.topic_id] = hosted
        for number, partition in enumerate(topic.partitions):
            hosted.leaders.append(self._open(hosted, number, partition, now_ms))

    def _open(
        self, hosted: HostedTopic, number: int, image: PartitionImage, now_ms: int
    ) -> Leader | ErrorCode:
        if self._node_id not in image.replicas:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        partition = TopicPartition(hosted.name, number)
        policy = hosted.policy
        try:
            log = self._directories.open(partition, hosted.topic_id, policy.settings, now_ms)
        except OSError as error:
            if (hosted.topic_id, number) not in self._unopened:
                logger.error(
                    "partition is offline until its log can be opened",
                    extra={"partition": partition, "error": str(error)},
                )
            self._unopened[hosted.topic_id, number] = image
            self._deadlines.set((_Duty.REOPEN, "", 0), now_ms + _REOPEN_PAUSE_MS)
            return ErrorCode.KAFKA_STORAGE_ERROR
        leader = Leader(
            partition, hosted.topic_id, log, policy, internal=hosted.name in INTERNAL_TOPICS
        )
        self._lead(leader, image)
        return leader

    def _lead(self, leader: Leader, image: PartitionImage) -> None:
        """Take over what the image says of a partition that is here."""
        replicas = tuple(BrokerId(one) for one in image.replicas)
        isr = leader.isr
        if isr.members != image.isr or isr.replicas != replicas:
            leader.isr = Isr(tuple(BrokerId(one) for one in image.isr), replicas)
        leader.leader_id = image.leader
        leader.leader_epoch = image.leader_epoch
        if leader.error is ErrorCode.KAFKA_STORAGE_ERROR:
            return
        leads = image.leader == self._node_id
        leader.error = None if leads else ErrorCode.NOT_LEADER_OR_FOLLOWER

    def _change(
        self, topic: TopicImage, image: Image, partitions: tuple[int, ...], now_ms: int
    ) -> list[Effect]:
        hosted = self._by_id[topic.topic_id]
        effects: list[Effect] = []
        for number in partitions:
            partition = topic.partitions[number]
            if number == len(hosted.leaders):
                hosted.leaders.append(self._open(hosted, number, partition, now_ms))
                continue
            leader = hosted.leaders[number]
            if isinstance(leader, Leader):
                self._lead(leader, partition)
                effects += self._waiting.wake(leader.partition, now_ms)
            elif leader is ErrorCode.NOT_LEADER_OR_FOLLOWER:
                hosted.leaders[number] = self._open(hosted, number, partition, now_ms)
            elif (topic.topic_id, number) in self._unopened:
                self._unopened[topic.topic_id, number] = partition
        return effects

    def _reopen(self, now_ms: int) -> list[Effect]:
        """Open what the disk did not let be opened: it may have room by now."""
        effects: list[Effect] = []
        for (topic_id, number), image in list(self._unopened.items())[:_REMOVAL_SLICE]:
            hosted = self._by_id[topic_id]
            opened = self._open(hosted, number, image, now_ms)
            if opened is _OFFLINE:
                continue
            del self._unopened[topic_id, number]
            hosted.leaders[number] = opened
            if isinstance(opened, Leader):
                logger.warning("partition is online", extra={"partition": opened.partition})
                effects += self._flush_if_due(opened, rolled=False)
        if self._unopened:
            self._deadlines.set((_Duty.REOPEN, "", 0), now_ms + _REOPEN_PAUSE_MS)
        return effects

    def _drop(self, topic_id: Uuid, now_ms: int) -> list[Effect]:
        hosted = self._by_id.pop(topic_id)
        del self._by_name[hosted.name]
        effects: list[Effect] = []
        for number, leader in enumerate(hosted.leaders):
            if not isinstance(leader, Leader):
                if self._unopened.pop((topic_id, number), None) is not None:
                    self._directories.forget(TopicPartition(hosted.name, number))
                continue
            leader.error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if leader.flushes and not (probe.MUTANTS and probe.mutant("M60-flush-of-predecessor")):
                self._orphan_flushes.add(leader.partition)
            for duty in (_Duty.FLUSH, _Duty.SWEEP):
                self._deadlines.cancel(_duty(duty, leader))
            self._remove_later(leader, now_ms)
            effects += self._waiting.wake(leader.partition, now_ms)
        return effects + self._checkpoint_now((LOG_STARTS, RECOVERY_POINTS, CLEANED_OFFSETS))

    def _checkpoint_now(self, names: tuple[str, ...]) -> list[Effect]:
        """Write these checkpoints where they differ: a kill finds them, and soon a power cut."""
        effects = self._checkpoints.changes(names, self._leaders())
        for effect in effects:
            try:
                self._disk.write_whole(effect.path, effect.data)
            except OSError as error:
                why = {"path": effect.path, "error": str(error)}
                logger.error("a checkpoint can't be written; it will be tried again", extra=why)
        return [*effects]

    def _remove_later(self, leader: Leader, now_ms: int) -> None:
        try:
            aside = self._directories.set_aside_for_deletion(leader.partition)
        except OSError as error:
            logger.error(
                "a deleted partition's directory can't be renamed; it stays as a stray",
                extra={"partition": leader.partition, "error": str(error)},
            )
            return
        delay_ms = leader.policy.settings.file_delete_delay_ms
        self._deadlines.set((_Duty.REMOVE, aside, 0), now_ms + delay_ms)

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

    def flushed(self, partition: TopicPartition, end_offset: int, now_ms: int) -> list[Effect]:
        """A Flush has succeeded (else: `go_offline`): what waited for it is released."""
        self._opening.discard(partition)
        orphaned = partition in self._orphan_flushes
        self._orphan_flushes.discard(partition)
        hosted = self._by_name.get(partition.topic)
        if hosted is None or partition.partition >= len(hosted.leaders):
            return []
        leader = hosted.leaders[partition.partition]
        if not isinstance(leader, Leader):
            return []
        if not orphaned and leader.flushes:
            leader.flushed(end_offset)
        return self.appended(leader, now_ms)

    def go_offline(self, why: str, now_ms: int) -> list[Effect]:
        """A flush has failed. The kernel now calls pages clean that it could not write, so a second
        one would succeed and mean nothing: what waits for the disk is refused."""
        if self.is_offline:
            return []
        self.is_offline = True
        logger.error(_OFFLINE_TEXT, extra={"error": why})
        self._cleaner.stop()
        effects: list[Effect] = []
        for leader in list(self._leaders()):
            leader.fail()
            effects += self._waiting.wake(leader.partition, now_ms)
        self._opening.clear()
        self._unopened.clear()
        self._round.clear()
        self._deadlines = Deadlines()
        return effects

    @property
    def is_examined(self) -> bool:
        """Whether every log was opened, and with it examined."""
        return not self._unopened

    @property
    def is_open(self) -> bool:
        """Whether what a killed process left is flushed: before, the end may be below a known one."""
        return not self._opening

    def _due_flushes(self) -> list[Effect]:
        flushes = [leader.flush_due() for leader in self._leaders()]
        return [flush for flush in flushes if flush is not None]

    # --- recurring work ---------------------------------------------------------------------------

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        removals = 0
        for key in self._deadlines.due(now_ms):
            duty, name, number = key
            match duty:
                case _Duty.REMOVE:
                    removals += 1
                    if removals > _REMOVAL_SLICE:
                        self._deadlines.set(key, now_ms + _SLICE_PAUSE_MS)
                    else:
                        self._remove(name)
                case _Duty.CHECKPOINT:
                    self._deadlines.set(key, now_ms + self._checkpoint_interval_ms())
                    effects += self._checkpoints.changes(ALL, self._leaders())
                case _Duty.RETENTION:
                    self._retain(now_ms)
                case _Duty.COMPACTION:
                    effects += self._compact(now_ms)
                case _Duty.REOPEN:
                    effects += self._reopen(now_ms)
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
            turn = self._cleaner.step(self._leaders, now_ms, is_busy=self.is_busy)
        except Broken as error:
            return self.go_offline(f"compaction: {error}", now_ms)
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

    def _remove(self, directory: str) -> None:
        try:
            self._disk.remove_tree(directory)
        except OSError as error:
            logger.error(
                "directory of a deleted partition can't be removed",
                extra={"directory": directory, "error": str(error)},
            )

    def _checkpoint_interval_ms(self) -> int:
        interval_ms = self._settings.logs.recovery_point_checkpoint_interval_ms
        return max(_CHECKPOINT_PAUSE_MS, interval_ms)

    # --- the end ----------------------------------------------------------------------------------

    def close(self, now_ms: int) -> list[Effect]:
        """Nothing is appended any more, and everything goes to the disk.

        The outcomes of the flushes come in as `flushed`; then `close_logs`.
        """
        self._cleaner.abandon()
        flushes = [leader.close(now_ms) for leader in self._leaders()]
        return [flush for flush in flushes if flush is not None]

    def close_logs(self, now_ms: int) -> list[Effect]:
        """Clean end of every log, and the checkpoints to be written.

        After a flush that failed everything is left as it is: the recovery points that were
        written before say what is on the disk.
        """
        if self.is_offline:
            return []
        for leader in self._leaders():
            leader.close_log(now_ms)
        return [*self._checkpoints.changes(ALL, self._leaders())]

    @property
    def is_durable(self) -> bool:
        """Whether all of it is on the disk. Without that, no marker of a clean stop is written:
        it would make the next process believe what it must check."""
        if probe.MUTANTS and probe.mutant("M32-clean-without-flush"):
            return True
        return not self.is_offline and all(
            leader.durable if isinstance(leader, Leader) else leader is not _OFFLINE
            for hosted in self._by_name.values()
            for leader in hosted.leaders
        )

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
