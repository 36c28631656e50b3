"""The record batch of magic 2 as a view over bytes: header, checksum, and what a leader stamps.

A `Batch` reads the 61 bytes of its header once and keeps a view of the whole batch; the records
stay bytes (see `record.py`). The broker moves batches and never makes an object per record.

Promises: nothing but `RemoteProtocolError` leaves `…_untrusted`; a batch whose `data` is not None
is whole, and its length field agrees with `data`. Whether its checksum is right is a question of
its own (`crc_is_right`), because recovery, leader and follower ask it at different times.

Source: KIP-98. Elsewhere: message sets of magic 0 and 1, `legacy.py`; what a leader checks before
it appends, `validate.py`.
"""

from collections.abc import Generator
from struct import Struct
from typing import Final, final

from ottla.errors import RemoteProtocolError
from ottla.record.crc import crc32c

LOG_OVERHEAD_BYTES: Final = 12
"""Base offset and length: what the length field does not count."""

HEADER_BYTES: Final = 61
MAGIC_AT: Final = 16
"""Where the magic stands, in every format there ever was."""

CODEC_MASK: Final = 0x07
LOG_APPEND_TIME: Final = 0x08
TRANSACTIONAL: Final = 0x10
CONTROL: Final = 0x20
DELETE_HORIZON: Final = 0x40

SEQUENCE_MAX: Final = 0x7FFFFFFF

HEADER: Final = Struct(">qiibIhiqqqhii")
_SIZE: Final = Struct(">i")
_BASE_OFFSET: Final = Struct(">q")
_LEADER_EPOCH: Final = Struct(">i")
_CRC: Final = Struct(">I")
_ATTRIBUTES: Final = Struct(">h")
_MAX_TIMESTAMP: Final = Struct(">q")

_SIZE_AT: Final = 8
_LEADER_EPOCH_AT: Final = 12
_CRC_AT: Final = 17
CRC_FROM: Final = 21
"""The first byte the checksum covers: everything before it is the leader's to stamp."""
_ATTRIBUTES_AT: Final = 21
_MAX_TIMESTAMP_AT: Final = 35


