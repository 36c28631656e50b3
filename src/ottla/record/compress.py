"""The four codecs a record batch may use, behind one table, and their bounds.

`decompress_untrusted` promises: the result has at most `bytes_max` bytes, a bomb is refused at the
cost of filling that many bytes, and nothing but `RemoteProtocolError` leaves. Output always goes
into a buffer of our own size, or through a decoder with an output limit; containers that are cheap
to write and dear to read (thousands of empty blocks or members) are counted before they are read.

Framing is Kafka's: gzip is one member; snappy is xerial's block stream, or one raw block; lz4 is a
frame of independent blocks (KIP-57); zstd is a frame (KIP-110).
"""

import zlib
from collections.abc import Callable
from struct import Struct
from typing import Final, NamedTuple

from ottla.errors import RemoteProtocolError

NONE: Final = 0
GZIP: Final = 1
SNAPPY: Final = 2
LZ4: Final = 3
ZSTD: Final = 4

_GZIP_WINDOW: Final = 31
"""zlib's way to say: a gzip header, and the largest window."""
_GZIP_LEVEL: Final = 6
_GZIP_MEMBERS_MAX: Final = 16
"""Writers make one. Each further one costs a fresh decoder of 40 kB for as little as 20 bytes."""

_XERIAL_MAGIC: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = _XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"
_XERIAL_BLOCK_BYTES: Final = 32 * 1024
_BLOCK_BYTES_MEAN_MIN: Final = 1024
"""Blocks of a legitimate stream hold tens of kilobytes; bounds how many a stream may have."""

_LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_LZ4_INDEPENDENT: Final = 0x20
_LZ4_BLOCK_CHECKSUM: Final = 0x10
_LZ4_CONTENT_SIZE: Final = 0x08
_LZ4_CONTENT_CHECKSUM: Final = 0x04
_LZ4_RESERVED_OR_DICTIONARY: Final = 0x03
_LZ4_STORED: Final = 0x80000000
_LZ4_HEADER: Final = _LZ4_MAGIC + b"\x60\x40\x82"
"""Version 1, independent blocks of up to 64 KiB, the checksum of these two bytes."""
_LZ4_BLOCK_BYTES: Final = 64 * 1024

_ZSTD_LEVEL: Final = 3
_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_WINDOW_LOG_MAX: Final = 27
"""zstd's own limit for decoders that were not asked for more."""

_GUESS_BYTES_MIN: Final = 64 * 1024
_GUESS_RATIO: Final = 8

_BIG_INT: Final = Struct(">i")
_BIG_UINT: Final = Struct(">I")
_LITTLE_UINT: Final = Struct("<I")


class Codec(NamedTuple):
    """A codec by Kafka's name. `compress` takes a level, `decompress` is bounded by its second
    argument."""

    name: str
    compress: Callable[[bytes, int | None], bytes]
    decompress: Callable[[memoryview, int], bytes]


def compress(codec: int, data: bytes, level: int | None = None) -> bytes:
    """`data` in Kafka's framing of `codec`, one of the keys of `CODECS`.

    `level`: how hard gzip and zstd shall try (KIP-390), None: as usual. The others know one way.
    """
    return CODECS[codec].compress(data, level)


def decompress_untrusted(codec: int, data: bytes | bytearray | memoryview, bytes_max: int) -> bytes:
    """What `data` holds, if that is at most `bytes_max` bytes; RemoteProtocolError otherwise."""
    how = CODECS.get(codec)
    if how is None:
        raise RemoteProtocolError(f"compression codec {codec} is unknown; 0 to 4 are known")
    return how.decompress(data if isinstance(data, memoryview) else memoryview(data), bytes_max)


def _too_large(name: str, bytes_max: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"{name} data decompresses to more than {bytes_max:,} bytes")


def _broken(name: str, why: object) -> RemoteProtocolError:
    return RemoteProtocolError(f"{name} data is broken: {why}")


def _compress_none(data: bytes, level: int | None) -> bytes:
    return data


