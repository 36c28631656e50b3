"""One coordinator on one partition: its machine, and what waits for the partition's log.

Life: loading (the log is replayed, in slices) → active → lost. A machine decides on what it applied;
the entries of a decision are appended as a batch and applied at once, and its answers leave when the
high watermark has passed them. An append that the log refuses takes the whole shard down: every
parked call is told so, and the state is read anew from the log, which is the only truth. So nothing
here is ever rolled back.

Promises: answers leave in the order of the decisions; a batch that is too large changes nothing.
An entry of a transaction counts from its commit marker on.

Elsewhere: which shards there are, see `shards.py`.
"""

import logging
from collections import deque
from collections.abc import Iterator
from typing import Final, Generic, Protocol, TypeVar, final

from ottla import probe
from ottla.core.effect import Effect
from ottla.core.log.producer_state import Refused
from ottla.core.replica.leader import Leader
from ottla.core.replica.table import ReplicaTable
from ottla.core.shard.decision import Answer, Decision, Entry
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.builder import BatchBuilder, record_size_max
from ottla.record.control import ControlType, control_untrusted
from ottla.record.record import records_untrusted
from ottla.record.validate import ValidBatch

logger: Final = logging.getLogger(__name__)

UNREADABLE: Final = (RemoteProtocolError, OSError)
"""What `Shard.load` raises of a log that can't be read."""


class Machine(Protocol):
    """What lives on a shard. Its hard state is made by `apply` alone."""

    def decode_untrusted(self, key: bytes | None, value: bytes | None) -> Entry | None:
        """The entry of a record; None: one that means nothing here. RemoteProtocolError."""

    def apply(self, entry: Entry) -> None: ...

    def loaded(self, now_ms: int) -> Decision:
        """Everything that is in the log was applied."""

    def tick(self, now_ms: int) -> Decision: ...

    def next_ms(self) -> int | None: ...

    def topics_deleted(self, names: frozenset[str]) -> Decision: ...

    def parked(self) -> list[Answer]:
        """The calls that the machine still owes an answer; nothing else is asked of it then."""

    def check_invariants(self) -> None: ...


M = TypeVar("M", bound=Machine)


