"""Message sets of old producers become batches of magic 2, or are refused with Kafka's error."""

import json
from pathlib import Path
from typing import Any

import pytest

from ottla.errors import ErrorCode
from ottla.limits import MESSAGES_PER_SET_MAX
from ottla.record.batch import crc_is_right
from ottla.record.compress import CODEC_BY_NAME, CODECS, GZIP, LZ4, NONE, ZSTD, compress
from ottla.record.record import Record, records_untrusted
from ottla.record.up_convert import message_set_untrusted
from ottla.record.validate import AppendChecks, Rejected, ValidBatch, Verdict
from tests.unit.record.test_legacy import message
from tests.unit.record.test_validate import CHECKS
from tests.unit.record.written import NOW, batch_of

GOLDEN = [
    golden
    for golden in json.loads((Path(__file__).parent / "golden" / "record_batches.json").read_text())
    if golden["magic"] < 2
]
LIMIT = 1 << 24
DAY_MS = 24 * 3_600_000
LOG_APPEND = 0x08


def judge(
    data: bytes | bytearray,
    checks: AppendChecks = CHECKS,
    *,
    codec: int | None = None,
    level: int | None = None,
) -> Verdict:
    return message_set_untrusted(
        memoryview(data), now_ms=NOW, settings=checks, codec=codec, level=level
    )


def accepted(data: bytes, checks: AppendChecks = CHECKS, **how: int) -> ValidBatch:
    verdict = judge(data, checks, **how)
    assert isinstance(verdict, ValidBatch), verdict
    batch = verdict.batch
    assert crc_is_right(batch)
    assert (batch.magic, batch.base_offset, batch.producer_id, batch.base_sequence) == (
        2,
        0,
        -1,
        -1,
    )
    assert batch.record_count == batch.last_offset_delta + 1
    return verdict


def held(valid: ValidBatch) -> list[Record]:
    return records_untrusted(valid.batch, limit=LIMIT)


def wrapped(inner: bytes, codec: int = GZIP, *, flags: int = 0, **how: int) -> bytes:
    return message(how.pop("offset", 0), compress(codec, inner), attributes=codec | flags, **how)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"v{g['magic']}-{g['compression']}")
def test_a_golden_set_becomes_a_batch_in_its_codec(golden: dict[str, Any]) -> None:
    valid = accepted(bytes.fromhex(golden["hex"]))
    assert valid.batch.codec == CODEC_BY_NAME[golden["compression"]]
    assert [
        (record.offset, record.timestamp_ms, record.key, record.value) for record in held(valid)
    ] == [
        (
            number,
            -1 if record["timestamp"] is None else record["timestamp"],
            None if record["key"] is None else bytes.fromhex(record["key"]),
            None if record["value"] is None else bytes.fromhex(record["value"]),
        )
        for number, record in enumerate(golden["records"])
    ]


def test_offsets_of_the_producer_mean_nothing_and_the_largest_timestamp_is_found() -> None:
    data = message(7, b"a", timestamp_ms=NOW) + message(7, b"b", timestamp_ms=NOW + 5, key=b"k")
    valid = accepted(data + message(3, None, timestamp_ms=NOW - 5))
    assert held(valid) == [
        Record(0, NOW, None, b"a"),
        Record(1, NOW + 5, b"k", b"b"),
        Record(2, NOW - 5, None, None),
    ]
    assert (valid.max_timestamp, valid.offset_delta_of_max_timestamp) == (NOW + 5, 1)
    assert valid.batch.max_timestamp == NOW + 5


def test_magic_0_has_no_timestamps() -> None:
    valid = accepted(message(0, b"a", magic=0) + message(0, b"b", magic=0))
    assert [record.timestamp_ms for record in held(valid)] == [-1, -1]
    assert (valid.max_timestamp, valid.batch.base_timestamp) == (-1, -1)


