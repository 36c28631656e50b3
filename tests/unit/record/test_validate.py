"""A leader refuses what Apache Kafka refuses, with Kafka's error."""

import pytest

from ottla.errors import ErrorCode
from ottla.record.batch import Batch, crc_is_right, header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.compress import CODECS, GZIP, ZSTD, compress
from ottla.record.validate import (
    RECORD_ERRORS_MAX,
    AppendChecks,
    Rejected,
    ValidBatch,
    Verdict,
    validate_untrusted,
)
from tests.unit.record.written import NOW, batch_of, raw_batch, raw_record, varint

CHECKS = AppendChecks(
    bytes_max=1 << 20,
    compacted=False,
    timestamp_type_log_append=False,
    before_max_ms=2**63 - 1,
    after_max_ms=3_600_000,
    decompressed_bytes_max=10 << 20,
)
DAY = 24 * 3_600_000

ONE = raw_record()
TWO = [raw_record(0), raw_record(1)]


def judge(
    data: bytes | bytearray | None, *, api_version: int = 9, checks: AppendChecks = CHECKS
) -> Verdict:
    view = None if data is None else memoryview(data)
    return validate_untrusted(view, api_version=api_version, now_ms=NOW, settings=checks)


def broken(data: bytearray, at: int, value: int) -> bytearray:
    copy = bytearray(data)
    copy[at] = value
    return copy


GOOD = batch_of(3)
LEGACY = bytes(8) + (14).to_bytes(4, "big") + bytes(4) + b"\x01\x00" + b"\xff" * 12

