"""One round of compaction over one log: the last record of every key stays, the rest goes.

First the dirty part is read and the newest offset of each of its keys noted, as far as memory goes;
then all segments up to there are rewritten, a few into one, each batch either as it is, or with some
of its records, or not at all. What is rewritten is synced under other names, then put in the place of
its originals (`Log.replace`). The round ends when the disk has the new names: only then may anybody
take the dirty part for clean, or a power cut could bring back what a vanished tombstone had deleted.

Promises: no record is lost that is the newest of its key or was not noted, except a tombstone whose
delete horizon has passed, a full `delete.retention.ms` after its first cleaning (KIP-534). Offsets,
epochs, sequences and codecs stay. The last batch of every producer stays, without records if need
be, so that its sequences go on (KIP-98); so does the last batch of every segment that is written: it
tells a recovery which originals the segment stands for. (Kafka keeps the last one of a round.) A step does as much work as it is told, by guess: there is no clock here.

Not here: batches of magic 0 and 1; a log that holds some is not compacted. Elsewhere: which log and
how much of it, `dirty.py`; markers, `cleaned_transactions.py`; when it runs, `core/replica/cleaner.py`.
"""

from collections.abc import Generator, Iterator
from typing import Final, TypeAlias, final

from ottla import probe
from ottla.core.log.cleaned_transactions import CleanedTransactions
from ottla.core.log.corrupt import CorruptSegment
from ottla.core.log.dirty import Cleanable, groups
from ottla.core.log.log import Log
from ottla.core.log.offset_map import OffsetMap
from ottla.core.log.segment import CLEANED, SWAP, Entry, Segment
from ottla.core.port import Disk, File
from ottla.errors import RemoteProtocolError
from ottla.record.batch import (
    CODEC_MASK,
    DELETE_HORIZON,
    Batch,
    crc_is_right,
)
from ottla.record.builder import assemble
from ottla.record.compress import NONE, compress
from ottla.record.record import payload_untrusted
from ottla.record.sift import keys_untrusted, rebased_untrusted, sift_untrusted
from ottla.types import NO_EPOCH, NO_TIMESTAMP

_BATCH_COST: Final = 5_000
_RECORD_COST: Final = 1_000
_KEYS_AT_ONCE: Final = 5_000
_DECOMPRESSED_BYTES_MAX: Final = 256 * 1024 * 1024
_WRITTEN_BYTES: Final = 256 * 1024
"""Gathered before it is written: a write per batch would cost more than the batch."""


class Abandoned(Exception):
    """The log has changed so that the round is void. The next one begins anew."""


@final
class Sync:
    """To be brought to the disk before the next step: files, then the directory's names."""

    __slots__ = ("directory", "files")

    def __init__(self, files: tuple[File, ...], directory: str) -> None:
        self.files = files
        self.directory = directory


Step: TypeAlias = int | Sync
"""How many bytes were read and written, or what has to be synced."""


