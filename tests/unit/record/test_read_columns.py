"""Records as columns are the records that `record.py` reads, whatever their layout."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch, header_untrusted
from ottla.record.builder import BatchBuilder, build_batch
from ottla.record.read_columns import Columns, columns_untrusted
from ottla.record.record import Headers, records_untrusted

LIMIT = 1 << 24


def batch_of(
    rows: list[tuple[int, bytes | None, bytes | None, Headers]],
    codec: int = 0,
    append_time_ms: int | None = None,
) -> Batch:
    builder = BatchBuilder()
    for timestamp_ms, key, value, headers in rows:
        builder.append(timestamp_ms, key, value, headers)
    return header_untrusted(
        bytes(builder.build(base_offset=1_000, codec=codec, append_time_ms=append_time_ms))
    )


def check(batch: Batch) -> Columns:
    columns = columns_untrusted(batch, limit=LIMIT)
    records = records_untrusted(batch, limit=LIMIT)
    assert columns.offsets == [one.offset for one in records]
    assert columns.timestamps == [one.timestamp_ms for one in records]
    assert columns.keys == [one.key for one in records]
    assert columns.values == [one.value for one in records]
    assert (columns.headers or [()] * len(records)) == [one.headers for one in records]
    for size, column in ((columns.key_size, columns.keys), (columns.value_size, columns.values)):
        if size is not None:
            assert {-1 if one is None else len(one) for one in column} == {size}
    return columns


SIZES = st.sampled_from([None, 0, 1, 63, 64, 100, 8_200])
LAYOUT = st.tuples(
    st.integers(1, 70), SIZES, SIZES, st.sampled_from([0, 1, 40, 90, 9_000, 3_000_000])
)


@given(st.lists(LAYOUT, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_runs_of_any_layout_are_read_as_records_are(
    layouts: list[tuple[int, int | None, int | None, int]],
) -> None:
    rows: list[tuple[int, bytes | None, bytes | None, Headers]] = []
    now_ms = 1_700_000_000_000
    for count, key_size, value_size, step_ms in layouts:
        for index in range(count):
            key = None if key_size is None else bytes([index % 251]) * key_size
            value = None if value_size is None else bytes([255 - index % 251]) * value_size
            rows.append((now_ms + step_ms * (index % 3 - 1), key, value, ()))
    check(batch_of(rows))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1 << 40),
            st.none() | st.binary(max_size=90),
            st.none() | st.binary(max_size=90),
            st.lists(
                st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=2
            ).map(tuple),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=100, deadline=None)
def test_records_without_any_order_are_too(
    rows: list[tuple[int, bytes | None, bytes | None, Headers]],
) -> None:
    check(batch_of(rows))


@pytest.mark.parametrize("count", [1, 7, 8, 63, 64, 65, 72, 8_191, 8_192, 8_200])
def test_equal_records_are_read_across_the_edges_of_their_offset_deltas(count: int) -> None:
    columns = check(batch_of([(5, None, b"value", ())] * count))
    if 8 <= count <= 64 or 72 <= count <= 8_192:
        assert (columns.key_size, columns.value_size) == (-1, 5)


@pytest.mark.parametrize("count", [200, 9_000])
def test_timestamps_may_grow_past_one_and_two_bytes(count: int) -> None:
    check(batch_of([(number * 3, b"k", b"v" * 10, ()) for number in range(count)]))


@pytest.mark.parametrize("codec", [0, 1, 2, 3, 4])
def test_codecs_and_append_time(codec: int) -> None:
    columns = check(batch_of([(5, b"k", b"v", ())] * 20, codec, append_time_ms=77))
    assert columns.timestamps == [77] * 20


def test_a_compacted_batch_keeps_its_gaps() -> None:
    from ottla.record.builder import encode_records
    from ottla.record.record import Record

    kept = [Record(1_000 + number * 3, 5, None, b"v") for number in range(40)]
    payload = encode_records(kept, 1_000, 5)
    batch = header_untrusted(bytes(build_batch([(5, None, b"v")])))
    whole = bytearray(batch.data or b"")[:61] + payload
    whole[0:8] = (1_000).to_bytes(8, "big")
    whole[8:12] = (len(whole) - 12).to_bytes(4, "big")
    whole[57:61] = (40).to_bytes(4, "big")
    whole[27:35] = (5).to_bytes(8, "big")
    check(header_untrusted(bytes(whole)))


@given(st.integers(0, 400), st.integers(1, 255), st.integers(8, 60))
@settings(max_examples=300, deadline=None)
def test_damage_is_refused_where_records_refuse_it(at: int, flip: int, count: int) -> None:
    rows: list[tuple[int, bytes | None, bytes | None, Headers]] = [(5, b"k", b"vvv", ())] * count
    data = bytearray(batch_of(rows).data or b"")
    data[61 + at % (len(data) - 61)] ^= flip
    batch = header_untrusted(bytes(data))
    try:
        records_untrusted(batch, limit=LIMIT)
    except RemoteProtocolError:
        with pytest.raises(RemoteProtocolError):
            columns_untrusted(batch, limit=LIMIT)
    else:
        check(batch)


@pytest.mark.parametrize("count", [-1, 3, 1 << 30])
def test_a_count_that_is_not_paid_for_is_refused(count: int) -> None:
    data = bytearray(bytes(build_batch([(0, None, b"a"), (0, None, b"b")])))
    data[57:61] = count.to_bytes(4, "big", signed=True)
    with pytest.raises(RemoteProtocolError):
        columns_untrusted(header_untrusted(bytes(data)), limit=LIMIT)
