"""A batch is seen as it stands in the bytes, and stamped in place."""

import pytest

from ottla.errors import LocalProtocolError, RemoteProtocolError
from ottla.record.batch import (
    HEADER_BYTES,
    batches_untrusted,
    crc_is_right,
    header_untrusted,
    stamp,
    stamp_append_time,
    stamp_create_time,
)
from ottla.record.builder import (
    BatchBuilder,
    assemble,
    build_batch,
    encode_records,
    record_size_max,
)
from ottla.record.compress import CODECS, GZIP
from ottla.record.crc import crc32c
from ottla.record.record import (
    Record,
    first_since_untrusted,
    offset_of_max_timestamp_untrusted,
    records_untrusted,
)
from tests.unit.record.written import NOW, batch_of, raw_batch, raw_record, varint

LIMIT = 1 << 20


def test_the_checksum_is_castagnolis() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(memoryview(b"..123456789.")[2:-1]) == 0xE3069283


def test_batches_follow_each_other_until_a_cut_tail() -> None:
    first, second = batch_of(2), batch_of(3)
    stamp(second, 2, 7)
    whole = first + second
    for cut in (0, 1, HEADER_BYTES - 1, HEADER_BYTES, len(second) - 1, len(second)):
        batches = batches_untrusted(whole + second[:cut])
        found = []
        while True:
            try:
                found.append(next(batches))
            except StopIteration as end:
                parsed = end.value
                break
        full = cut == len(second)
        assert parsed == len(whole) + (cut if full else 0)
        assert [batch.base_offset for batch in found] == ([0, 2, 2] if full else [0, 2])
        assert [batch.next_offset for batch in found[:2]] == [2, 5]


