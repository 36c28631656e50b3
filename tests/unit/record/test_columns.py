"""Columns become the bytes that records one by one become."""

import random

import pytest

from ottla.record.builder import BatchBuilder, assemble, stamp_producer
from ottla.record.columns import encode_columns, lengths_of
from ottla.record.record import Headers

Row = tuple[int, bytes | None, bytes | None, Headers]


def one_by_one(rows: list[Row]) -> bytes:
    builder = BatchBuilder()
    for row in rows:
        builder.append(*row)
    return bytes(builder.build())


def by_columns(rows: list[Row]) -> bytes:
    values = [value for _, _, value, _ in rows]
    keys = [key for _, key, _, _ in rows]
    column = keys if any(key is not None for key in keys) else None
    timestamps: list[tuple[int, int]] = []
    for index, (timestamp, *_) in enumerate(rows):
        if not timestamps or timestamps[-1][1] != timestamp:
            timestamps.append((index, timestamp))
    pieces = encode_columns(
        values,
        lengths_of(values),
        column,
        None if column is None else lengths_of(column),
        {index: headers for index, (_, _, _, headers) in enumerate(rows) if headers},
        timestamps,
    )
    return bytes(
        assemble(
            *pieces,
            attributes=0,
            last_offset_delta=len(rows) - 1,
            base_timestamp=rows[0][0],
            max_timestamp=max(timestamp for timestamp, *_ in rows),
            record_count=len(rows),
        )
    )


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200, 8_193])
@pytest.mark.parametrize("length", [0, 40, 63, 64, 100, 9_000])
def test_records_of_one_length_agree(count: int, length: int) -> None:
    if count * length < 1_000_000:
        rows: list[Row] = [(1_000, None, b"x" * length, ()) for _ in range(count)]
        assert by_columns(rows) == one_by_one(rows)


@pytest.mark.parametrize("seed", range(60))
def test_records_of_any_form_agree(seed: int) -> None:
    draw = random.Random(seed)
    has_keys, has_headers, has_none = (draw.random() < 0.5 for _ in range(3))
    changes = draw.choice([0.02, 0.1, 0.9])
    rows: list[Row] = []
    timestamp = 1_700_000_000_000
    for _ in range(draw.choice([1, 5, 70, 300])):
        if draw.random() < changes:
            timestamp += draw.choice([1, -5, 70, 9_000, 1 << 40])
        value = draw.randbytes(
            draw.choice([0, 1, 10, 70, 200, 10_000 if draw.random() < 0.1 else 3])
        )
        key = draw.randbytes(draw.choice([0, 5, 80])) if has_keys and draw.random() < 0.8 else None
        headers: Headers = ()
        if has_headers and draw.random() < 0.3:
            headers = (("näme", draw.choice([None, b"", b"value"])),) * draw.choice([1, 2, 70])
        rows.append((timestamp, key, None if has_none and draw.random() < 0.2 else value, headers))
    assert by_columns(rows) == one_by_one(rows)


def test_a_stamp_is_what_building_anew_would_give() -> None:
    def built(*producer: int) -> bytearray:
        builder = BatchBuilder()
        builder.append(5, b"k", b"v")
        pid, epoch, sequence = producer
        return builder.build(producer_id=pid, producer_epoch=epoch, base_sequence=sequence)

    batch = built(1, 2, 3)
    stamp_producer(batch, 9, 8, 7)
    assert batch == built(9, 8, 7)
