"""Message sets, magic 0 and 1: what logs of Kafka before 0.11 hold, and its clients send.

Each entry is one message, or a wrapper whose value is a compressed message set. Magic 0 keeps
absolute offsets inside a wrapper; magic 1 relative ones, and the wrapper's offset is that of its
last message. Ottla's own logs are magic 2. Elsewhere: message sets made into batches,
`up_convert.py`, and batches into message sets, `down_convert.py`.

`any_batches_untrusted` and `any_records_untrusted` read a log in which formats are mixed, as a
topic that lived through an upgrade has them.
"""

import zlib
from collections.abc import Generator
from struct import Struct
from typing import Final, final

from ottla.errors import RemoteProtocolError
from ottla.record.batch import (
    CODEC_MASK,
    HEADER_BYTES,
    LOG_APPEND_TIME,
    LOG_OVERHEAD_BYTES,
    MAGIC_AT,
    Batch,
    header_untrusted,
)
from ottla.record.compress import (
    LZ4,
    NONE,
    ZSTD,
    decompress_untrusted,
    lz4_with_right_header_checksum,
)
from ottla.record.record import Record, records_untrusted

ENTRY_BYTES_MIN: Final = 26
"""Offset, size, checksum, magic, attributes, a null key and a null value."""

_PREFIX: Final = Struct(">qiIbb")
_TIMESTAMP: Final = Struct(">q")
_SIZE: Final = Struct(">i")
_CRC_FROM: Final = 16
_KEY_AT: Final = (18, 26)
"""By magic: where the key's length stands."""


@final
class LegacyEntry:
    """One entry of a message set: a message, or a wrapper of several. Treat it as read-only."""

    __slots__ = ("attributes", "crc", "data", "last_offset", "magic", "size_bytes", "timestamp_ms")

    last_offset: int
    crc: int
    magic: int
    attributes: int
    timestamp_ms: int

    def __init__(self, header: bytes | bytearray | memoryview, at: int) -> None:
        """Read the entry at `at`, where 26 bytes must stand; `data` is left None."""
        self.last_offset, length, self.crc, self.magic, self.attributes = _PREFIX.unpack_from(
            header, at
        )
        self.size_bytes: int = length + LOG_OVERHEAD_BYTES
        self.timestamp_ms = -1
        if self.magic == 1:
            (self.timestamp_ms,) = _TIMESTAMP.unpack_from(header, at + 18)
        self.data: memoryview | None = None

    @property
    def codec(self) -> int:
        return self.attributes & CODEC_MASK

    @property
    def is_log_append_time(self) -> bool:
        return self.magic == 1 and self.attributes & LOG_APPEND_TIME != 0

    @property
    def next_offset(self) -> int:
        return self.last_offset + 1


def entry_untrusted(data: bytes | bytearray | memoryview, at: int = 0) -> LegacyEntry:
    """The entry at `at`; its `data` is None when `data` ends before the entry does."""
    if at < 0 or len(data) - at < ENTRY_BYTES_MIN:
        raise RemoteProtocolError(
            f"a message has at least {ENTRY_BYTES_MIN} bytes; {len(data) - at} are left"
        )
    entry = LegacyEntry(data, at)
    if entry.magic not in (0, 1):
        raise RemoteProtocolError(f"message with magic {entry.magic}; 0 or 1 is expected")
    if entry.size_bytes < _KEY_AT[entry.magic] + 8:
        raise RemoteProtocolError(
            f"message of magic {entry.magic} with {entry.size_bytes} bytes: too few"
        )
    if entry.size_bytes <= len(data) - at:
        view = data if isinstance(data, memoryview) else memoryview(data)
        entry.data = view[at : at + entry.size_bytes]
    return entry


def any_batches_untrusted(
    data: bytes | bytearray | memoryview, at: int = 0
) -> Generator[Batch | LegacyEntry, None, int]:
    """Every whole batch or entry from `at` on, whatever its magic; returns where parsing ended."""
    view = data if isinstance(data, memoryview) else memoryview(data)
    end = len(view)
    while end - at >= ENTRY_BYTES_MIN:
        batch: Batch | LegacyEntry
        if view[at + MAGIC_AT] == 2:
            if end - at < HEADER_BYTES:
                break
            batch = header_untrusted(view, at)
        else:
            if view[at + MAGIC_AT] == 1 and end - at < ENTRY_BYTES_MIN + 8:
                break
            batch = entry_untrusted(view, at)
        if batch.data is None:
            break
        yield batch
        at += batch.size_bytes
    return at


