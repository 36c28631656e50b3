"""Batches as message sets of magic 1 or 0: what consumers before Kafka 0.11 read.

A batch that is not compressed becomes one plain message per record; a compressed one becomes one
wrapper in the same codec. Keys, values, timestamps (magic 1) and offsets stay, gaps and all; headers,
producers and sequences are lost, and control batches have no place in the older formats. Records
before the offset that was asked for are left out, so that a reader whose limit is smaller than a batch
still moves on.

Wrappers are Kafka's: with magic 1 the inner offsets count from the first, the wrapper has the last
one's and the largest timestamp; with magic 0 all are absolute, and an lz4 frame has the header checksum
that its readers expect, computed over the frame's magic too (KIP-57).

Source: KIP-31, KIP-32; Apache Kafka 3.9, the last that served them. Elsewhere: reading these formats,
`legacy.py`; who is served so, `core/replica/old_reader.py`.
"""

import zlib
from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Final

from ottla.record.batch import LOG_APPEND_TIME, Batch
from ottla.record.compress import LZ4, NONE, compress, lz4_with_old_header_checksum
from ottla.record.legacy import LegacyEntry, messages_untrusted
from ottla.record.record import Record, records_untrusted
from ottla.types import NO_TIMESTAMP

_FRONT: Final = Struct(">qiIbb")
_TIME: Final = Struct(">q")
_MAGIC_AND_ATTRIBUTES: Final = Struct(">bb")
_SIZE: Final = Struct(">i")
_NULL: Final = _SIZE.pack(-1)
_CRC_AND_MORE_BYTES: Final = 6


def message_set_of_untrusted(
    entry: Batch | LegacyEntry, *, magic: int, from_offset: int, limit: int
) -> Iterator[bytes]:
    """The entries that say what the records of a whole batch from an offset on say.

    `limit` bounds the bytes they may decompress to. A batch in zstd has no such entries: the caller
    refuses it first.
    """
    if isinstance(entry, LegacyEntry):
        if entry.magic <= magic:
            assert entry.data is not None
            yield bytes(entry.data)
            return
        records = messages_untrusted(entry, limit=limit)
    else:
        if entry.is_control:
            return
        records = records_untrusted(entry, limit=limit)
    wanted = [record for record in records if record.offset >= from_offset]
    if not wanted:
        return
    flags = LOG_APPEND_TIME if magic == 1 and entry.is_log_append_time else 0
    codec = entry.codec
    if codec == NONE:
        for record in wanted:
            yield _message(record, record.offset, magic, flags)
    else:
        yield _wrapper(wanted, magic, flags, codec)


def _wrapper(records: Sequence[Record], magic: int, flags: int, codec: int) -> bytes:
    first = records[0].offset if magic == 1 else 0
    data = compress(
        codec,
        b"".join(_message(record, record.offset - first, magic, flags) for record in records),
    )
    if codec == LZ4 and magic == 0:
        data = lz4_with_old_header_checksum(data)
    timestamp_ms = max(record.timestamp_ms for record in records)
    last = records[-1].offset
    return _message(Record(last, timestamp_ms, None, data), last, magic, flags | codec)


def _message(record: Record, offset: int, magic: int, attributes: int) -> bytes:
    key, value = record.key, record.value
    body = b"".join(
        (
            _TIME.pack(max(record.timestamp_ms, NO_TIMESTAMP)) if magic == 1 else b"",
            _NULL if key is None else _SIZE.pack(len(key)),
            key or b"",
            _NULL if value is None else _SIZE.pack(len(value)),
            value or b"",
        )
    )
    crc = zlib.crc32(body, zlib.crc32(_MAGIC_AND_ATTRIBUTES.pack(magic, attributes)))
    size = _CRC_AND_MORE_BYTES + len(body)
    return _FRONT.pack(offset, size, crc, magic, attributes) + body