@pytest.mark.parametrize("offset", [0, 1, 5_000])
@pytest.mark.parametrize("codec", [GZIP, 2, LZ4])
def test_a_wrapper_is_taken_whatever_offsets_it_has(codec: int, offset: int) -> None:
    inner = b"".join(message(9, b"%d" % number) for number in range(3))
    valid = accepted(wrapped(inner, codec, offset=offset))
    assert valid.batch.codec == codec
    assert [(record.offset, record.value) for record in held(valid)] == [
        (0, b"0"),
        (1, b"1"),
        (2, b"2"),
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_a_topics_own_codec_is_used_at_once(codec: int) -> None:
    for data in (message(0, b"v" * 500), wrapped(message(0, b"v" * 500))):
        valid = accepted(data, codec=codec)
        assert valid.batch.codec == codec
        assert held(valid)[0].value == b"v" * 500


def test_a_level_is_obeyed() -> None:
    text = b" ".join(b"%d" % (number * number) for number in range(5_000))
    data = message(0, text)
    sizes = [accepted(data, codec=GZIP, level=level).batch.size_bytes for level in (1, 9)]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize("tail", [1, 12, 17, 30])
def test_a_cut_tail_is_ignored(tail: int) -> None:
    data = message(0, b"value" * 9)
    assert len(held(accepted(data + data[:tail]))) == 1


def test_append_time_is_the_logs_to_set_and_timestamps_are_then_not_looked_at() -> None:
    checks = CHECKS._replace(timestamp_type_log_append=True)
    assert held(accepted(message(0, b"v", timestamp_ms=NOW + DAY_MS), checks))


def broken(data: bytes, at: int) -> bytes:
    copy = bytearray(data)
    copy[at] ^= 1
    return bytes(copy)


ONE = message(0, b"value")
INVALID = ErrorCode.INVALID_RECORD
CORRUPT = ErrorCode.CORRUPT_MESSAGE
REFUSED: dict[str, tuple[bytes, ErrorCode]] = {
    "only a cut message": (ONE[:-1], INVALID),
    "a wrong checksum": (broken(ONE, 30), CORRUPT),
    "a wrong checksum in the second": (ONE + broken(ONE, 30), CORRUPT),
    "a wrong checksum inside": (wrapped(ONE + broken(ONE, 30)), CORRUPT),
    "no message behind the message": (ONE + bytes(20), CORRUPT),
    "an unknown magic behind it": (ONE + broken(ONE, 16)[:16] + b"\x03" + ONE[17:], CORRUPT),
    "too short for magic 1": (bytes(8) + b"\0\0\0\x0e" + bytes(4) + b"\x01" + bytes(9), CORRUPT),
    "magic 0 behind magic 1": (ONE + message(0, b"v", magic=0), INVALID),
    "magic 2 behind magic 1": (ONE + bytes(batch_of(1)), INVALID),
    "two wrappers": (wrapped(ONE) * 2, INVALID),
    "a message beside a wrapper": (ONE + wrapped(ONE), INVALID),
    "a wrapper in a wrapper": (wrapped(wrapped(ONE)), INVALID),
    "magic 0 in magic 1": (wrapped(message(0, b"v", magic=0)), INVALID),
    "nothing in a wrapper": (wrapped(b""), INVALID),
    "a null wrapper": (message(0, None, attributes=GZIP), INVALID),
    "a cut message inside": (wrapped(ONE[:-1]), INVALID),
    "zstd": (wrapped(ONE, ZSTD), INVALID),
    "codec 5": (message(0, b"v", attributes=5), ErrorCode.UNSUPPORTED_COMPRESSION_TYPE),
    "no gzip": (message(0, b"v", attributes=GZIP), INVALID),
    "append time": (message(0, b"v", attributes=LOG_APPEND), ErrorCode.INVALID_TIMESTAMP),
    "append time of a wrapper": (wrapped(ONE, flags=LOG_APPEND), ErrorCode.INVALID_TIMESTAMP),
    "the future": (message(0, b"v", timestamp_ms=NOW + DAY_MS), ErrorCode.INVALID_TIMESTAMP),
    "no 64 bits": (
        message(0, b"v", timestamp_ms=-(2**62) - 2) + message(0, b"v", timestamp_ms=-(2**63)),
        ErrorCode.INVALID_TIMESTAMP,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_set_is_refused(case: str) -> None:
    data, error = REFUSED[case]
    verdict = judge(data)
    assert isinstance(verdict, Rejected)
    assert verdict.error is error, verdict


def test_the_past_has_a_bound_where_the_topic_has_one() -> None:
    checks = CHECKS._replace(before_max_ms=DAY_MS)
    data = message(0, b"v", timestamp_ms=NOW - DAY_MS - 1)
    verdict = judge(ONE + data, checks)
    assert isinstance(verdict, Rejected)
    assert (verdict.error, [index for index, _ in verdict.record_errors]) == (
        ErrorCode.INVALID_TIMESTAMP,
        [1],
    )
    # -1 is no time at all.
    assert accepted(message(0, b"v", magic=0), checks)
    assert accepted(message(0, b"v", timestamp_ms=-1), checks)


def test_a_compacted_topic_needs_keys() -> None:
    checks = CHECKS._replace(compacted=True)
    assert accepted(message(0, None, key=b"k"), checks)
    for data in (message(0, b"v", key=b"k") + ONE, wrapped(message(0, b"v", key=b"k") + ONE)):
        verdict = judge(data, checks)
        assert isinstance(verdict, Rejected)
        assert (verdict.error, [index for index, _ in verdict.record_errors]) == (INVALID, [1])


SMALL = CHECKS._replace(bytes_max=1_000, decompressed_bytes_max=10_000)
HALF = message(0, bytes(450))
TOO_LARGE: dict[str, tuple[bytes, int | None, ErrorCode]] = {
    "one message": (message(0, bytes(1_000)), None, ErrorCode.MESSAGE_TOO_LARGE),
    "one message, which compressed would fit": (
        message(0, bytes(1_000)),
        GZIP,
        ErrorCode.MESSAGE_TOO_LARGE,
    ),
    "the batch": (HALF * 3, None, ErrorCode.MESSAGE_TOO_LARGE),
    "the batch, in the topic's codec": (
        wrapped(HALF * 3),
        NONE,
        ErrorCode.MESSAGE_TOO_LARGE,
    ),
    "what it decompresses to": (wrapped(HALF * 30), None, INVALID),
}


@pytest.mark.parametrize("case", TOO_LARGE)
def test_the_largest_message_holds_for_what_is_sent_and_for_what_is_stored(case: str) -> None:
    data, codec, error = TOO_LARGE[case]
    verdict = judge(data, SMALL, codec=codec)
    assert isinstance(verdict, Rejected)
    assert verdict.error is error


def test_what_is_compressed_may_hold_more() -> None:
    assert accepted(wrapped(HALF * 3), SMALL).batch.record_count == 3
    assert accepted(HALF * 3, SMALL, codec=GZIP).batch.record_count == 3


def test_a_set_holds_a_bounded_number_of_messages() -> None:
    one = message(0, b"", magic=0)
    assert accepted(wrapped(one * 40_000, magic=0)).batch.record_count == 40_000
    checks = CHECKS._replace(bytes_max=1 << 23, decompressed_bytes_max=1 << 24)
    for data in (
        one * (MESSAGES_PER_SET_MAX + 1),
        wrapped(one * (MESSAGES_PER_SET_MAX + 1), magic=0),
    ):
        verdict = judge(data, checks)
        assert isinstance(verdict, Rejected)
        assert verdict.error is ErrorCode.MESSAGE_TOO_LARGE