INVALID = ErrorCode.INVALID_RECORD
CORRUPT = ErrorCode.CORRUPT_MESSAGE
HEADER_REFUSALS = {
    "null": (None, 9, INVALID),
    "empty": (b"", 9, INVALID),
    "less than a length": (GOOD[:11], 9, INVALID),
    "cut behind the length": (GOOD[:16], 9, INVALID),
    "cut in the header": (GOOD[:40], 9, INVALID),
    "cut in the last record": (GOOD[:-1], 9, INVALID),
    "impossible length": (broken(GOOD, 11, 13)[:80], 9, CORRUPT),
    "negative length": (broken(GOOD, 8, 0xFF), 9, CORRUPT),
    "length below a header": (
        bytes(8) + b"\0\0\0\x20" + bytes(4) + b"\x02" + bytes(40),
        9,
        CORRUPT,
    ),
    "unknown magic": (broken(GOOD, 16, 3), 9, CORRUPT),
    "negative magic": (broken(GOOD, 16, 0xFF), 9, CORRUPT),
    "magic 1 in a new request": (LEGACY, 3, INVALID),
    "two batches": (GOOD + GOOD, 9, INVALID),
    "no batch behind the batch": (GOOD + bytes(20), 9, CORRUPT),
    "zstd before it was known": (
        batch_of(3, codec=ZSTD),
        6,
        ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
    ),
    "codec 5": (raw_batch([ONE], attributes=5), 9, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
    "codec 7": (raw_batch([ONE], attributes=7), 9, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
    "base offset": (raw_batch([ONE], base_offset=5), 9, INVALID),
    "flipped bit in the records": (broken(GOOD, 65, GOOD[65] ^ 1), 9, CORRUPT),
    "flipped bit in the checksum": (broken(GOOD, 17, GOOD[17] ^ 1), 9, CORRUPT),
    "no records": (raw_batch([], last_offset_delta=-1), 9, INVALID),
    "no records, some offsets": (raw_batch([], last_offset_delta=0), 9, INVALID),
    "negative count": (raw_batch([ONE], count=-1), 9, INVALID),
    "count above the offsets": (raw_batch(TWO, last_offset_delta=0), 9, INVALID),
    "count below the offsets": (raw_batch(TWO, last_offset_delta=2), 9, INVALID),
    "control batch": (raw_batch([ONE], attributes=0x20), 9, INVALID),
    "transaction marker": (raw_batch([ONE], attributes=0x30), 9, INVALID),
    "producer id without a sequence": (raw_batch([ONE], producer_id=7), 9, INVALID),
}


@pytest.mark.parametrize("case", HEADER_REFUSALS)
def test_a_bad_batch_is_refused(case: str) -> None:
    data, api_version, error = HEADER_REFUSALS[case]
    verdict = judge(data, api_version=api_version)
    assert isinstance(verdict, Rejected)
    assert verdict.error is error
    assert verdict.message
    assert verdict.record_errors == ()


RECORD_REFUSALS = {
    "fewer records than the count": raw_batch(TWO, count=3, last_offset_delta=2),
    "more records than the count": raw_batch(TWO, count=1, last_offset_delta=0),
    "bytes behind the last record": raw_batch([ONE + b"\x00"], count=1),
    "count of two thousand million": raw_batch(TWO, count=0x7FFFFFFF, last_offset_delta=0x7FFFFFFE),
    "repeated offset delta": raw_batch([raw_record(0), raw_record(0)]),
    "first offset delta 1": raw_batch([raw_record(1), raw_record(2)]),
    "gap in the offset deltas": raw_batch([raw_record(0), raw_record(2)]),
    "negative record length": raw_batch([raw_record(length=-5)]),
    "record longer than the batch": raw_batch([raw_record(length=500)]),
    "record longer than its fields": raw_batch([raw_record(length=9) + b"\x00"]),
    "record shorter than its fields": raw_batch([raw_record(length=6)]),
    "key longer than the batch": raw_batch([b"\x10\x00\x00\x00\x7ek\x02v\x00"]),
    "value longer than the batch": raw_batch([b"\x10\x00\x00\x00\x02k\x7ev\x00"]),
    "negative header count": raw_batch([raw_record(headers=varint(-1))]),
    "many headers, no bytes": raw_batch([raw_record(headers=varint(60))]),
    "two thousand million headers": raw_batch([raw_record(headers=varint(0x7FFFFFFF))]),
    "header without a key": raw_batch([raw_record(headers=varint(1) + b"\x01\x01")]),
    "cut header": raw_batch([raw_record(headers=varint(1) + b"\x10h\x01")]),
    "varint of six bytes": raw_batch([b"\xff\xff\xff\xff\xff\x01" + bytes(20)]),
    "varlong of eleven bytes": raw_batch([varint(30) + b"\x00" + b"\xff" * 10 + bytes(20)]),
    "gzip that is no gzip": raw_batch([b"junk"], attributes=1),
    "snappy that is no snappy": raw_batch([b"\xff\xff\xff\xff\xff\xff"], attributes=2),
    "lz4 that is no lz4": raw_batch([b"junkjunk"], attributes=3),
    "zstd that is no zstd": raw_batch([b"junkjunk"], attributes=4),
    "compressed nothing": raw_batch([compress(GZIP, b"")], attributes=1),
    "compressed, too few records": raw_batch(
        [compress(GZIP, ONE)], attributes=1, count=2, last_offset_delta=1
    ),
}


@pytest.mark.parametrize("case", RECORD_REFUSALS)
def test_bad_records_are_refused(case: str) -> None:
    verdict = judge(RECORD_REFUSALS[case])
    assert isinstance(verdict, Rejected)
    assert verdict.error is INVALID
    assert verdict.message


def test_a_batch_may_be_as_large_as_the_topic_says_and_no_larger() -> None:
    assert isinstance(judge(GOOD, checks=CHECKS._replace(bytes_max=len(GOOD))), ValidBatch)
    verdict = judge(GOOD, checks=CHECKS._replace(bytes_max=len(GOOD) - 1))
    assert isinstance(verdict, Rejected)
    assert verdict.error is ErrorCode.MESSAGE_TOO_LARGE


def test_size_comes_before_the_checksum() -> None:
    verdict = judge(broken(GOOD, 65, 0), checks=CHECKS._replace(bytes_max=10))
    assert isinstance(verdict, Rejected)
    assert verdict.error is ErrorCode.MESSAGE_TOO_LARGE


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 3, 40, 200])
def test_a_good_batch_passes_untouched(codec: int, count: int) -> None:
    data = batch_of(count, codec=codec)
    verdict = judge(data)
    assert isinstance(verdict, ValidBatch)
    assert verdict.batch.data == data
    assert verdict.batch.data.obj is data
    assert verdict.max_timestamp == NOW + count - 1
    assert verdict.offset_delta_of_max_timestamp == count - 1
    assert not verdict.is_transactional


def test_a_cut_tail_behind_the_batch_is_dropped() -> None:
    verdict = judge(GOOD + GOOD[:50])
    assert isinstance(verdict, ValidBatch)
    assert verdict.batch.data == GOOD


def test_magic_2_is_welcome_in_an_old_request() -> None:
    assert isinstance(judge(GOOD, api_version=2), ValidBatch)


def test_a_transactional_batch_is_marked() -> None:
    verdict = judge(raw_batch([ONE], attributes=0x10, producer_id=7, base_sequence=0))
    assert isinstance(verdict, ValidBatch)
    assert verdict.is_transactional


def test_compaction_needs_keys_and_names_who_has_none() -> None:
    data = raw_batch([raw_record(0), raw_record(1, key=None), raw_record(2, key=None)])
    assert isinstance(judge(data), ValidBatch)
    verdict = judge(data, checks=CHECKS._replace(compacted=True))
    assert isinstance(verdict, Rejected)
    assert verdict.error is INVALID
    assert [index for index, _ in verdict.record_errors] == [1, 2]
    assert all(message for _, message in verdict.record_errors)


def test_an_empty_key_is_a_key() -> None:
    data = raw_batch([raw_record(0, key=b"")])
    assert isinstance(judge(data, checks=CHECKS._replace(compacted=True)), ValidBatch)


