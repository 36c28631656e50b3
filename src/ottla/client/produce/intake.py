"""What may be taken: types, sizes, and how much room a record needs at most.

Whatever a caller may have got wrong is said when a record is taken, not when its batch is encoded.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from ottla.client.produce.batch import RECORD_OVERHEAD_BYTES, Draft
from ottla.client.produce.fate import RecordTooLarge
from ottla.client.produce.options import ProducerOptions
from ottla.errors import LocalProtocolError
from ottla.record.batch import HEADER_BYTES
from ottla.record.builder import record_size_max
from ottla.record.record import Headers

HANDED_OVER_BYTES_MAX: Final = 256 * 1024
"""Of one batch of records that are handed over together: worth more than `batch_size`, and small
enough for any topic's max.message.bytes in use."""

_VALUE_BYTES_NEAR: Final = 1 << 19
_KEY_BYTES_NEAR: Final = 1 << 13
"""Below these the lengths are as short as `RECORD_OVERHEAD_BYTES` allows for."""

_TIMESTAMP_END: Final = 1 << 63


def check_size(options: ProducerOptions, topic: str, size: int) -> None:
    """Raises RecordTooLarge for a record that fits into no request, or into no buffer."""
    limits = (
        (options.max_request_size, "max_request_size"),
        (options.buffer_memory, "buffer_memory"),
    )
    for limit, name in limits:
        if HEADER_BYTES + size > limit:
            raise RecordTooLarge(
                f"a record for topic '{topic}' needs up to {HEADER_BYTES + size:,} bytes; "
                f"{name} is {limit:,}"
            )


def stretches(
    options: ProducerOptions, topic: str, records: Sequence[bytes | Draft]
) -> Iterator[tuple[Sequence[bytes | Draft], int]]:
    """(records of one batch, how many bytes it needs at most)."""
    bytes_max = max(options.batch_size, min(HANDED_OVER_BYTES_MAX, options.max_request_size))
    if set(map(type, records)) == {bytes}:
        held = HEADER_BYTES + sum(map(len, records)) + RECORD_OVERHEAD_BYTES * len(records)
        if held <= min(bytes_max, _VALUE_BYTES_NEAR):
            yield records, held
            return
    begin, held = 0, HEADER_BYTES
    for at, record in enumerate(records):
        if isinstance(record, Draft):
            value, key = owned("value", record.value), owned("key", record.key)
            check_extras(record.headers, record.timestamp_ms)
            size = record_size_max(key, value, record.headers)
        else:
            size = record_bytes_max(None, owned("value", record), ())
        check_size(options, topic, size)
        if at > begin and held + size > bytes_max:
            yield records[begin:at], held
            begin, held = at, HEADER_BYTES
        held += size
    if begin < len(records):
        yield records[begin:], held


def record_bytes_max(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    """What a record may add to a batch whose timestamps are near to each other."""
    value_bytes = 0 if value is None else len(value)
    if (
        headers
        or value_bytes >= _VALUE_BYTES_NEAR
        or (key is not None and len(key) >= _KEY_BYTES_NEAR)
    ):
        return record_size_max(key, value, headers)
    if key is None:
        return value_bytes + RECORD_OVERHEAD_BYTES
    return value_bytes + len(key) + RECORD_OVERHEAD_BYTES + 2


def owned(what: str, data: object) -> bytes | None:
    """Bytes that nobody changes afterwards."""
    if data is None or type(data) is bytes:
        return data
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise TypeError(f"{what} has to be bytes or None, not {type(data).__name__}")


def check_extras(headers: Headers, timestamp_ms: int | None) -> None:
    """What a caller may have got wrong is said now, and not when the batch is encoded."""
    for name, content in headers:
        if not isinstance(name, str) or not isinstance(content, bytes | None):
            raise TypeError(
                f"a header has to be (str, bytes or None), not ({type(name).__name__}, "
                f"{type(content).__name__})"
            )
        name.encode()
    if timestamp_ms is not None and type(timestamp_ms) is not int:
        raise TypeError(f"timestamp_ms has to be an int, not {type(timestamp_ms).__name__}")
    if timestamp_ms is not None and not 0 <= timestamp_ms < _TIMESTAMP_END:
        raise LocalProtocolError(
            f"timestamp {timestamp_ms}: milliseconds since 1970 are expected, 0 or more"
        )
