"""What a leader checks before it appends a producer's records.

The order and the error of each refusal are Apache Kafka's (its LogValidator and what calls it), so
that a client sees the same code. Record errors name the index of each record that was refused. We
differ where Kafka would store a batch that does not mean what it says (offset deltas with gaps or
repeats; LogAppendTime claimed by a producer, which it overlooks in topics with CreateTime), and
where it would answer UNKNOWN_SERVER_ERROR (codec bits 5 to 7).

Promises: nothing leaves `validate_untrusted` but its result. A `ValidBatch` can be appended once a
base offset and leader epoch are stamped, and any reader can decode it; its header tells the truth.

Elsewhere: message sets of magic 0 and 1, `up_convert.py`; sequence numbers and transactions,
`core/log/producer_state.py`; LogAppendTime is stamped by the log (`batch.stamp_append_time`), because only then its time is known.
"""

from typing import Final, NamedTuple, TypeAlias, final

from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.limits import DECOMPRESSION_RATIO_MAX, LONG_MAX
from ottla.record.batch import (
    HEADER_BYTES,
    LOG_OVERHEAD_BYTES,
    MAGIC_AT,
    Batch,
    crc_is_right,
    stamp_create_time,
)
from ottla.record.compress import ZSTD
from ottla.record.record import Bytes, payload_untrusted, walk_untrusted
from ottla.record.survey import Survey, survey_untrusted
from ottla.types import NO_TIMESTAMP

ONE_BATCH_SINCE: Final = 3
"""Produce from this version on carries exactly one batch of magic 2 per partition (KIP-98)."""
ZSTD_SINCE: Final = 7
"""Produce from this version on may carry zstd (KIP-110)."""

RECORD_ERRORS_MAX: Final = 1000
"""An answer must not grow larger than the request that caused it."""

_LEGACY_LENGTH_MIN: Final = 14
"""What the length field of the smallest message of magic 0 says; Kafka asks this of any entry."""


class AppendChecks(NamedTuple):
    """A topic's settings that decide what may be appended."""

    bytes_max: int
    """max.message.bytes: of the whole batch, as it is sent."""
    compacted: bool
    timestamp_type_log_append: bool
    before_max_ms: int
    after_max_ms: int
    decompressed_bytes_max: int

    def decompressed_bytes_of(self, size_bytes: int) -> int:
        """What that many compressed bytes may become. What would fit a batch uncompressed is never a
        bomb, however small it was made."""
        of_ratio = size_bytes * DECOMPRESSION_RATIO_MAX
        return min(self.decompressed_bytes_max, max(self.bytes_max, of_ratio))


@final
class ValidBatch:
    """A batch the leader may append."""

    __slots__ = ("batch", "max_timestamp", "offset_delta_of_max_timestamp")

    def __init__(
        self, batch: Batch, max_timestamp: int, offset_delta_of_max_timestamp: int
    ) -> None:
        self.batch = batch
        """A view over the request's bytes, or over a corrected copy where its header was wrong."""
        self.max_timestamp = max_timestamp
        """Of the records; with LogAppendTime the log decides."""
        self.offset_delta_of_max_timestamp = offset_delta_of_max_timestamp

    @property
    def is_transactional(self) -> bool:
        return self.batch.is_transactional


@final
class Rejected:
    """Why records may not be appended. `record_errors`: (index in the batch, message)."""

    __slots__ = ("error", "message", "record_errors")

    def __init__(
        self, error: ErrorCode, message: str, record_errors: tuple[tuple[int, str], ...] = ()
    ) -> None:
        self.error = error
        self.message = message
        self.record_errors = record_errors

    def __repr__(self) -> str:
        return f"Rejected({self.error!r}, {self.message!r}, {self.record_errors!r})"


Verdict: TypeAlias = ValidBatch | Rejected


