"""The coordinators of one kind on this broker: one per partition of their topic that it leads.

An id belongs to one shard (`place.py`). Where this broker doesn't lead that partition, or the topic is
not there, the answer is NOT_COORDINATOR, and the client looks for the coordinator again, which makes
the topic. While a shard is loading it is COORDINATOR_LOAD_IN_PROGRESS. A shard whose log can't be
read refuses, with a log line that names file and offset; the others go on.

Loading is cut into slices, so that a long log does not hold up the loop.

Elsewhere: one shard, see `shard.py`; the machines on them, `core/group`.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar, final

from ottla import probe
from ottla.core.deadline import Deadlines
from ottla.core.effect import Effect
from ottla.core.metadata.image import Delta
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import ReplicaTable
from ottla.core.shard.decision import Asked, Decision
from ottla.core.shard.place import shard_of
from ottla.core.shard.shard import UNREADABLE, Machine, Shard
from ottla.errors import ErrorCode
from ottla.types import TopicPartition

M = TypeVar("M", bound=Machine)
T = TypeVar("T")

logger: Final = logging.getLogger(__name__)

# About 10 ms of work.
_LOAD_SLICE_RECORDS: Final = 500
# What a start may read before it goes on: a small broker is ready when it opens.
_START_RECORDS: Final = 5_000
# A disk that refused an append may be full; its log is read again, but not in a tight loop.
_RELOAD_PAUSE_MS: Final = 1_000


@final
class Shards(Generic[M]):
    """`make` builds the machine for the shard of a number."""

    __slots__ = ("_deadlines", "_make", "_replicas", "_shards", "_unreadable", "topic")

    def __init__(self, topic: str, replicas: ReplicaTable, make: Callable[[int], M]) -> None:
        self.topic = topic
        self._replicas = replicas
        self._make = make
        self._shards: dict[int, Shard[M]] = {}
        self._deadlines: Deadlines[int] = Deadlines()
        # Whose log can't be read, for as long as it is that log.
        self._unreadable: dict[int, Leader] = {}

    # --- what handlers ask ------------------------------------------------------------------------

    def number_of(self, text: str) -> int | None:
        """The shard that an id belongs to, here or elsewhere; None: the topic is not there."""
        hosted = self._replicas.topic(self.topic)
        return None if hosted is None else shard_of(text, len(hosted.leaders))

    def machine(self, now_ms: int, text: str) -> tuple[int, M] | ErrorCode:
        """Number and machine of the shard that coordinates an id, or why it can't be asked.

        A partition that came to this broker unseen (the disk lets it be opened after all) is taken up
        by the first who asks.
        """
        number = self.number_of(text)
        if number is None:
            return ErrorCode.NOT_COORDINATOR
        if number not in self._shards:
            self._open_missing(now_ms)
        held = self._shards.get(number)
        if held is None:
            return ErrorCode.NOT_COORDINATOR
        if not held.is_active and not (probe.MUTANTS and probe.mutant("M90-served-while-loading")):
            return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS
        return number, held.machine

    def ask(
        self, now_ms: int, text: str, call: Asked[T], decide: Callable[[M], Decision]
    ) -> list[Effect]:
        """Let the machine that coordinates an id decide; where none can, the call is refused."""
        found = self.machine(now_ms, text)
        if isinstance(found, ErrorCode):
            return call.refuse(found)
        number, machine = found
        return self.run(now_ms, number, decide(machine))

    def machines(self) -> Iterator[tuple[int, M | ErrorCode]]:
        """All shards of this broker, in the order of their numbers."""
        for number, shard in sorted(self._shards.items()):
            yield (
                number,
                shard.machine if shard.is_active else ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
            )

    def run(self, now_ms: int, number: int, decision: Decision) -> list[Effect]:
        """Make a decision of this shard's machine come true."""
        shard = self._shards[number]
        effects = shard.run(now_ms, decision)
        if isinstance(effects, ErrorCode):
            return self._lose(now_ms, number, effects)
        self._set_deadline(number, shard)
        return effects

    # --- following the image ----------------------------------------------------------------------

    def load(self, now_ms: int) -> list[Effect]:
        """Begin to load every shard that this broker leads. Once, at the start."""
        effects: list[Effect] = []
        budget = _START_RECORDS
        for number in self._open_missing(now_ms):
            while budget > 0 and not self._shards[number].is_active:
                budget -= _LOAD_SLICE_RECORDS
                effects += self._load_slice(now_ms, number)
                if number not in self._shards:
                    break
        return effects

    def follow(self, delta: Delta, now_ms: int) -> list[Effect]:
        """After the replicas followed: take up shards, drop shards, forget deleted topics."""
        effects: list[Effect] = []
        for number, shard in sorted(self._shards.items()):
            if self._replicas.leader(self.topic, number) is not shard.leader:
                effects += self._close(number, ErrorCode.NOT_COORDINATOR)
        ours = any(topic.name == self.topic for topic in delta.created)
        if ours or any(change.after.name == self.topic for change in delta.changed):
            for number in self._open_missing(now_ms):
                effects += self._load_slice(now_ms, number)
        names = frozenset(topic.name for topic in delta.deleted)
        if names:
            for number in sorted(self._shards):
                shard = self._shards[number]
                if shard.is_active:
                    effects += self.run(now_ms, number, shard.machine.topics_deleted(names))
        return effects

    def flushed(self, partition: TopicPartition) -> list[Effect]:
        """The replicas took note of a flush: what waited for it is answered."""
        held = self._shards.get(partition.partition)
        return [] if partition.topic != self.topic or held is None else held.release()

    def drop_lost(self) -> list[Effect]:
        """After the disk failed: shards whose log serves no more refuse everybody who waits."""
        effects: list[Effect] = []
        for number, shard in sorted(self._shards.items()):
            if shard.leader.gave_up() is not None:
                effects += self._close(number, ErrorCode.NOT_COORDINATOR)
        return effects

    # --- time -------------------------------------------------------------------------------------

    def next_ms(self) -> int | None:
        return self._deadlines.next_ms()

    def tick(self, now_ms: int) -> list[Effect]:
        effects: list[Effect] = []
        for number in self._deadlines.due(now_ms):
            shard = self._shards[number]
            if shard.is_active:
                effects += self.run(now_ms, number, shard.machine.tick(now_ms))
            else:
                effects += self._load_slice(now_ms, number)
        return effects

    def _set_deadline(self, number: int, shard: Shard[M]) -> None:
        due_ms = shard.machine.next_ms()
        if due_ms is None:
            self._deadlines.cancel(number)
        else:
            self._deadlines.set(number, due_ms)

    # --- one shard's life -------------------------------------------------------------------------

    def _open_missing(self, now_ms: int) -> list[int]:
        hosted = self._replicas.topic(self.topic)
        if hosted is None:
            return []
        opened = []
        for number in range(len(hosted.leaders)):
            leader = hosted.leader(number)
            if number in self._shards or not isinstance(leader, Leader):
                continue
            if self._unreadable.get(number) is not leader:
                self._open(now_ms, number, leader)
                opened.append(number)
        return opened

    def _open(self, now_ms: int, number: int, leader: Leader) -> None:
        self._shards[number] = Shard(leader, self._make(number), self._replicas)
        self._deadlines.set(number, now_ms)

    def _load_slice(self, now_ms: int, number: int) -> list[Effect]:
        shard = self._shards[number]
        try:
            if shard.load(_LOAD_SLICE_RECORDS):
                self._deadlines.set(number, now_ms)
                return []
        except UNREADABLE as error:
            logger.error(
                "a coordinator's log can't be read; what it coordinates is refused",
                extra={"partition": shard.leader.partition, "reason": str(error)},
            )
            self._unreadable[number] = shard.leader
            return self._close(number, ErrorCode.NOT_COORDINATOR)
        shard.is_active = True
        return self.run(now_ms, number, shard.machine.loaded(now_ms))

    def _close(self, number: int, error: ErrorCode) -> list[Effect]:
        shard = self._shards.pop(number)
        self._deadlines.cancel(number)
        return shard.drop(error)

    def _lose(self, now_ms: int, number: int, error: ErrorCode) -> list[Effect]:
        """An append was refused: forget everything, and read it again if this broker still leads."""
        effects = self._close(number, error)
        leader = self._replicas.leader(self.topic, number)
        if isinstance(leader, Leader):
            self._open(now_ms + _RELOAD_PAUSE_MS, number, leader)
        return effects

    def check_invariants(self) -> None:
        for number, shard in self._shards.items():
            assert shard.leader.partition == (self.topic, number)
            if shard.is_active:
                shard.check_invariants()
