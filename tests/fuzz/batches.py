"""Record batches as a hostile producer sends them: nearly right, and wrong in every field.

Half of what is drawn is a batch a leader accepts, with producer ids and sequences that go on, so that
the state behind is real; the other half lies in one to three places, mostly under a checksum that is
right, because a wrong one ends the examination early.

Elsewhere: the request around it, see `grammar.py`.
"""

import struct
import zlib
from random import Random
from typing import Final

from ottla.record.batch import CONTROL, HEADER, HEADER_BYTES, LOG_APPEND_TIME, TRANSACTIONAL
from ottla.record.builder import BatchBuilder
from ottla.record.compress import compress
from ottla.record.crc import crc32c

NOW_MS: Final = 1_700_000_000_000
_FIELDS: Final = (
    "base_offset", "length", "leader_epoch", "magic", "crc", "attributes", "last_offset_delta",
    "base_timestamp", "max_timestamp", "producer_id", "producer_epoch", "base_sequence", "count",
)  # fmt: skip
_WIDTHS: Final = (8, 4, 4, 1, 4, 2, 4, 8, 8, 8, 2, 4, 4)
_UNSIGNED: Final = frozenset(("crc",))
_BAD_RECORDS: Final = (
    b"", b"\x00", b"\x01", b"\x02\x00", b"\xff" * 10, b"\x80" * 11, b"\x7f" + bytes(63),
    b"\x0c\x00\x00\x00\x01\x01\x00", b"\x0e\x00\x00\x00\x01\x01\x02\x01",
    b"\x14\x00\x00\x00\x01\x01\xff\xff\xff\xff\x0f", b"\x0c\x00\x00\x02\x01\x01\x00",
    b"\x0c\x00\x01\x00\x01\x01\x00", b"\x0c\x00\x00\x00\x03\x01\x00",
    b"\x1e\x00\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x01\x01\x00",
)  # fmt: skip


