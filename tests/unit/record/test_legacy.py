"""Message sets of old logs are read with their offsets and times."""

import json
import zlib
from pathlib import Path

import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.compress import GZIP, LZ4, ZSTD, compress
from ottla.record.legacy import (
    LegacyEntry,
    any_batches_untrusted,
    entry_crc_is_right,
    entry_untrusted,
    messages_untrusted,
)
from tests.unit.record.written import NOW, batch_of

LIMIT = 1 << 20
GOLDEN = json.loads((Path(__file__).parent / "golden" / "record_batches.json").read_text())


def message(
    offset: int,
    value: bytes | None,
    *,
    magic: int = 1,
    attributes: int = 0,
    timestamp_ms: int = NOW,
    key: bytes | None = None,
) -> bytes:
    body = bytes([magic, attributes])
    if magic == 1:
        body += timestamp_ms.to_bytes(8, "big", signed=True)
    for data in (key, value):
        body += (-1 if data is None else len(data)).to_bytes(4, "big", signed=True) + (data or b"")
    body = zlib.crc32(body).to_bytes(4, "big") + body
    return offset.to_bytes(8, "big") + len(body).to_bytes(4, "big") + body


def wrapper(offset: int, inner: bytes, codec: int = GZIP, **how: int) -> LegacyEntry:
    attributes = codec | how.pop("flags", 0)
    return entry_untrusted(message(offset, compress(codec, inner), attributes=attributes, **how))


def test_a_wrapper_of_magic_1_holds_relative_offsets() -> None:
    inner = b"".join(message(index, b"v%d" % index, timestamp_ms=NOW + index) for index in range(3))
    entry = wrapper(102, inner)
    assert entry_crc_is_right(entry)
    assert entry.next_offset == 103
    records = messages_untrusted(entry, limit=LIMIT)
    assert [(record.offset, record.timestamp_ms, record.value) for record in records] == [
        (100, NOW, b"v0"),
        (101, NOW + 1, b"v1"),
        (102, NOW + 2, b"v2"),
    ]


def test_a_wrapper_of_magic_0_holds_absolute_offsets() -> None:
    inner = message(70, b"a", magic=0) + message(75, b"b", magic=0)
    records = messages_untrusted(wrapper(75, inner, magic=0), limit=LIMIT)
    assert [(record.offset, record.timestamp_ms) for record in records] == [(70, -1), (75, -1)]


def test_append_time_of_a_wrapper_is_everybodys() -> None:
    entry = wrapper(1, message(0, b"a") + message(1, b"b"), flags=0x08, timestamp_ms=NOW + 9)
    assert [record.timestamp_ms for record in messages_untrusted(entry, limit=LIMIT)] == [
        NOW + 9
    ] * 2


REFUSED = {
    "wrapper in a wrapper": wrapper(0, message(0, compress(GZIP, b""), attributes=GZIP)),
    "magic 0 in magic 1": wrapper(0, message(0, b"v", magic=0)),
    "magic 2 in magic 1": wrapper(0, bytes(batch_of(1))),
    "nothing in a wrapper": wrapper(0, b""),
    "a cut message": wrapper(0, message(0, b"v")[:-1]),
    "offsets above the wrapper's": wrapper(3, message(5, b"v")),
    "zstd": wrapper(0, message(0, b"v"), codec=ZSTD),
    "codec 6": entry_untrusted(message(0, b"v", attributes=6)),
    "null": entry_untrusted(message(0, None, attributes=GZIP)),
    "lz4 of magic 0, cut": entry_untrusted(message(0, b"\x04\x22", magic=0, attributes=LZ4)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_wrapper_is_refused(case: str) -> None:
    with pytest.raises(RemoteProtocolError):
        messages_untrusted(REFUSED[case], limit=LIMIT)


def test_sizes_inside_a_message_are_checked() -> None:
    whole = message(0, b"value", key=b"key")
    assert messages_untrusted(entry_untrusted(whole), limit=LIMIT)[0].key == b"key"
    for at, byte in ((29, 60), (26, 127), (36, 1), (36, 60)):
        data = bytearray(whole)
        data[at] = byte
        with pytest.raises(RemoteProtocolError):
            messages_untrusted(entry_untrusted(data), limit=LIMIT)


@pytest.mark.parametrize("data", [b"", bytes(25), bytes(40), message(0, b"v")[:16] + b"\x02" * 30])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        entry_untrusted(data)


def test_formats_may_be_mixed_in_one_log_and_its_tail_may_be_cut() -> None:
    data = message(0, b"a", magic=0) + message(1, b"b") + bytes(batch_of(2))
    for tail in (b"", data[:20], message(0, b"a")[:30], bytes(batch_of(2))[:40]):
        assert [batch.magic for batch in any_batches_untrusted(data + tail)] == [0, 1, 2]


def test_golden_wrappers_can_be_moved() -> None:
    for golden in GOLDEN:
        if golden["magic"] != 1 or golden["compression"] == "none":
            continue
        data = bytearray.fromhex(golden["hex"])
        data[:8] = (204).to_bytes(8, "big")
        (entry,) = any_batches_untrusted(data)
        assert isinstance(entry, LegacyEntry)
        assert [record.offset for record in messages_untrusted(entry, limit=LIMIT)] == [
            200,
            201,
            202,
            203,
            204,
        ]
