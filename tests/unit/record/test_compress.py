"""Every codec reads what Kafka's writers write, and no input makes it take more than it may."""

import random
import tracemalloc
import zlib
from collections.abc import Callable

import cramjam
import lz4.frame
import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.compress import (
    CODEC_BY_NAME,
    CODECS,
    GZIP,
    LZ4,
    SNAPPY,
    ZSTD,
    compress,
    decompress_untrusted,
    lz4_with_right_header_checksum,
)

LIMIT = 1 << 20
REAL = [GZIP, SNAPPY, LZ4, ZSTD]
TEXT = b"".join(b'{"id":%d,"name":"record %d"}' % (index, index * 7) for index in range(9_000))
NOISE = random.Random(7).randbytes(200_000)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"x", TEXT, NOISE, bytes(LIMIT)], ids=len)
def test_what_is_written_is_read(codec: int, data: bytes) -> None:
    compressed = compress(codec, data)
    assert decompress_untrusted(codec, compressed, LIMIT) == data
    assert decompress_untrusted(codec, memoryview(bytearray(compressed)), len(data)) == data


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"xy", TEXT, NOISE], ids=len)
def test_one_byte_more_than_the_limit_is_refused(codec: int, data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decompress_untrusted(codec, compress(codec, data), len(data) - 1)


@pytest.mark.parametrize("codec", REAL)
@pytest.mark.parametrize("cut", [0, 1, 3, 9, 20])
def test_cut_data_is_refused(codec: int, cut: int) -> None:
    whole = compress(codec, TEXT)
    for data in (whole[:cut], whole[: len(whole) - cut - 1]):
        if codec == SNAPPY and not data:
            continue  # an empty raw block is a block of nothing
        with pytest.raises(RemoteProtocolError):
            decompress_untrusted(codec, data, LIMIT)


@pytest.mark.parametrize("codec", REAL)
def test_bytes_behind_the_data_are_refused(codec: int) -> None:
    with pytest.raises(RemoteProtocolError):
        decompress_untrusted(codec, compress(codec, TEXT) + b"more", LIMIT)


def test_the_framing_is_kafkas() -> None:
    snappy = compress(SNAPPY, TEXT)
    assert snappy[:16] == b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
    frame = compress(LZ4, TEXT)
    assert frame[:4] == b"\x04\x22\x4d\x18"
    assert frame[4] & 0x20, "blocks must be independent (KIP-57)"
    assert compress(GZIP, TEXT)[:2] == b"\x1f\x8b"
    assert compress(ZSTD, TEXT)[:4] == b"\x28\xb5\x2f\xfd"
    assert [CODEC_BY_NAME[name] for name in ("none", "gzip", "snappy", "lz4", "zstd")] == [
        0,
        1,
        2,
        3,
        4,
    ]


def test_a_raw_snappy_block_is_read() -> None:
    raw = bytes(cramjam.snappy.compress_raw(TEXT))
    assert decompress_untrusted(SNAPPY, raw, LIMIT) == TEXT


def test_gzip_members_follow_each_other() -> None:
    data = compress(GZIP, b"first ") + compress(GZIP, b"second")
    assert decompress_untrusted(GZIP, data, LIMIT) == b"first second"


@pytest.mark.parametrize("block_checksum", [False, True])
@pytest.mark.parametrize("content_checksum", [False, True])
@pytest.mark.parametrize("store_size", [False, True])
def test_lz4_frames_may_carry_checksums_and_sizes(
    block_checksum: bool, content_checksum: bool, store_size: bool
) -> None:
    frame = lz4.frame.compress(
        TEXT,
        block_linked=False,
        block_checksum=block_checksum,
        content_checksum=content_checksum,
        store_size=store_size,
    )
    assert decompress_untrusted(LZ4, frame, LIMIT) == TEXT


def test_a_second_lz4_frame_is_refused_as_kafka_would_not_see_it() -> None:
    with pytest.raises(RemoteProtocolError):
        decompress_untrusted(LZ4, compress(LZ4, b"seen") + compress(LZ4, b"unseen"), LIMIT)


def test_lz4_blocks_that_depend_on_each_other_are_refused() -> None:
    frame = lz4.frame.compress(TEXT, block_linked=True, block_size=lz4.frame.BLOCKSIZE_MAX64KB)
    with pytest.raises(RemoteProtocolError, match="KIP-57"):
        decompress_untrusted(LZ4, frame, LIMIT)


@pytest.mark.parametrize("store_size", [False, True])
def test_the_lz4_header_checksum_of_old_writers_is_put_right(store_size: bool) -> None:
    frame = lz4.frame.compress(TEXT, block_linked=False, store_size=store_size)
    at = 14 if store_size else 6
    wrong = bytearray(frame)
    wrong[at] ^= 0x5A
    with pytest.raises(RemoteProtocolError):
        decompress_untrusted(LZ4, wrong, LIMIT)
    assert lz4_with_right_header_checksum(memoryview(wrong)) == frame


@pytest.mark.parametrize("codec", [-1, 5, 6, 7])
def test_an_unknown_codec_is_refused(codec: int) -> None:
    with pytest.raises(RemoteProtocolError, match=str(codec)):
        decompress_untrusted(codec, b"data", LIMIT)


def gzip_of_zeros(size_bytes: int) -> bytes:
    how = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(how.compress(bytes(1 << 20)) for _ in range(size_bytes >> 20)) + how.flush()


def lz4_block(size: int) -> bytes:
    return size.to_bytes(4, "little")


XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"
ZSTD_RLE_BLOCK = (0x20000 << 3 | 0b010).to_bytes(3, "little") + b"\x00"

# Data, and what a decoder without bounds would do with it.
BOMBS: dict[str, tuple[int, Callable[[], bytes]]] = {
    "gzip, 64 MiB of zeros": (GZIP, lambda: gzip_of_zeros(64 << 20)),
    "gzip, fifty thousand members": (GZIP, lambda: compress(GZIP, b"") * 50_000),
    "snappy, a claim of 4 GiB": (SNAPPY, lambda: b"\xff\xff\xff\xff\x0f" + bytes(50)),
    "snappy, many claims": (
        SNAPPY,
        lambda: XERIAL + (b"\x00\x00\x00\x04" + b"\xff\xff\x3f\x00") * 900,
    ),
    "snappy, a block of 2 GiB": (SNAPPY, lambda: XERIAL + b"\x7f\xff\xff\xff" + bytes(50)),
    "snappy, empty blocks": (SNAPPY, lambda: XERIAL + b"\x00\x00\x00\x01\x00" * 200_000),
    "lz4, zeros": (LZ4, lambda: lz4.frame.compress(bytes(64 << 20), block_linked=False)),
    "lz4, a claim of 2^63": (
        LZ4,
        lambda: lz4_with_right_header_checksum(
            memoryview(b"\x04\x22\x4d\x18\x68\x40" + b"\xff" * 8 + b"\x00" + bytes(4))
        ),
    ),
    "lz4, a block of 2 GiB": (
        LZ4,
        lambda: compress(LZ4, b"")[:7] + b"\xff\xff\xff\x7f" + bytes(50),
    ),
    "lz4, blocks of one byte": (
        LZ4,
        lambda: compress(LZ4, b"")[:7] + b"\x01\x00\x00\x80xsums" * 200_000 + bytes(4),
    ),
    "zstd, zeros": (ZSTD, lambda: bytes(cramjam.zstd.compress(bytes(64 << 20), 3))),
    "zstd, a claim of 2^63": (ZSTD, lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + bytes(20)),
    "zstd, a window of 2^41": (ZSTD, lambda: b"\x28\xb5\x2f\xfd\x00\xff" + bytes(20)),
    "zstd, runs of 128 KiB": (
        ZSTD,
        lambda: b"\x28\xb5\x2f\xfd\x00\x58" + ZSTD_RLE_BLOCK * 100_000,
    ),
    "zstd, needs a dictionary": (ZSTD, lambda: b"\x28\xb5\x2f\xfd\x03\x58" + bytes(20)),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_refused_within_its_bounds(bomb: str) -> None:
    codec, make = BOMBS[bomb]
    data = make()
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            decompress_untrusted(codec, data, LIMIT)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Twice, because zlib doubles the buffer it hands back; small change for lists and views.
    assert peak_bytes <= 2 * LIMIT + len(data) + (256 << 10)


@pytest.mark.parametrize("codec", REAL)
def test_noise_and_damage_raise_nothing_else(codec: int) -> None:
    chance = random.Random(codec)
    whole = compress(codec, TEXT[:5_000])
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(min(len(data), chance.choice((8, 24, 5_000))))] = (
                chance.randrange(256)
            )
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        try:
            result = decompress_untrusted(codec, data, LIMIT)
        except RemoteProtocolError:
            continue
        assert len(result) <= LIMIT


@pytest.mark.parametrize(("codec", "low", "high"), [(GZIP, 1, 9), (ZSTD, -50, 19)])
def test_a_higher_level_tries_harder(codec: int, low: int, high: int) -> None:
    text = b" ".join(b"%d" % (n * n) for n in range(5_000))
    quick, thorough = compress(codec, text, low), compress(codec, text, high)
    assert len(thorough) < len(quick)
    for data in (quick, thorough):
        assert decompress_untrusted(codec, data, len(text)) == text


def test_lz4_frames_are_those_of_kafkas_own_writer() -> None:
    """Go's readers refuse checksums of blocks, which the format allows."""
    for size in (0, 1, 70_000, 200_000):
        frame = compress(LZ4, b"kafka" * size)
        assert frame[:7].hex() == "04224d18604082"  # independent blocks of 64 KiB, no checksums
        assert frame[-4:] == bytes(4)
        assert decompress_untrusted(LZ4, frame, 1 << 20) == b"kafka" * size
