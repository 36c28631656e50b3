"""Message sets of magic 0 and 1, as producers before Kafka 0.11 send them, made into one batch.

What Produce 0-2 carries for a partition is any number of plain messages, or one compressed wrapper.
It is stored as one batch of magic 2 in the codec it came in (or its topic's), its records numbered
anew: what a producer of that age writes as offsets means nothing. Magic 0 has no timestamps, so that
such records have -1. The order and the error of each refusal are those of Apache Kafka 3.9, the last
that took them. `max.message.bytes` holds twice, as there: for each message or wrapper as it is sent,
and for the batch that is stored.

Promises: nothing leaves `message_set_untrusted` but its verdict, and no more records are decoded than
a batch of the topic may decompress to.

Elsewhere: how an entry is read, `legacy.py`; batches of magic 2, `validate.py`.
"""

from typing import Final

from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.limits import LONG_MAX
from ottla.record.batch import MAGIC_AT, Batch
from ottla.record.builder import BatchBuilder
from ottla.record.compress import NONE, ZSTD
from ottla.record.legacy import (
    LegacyEntry,
    contents_untrusted,
    entry_crc_is_right,
    entry_untrusted,
    message_untrusted,
)
from ottla.record.record import Record
from ottla.record.validate import (
    RECORD_ERRORS_MAX,
    AppendChecks,
    Rejected,
    ValidBatch,
    Verdict,
    entry_size,
    in_range,
)
from ottla.types import NO_TIMESTAMP

_NO_KEY: Final = "a compacted topic needs a key"


def message_set_untrusted(
    records: memoryview,
    *,
    now_ms: int,
    settings: AppendChecks,
    codec: int | None,
    level: int | None,
) -> Verdict:
    """Judge a message set, and make it a batch. `codec`: the topic's own; None: as it came."""
    entries = _entries_untrusted(records, settings)
    if isinstance(entries, Rejected):
        return entries
    source = _codec(entries)
    if isinstance(source, Rejected):
        return source
    try:
        messages = _messages_untrusted(entries, settings)
    except RemoteProtocolError as error:
        return Rejected(ErrorCode.INVALID_RECORD, str(error))
    if isinstance(messages, Rejected):
        return messages
    refusal = _records_refusal(messages, entries[0], now_ms, settings)
    if refusal is not None:
        return refusal
    return _built(messages, settings, source if codec is None else codec, level)


def _entries_untrusted(records: memoryview, settings: AppendChecks) -> list[LegacyEntry] | Rejected:
    """The whole entries; a cut tail is ignored, as Kafka trims it. Sizes and checksums are right."""
    entries: list[LegacyEntry] = []
    at = 0
    while (size := entry_size(records, at)) is not None:
        if size < 0:
            return Rejected(ErrorCode.CORRUPT_MESSAGE, f"no message begins at byte {at:,}")
        if size > settings.bytes_max:
            return Rejected(
                ErrorCode.MESSAGE_TOO_LARGE,
                f"a message of {size:,} bytes; max.message.bytes is {settings.bytes_max:,}",
            )
        if entries and records[at + MAGIC_AT] != entries[0].magic:
            return Rejected(
                ErrorCode.INVALID_RECORD,
                f"magic {records[at + MAGIC_AT]} follows magic {entries[0].magic}",
            )
        try:
            entry = entry_untrusted(records[at : at + size])
        except RemoteProtocolError as error:
            return Rejected(ErrorCode.CORRUPT_MESSAGE, str(error))
        if not entry_crc_is_right(entry):
            return Rejected(
                ErrorCode.CORRUPT_MESSAGE, f"the checksum {entry.crc:#010x} does not fit a message"
            )
        entries.append(entry)
        at += size
    if not entries:
        return Rejected(ErrorCode.INVALID_RECORD, "there is no whole message")
    return entries