HOUR_BEFORE = CHECKS._replace(before_max_ms=3_600_000)
TIMESTAMPS = [
    (0, CHECKS, True),
    (3_600_000, CHECKS, True),
    (3_600_001, CHECKS, False),
    (-NOW, CHECKS, True),
    (-3_600_000, HOUR_BEFORE, True),
    (-3_600_001, HOUR_BEFORE, False),
    (-NOW - 1, HOUR_BEFORE, True),  # -1: the record has no timestamp
    (-NOW - 2, HOUR_BEFORE, False),
    (2**62, CHECKS, False),
]


@pytest.mark.parametrize(("delta", "checks", "accepted"), TIMESTAMPS)
def test_timestamps_stay_within_the_topics_range(
    delta: int, checks: AppendChecks, accepted: bool
) -> None:
    largest = max(NOW, NOW + delta)
    data = raw_batch([raw_record(0), raw_record(1, delta)], max_timestamp=largest)
    verdict = judge(data, checks=checks)
    if accepted:
        assert isinstance(verdict, ValidBatch)
        assert verdict.max_timestamp == largest
    else:
        assert isinstance(verdict, Rejected)
        assert verdict.error is ErrorCode.INVALID_TIMESTAMP
        assert [index for index, _ in verdict.record_errors] == [1]


def test_a_timestamp_beyond_64_bits_is_refused_whatever_the_range() -> None:
    any_time = CHECKS._replace(after_max_ms=2**63 - 1)
    data = raw_batch([raw_record(0, 10)], base_timestamp=2**63 - 5)
    verdict = judge(data, checks=any_time)
    assert isinstance(verdict, Rejected)
    assert verdict.error is ErrorCode.INVALID_TIMESTAMP
    near = judge(raw_batch([raw_record(0, 4)], base_timestamp=2**63 - 5), checks=any_time)
    assert isinstance(near, ValidBatch)
    assert near.batch.max_timestamp == 2**63 - 1


def test_log_append_time_ignores_the_producers_clock() -> None:
    data = raw_batch([raw_record(0, 10 * DAY)])
    assert isinstance(
        judge(data, checks=CHECKS._replace(timestamp_type_log_append=True)), ValidBatch
    )


@pytest.mark.parametrize("log_append", [False, True])
def test_a_producer_may_not_claim_log_append_time(log_append: bool) -> None:
    checks = CHECKS._replace(timestamp_type_log_append=log_append)
    verdict = judge(raw_batch(TWO, attributes=0x08), checks=checks)
    assert isinstance(verdict, Rejected)
    assert verdict.error is ErrorCode.INVALID_TIMESTAMP
    assert [index for index, _ in verdict.record_errors] == [0, 1]


@pytest.mark.parametrize("claimed", [-1, NOW, NOW + 9_999_999])
def test_a_wrong_maximum_in_the_header_is_corrected(claimed: int) -> None:
    data = raw_batch(
        [raw_record(0, 3), raw_record(1, 7), raw_record(2, 7), raw_record(3, -2)],
        max_timestamp=claimed,
    )
    before = bytes(data)
    verdict = judge(data)
    assert isinstance(verdict, ValidBatch)
    assert data == before
    assert verdict.max_timestamp == verdict.batch.max_timestamp == NOW + 7
    assert verdict.offset_delta_of_max_timestamp == 1
    assert verdict.batch.data is not None
    assert crc_is_right(header_untrusted(verdict.batch.data))


def test_records_without_timestamps_have_none_together() -> None:
    verdict = judge(raw_batch(TWO, base_timestamp=-1, max_timestamp=-1))
    assert isinstance(verdict, ValidBatch)
    assert verdict.max_timestamp == -1


def test_an_answer_names_a_bounded_number_of_records() -> None:
    builder = BatchBuilder()
    for _ in range(RECORD_ERRORS_MAX + 5):
        builder.append(NOW, None, b"v")
    verdict = judge(builder.build(), checks=CHECKS._replace(compacted=True))
    assert isinstance(verdict, Rejected)
    assert len(verdict.record_errors) == RECORD_ERRORS_MAX


def test_decompressed_records_are_bounded() -> None:
    data = batch_of(10, codec=GZIP, value=bytes(1000))
    assert isinstance(judge(data), ValidBatch)
    verdict = judge(data, checks=CHECKS._replace(decompressed_bytes_max=9_000))
    assert isinstance(verdict, Rejected)
    assert verdict.error is INVALID
    # What is not compressed is bounded by the batch's own size alone.
    plain = batch_of(10, value=bytes(1000))
    assert isinstance(judge(plain, checks=CHECKS._replace(decompressed_bytes_max=9)), ValidBatch)


def test_a_view_of_a_larger_buffer_is_not_read_beyond() -> None:
    buffer = bytearray(b"\xff" * 5) + GOOD + bytearray(b"\xff" * 5)
    verdict = validate_untrusted(
        memoryview(buffer)[5:-5], api_version=9, now_ms=NOW, settings=CHECKS
    )
    assert isinstance(verdict, ValidBatch)
    assert isinstance(verdict.batch, Batch)
    assert verdict.batch.data == GOOD
