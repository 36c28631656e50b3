"""The partitions of this broker are opened: at once, when their turn comes, or when the disk lets them.

A request may bring thousands of partitions; what does not fit into a step waits for the next ones, in
the order it came, unless somebody asks for it: then it is made on the spot. A partition that the disk
does not let be opened is tried again until it can be.

Elsewhere: which partitions those are, see `table.py`; in which directory, see `log_dirs.py`.
"""

import logging
from collections.abc import Mapping
from enum import Enum, auto
from typing import Final, TypeAlias, final

from ottla.core.deadline import Deadlines
from ottla.core.metadata.partition import INTERNAL_TOPICS, PartitionImage
from ottla.core.replica.hosted import HostedTopic, Unmade
from ottla.core.replica.leader import Leader
from ottla.core.replica.log_dirs import LogDirs
from ottla.core.replica.move import Moves
from ottla.core.replica.removal import Removals
from ottla.core.replica.step_budget import StepBudget
from ottla.errors import ErrorCode
from ottla.types import BrokerId, TopicPartition, Uuid

logger: Final = logging.getLogger(__name__)

Key: TypeAlias = tuple[Uuid, int]
"""A partition, by its topic's id."""

_MADE_PER_STEP: Final = 10  # below 50 ms, on a disk that is slow to make files
_REOPENED_PER_STEP: Final = 20
_REOPEN_PAUSE_MS: Final = 2_000
_OFFLINE: Final = ErrorCode.KAFKA_STORAGE_ERROR


class _Turn(Enum):
    MAKE = auto()
    REOPEN = auto()


@final
class Openings:
    """`now_ms` is the clock as of the step under way: whoever asks for a partition has none."""

    __slots__ = (
        "_budget",
        "_deadlines",
        "_dirs",
        "_moves",
        "_node_id",
        "_removals",
        "_unmade",
        "is_loading",
        "now_ms",
        "unopened",
    )

    def __init__(self, node_id: BrokerId, dirs: LogDirs, removals: Removals, moves: Moves) -> None:
        self._node_id = node_id
        self._dirs = dirs
        self._removals = removals
        self._moves = moves
        self._deadlines: Deadlines[_Turn] = Deadlines()
        self._budget = StepBudget(_MADE_PER_STEP)
        self._unmade: dict[Key, None] = {}  # by when they came
        # Led here, had the disk let it be opened: tried again, oldest first.
        self.unopened: dict[Key, PartitionImage] = {}
        self.now_ms = 0
        self.is_loading = False
        """At the start everything is opened at once, and may have been anywhere."""

    def place(
        self, hosted: HostedTopic, number: int, image: PartitionImage
    ) -> Leader | ErrorCode | Unmade:
        """What a partition is to this broker; it is opened, unless this step has opened enough."""
        if self._node_id not in image.replicas:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        if self.is_loading or (not self._unmade and self._budget.take(self.now_ms)):
            return self._open(hosted, number, image)
        if not self._unmade:
            self._deadlines.set(_Turn.MAKE, self.now_ms + 1)
        self._unmade[hosted.topic_id, number] = None
        return Unmade(image)

    def make(self, hosted: HostedTopic, number: int) -> Leader | ErrorCode:
        """Open a partition that was put off: its turn has come, or somebody asks for it."""
        unmade = hosted.leaders[number]
        assert isinstance(unmade, Unmade)
        del self._unmade[hosted.topic_id, number]
        opened = self._open(hosted, number, unmade.image)
        hosted.leaders[number] = opened
        return opened

    def forget(self, hosted: HostedTopic, number: int) -> None:
        """A partition that was not opened is not wanted any more."""
        key = (hosted.topic_id, number)
        self._unmade.pop(key, None)
        if self.unopened.pop(key, None) is not None:
            partition = TopicPartition(hosted.name, number)
            for log_dir in self._dirs.online():
                log_dir.directories.disown(partition)
                log_dir.directories.forget(partition)

    def clear(self) -> None:
        """Nothing can be opened any more."""
        self.unopened.clear()
        self._deadlines.cancel(_Turn.REOPEN)

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, topics: Mapping[Uuid, HostedTopic]) -> list[Leader]:
        """Those that could be opened at last. `topics`: all that are here, by id."""
        reopened: list[Leader] = []
        for turn in self._deadlines.due(self.now_ms):
            match turn:
                case _Turn.MAKE:
                    self._make_some(topics)
                case _Turn.REOPEN:
                    reopened += self.reopen(topics)
        return reopened

    def _make_some(self, topics: Mapping[Uuid, HostedTopic]) -> None:
        while self._unmade and self._budget.take(self.now_ms):
            topic_id, number = next(iter(self._unmade))
            self.make(topics[topic_id], number)
        if self._unmade:
            self._deadlines.set(_Turn.MAKE, self.now_ms + 1)

    def reopen(self, topics: Mapping[Uuid, HostedTopic]) -> list[Leader]:
        """Try again with some of those that the disk has not let be opened."""
        reopened = []
        for (topic_id, number), image in list(self.unopened.items())[:_REOPENED_PER_STEP]:
            hosted = topics[topic_id]
            opened = self._open(hosted, number, image)
            if isinstance(opened, Leader):
                del self.unopened[topic_id, number]
                hosted.leaders[number] = opened
                logger.warning("partition is online", extra={"partition": opened.partition})
                reopened.append(opened)
        if self.unopened:
            self._deadlines.set(_Turn.REOPEN, self.now_ms + _REOPEN_PAUSE_MS)
        return reopened

    def _spare(self, partition: TopicPartition) -> None:
        """It could not be seen whose directory this is."""
        for online in self._dirs.online():
            online.directories.spare(partition)

    def _open(self, hosted: HostedTopic, number: int, image: PartitionImage) -> Leader | ErrorCode:
        now_ms = self.now_ms
        partition = TopicPartition(hosted.name, number)
        key = (hosted.topic_id, number)
        self._removals.free(partition, now_ms)
        assigned = image.directory_of(self._node_id)
        try:
            is_new = not self.is_loading and key not in self.unopened
            log_dir = self._dirs.home_of(partition, hosted.topic_id, assigned, is_new=is_new)
            if log_dir is None:
                self.unopened.pop(key, None)  # not before the next start
                self._spare(partition)
                return _OFFLINE
            settings = hosted.policy.settings
            elsewhere = self._dirs.checkpointed_elsewhere(log_dir, partition, hosted.topic_id)
            log = log_dir.directories.open(
                partition, hosted.topic_id, settings, now_ms, elsewhere=elsewhere
            )
        except OSError as error:
            if key not in self.unopened:
                logger.error(
                    "partition is offline until its log can be opened",
                    extra={"partition": partition, "error": str(error)},
                )
            self.unopened[key] = image
            self._spare(partition)
            self._deadlines.set(_Turn.REOPEN, now_ms + _REOPEN_PAUSE_MS)
            return _OFFLINE
        leader = Leader(
            partition,
            hosted.topic_id,
            log,
            hosted.policy,
            internal=hosted.name in INTERNAL_TOPICS,
            log_dir=log_dir.number,
        )
        log_dir.partition_count += 1
        if assigned is not None and assigned != log_dir.directory_id:
            self._moves.told[key] = log_dir.directory_id
        leader.follow(image, self._node_id)
        return leader