def _codec(entries: list[LegacyEntry]) -> int | Rejected:
    """The codec of the only wrapper, or NONE."""
    codec = max(entry.codec for entry in entries)
    if codec > ZSTD:
        return Rejected(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"compression codec {codec} is unknown"
        )
    if codec == ZSTD:
        return Rejected(ErrorCode.INVALID_RECORD, "zstd is not of the time of message sets")
    if codec != NONE and len(entries) > 1:
        return Rejected(
            ErrorCode.INVALID_RECORD, "something stands beside a compressed message set"
        )
    return codec


def _messages_untrusted(
    entries: list[LegacyEntry], settings: AppendChecks
) -> list[Record] | Rejected:
    if entries[0].codec == NONE:
        return [message_untrusted(entry) for entry in entries]
    wrapper = entries[0]
    messages: list[Record] = []
    limit = settings.decompressed_bytes_of(wrapper.size_bytes)
    for inner in contents_untrusted(wrapper, limit=limit):
        if not entry_crc_is_right(inner):
            return Rejected(
                ErrorCode.CORRUPT_MESSAGE,
                f"the checksum {inner.crc:#010x} does not fit message {len(messages)} of a wrapper",
            )
        messages.append(message_untrusted(inner))
    return messages


def _records_refusal(
    messages: list[Record], first: LegacyEntry, now_ms: int, settings: AppendChecks
) -> Rejected | None:
    """Keys and timestamps."""
    errors: list[tuple[int, str]] = []
    bad_timestamp = False
    claims_append_time = first.is_log_append_time
    for index, message in enumerate(messages):
        timestamp_ms = message.timestamp_ms
        why = ""
        if settings.compacted and message.key is None:
            why = _NO_KEY
        elif claims_append_time:
            why = "LogAppendTime is not a producer's to set"
            bad_timestamp = True
        elif (
            not settings.timestamp_type_log_append
            and timestamp_ms != NO_TIMESTAMP
            and not in_range(timestamp_ms, now_ms, settings)
        ):
            why = f"timestamp {timestamp_ms} is out of range"
            bad_timestamp = True
        if why and len(errors) < RECORD_ERRORS_MAX:
            errors.append((index, why))
    if not errors:
        return None
    if bad_timestamp:
        return Rejected(
            ErrorCode.INVALID_TIMESTAMP, "records have an invalid timestamp", tuple(errors)
        )
    return Rejected(
        ErrorCode.INVALID_RECORD, "records without a key in a compacted topic", tuple(errors)
    )


def _built(
    messages: list[Record], settings: AppendChecks, codec: int, level: int | None
) -> ValidBatch | Rejected:
    builder = BatchBuilder()
    base_ms = max_ms = messages[0].timestamp_ms
    delta_of_max = 0
    size_max = settings.bytes_max if codec == NONE else settings.decompressed_bytes_max
    for message in messages:
        timestamp_ms = message.timestamp_ms
        if abs(timestamp_ms) > LONG_MAX or abs(timestamp_ms - base_ms) > LONG_MAX:
            return Rejected(ErrorCode.INVALID_TIMESTAMP, "a timestamp does not fit 64 bits")
        delta = builder.append(timestamp_ms, message.key, message.value)
        if timestamp_ms > max_ms:
            max_ms, delta_of_max = timestamp_ms, delta
        if builder.size_bytes > size_max:
            return _too_large(builder.size_bytes, settings)
    data = builder.build(codec=codec, level=level)
    if len(data) > settings.bytes_max:
        return _too_large(len(data), settings)
    batch = Batch(data, 0)
    batch.data = memoryview(data)
    return ValidBatch(batch, max_ms, delta_of_max)


def _too_large(size_bytes: int, settings: AppendChecks) -> Rejected:
    return Rejected(
        ErrorCode.MESSAGE_TOO_LARGE,
        f"a message set that makes a batch of {size_bytes:,} bytes or more; max.message.bytes is "
        f"{settings.bytes_max:,}",
    )
