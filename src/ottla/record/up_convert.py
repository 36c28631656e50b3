"""Message sets of magic 0 and 1, as producers before Kafka 0.11 send them, made into one batch.

What Produce 0-2 carries for a partition is any number of plain messages, or one compressed wrapper.
It is stored as one batch of magic 2 in the codec it came in (or its topic's), its records numbered
anew: what a producer of that age writes as offsets means nothing. Magic 0 has no timestamps, so that
such records have -1. The order and the error of each refusal are those of Apache Kafka 3.9, the last
that took them. `max.message.bytes` holds twice, as there: for each message or wrapper as it is sent,
and for the batch that is stored.

Promises: nothing leaves `message_set_untrusted` but its verdict, and no more messages are decoded than
one set may hold, and a batch of the topic.

Elsewhere: sets in old logs, `legacy.py`; batches of magic 2, `validate.py`.
"""

import zlib
from struct import Struct
from struct import error as StructError
from typing import Final, TypeAlias

from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.limits import LONG_MAX, MESSAGES_PER_SET_MAX
from ottla.record.batch import (
    CODEC_MASK,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    LOG_OVERHEAD_BYTES,
    MAGIC_AT,
    Batch,
)
from ottla.record.builder import BatchBuilder
from ottla.record.compress import NONE, ZSTD
from ottla.record.legacy import ENTRY_BYTES_MIN, set_inside_untrusted
from ottla.record.record import RECORD_BYTES_MIN
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

_PREFIX: Final = Struct(">qiIbb")
_TIMESTAMP: Final = Struct(">q")
_SIZE: Final = Struct(">i")
_CRC_FROM: Final = 16
_KEY_AT: Final = (18, 26)
_LENGTH_MIN: Final = (14, 22)

Message: TypeAlias = tuple[int, bytes | None, bytes | None]
"""Timestamp, key, value."""


def message_set_untrusted(
    records: memoryview,
    *,
    now_ms: int,
    settings: AppendChecks,
    codec: int | None,
    level: int | None,
) -> Verdict:
    """Judge a message set, and make it a batch. `codec`: the topic's own; None: as it came."""
    magic = records[MAGIC_AT]
    assert magic < 2
    room_bytes = settings.decompressed_bytes_max if codec else settings.bytes_max
    found = _messages_untrusted(records, magic, room_bytes, settings.bytes_max)
    if isinstance(found, Rejected):
        return found
    messages, attributes = found
    source = attributes & CODEC_MASK
    if source > ZSTD:
        why = f"compression codec {source} is unknown"
        return Rejected(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, why)
    if source == ZSTD:
        return _invalid("zstd is not of the time of message sets")
    if source != NONE:
        if len(messages) > 1:
            return _invalid("something stands beside a compressed message set")
        value = messages[0][2]
        limit = settings.decompressed_bytes_of(len(value or b""))
        try:
            data = set_inside_untrusted(source, magic, value, limit)
        except RemoteProtocolError as error:
            return _invalid(str(error))
        target = source if codec is None else codec
        room_bytes = settings.decompressed_bytes_max if target else settings.bytes_max
        found = _messages_untrusted(data, magic, room_bytes, None)
        if isinstance(found, Rejected):
            return found
        messages, inside = found
        if inside & CODEC_MASK:
            return _invalid("a compressed message set holds another one")
    claims_append_time = magic == 1 and attributes & LOG_APPEND_TIME != 0
    refusal = _records_refusal(messages, claims_append_time, now_ms, settings)
    if refusal is not None:
        return refusal
    return _built(messages, settings, source if codec is None else codec, level)


def _messages_untrusted(
    data: memoryview | bytes, magic: int, room_bytes: int, message_bytes_max: int | None
) -> tuple[list[Message], int] | Rejected:
    """The messages in `data`, and the attributes that any of them has. A cut tail is left off, as
    Kafka trims it. `message_bytes_max` None: inside a wrapper, where nothing may be cut.

    Longer than a screen on purpose: one pass over what may be a hundred thousand messages.
    """
    unpack_prefix, unpack_size, crc32 = _PREFIX.unpack_from, _SIZE.unpack_from, zlib.crc32
    key_at, length_min = _KEY_AT[magic], _LENGTH_MIN[magic]
    inside = message_bytes_max is None
    view = memoryview(data)
    messages: list[Message] = []
    at, end, all_attributes = 0, len(view), 0
    room_bytes -= HEADER_BYTES
    while end - at >= ENTRY_BYTES_MIN:
        _, length, crc, its_magic, attributes = unpack_prefix(view, at)
        stop = at + LOG_OVERHEAD_BYTES + length
        if length < _LENGTH_MIN[0] or not 0 <= its_magic <= 2:
            return _none_at(at, inside=inside)
        if stop > end:
            break
        if message_bytes_max is not None and stop - at > message_bytes_max:
            return _too_large(f"a message of {stop - at:,} bytes", message_bytes_max)
        if its_magic != magic:
            return _invalid(f"magic {its_magic} in a set of magic {magic}")
        if length < length_min:
            return _none_at(at, inside=inside)
        if crc32(view[at + _CRC_FROM : stop]) != crc:
            return Rejected(
                ErrorCode.CORRUPT_MESSAGE,
                f"the checksum {crc:#010x} does not fit message {len(messages)}",
            )
        all_attributes |= attributes
        timestamp_ms = _TIMESTAMP.unpack_from(view, at + 18)[0] if magic else NO_TIMESTAMP
        try:
            (size,) = unpack_size(view, at + key_at)
            at += key_at + 4
            key = None
            if size >= 0:
                key = bytes(data[at : at + size])
                at += size
            (size,) = unpack_size(view, at)
            at += 4
            value = None
            if size >= 0:
                value = bytes(data[at : at + size])
                at += size
        except StructError:
            at = -1
        if at != stop:
            return _invalid(f"the sizes in message {len(messages)} do not fit it")
        messages.append((timestamp_ms, key, value))
        if not attributes & CODEC_MASK:
            room_bytes -= RECORD_BYTES_MIN + len(key or b"") + len(value or b"")
        if room_bytes < 0 or len(messages) > MESSAGES_PER_SET_MAX:
            return _too_large(f"a set of {len(messages):,} messages or more", message_bytes_max)
    if inside and at != end:
        return _invalid("a message inside a compressed set is cut")
    if end - at < ENTRY_BYTES_MIN and (entry_size(view, at) or 0) < 0:
        return _none_at(at, inside=inside)
    if not messages:
        return _invalid("there is no whole message")
    return messages, all_attributes