@pytest.mark.parametrize(
    "data",
    [b"", bytes(60), bytes(80), batch_of(1)[:16] + b"\x01" + bytes(60), b"\xff" * 80],
    ids=["nothing", "short", "zeros", "magic 1", "ones"],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        header_untrusted(data)


def test_a_header_without_its_records_can_be_seen() -> None:
    batch = header_untrusted(b"...." + batch_of(4)[: HEADER_BYTES + 3], 4)
    assert batch.data is None
    assert (batch.record_count, batch.last_offset, batch.size_bytes) == (4, 3, len(batch_of(4)))


def test_a_leader_stamps_without_touching_the_checksum() -> None:
    buffer = bytearray(10) + batch_of(3)
    crc = header_untrusted(buffer, 10).crc
    stamp(memoryview(buffer), 1 << 40, 9, 10)
    batch = header_untrusted(buffer, 10)
    assert (batch.base_offset, batch.partition_leader_epoch, batch.crc) == (1 << 40, 9, crc)
    assert crc_is_right(batch)
    assert [record.offset for record in records_untrusted(batch, limit=LIMIT)] == [
        (1 << 40) + delta for delta in range(3)
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_append_time_is_stamped_on_everybody_and_taken_back(codec: int) -> None:
    buffer = batch_of(3, codec=codec)
    original = bytes(buffer)
    stamp_append_time(buffer, NOW + 50)
    batch = header_untrusted(buffer)
    assert batch.is_log_append_time
    assert batch.codec == codec
    assert crc_is_right(batch)
    assert [record.timestamp_ms for record in records_untrusted(batch, limit=LIMIT)] == [
        NOW + 50
    ] * 3
    stamp_create_time(buffer, NOW + 2)
    assert buffer == original


def test_attributes_mean_what_they_say() -> None:
    batch = header_untrusted(raw_batch([raw_record()], attributes=0x74, base_timestamp=123))
    assert (batch.codec, batch.is_log_append_time) == (4, False)
    assert batch.is_transactional
    assert batch.is_control
    assert batch.delete_horizon_ms == 123
    plain = header_untrusted(batch_of(1))
    assert plain.delete_horizon_ms is None
    assert not plain.has_producer_id
    assert plain.last_sequence == -1


@pytest.mark.parametrize(
    ("base", "count", "last"),
    [(0, 1, 0), (5, 3, 7), (2**31 - 1, 1, 2**31 - 1), (2**31 - 1, 2, 0), (2**31 - 2, 5, 2)],
)
def test_sequence_numbers_wrap_to_zero(base: int, count: int, last: int) -> None:
    records = [raw_record(delta) for delta in range(count)]
    assert header_untrusted(raw_batch(records, base_sequence=base)).last_sequence == last


def test_the_builder_knows_its_size_before_it_builds() -> None:
    builder = BatchBuilder()
    assert builder.size_bytes == HEADER_BYTES
    for index in range(5_000):
        before = builder.size_bytes
        key, value = b"k" * (index % 300), b"v" * (index % 2_100)
        headers = (("name", value),) if index % 7 == 0 else ()
        assert builder.append(NOW + index * 3, key, value, headers) == index
        assert builder.size_bytes - before <= record_size_max(key, value, headers)
    data = builder.build()
    assert builder.size_bytes == len(data)
    assert builder.max_timestamp == NOW + 14_997
    records = records_untrusted(header_untrusted(data), limit=len(data))
    assert [record.timestamp_ms for record in records] == [NOW + i * 3 for i in range(5_000)]
    assert all(record.value == b"v" * (i % 2_100) for i, record in enumerate(records))


def test_a_batch_of_nothing_is_not_built() -> None:
    with pytest.raises(LocalProtocolError):
        BatchBuilder().build()
    with pytest.raises(LocalProtocolError):
        build_batch([])


def test_compaction_can_keep_gaps_and_empty_batches() -> None:
    kept = [Record(103, NOW, b"a", b"1"), Record(109, NOW - 4, b"b", None, (("h", None),))]
    data = assemble(
        encode_records(kept, 100, NOW),
        attributes=0,
        last_offset_delta=11,
        base_timestamp=NOW,
        max_timestamp=NOW,
        record_count=2,
        base_offset=100,
        leader_epoch=3,
        producer_id=5,
        producer_epoch=1,
        base_sequence=0,
    )
    batch = header_untrusted(data)
    assert crc_is_right(batch)
    assert (batch.last_offset, batch.last_sequence) == (111, 11)
    assert records_untrusted(batch, limit=LIMIT) == kept
    empty = header_untrusted(raw_batch([], last_offset_delta=4, base_offset=7))
    assert crc_is_right(empty)
    assert records_untrusted(empty, limit=LIMIT) == []
    assert empty.next_offset == 12


@pytest.mark.parametrize("codec", [0, GZIP])
def test_a_time_is_looked_up_in_offset_order(codec: int) -> None:
    builder = BatchBuilder()
    for timestamp in (10, 30, 20, 30):
        builder.append(timestamp, None, b"v")
    batch = header_untrusted(builder.build(codec=codec, base_offset=100))

    def since(timestamp_ms: int, from_offset: int = 0) -> tuple[int, int] | None:
        return first_since_untrusted(batch, timestamp_ms, from_offset=from_offset, limit=LIMIT)

    assert since(0) == (100, 10)
    assert since(11) == (101, 30)
    assert since(11, 102) == (102, 20)
    assert since(30, 102) == (103, 30)
    assert since(31) is None
    assert offset_of_max_timestamp_untrusted(batch, limit=LIMIT) == 101


def test_with_append_time_the_last_offset_has_the_maximum() -> None:
    data = batch_of(3)
    stamp_append_time(data, NOW)
    batch = header_untrusted(data)
    assert offset_of_max_timestamp_untrusted(batch, limit=LIMIT) == 2
    assert first_since_untrusted(batch, NOW, from_offset=1, limit=LIMIT) == (1, NOW)
    timeless = header_untrusted(raw_batch([raw_record()], base_timestamp=-1, max_timestamp=-1))
    assert offset_of_max_timestamp_untrusted(timeless, limit=LIMIT) is None


def test_header_keys_that_are_no_text_are_still_read() -> None:
    headers = varint(1) + varint(2) + b"\xff\xfe" + varint(1) + b"x"
    batch = header_untrusted(raw_batch([raw_record(headers=headers)]))
    (record,) = records_untrusted(batch, limit=LIMIT)
    assert record.headers == (("\ufffd\ufffd", b"x"),)


@pytest.mark.parametrize("count", [-1, 3, 2**31 - 1])
def test_a_wrong_count_is_refused_by_the_reader(count: int) -> None:
    batch = header_untrusted(raw_batch([raw_record(0), raw_record(1)], count=count))
    with pytest.raises(RemoteProtocolError):
        records_untrusted(batch, limit=LIMIT)


@pytest.mark.parametrize("length", [-4, 5, 6, 8, 9, 200])
def test_a_wrong_record_length_is_refused_by_the_reader(length: int) -> None:
    right = raw_record()
    assert right[0] == 2 * 8
    batch = header_untrusted(raw_batch([raw_record(length=length)]))
    if length == 8:
        assert records_untrusted(batch, limit=LIMIT)
    else:
        with pytest.raises(RemoteProtocolError):
            records_untrusted(batch, limit=LIMIT)


def test_a_timestamp_wraps_as_javas_do() -> None:
    batch = header_untrusted(raw_batch([raw_record(0, 10)], base_timestamp=2**63 - 1))
    (record,) = records_untrusted(batch, limit=LIMIT)
    assert record.timestamp_ms == -(2**63) + 9