def validate_untrusted(
    records: memoryview | None, *, api_version: int, now_ms: int, settings: AppendChecks
) -> Verdict:
    """Judge the batch of magic 2 that a Produce request carries for one partition."""
    batch = _only_batch_untrusted(records, api_version)
    if isinstance(batch, Rejected):
        return batch
    refusal = _header_refusal(batch, settings)
    if refusal is not None:
        return refusal
    assert batch.data is not None
    try:
        payload = payload_untrusted(batch, settings.decompressed_bytes_of(batch.size_bytes))
        survey = survey_untrusted(payload, batch.record_count)
    except RemoteProtocolError as error:
        return Rejected(ErrorCode.INVALID_RECORD, str(error))
    if not (
        batch.base_timestamp + survey.timestamp_delta_min >= -LONG_MAX
        and batch.base_timestamp + survey.timestamp_delta_max <= LONG_MAX
    ):
        return Rejected(ErrorCode.INVALID_TIMESTAMP, "a timestamp does not fit 64 bits")
    refusal = _records_refusal(batch, payload, survey, now_ms, settings)
    if refusal is not None:
        return refusal
    return _accepted(batch, survey, settings)


def retried_untrusted(records: memoryview | None, *, api_version: int) -> Batch | None:
    """The batch of an idempotent producer in what was refused, if nothing but today's limits speaks
    against it: perhaps it is in the log since before they were altered."""
    batch = _only_batch_untrusted(records, api_version)
    if isinstance(batch, Rejected) or batch.producer_id < 0 or not crc_is_right(batch):
        return None
    return batch


def _only_batch_untrusted(records: memoryview | None, api_version: int) -> Batch | Rejected:
    """The one batch in `records`; a cut tail behind it is ignored, as Kafka trims it."""
    if records is None or len(records) == 0:
        return Rejected(ErrorCode.INVALID_RECORD, "there is no record batch")
    if len(records) < HEADER_BYTES:
        return _no_batch(records, api_version)
    batch = Batch(records, 0)
    size = batch.size_bytes
    if batch.magic != 2 or size < HEADER_BYTES or size > len(records):
        return _no_batch(records, api_version)
    if batch.codec == ZSTD and api_version < ZSTD_SINCE:
        return Rejected(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            f"zstd needs Produce version {ZSTD_SINCE} or later, not {api_version}",
        )
    if size == len(records):
        batch.data = records
        return batch
    batch.data = records[:size]
    behind = entry_size(records, size)
    if behind is None:
        return batch
    if behind < 0:
        return Rejected(ErrorCode.CORRUPT_MESSAGE, f"no batch begins at byte {size:,}")
    return Rejected(ErrorCode.INVALID_RECORD, "more than one record batch for a partition")


def _no_batch(records: memoryview, api_version: int) -> Rejected:
    """Why what `records` begins with is no whole batch of magic 2."""
    size = entry_size(records, 0)
    if size is None:
        return Rejected(ErrorCode.INVALID_RECORD, "there is no whole record batch")
    if size < 0:
        return Rejected(ErrorCode.CORRUPT_MESSAGE, "the batch has an impossible length or magic")
    magic = records[MAGIC_AT]
    if magic == 2:
        return Rejected(
            ErrorCode.CORRUPT_MESSAGE, f"a batch of {size} bytes is smaller than its header"
        )
    return _invalid(f"Produce version {api_version} carries magic 2, not {magic}")


def entry_size(records: memoryview, at: int) -> int | None:
    """The whole size of the batch or message at `at`; None: it is cut; -1: it is none."""
    left = len(records) - at
    if left < LOG_OVERHEAD_BYTES:
        return None
    length = int.from_bytes(records[at + 8 : at + 12], "big", signed=True)
    if length < _LEGACY_LENGTH_MIN:
        return -1
    if left <= MAGIC_AT:
        return None
    if records[at + MAGIC_AT] > 2:
        return -1
    size = length + LOG_OVERHEAD_BYTES
    return size if size <= left else None