@final
class Compaction:
    """Goes through `steps` once. `now_ms` is kept up to date from outside."""

    __slots__ = (
        "_bytes",
        "_cost",
        "_disk",
        "_end_offset",
        "_first_dirty",
        "_group_end",
        "_horizon_ms",
        "_log",
        "_map",
        "_map_start",
        "_mapped_end",
        "_output",
        "_started_ms",
        "bytes_read",
        "bytes_written",
        "is_swapping",
        "keys",
        "now_ms",
        "put_in_place",
        "step_cost",
    )

    def __init__(
        self, disk: Disk, log: Log, cleanable: Cleanable, offset_map: OffsetMap, now_ms: int
    ) -> None:
        self._disk = disk
        self._log = log
        self._map = offset_map
        self._first_dirty = cleanable.first_dirty_offset
        self._end_offset = cleanable.end_offset
        self._group_end = cleanable.end_offset
        self._mapped_end = cleanable.first_dirty_offset
        self._map_start = cleanable.first_dirty_offset  # less, where that is inside a batch
        self._started_ms = now_ms
        self._horizon_ms = now_ms + log.settings.delete_retention_ms
        self._output: Segment | None = None  # under way, not in place
        self._cost = 0
        self._bytes = 0
        self.now_ms = now_ms
        self.step_cost = 50_000
        """What a step may cost, in guessed nanoseconds. No batch is divided."""
        self.bytes_read = 0
        self.bytes_written = 0
        self.keys = 0
        self.put_in_place = 0
        """So many groups of segments were replaced."""
        self.is_swapping = False
        """A step that failed has left the directory in between: only a start puts it right."""

    @property
    def cleaned_offset(self) -> int:
        """Where the dirty part begins once all steps are done."""
        return self._mapped_end

    def steps(self) -> Iterator[Step]:
        """The whole round. OSError: the disk refuses; CorruptSegment: what is stored is damaged;
        Abandoned: the log has changed. `undo` then leaves nothing behind."""
        log = self._log
        names = self._disk.names(log.directory)
        has_aborted = any(name.endswith(".txnindex") for name in names)
        aborted = log.aborted(0, self._end_offset) if has_aborted else []
        below = [one for one in log.segments[:-1] if one.base_offset < self._end_offset]
        if not below:
            return  # they were deleted since the round was made
        bases = [one.base_offset for one in below[1:]] + [self._end_offset]
        # Those that ended before it would be taken for open.
        reaching = [one for one in aborted if one.last_offset >= self._first_dirty]
        yield from self._note_keys(below, bases, CleanedTransactions(reaching))
        self._map.seal(self._map_start, self._mapped_end)
        self.keys = self._map.key_count
        while self._map.mark(_KEYS_AT_ONCE):
            yield 0
        count = sum(one.base_offset < self._mapped_end for one in below)
        if count == 0:
            return
        grouped = groups(
            below[:count],
            bases[count - 1],
            log.settings,
        )
        transactions = CleanedTransactions(aborted)
        changed = False
        for at, group in enumerate(grouped):
            if not log.holds(group):
                raise Abandoned
            last = at + 1 == len(grouped)
            self._group_end = bases[count - 1] if last else grouped[at + 1][0].base_offset
            put = yield from self._rewrite(group, transactions)
            changed = changed or put
        if changed:
            yield Sync((), log.directory)
        while self._map.release(_KEYS_AT_ONCE):
            yield 0

    def undo(self) -> None:
        """Remove what is not in place. OSError: it is removed at the next start."""
        output, self._output = self._output, None
        if output is not None:
            for name_end in (SWAP, CLEANED):  # what stays undoes the rest at the next start
                output.name_end = name_end
                output.remove_files()

    def _spent(self) -> int:
        spent, self._bytes, self._cost = self._bytes, 0, 0
        return spent

    def _batches(self, segment: Segment, start: int) -> Iterator[tuple[int, Batch]]:
        """(position, whole batch) from the one that holds `start` on; each is as it was appended."""
        found = segment.find(start) if start > segment.base_offset else None
        end_offset = segment.base_offset
        epoch, epoch_until = NO_EPOCH, -1
        for position, entry in segment.walk(found.position if found else 0, whole=True):
            batch = _sound(segment, position, entry, end_offset)
            if batch.last_offset >= epoch_until:
                epoch, epoch_until = self._log.epochs.stretch_of(batch.last_offset)
            if batch.partition_leader_epoch != epoch != NO_EPOCH:
                # No checksum covers it, and what is written anew is believed.
                problem = f"leader epoch {batch.partition_leader_epoch} instead of {epoch}"
                raise CorruptSegment(segment.path(), position, problem)
            end_offset = batch.next_offset
            self._bytes += batch.size_bytes
            self._cost += _BATCH_COST + (batch.size_bytes >> 1)
            self.bytes_read += batch.size_bytes
            yield position, batch

    # The dirty part's keys

    def _note_keys(
        self, below: list[Segment], bases: list[int], transactions: CleanedTransactions
    ) -> Iterator[Step]:
        for segment, next_base in zip(below, bases, strict=True):
            if next_base <= self._first_dirty:
                continue
            for position, batch in self._batches(segment, self._first_dirty):
                self._map_start = min(self._map_start, batch.base_offset)
                try:
                    if not self._note(batch, transactions):
                        return
                except RemoteProtocolError as error:
                    raise CorruptSegment(segment.path(), position, str(error)) from error
                self._mapped_end = max(self._mapped_end, batch.next_offset)
                if self._cost >= self.step_cost:
                    yield self._spent()
            # What offsets are missing at its end will never come.
            self._mapped_end = max(self._mapped_end, next_base)
        yield self._spent()

    def _note(self, batch: Batch, transactions: CleanedTransactions) -> bool:
        """Note the batch's keys. False: there is no room for them."""
        if batch.is_control:
            transactions.ends(batch)
        elif not transactions.goes(batch) and batch.record_count:
            if not self._map.has_room(batch.record_count):
                return False
            self._map.note(*keys_untrusted(_payload(batch), batch.record_count, batch.base_offset))
            self._cost += _RECORD_COST * batch.record_count
        return True

    # Rewriting

    def _rewrite(
        self, group: list[Segment], transactions: CleanedTransactions
    ) -> Generator[Step, None, bool]:
        """Write what stays of `group` into one segment and put it in place. False: all stays."""
        log = self._log
        output = self._output = Segment(
            self._disk,
            log.directory,
            group[0].base_offset,
            0,
            index_interval_bytes=log.settings.index_interval_bytes,
            created_ms=group[-1].created_ms,
            name_end=CLEANED,
        )
        output.create_files()
        changed = len(group) > 1
        pending: list[Batch] = []
        pending_bytes = 0
        for segment in group:
            for position, batch in self._batches(segment, 0):
                try:
                    kept = self._kept(batch, transactions, output)
                except RemoteProtocolError as error:
                    raise CorruptSegment(segment.path(), position, str(error)) from error
                changed = changed or kept is not batch
                if kept is not None:
                    pending.append(kept)
                    pending_bytes += kept.size_bytes
                if pending_bytes >= _WRITTEN_BYTES or self._cost >= self.step_cost:
                    self._write(output, pending, pending_bytes)
                    pending, pending_bytes = [], 0
                    yield self._spent()
        self._write(output, pending, pending_bytes)
        yield self._spent()
        if not changed:
            self.undo()
            return False
        output.seal()
        files = output.flushable()
        if self._disk.exists(output.path(".txnindex")):
            files.append(self._disk.open(output.path(".txnindex")))
        if not (probe.MUTANTS and probe.mutant("M38-swap-without-sync")):
            yield Sync(tuple(files), log.directory)
        if not log.holds(group):
            raise Abandoned
        self._swap(group, output)
        return True

    def _swap(self, group: list[Segment], output: Segment) -> None:
        log = self._log
        output.end_names_with(SWAP)
        self.is_swapping = True
        log.replace(group, output, self.now_ms)
        self.is_swapping = False
        self._output = None
        self.put_in_place += 1

    def _write(self, output: Segment, batches: list[Batch], size_bytes: int) -> None:
        if batches:
            output.extend(batches)
            self._bytes += size_bytes
            self._cost += size_bytes >> 1
            self.bytes_written += size_bytes

    def _kept(
        self, batch: Batch, transactions: CleanedTransactions, output: Segment
    ) -> Batch | None:
        """What stays of the batch: itself, another, or nothing."""
        if batch.is_control:
            is_void, aborted = transactions.ends(batch)
            if aborted is not None:
                output.aborted.append(aborted)
            horizon_ms = batch.delete_horizon_ms
            if batch.record_count == 0 or (
                is_void and horizon_ms is not None and horizon_ms <= self._started_ms
            ):
                return self._emptied(batch)
            return self._with_horizon(batch, _payload(batch)) if is_void else batch
        if transactions.goes(batch) or batch.record_count == 0:
            return self._emptied(batch)
        if batch.base_offset >= self._mapped_end and not (
            probe.MUTANTS and probe.mutant("M39-unmapped-goes")
        ):
            return batch
        if batch.base_offset >= self._first_dirty:
            if not self._map.any_survives(batch.base_offset, batch.next_offset):
                return self._emptied(batch)
        return self._sifted(batch)

    def _sifted(self, batch: Batch) -> Batch | None:
        """The records of the batch that stay."""
        horizon_ms = batch.delete_horizon_ms
        payload = _payload(batch)
        sifted = sift_untrusted(
            payload,
            batch.record_count,
            batch.base_offset,
            self._map.newest,
            drop_tombstones=(horizon_ms is not None and horizon_ms <= self._started_ms)
            or (bool(probe.MUTANTS) and probe.mutant("KIP534-tombstone-goes-at-once")),
        )
        self._cost += _RECORD_COST * batch.record_count
        if sifted.record_count == 0:
            return self._emptied(batch)
        if sifted.payload is not None:
            max_ms = batch.max_timestamp
            if not batch.is_log_append_time:
                max_ms = batch.base_timestamp + sifted.timestamp_delta_max
            payload = sifted.payload
            batch = _rebuilt(
                batch,
                payload,
                record_count=sifted.record_count,
                max_timestamp=max_ms,
            )
        if sifted.has_tombstone and horizon_ms is None:
            return self._with_horizon(batch, payload)
        return batch

    def _with_horizon(self, batch: Batch, payload: bytes) -> Batch:
        """The same records; from now on it is known when tombstones and markers may go."""
        if batch.delete_horizon_ms is not None:
            return batch
        return _rebuilt(
            batch,
            rebased_untrusted(
                payload,
                batch.record_count,
                batch.base_timestamp - self._horizon_ms,
                batch.max_timestamp - self._horizon_ms if batch.is_log_append_time else None,
            ),
            record_count=batch.record_count,
            max_timestamp=batch.max_timestamp,
            base_timestamp=self._horizon_ms,
            attributes=batch.attributes | DELETE_HORIZON,
        )

    def _emptied(self, batch: Batch) -> Batch | None:
        """None, or the header alone, where it says what nothing else says."""
        if batch.next_offset != self._group_end and not self._is_last_of_producer(batch):
            return None
        if batch.record_count == 0:
            return batch
        return _rebuilt(
            batch,
            b"",
            record_count=0,
            max_timestamp=batch.max_timestamp,
            base_timestamp=NO_TIMESTAMP,
            attributes=batch.attributes & ~(CODEC_MASK | DELETE_HORIZON),
        )

    def _is_last_of_producer(self, batch: Batch) -> bool:
        """Does the next sequence, or the epoch, of a producer follow from this batch?"""
        if not batch.has_producer_id:
            return False
        if probe.MUTANTS and probe.mutant("M73-last-batch-goes"):
            return False
        producer = self._log.producers.producers.get(batch.producer_id)
        if producer is None:
            return False
        if producer.batches:
            return producer.batches[-1].last_offset == batch.last_offset
        return batch.is_control and batch.producer_epoch == producer.epoch


