"""What a log knows of its producers: the newest sequence numbers, epochs and open transactions.

`check` decides whether a client's batch may be appended: a retry of one of the last five batches is
answered with its first offset, a gap or an older epoch is refused. `observe` takes note of every
batch that was appended, whoever wrote it; replaying the log's headers through it rebuilds the state.

The state is saved in `.snapshot` files, in Kafka's format: one at every segment's base offset, so
that a truncated log finds an older one, and the newest at the end of the log. An entry is kept until
its producer was silent for producer.id.expiration.ms, also when its records are gone (KIP-360).

Source: KIP-98, KIP-360, KIP-854. Elsewhere: deciding on transactions, `core/txn`; which offsets a
reader of committed records may see, the replica's leader.
"""

from struct import Struct, error
from typing import Final, NamedTuple, final

from ottla import probe
from ottla.core.log.aborted_index import AbortedTransaction
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.record.batch import SEQUENCE_MAX, Batch
from ottla.record.control import ControlType, control_untrusted, coordinator_epoch_untrusted
from ottla.record.crc import crc32c
from ottla.types import NO_PRODUCER_EPOCH, NO_SEQUENCE

BATCHES_REMEMBERED: Final = 5
"""As many as an idempotent producer has in flight."""

_SNAPSHOT_VERSION: Final = 1
_HEADER: Final = Struct(">hIi")
_ENTRY: Final = Struct(">qhiqiqiq")
_CRC_FROM: Final = 6
_NO_COORDINATOR: Final = -1
_NO_OFFSET: Final = -1


@final
class Refused:
    """A batch that may not be appended, and why."""

    __slots__ = ("error", "message")

    def __init__(self, error: ErrorCode, message: str) -> None:
        self.error = error
        self.message = message


@final
class Remembered:
    """One of a producer's last batches. A retry of it is answered with `base_offset`."""

    __slots__ = ("last_offset", "last_sequence", "offset_delta", "timestamp_ms")

    def __init__(
        self, last_sequence: int, last_offset: int, offset_delta: int, timestamp_ms: int
    ) -> None:
        self.last_sequence = last_sequence
        self.last_offset = last_offset
        self.offset_delta = offset_delta
        self.timestamp_ms = timestamp_ms

    @property
    def base_offset(self) -> int:
        return self.last_offset - self.offset_delta

    @property
    def base_sequence(self) -> int:
        return (self.last_sequence - self.offset_delta) & SEQUENCE_MAX