def _none_at(at: int, *, inside: bool) -> Rejected:
    """Bytes that begin no message. A wrapper's own checksum was right: its contents are no damage."""
    error = ErrorCode.INVALID_RECORD if inside else ErrorCode.CORRUPT_MESSAGE
    return Rejected(error, f"no message begins at byte {at:,}")


def _records_refusal(
    messages: list[Message], claims_append_time: bool, now_ms: int, settings: AppendChecks
) -> Rejected | None:
    """Keys and timestamps. The extremes acquit a set; only suspects are looked at one by one."""
    keyless = settings.compacted and any(key is None for _, key, _ in messages)
    out_of_range = not settings.timestamp_type_log_append and not (
        in_range(min(messages, key=_timestamp)[0], now_ms, settings)
        and in_range(max(messages, key=_timestamp)[0], now_ms, settings)
    )
    if not keyless and not out_of_range and not claims_append_time:
        return None
    errors: list[tuple[int, str]] = []
    bad_timestamp = False
    for index, (timestamp_ms, key, _) in enumerate(messages):
        why = ""
        if settings.compacted and key is None:
            why = "a compacted topic needs a key"
        elif claims_append_time:
            why = "LogAppendTime is not a producer's to set"
            bad_timestamp = True
        elif (
            out_of_range
            and timestamp_ms != NO_TIMESTAMP
            and not in_range(timestamp_ms, now_ms, settings)
        ):
            why = f"timestamp {timestamp_ms} is out of range"
            bad_timestamp = True
        if why and len(errors) < RECORD_ERRORS_MAX:
            errors.append((index, why))
    if not errors:
        return None
    error = ErrorCode.INVALID_TIMESTAMP if bad_timestamp else ErrorCode.INVALID_RECORD
    return Rejected(error, errors[0][1], tuple(errors))


def _timestamp(message: Message) -> int:
    return message[0]


def _built(
    messages: list[Message], settings: AppendChecks, codec: int, level: int | None
) -> ValidBatch | Rejected:
    base_ms, lowest_ms = messages[0][0], min(messages, key=_timestamp)[0]
    highest_ms = max(messages, key=_timestamp)[0]
    if lowest_ms < -LONG_MAX or max(highest_ms - base_ms, base_ms - lowest_ms) > LONG_MAX:
        return Rejected(ErrorCode.INVALID_TIMESTAMP, "a timestamp does not fit 64 bits")
    builder = BatchBuilder()
    for timestamp_ms, key, value in messages:
        builder.append(timestamp_ms, key, value)
    size_bytes = builder.size_bytes
    if codec == NONE or size_bytes > settings.decompressed_bytes_max:
        size_max = settings.bytes_max if codec == NONE else settings.decompressed_bytes_max
        if size_bytes > size_max:
            return _too_large(f"a set that makes a batch of {size_bytes:,} bytes", size_max)
    data = builder.build(codec=codec, level=level)
    if len(data) > settings.bytes_max:
        return _too_large(f"a set that makes a batch of {len(data):,} bytes", settings.bytes_max)
    batch = Batch(data, 0)
    batch.data = memoryview(data)
    delta_of_highest = next(
        index for index, message in enumerate(messages) if message[0] == highest_ms
    )
    return ValidBatch(batch, highest_ms, delta_of_highest)


def _invalid(why: str) -> Rejected:
    return Rejected(ErrorCode.INVALID_RECORD, why)


def _too_large(what: str, bytes_max: int | None) -> Rejected:
    limit = "" if bytes_max is None else f"; max.message.bytes allows {bytes_max:,}"
    return Rejected(ErrorCode.MESSAGE_TOO_LARGE, what + limit)
