"""Whatever happens to a batch, reading it raises only what a peer's mistake raises."""

import json
import random
from pathlib import Path

import pytest

from ottla.errors import RemoteProtocolError
from ottla.record.batch import (
    CONTROL,
    CRC_FROM,
    LOG_APPEND_TIME,
    batches_untrusted,
)
from ottla.record.control import control_untrusted
from ottla.record.crc import crc32c
from ottla.record.legacy import any_batches_untrusted, any_records_untrusted
from ottla.record.record import first_since_untrusted, records_untrusted
from ottla.record.validate import AppendChecks, Rejected, ValidBatch, validate_untrusted
from tests.unit.record.written import NOW

GOLDEN = Path(__file__).parent / "golden"
SEEDS = [
    bytes.fromhex(golden["hex"])
    for name in ("record_batches.json", "control_batches.json")
    for golden in json.loads((GOLDEN / name).read_text())
]
INTERESTING = (
    b"\x00",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
)
LIMIT = 1 << 16

CHECKS = AppendChecks(
    bytes_max=LIMIT,
    compacted=False,
    timestamp_type_log_append=False,
    before_max_ms=2**63 - 1,
    after_max_ms=2**63 - 1,
    decompressed_bytes_max=LIMIT,
)


def damaged(data: bytes, chance: random.Random) -> bytearray:
    """A few bytes changed, cut out or put in; mostly with a length and checksum that fit again."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] = chance.randrange(256)
            case 1:
                value = chance.choice(INTERESTING)
                out[at : at + len(value)] = value
            case 2:
                del out[at : at + chance.randint(1, 9)]
            case _:
                out[at:at] = chance.randbytes(chance.randint(1, 9))
        if len(out) < 62:
            out += bytes(62)
    if chance.random() < 0.8:
        out[8:12] = (len(out) - 12).to_bytes(4, "big")
    if chance.random() < 0.8:
        out[17:21] = crc32c(memoryview(out)[CRC_FROM:]).to_bytes(4, "big")
    return out


@pytest.mark.parametrize("seed", range(len(SEEDS)))
def test_damaged_batches_are_refused_politely(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(250):
        data = damaged(SEEDS[seed], chance)
        try:
            for batch in any_batches_untrusted(data):
                any_records_untrusted(batch, limit=LIMIT)
        except RemoteProtocolError:
            pass
        try:
            for batch in batches_untrusted(data):
                first_since_untrusted(batch, NOW + 4, from_offset=1, limit=LIMIT)
                control_untrusted(batch)
        except RemoteProtocolError:
            pass


@pytest.mark.parametrize("seed", [n for n, data in enumerate(SEEDS) if data[16] == 2])
def test_what_a_leader_accepts_can_be_read(seed: int) -> None:
    chance = random.Random(-1 - seed)
    clean = bytearray(SEEDS[seed])
    clean[:8] = bytes(8)
    clean[22] &= ~(LOG_APPEND_TIME | CONTROL)
    verdicts: set[type[ValidBatch | Rejected]] = set()
    for _ in range(300):
        data = damaged(bytes(clean), chance)
        data[:8] = bytes(8)
        verdict = validate_untrusted(memoryview(data), api_version=9, now_ms=NOW, settings=CHECKS)
        verdicts.add(type(verdict))
        if isinstance(verdict, ValidBatch):
            records = records_untrusted(verdict.batch, limit=LIMIT)
            assert [record.offset for record in records] == list(range(len(records)))
            assert max(record.timestamp_ms for record in records) == verdict.max_timestamp
    assert verdicts == {ValidBatch, Rejected}