@final
class Producer:
    """One producer id on one partition."""

    __slots__ = ("batches", "coordinator_epoch", "epoch", "last_timestamp_ms", "transaction_start")

    def __init__(self) -> None:
        self.epoch: int = NO_PRODUCER_EPOCH
        self.batches: list[Remembered] = []
        self.last_timestamp_ms: int = -1
        self.coordinator_epoch: int = _NO_COORDINATOR
        self.transaction_start: int = _NO_OFFSET
        """The first offset of the open transaction; -1: none is open."""

    @property
    def last_sequence(self) -> int:
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    def enter(self, epoch: int) -> None:
        """Forget the batches of another epoch: sequences begin anew with every epoch."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.batches.clear()


class Completed(NamedTuple):
    """A transaction whose marker was appended."""

    producer_id: int
    first_offset: int
    last_offset: int
    aborted: bool


@final
class ProducerState:
    """All producers of one log, as of `end_offset`."""

    __slots__ = ("_open", "end_offset", "producers", "snapshot_offset")

    def __init__(self, start_offset: int) -> None:
        self.producers: dict[int, Producer] = {}
        self.end_offset: int = start_offset
        """Everything before it has been observed."""
        self.snapshot_offset: int = start_offset
        """Nothing newer than the snapshot of this offset is worth saving."""
        self._open: dict[int, int] = {}  # first offset -> producer id, ascending

    def check(self, batch: Batch) -> Remembered | Refused | None:
        """May a client's batch be appended? None: yes. Remembered: it already was, as this one."""
        producer = self.producers.get(batch.producer_id)
        if producer is None:
            # Nothing is known: the producer's records may have been deleted, or expired. Kafka
            # accepts any sequence then; to refuse would stop a producer that did nothing wrong.
            return None
        first, last = batch.base_sequence, batch.last_sequence
        if batch.producer_epoch == producer.epoch:
            remembered = producer.batches
            if probe.MUTANTS and probe.mutant("M70-last-batch-only"):
                remembered = remembered[-1:]
            for known in remembered:
                if known.last_sequence == last and known.base_sequence == first:
                    return known
            end = producer.last_sequence
            if probe.MUTANTS and probe.mutant("M70-gap-accepted"):
                end = first - 1
            if first != end + 1 and not (first == 0 and end == SEQUENCE_MAX):
                return Refused(
                    ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                    f"producer {batch.producer_id} sends sequence {first}; its last one here is {end}",
                )
        elif batch.producer_epoch < producer.epoch:
            return Refused(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"producer {batch.producer_id} has epoch {batch.producer_epoch}; "
                f"epoch {producer.epoch} has written here",
            )
        elif first != 0 and producer.epoch != NO_PRODUCER_EPOCH:
            return Refused(
                ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
                f"producer {batch.producer_id} begins epoch {batch.producer_epoch} with sequence "
                f"{first}; 0 is expected",
            )
        if producer.transaction_start >= 0 and not batch.is_transactional:
            return Refused(
                ErrorCode.INVALID_TXN_STATE,
                f"producer {batch.producer_id} has a transaction open since offset "
                f"{producer.transaction_start}; this batch is not part of it",
            )
        return None

    def appended(
        self, batch: Batch, base_offset: int, last_offset: int, max_timestamp_ms: int
    ) -> None:
        """Take note of a data batch as it was written: offsets and time may be the leader's."""
        producer = self.producers.get(batch.producer_id)
        if producer is None:
            producer = self.producers[batch.producer_id] = Producer()
        producer.enter(batch.producer_epoch)
        if len(producer.batches) == BATCHES_REMEMBERED:
            del producer.batches[0]
        producer.batches.append(
            Remembered(
                batch.last_sequence, last_offset, last_offset - base_offset, max_timestamp_ms
            )
        )
        producer.last_timestamp_ms = max_timestamp_ms
        if batch.is_transactional and producer.transaction_start < 0:
            producer.transaction_start = base_offset
            self._open[base_offset] = batch.producer_id

    def observe(self, batch: Batch) -> Completed | None:
        """Take note of a batch of the log; returns the transaction it ends, if it does.

        A control batch must be whole. One whose record compaction removed changes nothing.
        """
        self.end_offset = batch.next_offset
        if not batch.has_producer_id:
            return None
        if not batch.is_control:
            self.appended(batch, batch.base_offset, batch.last_offset, batch.max_timestamp)
            return None
        if batch.record_count == 0:
            return None
        control = control_untrusted(batch)
        if control.control_type not in (ControlType.ABORT, ControlType.COMMIT):
            return None
        producer = self.producers.get(batch.producer_id)
        if producer is None:
            producer = self.producers[batch.producer_id] = Producer()
        producer.enter(batch.producer_epoch)
        producer.coordinator_epoch = coordinator_epoch_untrusted(control.value)
        producer.last_timestamp_ms = control.timestamp_ms
        first_offset = producer.transaction_start
        if first_offset < 0:
            return None
        producer.transaction_start = _NO_OFFSET
        self._open.pop(first_offset, None)
        return Completed(
            batch.producer_id,
            first_offset,
            batch.base_offset,
            control.control_type == ControlType.ABORT,
        )

    @property
    def first_open_offset(self) -> int | None:
        """Where the oldest open transaction begins; None: none is open."""
        return next(iter(self._open)) if self._open else None

    def aborted(self, completed: Completed) -> AbortedTransaction:
        """The entry of an aborted transaction, for readers of committed records."""
        stable = self.first_open_offset
        return AbortedTransaction(
            completed.producer_id,
            completed.first_offset,
            completed.last_offset,
            completed.last_offset + 1 if stable is None else stable,
        )

    def take_over(self, other: "ProducerState") -> None:
        """Know what `other` knows of the same batches: what was loaded from a snapshot has forgotten all
        but each producer's last."""
        assert other.end_offset == self.end_offset
        self.producers = other.producers
        self._open = other._open

    def expire(self, now_ms: int, expiration_ms: int) -> int:
        """Forget producers silent for that long, unless a transaction is open; returns how many."""
        expired = [
            producer_id
            for producer_id, producer in self.producers.items()
            if producer.transaction_start < 0
            and now_ms - producer.last_timestamp_ms >= expiration_ms
        ]
        for producer_id in expired:
            del self.producers[producer_id]
        return len(expired)

    def encode(self) -> bytes:
        """The snapshot file as of `end_offset`."""
        entries = bytearray(len(self.producers).to_bytes(4, "big"))
        for producer_id, producer in sorted(self.producers.items()):
            last = producer.batches[-1] if producer.batches else None
            entries += _ENTRY.pack(
                producer_id,
                producer.epoch,
                NO_SEQUENCE if last is None else last.last_sequence,
                _NO_OFFSET if last is None else last.last_offset,
                0 if last is None else last.offset_delta,
                producer.last_timestamp_ms,
                producer.coordinator_epoch,
                producer.transaction_start,
            )
        return _SNAPSHOT_VERSION.to_bytes(2, "big") + crc32c(entries).to_bytes(4, "big") + entries

    def check_invariants(self) -> None:
        open_now = {
            producer.transaction_start: producer_id
            for producer_id, producer in self.producers.items()
            if producer.transaction_start >= 0
        }
        assert open_now == self._open
        assert list(self._open) == sorted(self._open)
        assert self.snapshot_offset <= self.end_offset
        for producer in self.producers.values():
            assert len(producer.batches) <= BATCHES_REMEMBERED
            assert all(known.last_offset < self.end_offset for known in producer.batches)


def decode_untrusted(data: bytes, offset: int) -> ProducerState:
    """The state a snapshot of `offset` holds. RemoteProtocolError: the file is damaged."""
    try:
        version, crc, count = _HEADER.unpack_from(data)
    except error as problem:
        raise RemoteProtocolError(f"a producer snapshot of {len(data)} bytes") from problem
    if version != _SNAPSHOT_VERSION:
        raise RemoteProtocolError(f"producer snapshot of version {version}; 1 is expected")
    if crc32c(memoryview(data)[_CRC_FROM:]) != crc:
        raise RemoteProtocolError("the checksum of the producer snapshot is wrong")
    if len(data) != _HEADER.size + count * _ENTRY.size:
        raise RemoteProtocolError(f"producer snapshot of {len(data)} bytes for {count} entries")
    state = ProducerState(offset)
    starts: list[tuple[int, int]] = []
    for entry in _ENTRY.iter_unpack(data[_HEADER.size :]):
        producer_id, epoch, sequence, last_offset, delta, timestamp_ms, coordinator, start = entry
        producer = Producer()
        producer.epoch = epoch
        producer.last_timestamp_ms = timestamp_ms
        producer.coordinator_epoch = coordinator
        producer.transaction_start = start
        if last_offset >= 0:
            producer.batches.append(Remembered(sequence, last_offset, delta, timestamp_ms))
        if start >= 0:
            starts.append((start, producer_id))
        state.producers[producer_id] = producer
    state._open.update(sorted(starts))
    return state
