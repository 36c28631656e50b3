"""Compaction's quick look at keys sees what reading record by record sees."""

import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.batch import Batch
from ottla.record.record import records_untrusted
from ottla.record.sift import keys_untrusted
from tests.unit.record.test_survey import SHAPES, damaged
from tests.unit.record.written import raw_batch

BASE = 1_000


def naive(data: bytes, count: int) -> tuple[list[bytes], list[int]] | None:
    """The same from the records themselves; None: refused."""
    built = raw_batch([data], count=count, base_offset=BASE)
    batch = Batch(built, 0)
    batch.data = memoryview(built)
    try:
        keyed = [
            (record.key, record.offset)
            for record in records_untrusted(batch, limit=1 << 24)
            if record.key is not None
        ]
    except RemoteProtocolError:
        return None
    return [key for key, _ in keyed], [offset for _, offset in keyed]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 15, 16, 31, 32, 64, 65, 80, 81, 300])
def test_the_keys_of_every_shape(shape: str, count: int) -> None:
    data = b"".join(SHAPES[shape](index) for index in range(count))
    assert keys_untrusted(data, count, BASE) == naive(data, count)


def test_more_records_than_two_byte_deltas_reach() -> None:
    count = 8_300
    data = b"".join(SHAPES["clock advances far"](index) for index in range(count))
    assert keys_untrusted(data, count, BASE) == naive(data, count)


@pytest.mark.parametrize("shape", SHAPES)
def test_damaged_records_are_refused_or_have_the_keys_that_are_read(shape: str) -> None:
    count = 80
    compared = 0
    for data in damaged(shape, count):
        expected = naive(data, count)
        # A checksum stands before it, so more may be accepted, and no broker lets negative deltas in.
        if expected is not None and min(expected[1], default=BASE) >= BASE:
            assert keys_untrusted(data, count, BASE) == expected
            compared += 1
    assert compared


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 6, 7, 8])
def test_a_cut_record_is_refused(missing: int) -> None:
    data = b"".join(SHAPES["uniform"](index) for index in range(60))
    with pytest.raises(RemoteProtocolError):
        keys_untrusted(data[:-missing], 60, BASE)
