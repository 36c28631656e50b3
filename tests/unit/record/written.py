"""Batches for tests, well formed and otherwise."""

from collections.abc import Sequence

from ottla.record.builder import BatchBuilder, assemble

NOW = 1_700_000_000_000


def varint(value: int) -> bytes:
    """Written here once more, so that the codec is not tested with itself."""
    zigzag = value * 2 if value >= 0 else -value * 2 - 1
    out = b""
    while zigzag > 127:
        out += bytes([zigzag % 128 + 128])
        zigzag //= 128
    return out + bytes([zigzag])


def sized(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def raw_record(
    offset_delta: int = 0,
    timestamp_delta: int = 0,
    key: bytes | None = b"k",
    value: bytes | None = b"v",
    *,
    headers: bytes = b"\x00",
    length: int | None = None,
) -> bytes:
    body = b"\x00" + varint(timestamp_delta) + varint(offset_delta) + sized(key) + sized(value)
    body += headers
    return varint(len(body) if length is None else length) + body


def raw_batch(
    records: Sequence[bytes],
    *,
    attributes: int = 0,
    count: int | None = None,
    last_offset_delta: int | None = None,
    base_timestamp: int = NOW,
    max_timestamp: int = NOW,
    base_offset: int = 0,
    producer_id: int = -1,
    base_sequence: int = -1,
) -> bytearray:
    return assemble(
        b"".join(records),
        attributes=attributes,
        last_offset_delta=len(records) - 1 if last_offset_delta is None else last_offset_delta,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        record_count=len(records) if count is None else count,
        base_offset=base_offset,
        producer_id=producer_id,
        producer_epoch=0 if producer_id >= 0 else -1,
        base_sequence=base_sequence,
    )


def batch_of(
    count: int, *, codec: int = 0, value: bytes = b"value", key: bytes | None = b"key"
) -> bytearray:
    builder = BatchBuilder()
    for index in range(count):
        builder.append(NOW + index, key, value)
    return builder.build(codec=codec)