@final
class Shard(Generic[M]):
    """An active or loading coordinator. `is_active`: the machine may be asked."""

    __slots__ = ("_loading", "_open", "_pending", "_replicas", "is_active", "leader", "machine")

    def __init__(self, leader: Leader, machine: M, replicas: ReplicaTable) -> None:
        self.leader = leader
        self.machine = machine
        self.is_active = False
        self._replicas = replicas
        self._loading: Iterator[Batch] | None = None
        # Entries of transactions whose outcome was not yet read, by producer id.
        self._open: dict[int, list[Entry]] = {}
        self._pending: deque[tuple[int, list[Answer]]] = deque()

    # --- loading ----------------------------------------------------------------------------------

    def load(self, records_max: int) -> int:
        """Replay about `records_max` records; how many it were, 0 at the end of the log.

        Raises RemoteProtocolError or OSError: it can't be read.
        """
        log = self.leader.log
        if self._loading is None:
            self._loading = log.batches(log.start_offset, log.end_offset)
        limit = self.leader.policy.checks.decompressed_bytes_max
        done = 0
        for batch in self._loading:
            try:
                self._replay_untrusted(batch, limit)
            except RemoteProtocolError as error:
                raise RemoteProtocolError(
                    f"{log.directory}: batch at offset {batch.base_offset}: {error}"
                ) from None
            done += max(1, batch.record_count)
            if done >= records_max:
                return done
        if done == 0:
            self._loading = None
            self._open.clear()
        return done

    def _replay_untrusted(self, batch: Batch, limit: int) -> None:
        machine = self.machine
        if batch.is_control and batch.record_count == 0:
            return  # compaction has left its header: nothing of that transaction is left
        if batch.is_control:
            marker = control_untrusted(batch)
            entries = self._open.pop(batch.producer_id, [])
            if marker.control_type is ControlType.COMMIT:
                for entry in entries:
                    machine.apply(entry)
            return
        for record in records_untrusted(batch, limit=limit):
            if probe.MUTANTS and record.value is None and probe.mutant("M90-tombstones-skipped"):
                continue
            decoded = machine.decode_untrusted(record.key, record.value)
            if decoded is None:
                continue
            if batch.is_transactional:
                self._open.setdefault(batch.producer_id, []).append(decoded)
            else:
                machine.apply(decoded)

    # --- running ----------------------------------------------------------------------------------

    def run(self, now_ms: int, decision: Decision) -> list[Effect] | ErrorCode:
        """Append, apply, and answer as soon as it is committed; an error: the shard is lost."""
        effects: list[Effect] = []
        leader = self.leader
        if decision.entries:
            batches = self._batches(now_ms, decision)
            if batches is None:
                for answer in decision.answers:
                    effects += answer.refused(ErrorCode.MESSAGE_TOO_LARGE)
                if decision.otherwise is None:
                    return effects
                rest = self.run(now_ms, decision.otherwise(now_ms))
                return rest if isinstance(rest, ErrorCode) else effects + rest
            refused = self._append(now_ms, batches)
            if refused is not None:
                self._pending.append((leader.log.end_offset, decision.answers))
                return refused
            for entry in decision.entries:
                self.machine.apply(entry)
            if probe.MUTANTS and probe.mutant("M91-told-before-commit"):
                for answer in decision.answers:
                    effects += answer.given()
            elif decision.answers:
                self._pending.append((leader.log.end_offset, decision.answers))
            return effects + self._replicas.appended(leader, now_ms) + self.release()
        if decision.answers:
            self._pending.append((leader.log.end_offset, decision.answers))
            effects += self.release()
        return effects

    def _batches(self, now_ms: int, decision: Decision) -> list[BatchBuilder] | None:
        """The entries as batches that the topic takes; None: they are too large for that."""
        policy = self.leader.policy
        # A batch that no segment takes would be refused by the log, and the shard be lost for it.
        bytes_max = min(policy.checks.bytes_max, policy.settings.segment_bytes)
        builder = BatchBuilder()
        batches = [builder]
        for entry in decision.entries:
            key, value = entry.record()
            size_bytes = record_size_max(key, value)
            if builder.record_count and builder.size_bytes + size_bytes > bytes_max:
                if not decision.divisible:
                    return None
                builder = BatchBuilder()
                batches.append(builder)
            if builder.size_bytes + size_bytes > bytes_max:
                return None
            builder.append(now_ms, key, value)
        return batches

    def _append(self, now_ms: int, batches: list[BatchBuilder]) -> ErrorCode | None:
        leader = self.leader
        if leader.error is not None:
            return ErrorCode.NOT_COORDINATOR
        if not leader.has_enough_in_sync():
            return ErrorCode.COORDINATOR_NOT_AVAILABLE
        for builder in batches:
            data = builder.build()
            batch = Batch(data, 0)
            batch.data = memoryview(data)
            appended = leader.append(ValidBatch(batch, now_ms, 0), now_ms)
            if isinstance(appended, Refused):
                logger.error(
                    "a coordinator can't write",
                    extra={"partition": leader.partition, "reason": appended.message},
                )
                return ErrorCode.NOT_COORDINATOR
        return None

    def release(self) -> list[Effect]:
        """Give the answers whose entries are committed by now."""
        effects: list[Effect] = []
        high_watermark = self.leader.high_watermark
        while self._pending and self._pending[0][0] <= high_watermark:
            for answer in self._pending.popleft()[1]:
                effects += answer.given()
        return effects

    def drop(self, error: ErrorCode) -> list[Effect]:
        """The end of this shard: everybody who waits is told `error`."""
        self.is_active = False
        effects: list[Effect] = []
        for _, answers in self._pending:
            for answer in answers:
                effects += answer.refused(error)
        self._pending.clear()
        for answer in self.machine.parked():
            effects += answer.refused(error)
        return effects

    def check_invariants(self) -> None:
        offsets = [offset for offset, _ in self._pending]
        assert offsets == sorted(offsets)
        self.machine.check_invariants()