def _sound(segment: Segment, position: int, entry: Entry, end_offset: int) -> Batch:
    if not isinstance(entry, Batch):
        raise CorruptSegment(segment.path(), position, f"a batch of magic {entry.magic}")
    if entry.base_offset < end_offset:
        raise CorruptSegment(segment.path(), position, "its offset is out of order")
    if not crc_is_right(entry):
        raise CorruptSegment(segment.path(), position, "the checksum is wrong")
    return entry


def _payload(batch: Batch) -> bytes:
    return bytes(payload_untrusted(batch, _DECOMPRESSED_BYTES_MAX))


def _rebuilt(
    batch: Batch,
    payload: bytes,
    *,
    record_count: int,
    max_timestamp: int,
    base_timestamp: int | None = None,
    attributes: int | None = None,
) -> Batch:
    """The batch with other records, in the codec it has."""
    attributes = batch.attributes if attributes is None else attributes
    codec = attributes & CODEC_MASK
    data = assemble(
        payload if codec == NONE else compress(codec, payload),
        attributes=attributes,
        last_offset_delta=batch.last_offset_delta,
        base_timestamp=batch.base_timestamp if base_timestamp is None else base_timestamp,
        max_timestamp=max_timestamp,
        record_count=record_count,
        base_offset=batch.base_offset,
        leader_epoch=batch.partition_leader_epoch,
        producer_id=batch.producer_id,
        producer_epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
    )
    rebuilt = Batch(data, 0)
    rebuilt.data = memoryview(data)
    return rebuilt
