"""A batch in the codec its topic asks for, where `compression.type` is not `producer`.

Only the codec changes: records, timestamps, producer and sequence stay as the producer sent them.

Source: Kafka's documentation of compression.type, KIP-390 (levels). Elsewhere: the codecs, see `record/compress.py`.
"""

from collections.abc import Mapping
from typing import Final

from ottla.record.batch import CODEC_MASK, HEADER_BYTES, Batch
from ottla.record.builder import assemble
from ottla.record.compress import GZIP, LZ4, NONE, SNAPPY, ZSTD, compress, decompress_untrusted
from ottla.record.validate import ValidBatch
from ottla.settings.topic import TopicSettings

CODEC_OF: Final[Mapping[str, int | None]] = {
    "producer": None,
    "uncompressed": NONE,
    "gzip": GZIP,
    "snappy": SNAPPY,
    "lz4": LZ4,
    "zstd": ZSTD,
}
"""A topic's compression.type as the codec its log is written in; None: as it comes."""


def level_of(settings: TopicSettings) -> int | None:
    """How hard the topic's codec shall try; None: it has no levels here."""
    match settings.compression_type:
        case "gzip":
            return settings.compression_gzip_level
        case "zstd":
            return settings.compression_zstd_level
        case _:
            return None


def recompressed(
    valid: ValidBatch, codec: int, decompressed_bytes_max: int, level: int | None = None
) -> ValidBatch:
    """The same records in `codec`. They were validated: they do decompress within the bound."""
    batch = valid.batch
    assert batch.data is not None
    payload = decompress_untrusted(
        batch.codec, batch.data[HEADER_BYTES:], max(decompressed_bytes_max, batch.size_bytes)
    )
    data = assemble(
        compress(codec, payload, level),
        attributes=batch.attributes & ~CODEC_MASK | codec,
        last_offset_delta=batch.last_offset_delta,
        base_timestamp=batch.base_timestamp,
        max_timestamp=batch.max_timestamp,
        record_count=batch.record_count,
        producer_id=batch.producer_id,
        producer_epoch=batch.producer_epoch,
        base_sequence=batch.base_sequence,
    )
    view = Batch(data, 0)
    view.data = memoryview(data)
    return ValidBatch(view, valid.max_timestamp, valid.offset_delta_of_max_timestamp)
