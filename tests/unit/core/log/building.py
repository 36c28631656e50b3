"""Logs and batches for the tests of core/log."""

from collections.abc import Sequence
from typing import Final

from ottla.core.log.log import Appended, Log, Refused, Shutdown
from ottla.record.batch import header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.validate import ValidBatch
from ottla.settings.topic import TopicSettings
from tests.unit.fakes.disk import MemoryDisk

DIRECTORY: Final = "t-0"
NOW_MS: Final = 1_700_000_000_000

SETTINGS: Final = TopicSettings(
    cleanup_delete=True,
    cleanup_compact=False,
    retention_ms=604_800_000,
    retention_bytes=None,
    delete_retention_ms=86_400_000,
    min_compaction_lag_ms=0,
    max_compaction_lag_ms=None,
    min_cleanable_dirty_ratio=0.5,
    segment_bytes=1 << 30,
    segment_ms=604_800_000,
    segment_jitter_ms=0,
    segment_index_bytes=10 << 20,
    index_interval_bytes=4096,
    file_delete_delay_ms=60_000,
    flush_messages=None,
    flush_ms=None,
    message_bytes_max=1_048_588,
    compression_type="producer",
    compression_gzip_level=-1,
    compression_zstd_level=3,
    timestamp_log_append=False,
    timestamp_before_max_ms=None,
    timestamp_after_max_ms=None,
    min_insync_replicas=1,
    unclean_leader_election=False,
    down_conversion=True,
)
SMALL_SEGMENTS: Final = SETTINGS._replace(segment_bytes=1000, index_interval_bytes=200)


def batch_bytes(
    times: Sequence[int] = (NOW_MS,),
    *,
    value: bytes = b"v" * 20,
    codec: int = 0,
    producer: tuple[int, int, int] = (-1, -1, -1),
    transactional: bool = False,
    base_offset: int = 0,
    leader_epoch: int = -1,
) -> bytes:
    """One batch with a record per time. `producer`: id, epoch, base sequence."""
    builder = BatchBuilder()
    for at, time_ms in enumerate(times):
        builder.append(time_ms, b"k%d" % at, value)
    producer_id, producer_epoch, base_sequence = producer
    return bytes(
        builder.build(
            codec=codec,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
            transactional=transactional,
            base_offset=base_offset,
            leader_epoch=leader_epoch,
        )
    )


def valid(data: bytes) -> ValidBatch:
    batch = header_untrusted(memoryview(data))
    return ValidBatch(batch, batch.max_timestamp, 0)


def open_log(
    disk: MemoryDisk,
    *,
    settings: TopicSettings = SETTINGS,
    shutdown: Shutdown = Shutdown.CLEAN,
    recovery_point: int = 0,
    log_start: int = 0,
    now_ms: int = NOW_MS,
    jitter_ms: int = 0,
) -> Log:
    return Log.open(
        disk,
        DIRECTORY,
        settings=settings,
        now_ms=now_ms,
        shutdown=shutdown,
        recovery_point=recovery_point,
        log_start=log_start,
        jitter_ms=jitter_ms,
    )


def append(log: Log, data: bytes | None = None, *, epoch: int = 0, now_ms: int = NOW_MS) -> int:
    """Append a batch that must be accepted; returns its base offset."""
    outcome = log.append(valid(data or batch_bytes()), leader_epoch=epoch, now_ms=now_ms)
    assert isinstance(outcome, Appended)
    return outcome.base_offset


def refused(log: Log, data: bytes) -> Refused:
    outcome = log.append(valid(data), leader_epoch=0, now_ms=NOW_MS)
    assert isinstance(outcome, Refused)
    return outcome


def contents(log: Log) -> list[bytes]:
    """Every batch, as it stands."""
    return [bytes(batch.data or b"") for batch in log.batches(log.start_offset, log.end_offset)]


def sync_all(disk: MemoryDisk, log: Log) -> None:
    """Do what a shell does: bring the log to the disk."""
    while (request := log.flush_request()) is not None:
        disk.sync(request.files, request.directory)
        log.flushed(request.end_offset)


def state_of(log: Log) -> tuple[object, ...]:
    """Everything that must survive closing and opening."""
    return (
        contents(log),
        log.start_offset,
        log.end_offset,
        log.size_bytes,
        log.segment_count,
        log.epochs.entries(),
        log.producers.encode(),
    )