def _header_refusal(batch: Batch, settings: AppendChecks) -> Rejected | None:
    if batch.base_offset != 0:
        return _invalid(f"a producer's base offset is 0, not {batch.base_offset}")
    if batch.size_bytes > settings.bytes_max:
        return Rejected(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"a batch of {batch.size_bytes:,} bytes; max.message.bytes is {settings.bytes_max:,}",
        )
    if not crc_is_right(batch):
        return Rejected(
            ErrorCode.CORRUPT_MESSAGE, f"the checksum {batch.crc:#010x} does not fit the batch"
        )
    if batch.codec > ZSTD:
        return Rejected(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"compression codec {batch.codec} is unknown"
        )
    if batch.record_count <= 0:
        return _invalid(f"a batch of {batch.record_count} records")
    if batch.last_offset_delta != batch.record_count - 1:
        return _invalid(
            f"{batch.record_count} records, but the last offset delta is {batch.last_offset_delta}"
        )
    if batch.is_control:
        return _invalid("control records are not a producer's to write")
    if batch.producer_id >= 0 and batch.base_sequence < 0:
        return _invalid(f"producer id {batch.producer_id} with base sequence {batch.base_sequence}")
    return None


def _invalid(message: str) -> Rejected:
    return Rejected(ErrorCode.INVALID_RECORD, message)


def _records_refusal(
    batch: Batch, payload: Bytes, survey: Survey, now_ms: int, settings: AppendChecks
) -> Rejected | None:
    """Keys and timestamps. The survey's extremes acquit a batch; only suspects are walked."""
    keyless = settings.compacted and survey.has_null_key
    # Whatever the producer's clock says is overwritten where the log sets the time.
    out_of_range = not settings.timestamp_type_log_append and not (
        in_range(batch.base_timestamp + survey.timestamp_delta_min, now_ms, settings)
        and in_range(batch.base_timestamp + survey.timestamp_delta_max, now_ms, settings)
    )
    if not keyless and not out_of_range and not batch.is_log_append_time:
        return None
    errors, bad_timestamp = _record_errors(batch, payload, now_ms, settings)
    if not errors:
        return None
    if bad_timestamp:
        return Rejected(
            ErrorCode.INVALID_TIMESTAMP, "records have an invalid timestamp", tuple(errors)
        )
    return Rejected(
        ErrorCode.INVALID_RECORD, "records without a key in a compacted topic", tuple(errors)
    )


def _record_errors(
    batch: Batch, payload: Bytes, now_ms: int, settings: AppendChecks
) -> tuple[list[tuple[int, str]], bool]:
    """What is wrong with which record, and whether one of them is a timestamp."""
    errors: list[tuple[int, str]] = []
    bad_timestamp = False
    range_text = f"{now_ms - settings.before_max_ms} to {now_ms + settings.after_max_ms}"
    for index, visit in enumerate(walk_untrusted(payload, batch.record_count)):
        timestamp = batch.base_timestamp + visit.timestamp_delta
        message = ""
        if settings.compacted and visit.key_is_null:
            message = "a compacted topic needs a key"
        elif batch.is_log_append_time:
            message = "LogAppendTime is not a producer's to set"
            bad_timestamp = True
        elif (
            not settings.timestamp_type_log_append
            and timestamp != NO_TIMESTAMP
            and not in_range(timestamp, now_ms, settings)
        ):
            message = f"timestamp {timestamp} is not in {range_text}"
            bad_timestamp = True
        if message and len(errors) < RECORD_ERRORS_MAX:
            errors.append((index, message))
    return errors, bad_timestamp


def in_range(timestamp: int, now_ms: int, settings: AppendChecks) -> bool:
    return -settings.after_max_ms <= now_ms - timestamp <= settings.before_max_ms


def _accepted(batch: Batch, survey: Survey, settings: AppendChecks) -> ValidBatch:
    max_timestamp = batch.base_timestamp + survey.timestamp_delta_max
    # Kafka writes the true maximum into a header that claims another; a batch the log is going to
    # stamp anyway is left alone.
    if max_timestamp != batch.max_timestamp and not settings.timestamp_type_log_append:
        assert batch.data is not None
        copy = bytearray(batch.data)
        stamp_create_time(copy, max_timestamp)
        batch = Batch(copy, 0)
        batch.data = memoryview(copy)
    return ValidBatch(batch, max_timestamp, survey.index_of_max)