@final
class Batch:
    """One batch: its header, and its bytes where they are at hand. Treat it as read-only."""

    __slots__ = (
        "_length",
        "attributes",
        "base_offset",
        "base_sequence",
        "base_timestamp",
        "crc",
        "data",
        "last_offset_delta",
        "magic",
        "max_timestamp",
        "partition_leader_epoch",
        "producer_epoch",
        "producer_id",
        "record_count",
        "size_bytes",
    )

    base_offset: int
    _length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    def __init__(self, header: bytes | bytearray | memoryview, at: int) -> None:
        """Read the header at `at`, where 61 bytes must stand; `data` is left None."""
        (
            self.base_offset,
            self._length,
            self.partition_leader_epoch,
            self.magic,
            self.crc,
            self.attributes,
            self.last_offset_delta,
            self.base_timestamp,
            self.max_timestamp,
            self.producer_id,
            self.producer_epoch,
            self.base_sequence,
            self.record_count,
        ) = HEADER.unpack_from(header, at)
        self.size_bytes: int = self._length + LOG_OVERHEAD_BYTES
        self.data: memoryview | None = None

    @property
    def codec(self) -> int:
        return self.attributes & CODEC_MASK

    @property
    def is_log_append_time(self) -> bool:
        return self.attributes & LOG_APPEND_TIME != 0

    @property
    def is_transactional(self) -> bool:
        return self.attributes & TRANSACTIONAL != 0

    @property
    def is_control(self) -> bool:
        return self.attributes & CONTROL != 0

    @property
    def delete_horizon_ms(self) -> int | None:
        """When compaction may drop this batch's tombstones and markers (KIP-534)."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def has_producer_id(self) -> bool:
        return self.producer_id >= 0

    @property
    def last_sequence(self) -> int:
        """The sequence of the last record; numbers wrap from 2147483647 to 0. -1: none."""
        if self.base_sequence < 0:
            return -1
        return (self.base_sequence + self.last_offset_delta) & SEQUENCE_MAX


def header_untrusted(data: bytes | bytearray | memoryview, at: int = 0) -> Batch:
    """The batch at `at`; its `data` is None when `data` ends before the batch does.

    Raises RemoteProtocolError when there are no 61 bytes, or they are no header of magic 2.
    """
    if at < 0 or len(data) - at < HEADER_BYTES:
        raise RemoteProtocolError(
            f"a record batch header has {HEADER_BYTES} bytes; {len(data) - at} are left"
        )
    batch = Batch(data, at)
    if batch.magic != 2:
        raise RemoteProtocolError(f"record batch with magic {batch.magic}; 2 is expected")
    if batch.size_bytes < HEADER_BYTES:
        raise RemoteProtocolError(
            f"record batch of {batch.size_bytes} bytes; its header alone has {HEADER_BYTES}"
        )
    if batch.size_bytes <= len(data) - at:
        view = data if isinstance(data, memoryview) else memoryview(data)
        batch.data = view[at : at + batch.size_bytes]
    return batch


def batches_untrusted(
    data: bytes | bytearray | memoryview, at: int = 0
) -> Generator[Batch, None, int]:
    """Every whole batch from `at` on; the generator returns the position where parsing ended.

    A cut tail ends it cleanly, as fetch answers and torn files have one: only bytes that cannot be
    the beginning of a batch raise.
    """
    view = data if isinstance(data, memoryview) else memoryview(data)
    end = len(view)
    while end - at >= HEADER_BYTES:
        batch = header_untrusted(view, at)
        if batch.data is None:
            break
        yield batch
        at += batch.size_bytes
    return at


def crc_is_right(batch: Batch) -> bool:
    """Does the checksum in the header match the bytes? The batch must be whole."""
    assert batch.data is not None
    return crc32c(batch.data[CRC_FROM:]) == batch.crc


def stamp(buffer: bytearray | memoryview, base_offset: int, leader_epoch: int, at: int = 0) -> None:
    """Write what a leader assigns into the batch at `at`; the checksum does not cover it."""
    _BASE_OFFSET.pack_into(buffer, at, base_offset)
    _LEADER_EPOCH.pack_into(buffer, at + _LEADER_EPOCH_AT, leader_epoch)


def stamp_append_time(buffer: bytearray | memoryview, timestamp_ms: int, at: int = 0) -> None:
    """Turn the batch at `at` to LogAppendTime: every record then has `timestamp_ms`."""
    _stamp_time(buffer, at, timestamp_ms, log_append_time=True)


def stamp_create_time(buffer: bytearray | memoryview, max_timestamp_ms: int, at: int = 0) -> None:
    """Turn the batch at `at` to CreateTime, with the largest timestamp of its records."""
    _stamp_time(buffer, at, max_timestamp_ms, log_append_time=False)


def _stamp_time(
    buffer: bytearray | memoryview, at: int, timestamp_ms: int, *, log_append_time: bool
) -> None:
    view = memoryview(buffer)
    (length,) = _SIZE.unpack_from(view, at + _SIZE_AT)
    (attributes,) = _ATTRIBUTES.unpack_from(view, at + _ATTRIBUTES_AT)
    if log_append_time:
        attributes |= LOG_APPEND_TIME
    else:
        attributes &= ~LOG_APPEND_TIME
    _ATTRIBUTES.pack_into(view, at + _ATTRIBUTES_AT, attributes)
    _MAX_TIMESTAMP.pack_into(view, at + _MAX_TIMESTAMP_AT, timestamp_ms)
    crc = crc32c(view[at + CRC_FROM : at + LOG_OVERHEAD_BYTES + length])
    _CRC.pack_into(view, at + _CRC_AT, crc)
