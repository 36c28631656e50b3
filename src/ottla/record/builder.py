"""Records -> one batch of magic 2.

`BatchBuilder` collects records and knows at any time how large its batch would be uncompressed;
`build` writes the batch. The base offset is the caller's (0 for a producer), offset deltas are 0,
1, 2, …; the base timestamp is the first record's, as in Kafka. Who counts sequences and chooses
partitions is the client's accumulator; what the broker itself writes (offsets, transactions,
metadata) is built here too.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Final, final

from ottla.errors import LocalProtocolError
from ottla.record.batch import (
    CONTROL,
    CRC_FROM,
    HEADER,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    LOG_OVERHEAD_BYTES,
    TRANSACTIONAL,
)
from ottla.record.compress import NONE, compress
from ottla.record.crc import crc32c
from ottla.record.record import Headers, Record

RECORD_COUNT_MAX: Final = 0x7FFFFFFF


def varint(value: int) -> bytes:
    """Zigzag, then seven bits per byte, low group first. Takes what fits 64 bits."""
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 127:
        out.append(zigzag & 127 | 128)
        zigzag >>= 7
    out.append(zigzag)
    return bytes(out)


_LOWS: Final = [bytes((low,)) for low in range(128, 256, 2)]
_VARINTS: Final[list[bytes]] = [
    *(bytes((value << 1,)) for value in range(64)),
    *(low + high for high in [bytes((high,)) for high in range(1, 128)] for low in _LOWS),
]
"""The varints of one and two bytes, looked up: lengths and deltas are nearly always among them."""
_SMALL: Final = len(_VARINTS)
SHORT_VARINTS: Final[Sequence[bytes]] = _VARINTS
_NULL: Final = b"\x01"
_NO_HEADERS: Final = b"\x00"
_NO_ATTRIBUTES: Final = b"\x00"
_NO_HEADER_YET: Final = bytes(HEADER_BYTES)


@final
class BatchBuilder:
    """Collects the records of one batch."""

    __slots__ = ("_base_timestamp", "_chunks", "_max_timestamp", "record_count", "size_bytes")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._base_timestamp = -1
        self._max_timestamp = -1
        self.record_count: int = 0
        self.size_bytes: int = HEADER_BYTES
        """Of the batch, were it built now without compression."""

    @property
    def max_timestamp(self) -> int:
        return self._max_timestamp

    def append(
        self,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> int:
        """Add a record; returns its offset delta."""
        delta = self.record_count
        if delta == 0:
            self._base_timestamp = self._max_timestamp = timestamp_ms
        elif timestamp_ms > self._max_timestamp:
            self._max_timestamp = timestamp_ms
        since = timestamp_ms - self._base_timestamp
        body = b"".join(
            (
                _NO_ATTRIBUTES,
                _VARINTS[since] if 0 <= since < _SMALL else varint(since),
                _VARINTS[delta] if delta < _SMALL else varint(delta),
                _sized(key),
                _sized(value),
                _headers(headers) if headers else _NO_HEADERS,
            )
        )
        size = len(body)
        length = _VARINTS[size] if size < _SMALL else varint(size)
        self._chunks.append(length)
        self._chunks.append(body)
        self.size_bytes += len(length) + size
        self.record_count = delta + 1
        return delta

    def build(
        self,
        *,
        codec: int = NONE,
        level: int | None = None,
        base_offset: int = 0,
        leader_epoch: int = -1,
        producer_id: int = -1,
        producer_epoch: int = -1,
        base_sequence: int = -1,
        transactional: bool = False,
        control: bool = False,
        append_time_ms: int | None = None,
    ) -> bytearray:
        """The batch. `append_time_ms`: LogAppendTime, with that as everybody's timestamp.

        Raises LocalProtocolError without records: no leader accepts an empty batch.
        """
        if self.record_count == 0:
            raise LocalProtocolError("a batch needs at least one record")
        payload = b"".join(self._chunks)
        if codec != NONE:
            payload = compress(codec, payload, level)
        attributes = codec
        if transactional:
            attributes |= TRANSACTIONAL
        if control:
            attributes |= CONTROL
        max_timestamp = self._max_timestamp
        if append_time_ms is not None:
            attributes |= LOG_APPEND_TIME
            max_timestamp = append_time_ms
        return assemble(
            payload,
            attributes=attributes,
            last_offset_delta=self.record_count - 1,
            base_timestamp=self._base_timestamp,
            max_timestamp=max_timestamp,
            record_count=self.record_count,
            base_offset=base_offset,
            leader_epoch=leader_epoch,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            base_sequence=base_sequence,
        )


def build_batch(
    records: Iterable[tuple[int, bytes | None, bytes | None]], *, codec: int = NONE
) -> bytearray:
    """A plain batch of (timestamp, key, value), as a producer without idempotence sends it."""
    builder = BatchBuilder()
    for timestamp_ms, key, value in records:
        builder.append(timestamp_ms, key, value)
    return builder.build(codec=codec)


def record_size_max(key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
    """No encoding of such a record is larger than this, whatever its deltas are."""
    size = 5 + 1 + 10 + 5 + 5 + 5 + 5 + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += 10 + 4 * len(name) + len(content or b"")
    return size


def assemble(
    *payload: bytes,
    attributes: int,
    last_offset_delta: int,
    base_timestamp: int,
    max_timestamp: int,
    record_count: int,
    base_offset: int = 0,
    leader_epoch: int = -1,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
) -> bytearray:
    """Header and checksum around record bytes that are already encoded (and compressed).

    They may come in pieces, which are copied once. Compaction uses it for batches whose offsets have
    gaps, and for empty ones that keep a producer's state.
    """
    batch = bytearray().join((_NO_HEADER_YET, *payload))
    header = (
        base_offset,
        len(batch) - LOG_OVERHEAD_BYTES,
        leader_epoch,
        2,
        0,
        attributes,
        last_offset_delta,
        base_timestamp,
        max_timestamp,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
    )
    HEADER.pack_into(batch, 0, *header)
    crc = crc32c(memoryview(batch)[CRC_FROM:])
    batch[17:21] = crc.to_bytes(4, "big")
    return batch


_PRODUCER: Final = Struct(">qhi")
_PRODUCER_AT: Final = 43


def stamp_producer(
    batch: bytearray, producer_id: int, producer_epoch: int, base_sequence: int
) -> None:
    """The batch is that producer's, with these sequences, and its checksum is right again."""
    _PRODUCER.pack_into(batch, _PRODUCER_AT, producer_id, producer_epoch, base_sequence)
    batch[17:21] = crc32c(memoryview(batch)[CRC_FROM:]).to_bytes(4, "big")


def encode_records(records: Iterable[Record], base_offset: int, base_timestamp: int) -> bytes:
    """The bytes of records that keep their own offsets and timestamps, gaps and all."""
    chunks: list[bytes] = []
    for record in records:
        body = b"".join(
            (
                _NO_ATTRIBUTES,
                varint(record.timestamp_ms - base_timestamp),
                varint(record.offset - base_offset),
                _sized(record.key),
                _sized(record.value),
                _headers(record.headers),
            )
        )
        chunks.append(varint(len(body)))
        chunks.append(body)
    return b"".join(chunks)


def _sized(data: bytes | None) -> bytes:
    if data is None:
        return _NULL
    size = len(data)
    return (_VARINTS[size] if size < _SMALL else varint(size)) + data


def _headers(headers: Headers) -> bytes:
    chunks = [varint(len(headers))]
    for name, content in headers:
        chunks.append(_sized(name.encode()))
        chunks.append(_sized(content))
    return b"".join(chunks)