class Batches:
    """Draws what stands in a `records` field."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sequences: dict[int, int] = {}

    def drawn(self) -> bytes:
        random = self._random
        chance = random.random()
        if chance < 0.5:
            return self._valid()
        if chance < 0.77:
            return self._lying()
        if chance < 0.8:
            return self._valid() + random.choice((self._valid(), b"\0", bytes(11), bytes(61)))
        if chance < 0.95:
            return _legacy(random)
        data = self._valid()
        return random.choice(
            (data[: random.randrange(len(data))], b"", b"\0", random.randbytes(70), bytes(61))
        )

    def _valid(self) -> bytes:
        random = self._random
        builder = BatchBuilder()
        count = random.choice((1, 1, 2, 3, 40))
        for number in range(count):
            key = random.choice((None, b"", b"k"))
            value = random.choice((None, b"", b"v" * 10, b"%d" % number))
            headers = (("h", None), ("", b"x")) if random.random() < 0.1 else ()
            builder.append(NOW_MS + random.choice((0, 0, 1, -5)), key, value, headers)
        producer_id, epoch, sequence = -1, -1, -1
        if random.random() < 0.5:
            producer_id, epoch = random.choice((0, 1, 2, 1_000)), random.choice((0, 0, 0, 1))
            sequence = self._sequences.get(producer_id, 0)
            self._sequences[producer_id] = (sequence + count) & 0x7FFFFFFF
            if random.random() < 0.3:
                sequence = random.choice((0, 1, sequence + 1, 2**31 - 1, 2**31 - 2))
        return bytes(
            builder.build(
                codec=random.choice((0, 0, 0, 1, 2, 3, 4)),
                producer_id=producer_id,
                producer_epoch=epoch,
                base_sequence=sequence & 0x7FFFFFFF if producer_id >= 0 else -1,
            )
        )

    def _lying(self) -> bytes:
        random = self._random
        data = bytearray(self._valid())
        if random.random() < 0.4:
            data = bytearray(self._other_payload(bytes(data)))
        for _ in range(random.choice((0, 1, 1, 2))):
            at = random.randrange(len(_FIELDS))
            start, width = sum(_WIDTHS[:at]), _WIDTHS[at]
            top = 1 << (8 * width - 1)
            value = random.choice((-top, -2, -1, 0, 1, 2, 61, top - 1, top - 2))
            if _FIELDS[at] == "attributes":
                value = random.choice((5, 6, 7, 0x7FFF, -1, LOG_APPEND_TIME, 0x40, 0x80)) | (
                    random.choice((0, TRANSACTIONAL, CONTROL, TRANSACTIONAL | CONTROL))
                )
            data[start : start + width] = value.to_bytes(width, "big", signed=True)
        if random.random() < 0.85:
            data[17:21] = crc32c(memoryview(data)[21:]).to_bytes(4, "big")
        return bytes(data)

    def _other_payload(self, batch: bytes) -> bytes:
        """The batch with record bytes that are broken, nested or not what the codec says."""
        random = self._random
        records = random.choice(_BAD_RECORDS) * random.choice((1, 1, 2))
        match random.randrange(4):
            case 0:
                records = batch  # a batch within a batch
            case 1:
                records = batch[HEADER_BYTES:] + random.randbytes(3)
            case 2:
                spoiled = bytearray(batch[HEADER_BYTES:])
                if spoiled:
                    spoiled[random.randrange(len(spoiled))] = random.randrange(256)
                records = bytes(spoiled)
            case _:
                pass
        codec = random.choice((0, 1, 2, 3, 4))
        if random.random() < 0.7:
            records = compress(codec, records)
        header = list(HEADER.unpack_from(batch, 0))
        header[1] = HEADER_BYTES + len(records) - 12
        header[5] = codec
        return HEADER.pack(*header) + records


def _legacy(random: Random) -> bytes:
    """A message set of magic 0 or 1: plain messages, wrappers, wrappers in wrappers, bombs, lies."""
    magic = random.choice((0, 1, 1, 1))
    data = b"".join(_message(random, magic) for _ in range(random.choice((1, 1, 2, 5))))
    for _ in range(random.choice((0, 1, 1, 1, 2, 5))):
        codec = random.choice((1, 1, 2, 3, 3, 4, 5))
        if len(data) < 200 and random.random() < 0.1:
            data = data * random.choice(
                (1_000, 30_000)
            )  # within the sizes that are accepted, and not
        value = compress(codec, data) if codec <= 4 else data
        if random.random() < 0.2:
            value = random.choice((value[:-1], b"", value + b"\0", random.randbytes(40)))
        data = _message(random, magic, codec, value)
    if random.random() < 0.2:
        data += random.choice((_message(random, magic), _message(random, 1 - magic), bytes(20)))
    if random.random() < 0.2:
        data = data[: random.randrange(len(data))]
    return data


def _message(random: Random, magic: int, attributes: int = 0, value: bytes | None = b"v") -> bytes:
    if random.random() < 0.05:
        magic = random.choice((0, 1, 2, 3, -1))
    if random.random() < 0.05:
        attributes |= random.choice((LOG_APPEND_TIME, 0x10, 0x7F, 7))
    body = struct.pack(">bb", magic, attributes)
    if magic == 1:
        body += struct.pack(
            ">q", random.choice((NOW_MS, NOW_MS, NOW_MS, -1, 0, 2**63 - 1, -(2**63)))
        )
    for part in (random.choice((None, b"k")), value):
        size = -1 if part is None else len(part)
        if random.random() < 0.03:
            size = random.choice((-2, size + 1, 2**31 - 1, -(2**31)))
        body += struct.pack(">i", size) + (part or b"")
    crc = zlib.crc32(body) ^ (random.random() < 0.05)
    body = struct.pack(">I", crc) + body
    length = len(body) if random.random() < 0.95 else random.choice((0, 13, 14, len(body) - 1, -1))
    return struct.pack(">qi", random.choice((0, 0, 1, 2**63 - 1, -1)), length) + body
