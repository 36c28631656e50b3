"""The quick survey of records says what reading them one by one says."""

import random
from collections.abc import Callable, Iterator

import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.record import walk_untrusted
from ottla.record.survey import Survey, survey_untrusted
from tests.unit.record.written import raw_record, varint


def naive(data: bytes, count: int) -> Survey | None:
    """The same from the walk; None: refused."""
    try:
        visits = list(walk_untrusted(data, count))
    except RemoteProtocolError:
        return None
    if [visit.offset_delta for visit in visits] != list(range(count)):
        return None
    deltas = [visit.timestamp_delta for visit in visits]
    return Survey(
        min(deltas),
        max(deltas),
        deltas.index(max(deltas)),
        any(visit.key_is_null for visit in visits),
    )


def surveyed(data: bytes | memoryview, count: int) -> Survey | None:
    try:
        return survey_untrusted(data, count)
    except RemoteProtocolError:
        return None


HEADERS = varint(1) + varint(1) + b"h" + varint(-1)
LIKE_THE_OTHERS = raw_record(10, 1, key=b"\x02k\x28" + bytes(7), value=bytes(12))
"""Byte for byte where theirs have sizes, but its timestamp has one byte and its key ten."""
SHAPES = {
    "uniform": lambda i: raw_record(i),
    "uniform, null keys": lambda i: raw_record(i, key=None),
    "uniform, null values": lambda i: raw_record(i, value=None),
    "uniform, large": lambda i: raw_record(i, value=bytes(3_000)),
    "uniform, huge": lambda i: raw_record(i, i % 7, value=bytes(33_000)),
    "uniform, 200 byte keys": lambda i: raw_record(i, key=b"%0200d" % i),
    "uniform, later all": lambda i: raw_record(i, 100_000),
    "uniform, earlier all": lambda i: raw_record(i, -3),
    "clock advances": lambda i: raw_record(i, i // 20),
    "clock goes back": lambda i: raw_record(i, -i // 20),
    "clock advances far": lambda i: raw_record(i, i * 40),
    "clock jumps far": lambda i: raw_record(i, (1 << 62) + i),
    "one clock stands": lambda i: (
        raw_record(i, 100, value=bytes(20)) if i != 10 else LIKE_THE_OTHERS
    ),
    "values vary": lambda i: raw_record(i, value=bytes(i % 90)),
    "keys vary": lambda i: raw_record(i, key=b"%d" % i),
    "one without key": lambda i: raw_record(i, key=None if i == 50 else b"k", value=b"vv"),
    "headers": lambda i: raw_record(i, headers=HEADERS),
    "headers later": lambda i: raw_record(i, headers=HEADERS if i > 60 else b"\x00"),
    "deltas repeat": lambda i: raw_record(min(i, 90)),
    "deltas from one": lambda i: raw_record(i + 1),
    "deltas skip 64": lambda i: raw_record(i if i < 80 else i + 64),
    "deltas constant": lambda i: raw_record(0),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 31, 32, 64, 65, 96, 97, 300])
def test_every_shape_is_surveyed_as_it_is_walked(shape: str, count: int) -> None:
    data = b"".join(SHAPES[shape](index) for index in range(count))
    expected = naive(data, count)
    assert expected is not None or shape.startswith("deltas")
    assert surveyed(data, count) == expected
    assert surveyed(memoryview(data), count) == expected


def test_more_records_than_two_byte_deltas_reach() -> None:
    count = 8_300
    data = b"".join(raw_record(index) for index in range(count))
    assert survey_untrusted(data, count) == Survey(0, 0, 0, False)
    assert surveyed(data, count + 1) is None
    assert surveyed(data, count - 1) is None


@pytest.mark.parametrize("count", [1, 40, 64, 100])
def test_bytes_behind_the_last_record_are_refused(count: int) -> None:
    data = b"".join(raw_record(index) for index in range(count))
    assert surveyed(data, count) is not None
    assert surveyed(data + b"\x00", count) is None
    assert surveyed(data + raw_record(count), count) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda i: raw_record(i, length=-9), id="negative, of the right bytes"),
        pytest.param(lambda i: raw_record(i, headers=b"\x00?"), id="too long"),
    ],
)
def test_lengths_that_all_are_wrong_are_refused(body: Callable[[int], bytes]) -> None:
    count = 60
    data = b"".join(body(index) for index in range(count))
    assert naive(data, count) is None
    assert surveyed(data, count) is None


@pytest.mark.parametrize("count", [0, -1])
def test_no_records_are_no_batch(count: int) -> None:
    with pytest.raises(RemoteProtocolError):
        survey_untrusted(b"", count)


def damaged(shape: str, count: int) -> Iterator[bytes]:
    """Records of this shape, one byte changed anywhere, and some of them cut."""
    chance = random.Random(shape)
    whole = b"".join(SHAPES[shape](index) for index in range(count))
    for _ in range(150):
        data = bytearray(whole)
        data[chance.randrange(min(len(data), 4_000))] = chance.randrange(256)
        if chance.random() < 0.2:
            del data[chance.randrange(len(data)) :]
        yield bytes(data)


@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_judged_alike(shape: str) -> None:
    """Both ways refuse, or both see the same."""
    count = 80
    refused = 0
    for data in damaged(shape, count):
        found = surveyed(data, count)
        assert found == naive(data, count)
        assert surveyed(memoryview(data), count) == found
        refused += found is None
    assert refused
