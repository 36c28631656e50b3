"""A partition's directory as an old Apache Kafka may leave it: messages of magic 0 and 1, wrappers of
compressed ones, and transactions of which some were aborted. No indexes; its name is all it has.

It is put where a topic of this name will be made, so that the node takes it over. Nobody writes to
it: what is served of it is what is here.
"""

import gzip
from struct import Struct
from typing import Final
from zlib import crc32

from ottla.record.builder import BatchBuilder
from ottla.record.control import transaction_marker
from ottla.sim.plan import EPOCH_MS

TOPIC: Final = "old"
DIRECTORY: Final = f"{TOPIC}-0"

_GZIP: Final = 1
_HEAD: Final = Struct(">qi")
_BODY: Final = (Struct(">bb"), Struct(">bbq"))  # by magic
_LENGTH: Final = Struct(">i")
_AN_HOUR_AGO_MS: Final = EPOCH_MS - 3_600_000
_VALUE: Final = b"of long ago".ljust(60, b".")


def _message(
    offset: int, magic: int, time_ms: int, value: bytes = _VALUE, attributes: int = 0
) -> bytes:
    front = (magic, attributes) if magic == 0 else (magic, attributes, time_ms)
    body = _BODY[magic].pack(*front) + _LENGTH.pack(-1) + _LENGTH.pack(len(value)) + value
    return _HEAD.pack(offset, len(body) + 4) + crc32(body).to_bytes(4, "big") + body


def _wrapper(last_offset: int, magic: int, time_ms: int, count: int) -> bytes:
    """Offsets inside count from 0 with magic 1, and are absolute with magic 0."""
    first = last_offset - count + 1 if magic == 0 else 0
    inner = b"".join(_message(first + at, magic, time_ms) for at in range(count))
    return _message(last_offset, magic, time_ms, gzip.compress(inner, mtime=0), _GZIP)


def _batch(offset: int, time_ms: int, count: int, producer_id: int, sequence: int) -> bytes:
    builder = BatchBuilder()
    for at in range(count):
        builder.append(time_ms + at, None, _VALUE)
    return bytes(
        builder.build(
            base_offset=offset,
            leader_epoch=0,
            producer_id=producer_id,
            producer_epoch=0,
            base_sequence=sequence,
            transactional=True,
        )
    )


def _marker(offset: int, time_ms: int, producer_id: int, *, commit: bool) -> bytes:
    return bytes(
        transaction_marker(
            commit=commit,
            producer_id=producer_id,
            producer_epoch=0,
            coordinator_epoch=0,
            timestamp_ms=time_ms,
            base_offset=offset,
            leader_epoch=0,
        )
    )


def _segments() -> dict[int, tuple[bytes, ...]]:
    ms = _AN_HOUR_AGO_MS
    first = (
        *(_message(offset, 0, -1) for offset in range(4)),
        _wrapper(8, 0, -1, 5),
        *(_message(offset, 1, ms + offset) for offset in range(9, 14)),
        _wrapper(18, 1, ms + 18, 5),
    )
    second = (
        _message(19, 1, ms + 19),
        _batch(20, ms + 20, 3, producer_id=1_000, sequence=0),
        _batch(23, ms + 23, 2, producer_id=1_001, sequence=0),
        _marker(25, ms + 25, 1_001, commit=False),
        _marker(26, ms + 26, 1_000, commit=True),
    )
    third = (
        _batch(27, ms + 27, 2, producer_id=1_001, sequence=2),
        _marker(29, ms + 29, 1_001, commit=False),
        _batch(30, ms + 30, 1, producer_id=1_000, sequence=3),
        _marker(31, ms + 31, 1_000, commit=True),
    )
    return {0: first, 19: second, 27: third}


SEGMENTS: Final = {base: b"".join(parts) for base, parts in _segments().items()}
"""By base offset: what stands in the segment's file."""

ENTRIES: Final = tuple(part for parts in _segments().values() for part in parts)
"""What a consumer is served, in order."""

END_OFFSET: Final = 32
