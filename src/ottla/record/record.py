"""The records inside a batch: varints, keys, values, headers.

Two ways to read them, by what is asked. `records_untrusted` makes an object per record: clients,
coordinators, compaction. `walk_untrusted` visits deltas and whether there is a key, and touches
nothing else: looking up a timestamp, naming the records a leader refuses. The third way, of the
Produce path, is `survey.py`.

Promises: whatever `record_count` claims, no more work is done than the bytes pay for.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, final

from ottla.errors import RemoteProtocolError
from ottla.record.batch import HEADER_BYTES, Batch
from ottla.record.compress import NONE, decompress_untrusted

RECORD_BYTES_MIN: Final = 7
"""Length, attributes, two deltas, a null key, a null value, no headers."""

_INT64_END: Final = 1 << 63

Headers = tuple[tuple[str, bytes | None], ...]
Bytes = bytes | bytearray | memoryview


@final
class Record:
    """One record as a consumer sees it. `timestamp_ms` -1: none."""

    __slots__ = ("headers", "key", "offset", "timestamp_ms", "value")

    def __init__(
        self,
        offset: int,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> None:
        self.offset = offset
        self.timestamp_ms = timestamp_ms
        self.key = key
        self.value = value
        self.headers = headers

    def __repr__(self) -> str:
        return (
            f"Record(offset={self.offset}, timestamp_ms={self.timestamp_ms}, key={self.key!r}, "
            f"value={self.value!r}, headers={self.headers!r})"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return (
            self.offset == other.offset
            and self.timestamp_ms == other.timestamp_ms
            and self.key == other.key
            and self.value == other.value
            and self.headers == other.headers
        )

    __hash__ = None  # type: ignore[assignment]  # compared in tests, never kept in a set


class Visit(NamedTuple):
    """One record of a walk."""

    offset_delta: int
    timestamp_delta: int
    key_is_null: bool


def payload_untrusted(batch: Batch, bytes_max: int) -> Bytes:
    """The record bytes of a whole batch, decompressed; a view of the batch when it is not."""
    assert batch.data is not None
    data = batch.data[HEADER_BYTES:]
    if batch.codec == NONE:
        return data
    return decompress_untrusted(batch.codec, data, bytes_max)


def records_untrusted(batch: Batch, *, limit: int) -> list[Record]:
    """All records of a whole batch; `limit` bounds the bytes they may decompress to.

    Header keys that are no UTF-8 are read with replacement characters, as Kafka's clients do.
    """
    data = bytes(payload_untrusted(batch, limit))
    count = batch.record_count
    if count < 0 or count * RECORD_BYTES_MIN > len(data):
        raise RemoteProtocolError(f"{count:,} records cannot fit in {len(data):,} bytes")
    try:
        records, at = _records(data, count, batch.base_offset, batch.base_timestamp)
    except IndexError as error:
        raise RemoteProtocolError(f"one of {count:,} records is cut") from error
    if at != len(data):
        raise RemoteProtocolError(f"{len(data) - at:,} bytes follow the last of {count} records")
    if batch.is_log_append_time:
        for record in records:
            record.timestamp_ms = batch.max_timestamp
    return records


def _records(
    data: bytes, count: int, base_offset: int, base_timestamp: int
) -> tuple[list[Record], int]:
    """Decode `count` records, and say where the last ends. IndexError: one is cut.

    Longer than a screen on purpose: the usual short varints are unrolled, because a call per field
    would double the time.
    """
    records: list[Record] = []
    at = 0
    for _ in range(count):
        size = data[at]
        if size < 128:
            at += 1
        else:
            high = data[at + 1]
            if high < 128:
                size += (high << 7) - 128
                at += 2
            else:
                size, at = unsigned(data, at, 5)
        if size & 1:
            raise RemoteProtocolError(f"record {len(records)} of {count} has a negative length")
        end = at + (size >> 1)
        at += 1  # attributes, which mean nothing yet
        delta = data[at]
        if delta < 128:
            at += 1
        else:
            delta, at = unsigned(data, at, 10)
        timestamp = base_timestamp + ((delta >> 1) ^ -(delta & 1))
        if not -_INT64_END <= timestamp < _INT64_END:
            # As Java's long wraps.
            timestamp = (timestamp + _INT64_END) % (2 * _INT64_END) - _INT64_END
        delta = data[at]
        if delta < 128:
            at += 1
        else:
            high = data[at + 1]
            if high < 128:
                delta += (high << 7) - 128
                at += 2
            else:
                delta, at = unsigned(data, at, 5)
        offset = base_offset + ((delta >> 1) ^ -(delta & 1))
        # Key, then value. An odd zigzag is a negative length: null.
        key: bytes | None = None
        size = data[at]
        if size < 128:
            at += 1
        else:
            size, at = unsigned(data, at, 5)
        if not size & 1:
            size >>= 1
            key = data[at : at + size]
            at += size
        value: bytes | None = None
        size = data[at]
        if size < 128:
            at += 1
        else:
            high = data[at + 1]
            if high < 128:
                size += (high << 7) - 128
                at += 2
            else:
                size, at = unsigned(data, at, 5)
        if not size & 1:
            size >>= 1
            value = data[at : at + size]
            at += size
        headers: Headers = ()
        if data[at]:
            headers, at = headers_at(data, at)
        else:
            at += 1
        if at != end:
            raise RemoteProtocolError(f"record {len(records)} of {count} has a wrong length")
        records.append(Record(offset, timestamp, key, value, headers))
    return records, at


def walk_untrusted(data: Bytes, count: int) -> Iterator[Visit]:
    """Visit `count` records in `data`, the payload of one batch, which they must fill exactly."""
    at = 0
    index = 0
    try:
        for index in range(count):
            size, at = _varint(data, at)
            end = at + size
            if size < 0 or end > len(data):
                raise RemoteProtocolError(f"record {index} has {size} bytes; its batch has fewer")
            timestamp_delta, at = _varlong(data, at + 1)
            offset_delta, at = _varint(data, at)
            key_bytes, at = _varint(data, at)
            at = after_headers(data, _after_value(data, at, key_bytes), end)
            if at != end:
                raise RemoteProtocolError(f"record {index} of {count} has a wrong length")
            yield Visit(offset_delta, timestamp_delta, key_bytes < 0)
    except IndexError as error:
        raise RemoteProtocolError(f"record {index} of {count} is cut") from error
    if at != len(data):
        raise RemoteProtocolError(f"{len(data) - at:,} bytes follow the last of {count} records")


def first_since_untrusted(
    batch: Batch, timestamp_ms: int, *, from_offset: int, limit: int
) -> tuple[int, int] | None:
    """Offset and timestamp of the first record at or after both a time and an offset, or None."""
    if batch.max_timestamp < timestamp_ms or batch.record_count == 0:
        return None
    base_offset, base_timestamp = batch.base_offset, batch.base_timestamp
    append_time = batch.max_timestamp if batch.is_log_append_time else None
    for visit in walk_untrusted(payload_untrusted(batch, limit), batch.record_count):
        at_ms = append_time if append_time is not None else base_timestamp + visit.timestamp_delta
        offset = base_offset + visit.offset_delta
        if at_ms >= timestamp_ms and offset >= from_offset:
            return offset, at_ms
    return None


def offset_of_max_timestamp_untrusted(batch: Batch, *, limit: int) -> int | None:
    """The offset ListOffsets answers for timestamp -3 when this batch holds the log's largest.

    With LogAppendTime all records are equal and Kafka names the last; otherwise the first that has
    the maximum. None when the batch has no timestamps (KIP-734).
    """
    if batch.max_timestamp < 0 or batch.record_count == 0:
        return None
    if batch.is_log_append_time:
        return batch.last_offset
    for visit in walk_untrusted(payload_untrusted(batch, limit), batch.record_count):
        if batch.base_timestamp + visit.timestamp_delta == batch.max_timestamp:
            return batch.base_offset + visit.offset_delta
    return None


def headers_at(data: bytes, at: int) -> tuple[Headers, int]:
    count, at = _varint(data, at)
    if count < 0 or count > len(data) - at:
        raise RemoteProtocolError(f"{count} record headers where {len(data) - at} bytes are left")
    headers: list[tuple[str, bytes | None]] = []
    for _ in range(count):
        size, at = _varint(data, at)
        if size < 0:
            raise RemoteProtocolError("a record header has no key")
        key = data[at : at + size].decode("utf-8", "replace")
        at += size
        size, at = _varint(data, at)
        if size < 0:
            headers.append((key, None))
        else:
            headers.append((key, data[at : at + size]))
            at += size
    return tuple(headers), at


def after_headers(data: Bytes, at: int, end: int) -> int:
    """Skip the header count at `at` and the headers; every one has at least two bytes."""
    count, at = _varint(data, at)
    if count < 0 or 2 * count > end - at:
        raise RemoteProtocolError(f"{count} record headers where {end - at} bytes are left")
    for _ in range(count):
        size, at = _varint(data, at)
        if size < 0:
            raise RemoteProtocolError("a record header has no key")
        size, at = _varint(data, at + size)
        if size > 0:
            at += size
    return at


def _after_value(data: Bytes, at: int, key_bytes: int) -> int:
    """Skip a key of that size (negative: null) and the value after it."""
    size, at = _varint(data, at + key_bytes if key_bytes > 0 else at)
    return at + size if size > 0 else at


def _varint(data: Bytes, at: int) -> tuple[int, int]:
    """The zigzag varint at `at`, and where it ends."""
    value = data[at]
    if value < 128:
        return (value >> 1) ^ -(value & 1), at + 1
    value, at = unsigned(data, at, 5)
    return (value >> 1) ^ -(value & 1), at


def _varlong(data: Bytes, at: int) -> tuple[int, int]:
    """As `_varint`, up to 64 bits."""
    value = data[at]
    if value < 128:
        return (value >> 1) ^ -(value & 1), at + 1
    value, at = unsigned(data, at, 10)
    return (value >> 1) ^ -(value & 1), at


def unsigned(data: Bytes, at: int, bytes_max: int) -> tuple[int, int]:
    """The varint at `at` before zigzag; longer than `bytes_max` is refused.

    Bits that the type has no room for are dropped, as Java's shifts drop them.
    """
    value = shift = 0
    for here in range(at, at + bytes_max):
        byte = data[here]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (0xFFFFFFFF if bytes_max == 5 else 0xFFFFFFFFFFFFFFFF), here + 1
        shift += 7
    raise RemoteProtocolError(f"a varint has more than {bytes_max} bytes")
