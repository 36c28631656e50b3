"""Two other clients read what we write, and we read what they write."""

import random
from collections.abc import Iterable

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AiokafkaBuilder
from aiokafka.record.memory_records import MemoryRecords as AiokafkaRecords

from ottla.record.batch import header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.compress import CODECS
from ottla.record.legacy import any_batches_untrusted, any_records_untrusted
from ottla.record.record import Record, records_untrusted
from ottla.record.validate import AppendChecks, ValidBatch, validate_untrusted
from tests.unit.record.written import NOW

LIMIT = 1 << 24
KAFKA_PYTHON_CODECS = [0, 1, 3]
"""What its optional codec packages allow in our development environment."""

CHECKS = AppendChecks(
    bytes_max=LIMIT,
    compacted=False,
    timestamp_type_log_append=False,
    before_max_ms=2**63 - 1,
    after_max_ms=2**62,
    decompressed_bytes_max=LIMIT,
)


def some_records(count: int) -> list[Record]:
    chance = random.Random(count)
    return [
        Record(
            offset,
            NOW + chance.randint(-5, 100_000),
            chance.choice([None, b"", b"key-%d" % offset, bytes(300)]),
            chance.choice([None, b"", b"value " * chance.randrange(300)]),
            chance.choice([(), (("h", b"1"), ("ключ", None), ("h", b"2"))]),
        )
        for offset in range(count)
    ]


def ours(records: Iterable[Record], codec: int) -> bytes:
    builder = BatchBuilder()
    for record in records:
        builder.append(record.timestamp_ms, record.key, record.value, record.headers)
    return bytes(builder.build(codec=codec))


def aiokafka_reads(data: bytes) -> list[Record]:
    batches = AiokafkaRecords(data)
    found = []
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        assert batch.validate_crc()
        for record in batch:
            found.append(
                Record(
                    record.offset,
                    record.timestamp,
                    record.key,
                    record.value,
                    tuple(record.headers),
                )
            )
    return found


def kafka_python_reads(data: bytes) -> list[Record]:
    from kafka.record import MemoryRecords

    batches = MemoryRecords(data)
    found = []
    while batches.has_next():
        batch = batches.next_batch()
        assert batch.validate_crc()
        for record in batch:
            found.append(
                Record(
                    record.offset,
                    record.timestamp,
                    record.key,
                    record.value,
                    tuple(record.headers),
                )
            )
    return found


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 3, 500])
def test_aiokafka_reads_our_batches(codec: int, count: int) -> None:
    records = some_records(count)
    assert aiokafka_reads(ours(records, codec)) == records


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # kafka-python's, when imported
@pytest.mark.parametrize("codec", KAFKA_PYTHON_CODECS)
def test_kafka_python_reads_our_batches(codec: int) -> None:
    records = some_records(300)
    assert kafka_python_reads(ours(records, codec)) == records


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 3, 500])
def test_we_read_and_accept_aiokafkas_batches(codec: int, count: int) -> None:
    records = some_records(count)
    builder = AiokafkaBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=LIMIT,
    )
    for record in records:
        builder.append(
            record.offset, record.timestamp_ms, record.key, record.value, list(record.headers)
        )
    data = bytes(builder.build())
    assert records_untrusted(header_untrusted(data), limit=LIMIT) == records
    verdict = validate_untrusted(memoryview(data), api_version=9, now_ms=NOW, settings=CHECKS)
    assert isinstance(verdict, ValidBatch)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # kafka-python's, when imported
@pytest.mark.parametrize(
    ("magic", "codec"),
    # lz4 in magic 0 needs one package more there; the golden vectors hold such a set.
    [(0, 0), (0, 1), (1, 0), (1, 1), (1, 3), (2, 0), (2, 1), (2, 3)],
)
def test_we_read_kafka_pythons_batches_of_every_magic(magic: int, codec: int) -> None:
    from kafka.record.memory_records import MemoryRecordsBuilder

    records = [
        Record(offset, NOW + offset if magic else -1, b"key", b"value %d" % offset)
        for offset in range(120)
    ]
    builder = MemoryRecordsBuilder(magic=magic, compression_type=codec, batch_size=LIMIT)
    for record in records:
        builder.append(timestamp=NOW + record.offset, key=record.key, value=record.value)
    builder.close()
    found = [
        record
        for batch in any_batches_untrusted(bytes(builder.buffer()))
        for record in any_records_untrusted(batch, limit=LIMIT)
    ]
    assert found == records