def _decompress_none(data: memoryview, bytes_max: int) -> bytes:
    if len(data) > bytes_max:
        raise RemoteProtocolError(f"{len(data):,} bytes of records; limit is {bytes_max:,}")
    return bytes(data)


def _compress_gzip(data: bytes, level: int | None) -> bytes:
    how = zlib.compressobj(_GZIP_LEVEL if level is None else level, zlib.DEFLATED, _GZIP_WINDOW)
    return how.compress(data) + how.flush()


def _decompress_gzip(data: memoryview, bytes_max: int) -> bytes:
    rest: bytes | memoryview = data
    out: list[bytes] = []
    left = bytes_max
    for _ in range(_GZIP_MEMBERS_MAX):
        how = zlib.decompressobj(_GZIP_WINDOW)
        try:
            # One byte more than is allowed tells a full result from a cut one; 0 would mean no
            # limit at all.
            part = how.decompress(rest, left + 1)
        except zlib.error as error:
            raise _broken("gzip", error) from error
        if len(part) > left:
            raise _too_large("gzip", bytes_max)
        if not how.eof:
            raise _broken("gzip", "it is cut")
        out.append(part)
        left -= len(part)
        rest = how.unused_data
        if not rest:
            return out[0] if len(out) == 1 else b"".join(out)
    raise _broken("gzip", f"more than {_GZIP_MEMBERS_MAX} members")


def _compress_snappy(data: bytes, level: int | None) -> bytes:
    from cramjam import snappy  # imported where first used: it costs more than the whole package

    out = [_XERIAL_HEADER]
    for at in range(0, len(data), _XERIAL_BLOCK_BYTES):
        block = bytes(snappy.compress_raw(data[at : at + _XERIAL_BLOCK_BYTES]))
        out.append(_BIG_INT.pack(len(block)))
        out.append(block)
    return b"".join(out)


def _decompress_snappy(data: memoryview, bytes_max: int) -> bytes:
    from cramjam import DecompressionError, snappy

    if bytes(data[:8]) == _XERIAL_MAGIC:
        blocks = _xerial_blocks(data, bytes_max)
    else:
        blocks = [data]
    try:
        # Lengths are only claims, but the sum of claims is what gets allocated.
        sizes = [int(snappy.decompress_raw_len(block)) for block in blocks]
        size = sum(sizes)
        if size > bytes_max:
            raise _too_large("snappy", bytes_max)
        out = bytearray(size)
        view = memoryview(out)
        at = 0
        for block, block_bytes in zip(blocks, sizes, strict=True):
            if block_bytes:
                snappy.decompress_raw_into(block, view[at : at + block_bytes])
                at += block_bytes
    except (DecompressionError, ValueError, OverflowError) as error:
        raise _broken("snappy", error) from error
    return bytes(out)


def _xerial_blocks(data: memoryview, bytes_max: int) -> list[memoryview]:
    """The raw blocks of a xerial stream; the versions in its header mean nothing to any reader."""
    blocks: list[memoryview] = []
    blocks_max = 16 + bytes_max // _BLOCK_BYTES_MEAN_MIN
    at, end = len(_XERIAL_HEADER), len(data)
    if end < at:
        raise _broken("snappy", "its header is cut")
    while at < end:
        if end - at < 4:
            raise _broken("snappy", "a block length is cut")
        (size,) = _BIG_UINT.unpack_from(data, at)
        at += 4
        if size > end - at:
            raise _broken("snappy", f"a block of {size:,} bytes where {end - at:,} are left")
        if len(blocks) == blocks_max:
            raise _broken("snappy", f"more than {blocks_max:,} blocks")
        blocks.append(data[at : at + size])
        at += size
    return blocks


