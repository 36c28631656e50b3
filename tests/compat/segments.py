"""Batch headers as they lie in `.log` files: what was really stored, not what a client believes.

The layout is record batch version 2 (KIP-98). Read while the broker runs: a cut last batch is
ignored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
# base offset, length, leader epoch, magic, CRC, attributes, last offset delta, two timestamps,
# producer id, producer epoch, base sequence, record count
HEADER: Final = struct.Struct(">qiibIhiqqqhii")
LENGTH_COUNTS_FROM: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    base_offset: int
    size_bytes: int
    codec: str
    log_append_time: bool
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int


def stored_batches(data: Path, topic: str, partition: int) -> list[StoredBatch]:
    """All batches of one partition, in order."""
    return [
        batch
        for segment in sorted((data / f"{topic}-{partition}").glob("*.log"))
        for batch in _batches(segment.read_bytes())
    ]


def _batches(segment: bytes) -> Iterator[StoredBatch]:
    at = 0
    while at + HEADER.size <= len(segment):
        (
            base_offset,
            length,
            _,
            magic,
            _,
            attributes,
            _,
            _,
            _,
            producer_id,
            epoch,
            sequence,
            count,
        ) = HEADER.unpack_from(segment, at)
        size_bytes = LENGTH_COUNTS_FROM + length
        if at + size_bytes > len(segment):
            return
        assert magic == 2, f"magic {magic} at byte {at}"
        yield StoredBatch(
            base_offset=base_offset,
            size_bytes=size_bytes,
            codec=CODECS[attributes & 7],
            log_append_time=bool(attributes & 8),
            producer_id=producer_id,
            producer_epoch=epoch,
            base_sequence=sequence,
            record_count=count,
        )
        at += size_bytes