def any_records_untrusted(batch: Batch | LegacyEntry, *, limit: int) -> list[Record]:
    """The records of a whole batch or entry; `limit` bounds the bytes they decompress to."""
    if isinstance(batch, Batch):
        return records_untrusted(batch, limit=limit)
    return messages_untrusted(batch, limit=limit)


def entry_crc_is_right(entry: LegacyEntry) -> bool:
    """Magic 0 and 1 are guarded by the older CRC-32, IEEE's."""
    assert entry.data is not None
    return zlib.crc32(entry.data[_CRC_FROM:]) == entry.crc


def messages_untrusted(entry: LegacyEntry, *, limit: int) -> list[Record]:
    """The messages an entry holds, with absolute offsets. Wrappers in wrappers are refused."""
    if entry.codec == NONE:
        return [message_untrusted(entry)]
    records = [message_untrusted(inner) for inner in contents_untrusted(entry, limit=limit)]
    if entry.magic == 1:
        last = records[-1].offset
        # Some versions of librdkafka left the wrapper's offset 0.
        base = entry.last_offset - last if entry.last_offset else 0
        if base < 0:
            raise RemoteProtocolError(f"wrapper at offset {entry.last_offset} holds offset {last}")
        for record in records:
            record.offset += base
            if entry.is_log_append_time:
                record.timestamp_ms = entry.timestamp_ms
    return records


def contents_untrusted(wrapper: LegacyEntry, *, limit: int) -> list[LegacyEntry]:
    """The messages of a compressed set as they are written in it, at least one."""
    value = message_untrusted(wrapper).value
    data = set_inside_untrusted(wrapper.codec, wrapper.magic, value, limit)
    return _inner_entries(data, wrapper.magic)


def set_inside_untrusted(codec: int, magic: int, value: bytes | None, limit: int) -> bytes:
    """What a wrapper's value decompresses to."""
    if codec >= ZSTD:
        raise RemoteProtocolError(f"message set of magic {magic} with codec {codec}")
    if value is None:
        raise RemoteProtocolError("a compressed message set is null")
    if codec == LZ4 and magic == 0:
        value = lz4_with_right_header_checksum(value)
    return decompress_untrusted(codec, value, limit)


def _inner_entries(data: bytes, magic: int) -> list[LegacyEntry]:
    view = memoryview(data)
    entries: list[LegacyEntry] = []
    at = 0
    while at < len(view):
        entry = entry_untrusted(view, at)
        if entry.data is None:
            raise RemoteProtocolError("a message inside a compressed set is cut")
        if entry.magic != magic or entry.codec != NONE:
            raise RemoteProtocolError(
                f"a set of magic {magic} holds magic {entry.magic} with codec {entry.codec}"
            )
        entries.append(entry)
        at += entry.size_bytes
    if not entries:
        raise RemoteProtocolError("a compressed message set is empty")
    return entries


def message_untrusted(entry: LegacyEntry) -> Record:
    """The message, or the wrapper as if it were one."""
    assert entry.data is not None
    data = entry.data
    key, at = _sized_untrusted(data, _KEY_AT[entry.magic])
    value, at = _sized_untrusted(data, at)
    if at != len(data):
        raise RemoteProtocolError(f"message with {len(data) - at} bytes too many")
    return Record(entry.last_offset, entry.timestamp_ms, key, value)


def _sized_untrusted(data: memoryview, at: int) -> tuple[bytes | None, int]:
    if len(data) - at < 4:
        raise RemoteProtocolError("a message is cut")
    (size,) = _SIZE.unpack_from(data, at)
    at += 4
    if size < 0:
        return None, at
    if size > len(data) - at:
        raise RemoteProtocolError(f"{size:,} bytes in a message where {len(data) - at:,} are left")
    return bytes(data[at : at + size]), at + size