def _compress_lz4(data: bytes, level: int | None) -> bytes:
    """A frame as Kafka's own writer makes it: independent blocks, and no checksum but the header's.

    cramjam's frames have a checksum per block, which Go's readers (pierrec/lz4) compute over what the
    block decompresses to, against the format, and then refuse.
    """
    from cramjam import lz4

    out = [_LZ4_HEADER]
    for at in range(0, len(data), _LZ4_BLOCK_BYTES):
        plain = data[at : at + _LZ4_BLOCK_BYTES]
        block = bytes(lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            out.append(_LITTLE_UINT.pack(len(block)))
            out.append(block)
        else:
            out.append(_LITTLE_UINT.pack(len(plain) | _LZ4_STORED))
            out.append(plain)
    out.append(_LITTLE_UINT.pack(0))
    return b"".join(out)


def _decompress_lz4(data: memoryview, bytes_max: int) -> bytes:
    from cramjam import lz4

    size_max = _lz4_size_max(data, bytes_max)
    return _decompress_growing(
        "lz4", lz4.decompress_into, data, min(size_max, bytes_max), bytes_max
    )


def _lz4_size_max(data: memoryview, bytes_max: int) -> int:
    """Walk a frame's block lengths: raises when it is no frame Kafka reads, or is bound too large.

    Returns a bound of the decompressed size. What follows the frame is refused: Kafka does not look
    at it, so whatever it is, no consumer would ever see it.
    """
    if len(data) < 7 or bytes(data[:4]) != _LZ4_MAGIC:
        raise _broken("lz4", "it does not begin like a frame")
    flags, block_descriptor = data[4], data[5]
    if flags >> 6 != 1 or flags & _LZ4_RESERVED_OR_DICTIONARY:
        raise _broken("lz4", f"frame flags {flags:#04x} are not supported")
    if not flags & _LZ4_INDEPENDENT:
        raise _broken("lz4", "its blocks depend on each other, which Kafka refuses (KIP-57)")
    block_code = block_descriptor >> 4
    if block_descriptor & 0x8F or block_code < 4:
        raise _broken("lz4", f"block descriptor {block_descriptor:#04x} is not supported")
    block_bytes_max = 1 << (8 + 2 * block_code)
    check_bytes = 4 if flags & _LZ4_BLOCK_CHECKSUM else 0
    at = 15 if flags & _LZ4_CONTENT_SIZE else 7
    size_max = 0
    blocks_left = 16 + bytes_max // _BLOCK_BYTES_MEAN_MIN
    end = len(data)
    while True:
        if end - at < 4:
            raise _broken("lz4", "it is cut")
        (size,) = _LITTLE_UINT.unpack_from(data, at)
        at += 4
        if size == 0:
            break
        stored = size & _LZ4_STORED
        size &= ~_LZ4_STORED
        if size > block_bytes_max or size + check_bytes > end - at:
            raise _broken("lz4", f"a block of {size:,} bytes where {end - at:,} are left")
        size_max += size if stored else min(block_bytes_max, 255 * size)
        at += size + check_bytes
        blocks_left -= 1
        if blocks_left < 0:
            raise _broken("lz4", "too many blocks")
    at += 4 if flags & _LZ4_CONTENT_CHECKSUM else 0
    if at != end:
        raise _broken("lz4", f"its frame ends at byte {at:,} of {end:,}")
    return size_max


def lz4_with_right_header_checksum(data: bytes | memoryview) -> bytes:
    """`data` with the header checksum the frame format asks for.

    Writers of magic 0 computed it over the frame's magic too; readers of magic 0 never looked, or
    computed it alike.
    """
    return _lz4_with_header_checksum(data, len(_LZ4_MAGIC))


def lz4_with_old_header_checksum(data: bytes | memoryview) -> bytes:
    """`data` with the header checksum that readers of magic 0 expect."""
    return _lz4_with_header_checksum(data, 0)


def _lz4_with_header_checksum(data: bytes | memoryview, checked_from: int) -> bytes:
    if len(data) < 7:
        raise _broken("lz4", "it is cut")
    at = 14 if data[4] & _LZ4_CONTENT_SIZE else 6
    if len(data) <= at:
        raise _broken("lz4", "it is cut")
    changed = bytearray(data)
    changed[at] = _xxh32_below_16(bytes(data[checked_from:at])) >> 8 & 0xFF
    return bytes(changed)


def _xxh32_below_16(data: bytes) -> int:
    """xxHash32 with seed 0 of fewer than 16 bytes: all that a frame descriptor can be."""
    prime1, prime2, prime3, prime4, prime5 = (
        0x9E3779B1,
        0x85EBCA77,
        0xC2B2AE3D,
        0x27D4EB2F,
        0x165667B1,
    )
    mask = 0xFFFFFFFF
    value = (prime5 + len(data)) & mask
    at = 0
    while len(data) - at >= 4:
        (word,) = _LITTLE_UINT.unpack_from(data, at)
        value = (value + word * prime3) & mask
        value = ((value << 17 | value >> 15) & mask) * prime4 & mask
        at += 4
    for byte in data[at:]:
        value = (value + byte * prime5) & mask
        value = ((value << 11 | value >> 21) & mask) * prime1 & mask
    value ^= value >> 15
    value = value * prime2 & mask
    value ^= value >> 13
    value = value * prime3 & mask
    return value ^ value >> 16


def _compress_zstd(data: bytes, level: int | None) -> bytes:
    from cramjam import zstd

    return bytes(zstd.compress(data, _ZSTD_LEVEL if level is None else level))


def _decompress_zstd(data: memoryview, bytes_max: int) -> bytes:
    from cramjam import zstd

    size = _zstd_content_size(data)
    if size is not None and size > bytes_max:
        raise _too_large("zstd", bytes_max)
    return _decompress_growing("zstd", zstd.decompress_into, data, size, bytes_max)


def _zstd_content_size(data: memoryview) -> int | None:
    """The size the first frame's header claims, or None; refuses what would cost a huge window."""
    if len(data) < 6 or bytes(data[:4]) != _ZSTD_MAGIC:
        raise _broken("zstd", "it does not begin like a frame")
    descriptor = data[4]
    single_segment = descriptor & 0x20
    at = 5
    if not single_segment:
        if 10 + (data[at] >> 3) > _ZSTD_WINDOW_LOG_MAX:
            raise _broken("zstd", f"its window is larger than 2^{_ZSTD_WINDOW_LOG_MAX} bytes")
        at += 1
    if descriptor & 0x03:
        raise _broken("zstd", "it needs a dictionary")
    code = descriptor >> 6
    size_bytes = (1 if single_segment else 0, 2, 4, 8)[code]
    if size_bytes == 0 or len(data) < at + size_bytes:
        return None
    size = int.from_bytes(data[at : at + size_bytes], "little")
    return size + 256 if code == 1 else size


def _decompress_growing(
    name: str,
    decompress_into: Callable[[memoryview, bytearray], int],
    data: memoryview,
    size_guess: int | None,
    bytes_max: int,
) -> bytes:
    """Decompress into a buffer that is tried larger and larger, up to `bytes_max`.

    The decoder's error does not say reliably that the buffer was what it lacked, so that every
    failure is tried again: broken data costs a third more than filling the largest buffer.
    """
    from cramjam import DecompressionError

    guess = max(_GUESS_BYTES_MIN, _GUESS_RATIO * len(data))
    size = min(guess if size_guess is None else min(size_guess, guess), bytes_max)
    while True:
        buffer = bytearray(size)
        try:
            written = int(decompress_into(data, buffer))
            return bytes(memoryview(buffer)[:written])
        except (DecompressionError, ValueError, OverflowError) as error:
            if size >= bytes_max:
                raise _broken(name, f"{error} (a result may have {bytes_max:,} bytes)") from error
        size = min(max(size * 8, _GUESS_BYTES_MIN), bytes_max)


CODECS: Final[dict[int, Codec]] = {
    NONE: Codec(name="none", compress=_compress_none, decompress=_decompress_none),
    GZIP: Codec(name="gzip", compress=_compress_gzip, decompress=_decompress_gzip),
    SNAPPY: Codec(name="snappy", compress=_compress_snappy, decompress=_decompress_snappy),
    LZ4: Codec(name="lz4", compress=_compress_lz4, decompress=_decompress_lz4),
    ZSTD: Codec(name="zstd", compress=_compress_zstd, decompress=_decompress_zstd),
}
CODEC_BY_NAME: Final[dict[str, int]] = {how.name: codec for codec, how in CODECS.items()}
