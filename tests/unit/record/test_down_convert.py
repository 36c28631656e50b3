"""Batches become message sets that say the same, byte for byte as Kafka's writers have them."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ottla.record.batch import Batch, header_untrusted
from ottla.record.builder import BatchBuilder, assemble, encode_records
from ottla.record.compress import (
    CODEC_BY_NAME,
    GZIP,
    LZ4,
    NONE,
    SNAPPY,
    compress,
    lz4_with_right_header_checksum,
)
from ottla.record.control import transaction_marker
from ottla.record.down_convert import message_set_of_untrusted
from ottla.record.legacy import (
    LegacyEntry,
    any_batches_untrusted,
    contents_untrusted,
    entry_crc_is_right,
    message_untrusted,
    messages_untrusted,
)
from ottla.record.record import Record, records_untrusted
from ottla.record.up_convert import message_set_untrusted
from ottla.record.validate import ValidBatch
from tests.unit.record.test_validate import CHECKS
from tests.unit.record.written import NOW, batch_of

LIMIT = 1 << 24
GOLDEN = [
    golden
    for golden in json.loads((Path(__file__).parent / "golden" / "record_batches.json").read_text())
    if golden["magic"] < 2
]


def down(data: bytes | bytearray, magic: int, from_offset: int = 0) -> bytes:
    (entry,) = any_batches_untrusted(data)
    return b"".join(
        message_set_of_untrusted(entry, magic=magic, from_offset=from_offset, limit=LIMIT)
    )


def entries(data: bytes) -> list[LegacyEntry]:
    found = list(any_batches_untrusted(data))
    assert sum(entry.size_bytes for entry in found) == len(data)
    for entry in found:
        assert isinstance(entry, LegacyEntry)
        assert entry_crc_is_right(entry)
    return found  # type: ignore[return-value]


def records(data: bytes) -> list[Record]:
    return [record for one in entries(data) for record in messages_untrusted(one, limit=LIMIT)]


def batch(
    *wanted: Record, codec: int = NONE, base_offset: int = 0, append_time_ms: int | None = None
) -> bytearray:
    builder = BatchBuilder()
    for record in wanted:
        builder.append(record.timestamp_ms, record.key, record.value, record.headers)
    return builder.build(codec=codec, base_offset=base_offset, append_time_ms=append_time_ms)


def unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"v{g['magic']}-{g['compression']}")
def test_golden_sets_are_written_as_they_are(golden: dict[str, Any]) -> None:
    wanted = [
        Record(one["offset"], one["timestamp"] or -1, unhex(one["key"]), unhex(one["value"]))
        for one in golden["records"]
    ]
    codec = CODEC_BY_NAME[golden["compression"]]
    data = down(batch(*wanted, codec=codec), golden["magic"])
    theirs = bytes.fromhex(golden["hex"])
    assert records(data) == records(theirs) == wanted
    if codec == NONE:
        assert data == theirs
        return
    # Compressors differ, and what stands in the wrapper beside; what is inside does not.
    (mine,), (other,) = entries(data), entries(theirs)
    assert mine.attributes == other.attributes
    assert mine.last_offset == wanted[-1].offset
    assert mine.timestamp_ms == max(record.timestamp_ms for record in wanted)
    assert message_untrusted(mine).key is None
    for one, its in zip(
        contents_untrusted(mine, limit=LIMIT), contents_untrusted(other, limit=LIMIT), strict=True
    ):
        assert bytes(one.data or b"") == bytes(its.data or b"")


def test_lz4_of_magic_0_has_the_checksum_its_readers_expect() -> None:
    golden = next(g for g in GOLDEN if g["magic"] == 0 and g["compression"] == "lz4")
    (theirs,) = entries(bytes.fromhex(golden["hex"]))
    assert message_untrusted(theirs).value[:7].hex() == "04224d1860401a"  # type: ignore[index]
    frame = message_untrusted(entries(down(batch_of(1, codec=LZ4), 0))[0]).value
    newer = message_untrusted(entries(down(batch_of(1, codec=LZ4), 1))[0]).value
    assert frame is not None
    assert newer is not None
    assert frame[:6] == newer[:6]
    assert lz4_with_right_header_checksum(frame)[:7] == newer[:7] != frame[:7]


def test_headers_are_lost_and_the_rest_is_not() -> None:
    wanted = Record(5, NOW, b"k", None, (("h", b"x"),))
    assert records(down(batch(wanted, base_offset=5), 1)) == [Record(5, NOW, b"k", None)]


@pytest.mark.parametrize("codec", [NONE, GZIP])
def test_append_time_stays_the_logs(codec: int) -> None:
    data = batch(
        Record(0, NOW, None, b"a"), Record(1, NOW, None, b"b"), codec=codec, append_time_ms=NOW + 7
    )
    converted = down(data, 1)
    assert [record.timestamp_ms for record in records(converted)] == [NOW + 7] * 2
    assert all(entry.is_log_append_time for entry in entries(converted))
    assert not any(entry.attributes & 0x08 for entry in entries(down(data, 0)))


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [NONE, GZIP, SNAPPY, LZ4])
def test_gaps_that_compaction_left_stay_gaps(codec: int, magic: int) -> None:
    wanted = [Record(offset, NOW, b"k", b"%d" % offset) for offset in (101, 103, 108)]
    data = assemble(
        compress(codec, encode_records(wanted, 100, NOW)),
        attributes=codec,
        last_offset_delta=9,
        base_timestamp=NOW,
        max_timestamp=NOW,
        record_count=3,
        base_offset=100,
    )
    assert [record.offset for record in records(down(data, magic))] == [101, 103, 108]
    # What was read already is not sent again.
    assert [record.offset for record in records(down(data, magic, 103))] == [103, 108]
    assert [record.offset for record in records(down(data, magic, 104))] == [108]
    assert down(data, magic, 109) == b""


def test_a_batch_that_compaction_emptied_and_markers_are_nothing() -> None:
    empty = assemble(
        b"", attributes=0, last_offset_delta=0, base_timestamp=-1, max_timestamp=-1, record_count=0
    )
    assert down(empty, 1) == b""
    marker = transaction_marker(
        commit=True, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp_ms=NOW
    )
    assert down(marker, 0) == b""


def test_sets_of_old_logs_are_sent_as_they_are_where_that_can_be_read() -> None:
    for golden in GOLDEN:
        data = bytes.fromhex(golden["hex"])
        for entry in entries(data):
            assert entry.data is not None
            raw = bytes(entry.data)
            assert down(raw, 1) == raw
            if golden["magic"] == 0:
                assert down(raw, 0) == raw
            else:
                older = down(raw, 0)
                assert [one.magic for one in entries(older)] == [0]
                assert [(r.offset, r.timestamp_ms, r.key, r.value) for r in records(older)] == [
                    (r.offset, -1, r.key, r.value) for r in records(raw)
                ]


def test_there_and_back_again_everything_is_as_it_was() -> None:
    random = Random(4)
    for _ in range(200):
        codec = random.choice((NONE, GZIP, SNAPPY, LZ4))
        base_offset = random.choice((0, 17, 2**40))

        def some_bytes() -> bytes | None:
            return random.choice((None, b"", random.randbytes(random.randrange(60))))

        wanted = [
            Record(
                base_offset + number, NOW + random.randrange(-99, 99), some_bytes(), some_bytes()
            )
            for number in range(random.randrange(1, 20))
        ]
        for magic in (0, 1):
            data = down(batch(*wanted, codec=codec, base_offset=base_offset), magic)
            assert [(r.offset, r.key, r.value) for r in records(data)] == [
                (r.offset, r.key, r.value) for r in wanted
            ]
            valid = message_set_untrusted(
                memoryview(data), now_ms=NOW, settings=CHECKS, codec=None, level=None
            )
            assert isinstance(valid, ValidBatch)
            again: Batch = header_untrusted(bytes(valid.batch.data or b""))
            assert again.codec == codec
            assert [
                (r.offset + base_offset, r.timestamp_ms, r.key, r.value)
                for r in records_untrusted(again, limit=LIMIT)
            ] == [(r.offset, r.timestamp_ms if magic else -1, r.key, r.value) for r in wanted]
