"""Compacted logs for tests: keyed batches, whole rounds, and what a reader finds afterwards."""

from collections.abc import Iterable
from typing import Final

from ottla.aio.disk import RealDisk
from ottla.core.log.compaction import Compaction, Sync
from ottla.core.log.dirty import cleanable
from ottla.core.log.log import Log
from ottla.core.log.offset_map import ENTRY_BYTES_MAX, OffsetMap
from ottla.record.batch import Batch
from ottla.record.builder import BatchBuilder
from ottla.record.control import transaction_marker
from ottla.record.record import Record, records_untrusted
from ottla.settings.topic import TopicSettings
from tests.unit.core.log.building import NOW_MS, SMALL_SEGMENTS, append
from tests.unit.fakes.disk import MemoryDisk

COMPACTED: Final[TopicSettings] = SMALL_SEGMENTS._replace(
    cleanup_delete=False,
    cleanup_compact=True,
    delete_retention_ms=1000,
    min_cleanable_dirty_ratio=0.0,
)
ONE_BATCH: Final = COMPACTED._replace(segment_bytes=1)
"""Every batch is a segment of its own, once appended as it is."""

KeyValue = tuple[bytes | None, bytes | None]


def keyed(
    *records: KeyValue,
    times: Iterable[int] = (),
    codec: int = 0,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
    append_time_ms: int | None = None,
) -> bytes:
    """A batch of (key, value). `producer`: id, epoch, base sequence."""
    builder = BatchBuilder()
    at = list(times) or [NOW_MS] * len(records)
    for time_ms, (key, value) in zip(at, records, strict=True):
        builder.append(time_ms, key, value, (("h", b"\xff"),) if key == b"headed" else ())
    producer_id, producer_epoch, base_sequence = producer
    return bytes(
        builder.build(
            codec=codec,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
            transactional=transactional,
            append_time_ms=append_time_ms,
        )
    )


def mark(log: Log, producer_id: int, *, commit: bool, epoch: int = 0) -> int:
    """End a transaction; returns the marker's offset."""
    offset = log.end_offset
    marker = transaction_marker(
        commit=commit,
        producer_id=producer_id,
        producer_epoch=epoch,
        coordinator_epoch=1,
        timestamp_ms=NOW_MS,
        base_offset=offset,
        leader_epoch=0,
    )
    log.append_batches(bytes(marker), now_ms=NOW_MS)
    return offset


def roll(log: Log, now_ms: int = NOW_MS) -> None:
    """Seal what was appended, with a record that no test looks at, and bring it to the disk."""
    log._roll(log.end_offset, now_ms)
    append(log, keyed((b"active", b"")), now_ms=now_ms)
    log.flush_request()
    log.flushed(log.end_offset)


def clean(
    log: Log,
    disk: MemoryDisk | RealDisk,
    now_ms: int = NOW_MS,
    *,
    stable_end: int | None = None,
    keys_max: int = 1000,
) -> int:
    """One round, if there is anything to do; how many steps it took."""
    end = log.end_offset if stable_end is None else stable_end
    found = cleanable(log, end, now_ms)
    if found is None:
        return 0
    offset_map = OffsetMap(keys_max * ENTRY_BYTES_MAX, 1.0, found.offset_count)
    compaction = Compaction(disk, log, found, offset_map, now_ms)
    compaction.step_cost = 1
    steps = 0
    for step in compaction.steps():
        steps += 1
        if isinstance(step, Sync):
            disk.sync(step.files, step.directory)
    log.cleaned_offset = compaction.cleaned_offset
    log.check_invariants()
    return steps


def batches(log: Log) -> list[Batch]:
    """Without the active segment's."""
    return list(log.batches(log.start_offset, log.segments[-1].base_offset))


def records(log: Log) -> list[Record]:
    """Every record below the active segment, in order; control records left out."""
    return [
        record
        for batch in batches(log)
        if not batch.is_control
        for record in records_untrusted(batch, limit=1 << 20)
    ]


def pairs(log: Log) -> list[tuple[int, bytes | None, bytes | None]]:
    return [(record.offset, record.key, record.value) for record in records(log)]


def latest(log: Log) -> dict[bytes, bytes]:
    """What a reader of the whole log knows at the end."""
    known: dict[bytes, bytes] = {}
    for batch in log.batches(log.start_offset, log.end_offset):
        if batch.is_control:
            continue
        for record in records_untrusted(batch, limit=1 << 20):
            assert record.key is not None
            if record.value is None:
                known.pop(record.key, None)
            else:
                known[record.key] = record.value
    return known
