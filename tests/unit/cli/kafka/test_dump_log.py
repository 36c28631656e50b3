"""Files become lines. Those expected were printed by Kafka's tool, of files like these."""

from pathlib import Path
from struct import pack
from typing import Protocol

import pytest

from ottla.cli.kafka import run_tool
from ottla.core.log.producer_state import Producer, ProducerState, Remembered
from ottla.record.builder import BatchBuilder
from ottla.record.compress import GZIP
from ottla.record.control import ControlType, control_batch, transaction_marker
from ottla.wire.stored.framing import encode_key, encode_versioned
from ottla.wire.stored.group_metadata import GroupMetadataKey
from ottla.wire.stored.leader_change_message import LeaderChangeMessage, Voter
from ottla.wire.stored.offset_commit import OffsetCommitKey, OffsetCommitValue

ZERO = "0" * 20


def batch(base_offset: int, *records: tuple[bytes | None, bytes | None], codec: int = 0) -> bytes:
    builder = BatchBuilder()
    for index, (key, value) in enumerate(records):
        headers = (("h", b"1"), ("g", None)) if key == b"k" else ()
        builder.append(1_000 + base_offset + index, key, value, headers)
    return bytes(
        builder.build(
            base_offset=base_offset,
            leader_epoch=0,
            codec=codec,
            producer_id=7,
            producer_epoch=0,
            base_sequence=base_offset,
        )
    )


class Dumped:
    def __init__(self, code: int, lines: list[str], errors: str) -> None:
        self.code = code
        self.lines = lines
        self.errors = errors


class Dump(Protocol):
    def __call__(self, path: Path, *words: str) -> Dumped: ...


@pytest.fixture
def dump(capsys: pytest.CaptureFixture[str]) -> Dump:
    def run(path: Path, *words: str) -> Dumped:
        code = run_tool("dump-log", ["--files", str(path), *words])
        out, err = capsys.readouterr()
        return Dumped(code, out.splitlines(), err)

    return run


def test_a_line_per_batch_and_with_print_data_log_one_per_record(
    tmp_path: Path, dump: Dump
) -> None:
    path = tmp_path / f"{ZERO}.log"
    first = batch(0, (b"k", b"v"), (None, None))
    path.write_bytes(first + batch(2, (b"b", "ü".encode()), codec=GZIP))
    dumped = dump(path, "--print-data-log")
    assert dumped.code == 0
    assert dumped.lines[:2] == [f"Dumping {path}", "Log starting offset: 0"]
    assert dumped.lines[2].startswith(
        "baseOffset: 0 lastOffset: 1 count: 2 baseSequence: 0 lastSequence: 1 producerId: 7 "
        "producerEpoch: 0 partitionLeaderEpoch: 0 isTransactional: false isControl: false "
        f"deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1001 size: {len(first)} "
        "magic: 2 compresscodec: none crc: "
    )
    assert dumped.lines[2].endswith(" isvalid: true")
    assert dumped.lines[3:5] == [
        (
            "| offset: 0 CreateTime: 1000 keySize: 1 valueSize: 1 sequence: 0 headerKeys: [h,g] "
            "key: k payload: v"
        ),
        "| offset: 1 CreateTime: 1001 keySize: -1 valueSize: -1 sequence: 1 headerKeys: []",
    ]
    assert f" position: {len(first)} " in dumped.lines[5]
    assert " compresscodec: gzip " in dumped.lines[5]
    assert dumped.lines[6].endswith(" key: b payload: ü")
    assert [line for line in dump(path).lines if line.startswith("|")] == []


def test_without_metadata_keys_and_values_stand_alone(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    path.write_bytes(batch(0, (b"k", b"v"), (None, b"w"), (None, None)))
    dumped = dump(path, "--print-data-log", "--skip-record-metadata")
    assert dumped.lines[3:] == ["| key: k payload: v", "| payload: w", ""]


def test_control_records_say_what_they_mean(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    marker = transaction_marker(
        commit=False, producer_id=7, producer_epoch=0, coordinator_epoch=3, timestamp_ms=5
    )
    voter = Voter(voter_id=1)
    change = LeaderChangeMessage(leader_id=1, voters=[voter], granting_voters=[voter]).encode(0)
    elected = control_batch(
        ControlType.LEADER_CHANGE, change, timestamp_ms=6, base_offset=1, leader_epoch=2
    )
    path.write_bytes(bytes(marker) + bytes(elected))
    lines = dump(path, "--cluster-metadata-decoder").lines
    assert lines[3].endswith(" headerKeys: [] endTxnMarker: ABORT coordinatorEpoch: 3")
    assert lines[5].endswith(
        ' LeaderChange: {"version":0,"leaderId":1,"voters":[{"voterId":1}],'
        '"grantingVoters":[{"voterId":1}]}'
    )


def test_what_follows_the_last_batch_is_counted(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    whole = batch(0, (None, b"v"))
    path.write_bytes(whole + whole[:-1])
    assert dump(path).lines[-1] == (
        f"Found {len(whole) - 1} invalid bytes at the end of {ZERO}.log"
    )
    assert len(dump(path, "--max-bytes", str(len(whole))).lines) == 3


def test_damage_and_gaps_are_told(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    broken = bytearray(batch(0, (None, b"v")))
    broken[17] ^= 1
    path.write_bytes(bytes(broken) + batch(5, (None, b"w")))
    dumped = dump(path, "--deep-iteration")
    assert dumped.lines[2].endswith("isvalid: false")
    assert dumped.errors == f"Non-consecutive offsets in {path}\n  0 is followed by 5\n"


def test_coordinators_records_are_decoded(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    key = encode_key(OffsetCommitKey(group="g", topic="t", partition=0))
    value = encode_versioned(OffsetCommitValue(offset=50, commit_timestamp=9), 3)
    gone = encode_key(GroupMetadataKey(group="g"))
    path.write_bytes(batch(0, (key, value), (gone, None), (b"zz", b"")))
    lines = dump(path, "--offsets-decoder", "--skip-record-metadata").lines
    assert lines[3:] == [
        (
            '| key: {"type":"1","data":{"group":"g","topic":"t","partition":0}} payload: '
            '{"version":"3","data":{"offset":50,"leaderEpoch":-1,"metadata":"","commitTimestamp":9}}'
        ),
        '| key: {"type":"2","data":{"group":"g"}} payload: <DELETE>',
        "| key: Unknown record type 31354 at offset 2, skipping.",
    ]


def test_a_coordinators_record_without_key_ends_it(tmp_path: Path, dump: Dump) -> None:
    path = tmp_path / f"{ZERO}.log"
    path.write_bytes(batch(0, (None, b"v")))
    dumped = dump(path, "--offsets-decoder")
    assert dumped.code == 1
    assert "at offset 0 using the specified decoder (message had a missing key)" in dumped.errors


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    """Two batches; the second begins at the position that both indexes name."""
    first = batch(0, (None, b"a"), (None, b"b"))
    (tmp_path / f"{ZERO}.log").write_bytes(first + batch(2, (None, b"c")))
    (tmp_path / f"{ZERO}.index").write_bytes(pack(">iiii", 2, len(first), 0, 0))
    (tmp_path / f"{ZERO}.timeindex").write_bytes(pack(">qiqi", 1_002, 2, 0, 0))
    return tmp_path


def test_indexes_are_printed_up_to_their_zeros(indexed: Path, dump: Dump) -> None:
    both = f"{indexed / ZERO}.index,{indexed / ZERO}.timeindex"
    dumped = dump(Path(both))
    assert dumped.lines[1].startswith("offset: 2 position: ")
    assert dumped.lines[3:] == ["timestamp: 1002 offset: 2"]
    assert dumped.errors == ""
    assert dump(Path(both), "--verify-index-only").lines == [
        f"Dumping {indexed / ZERO}.index",
        f"Dumping {indexed / ZERO}.timeindex",
    ]


def test_what_an_index_has_wrong_is_told(indexed: Path, dump: Dump) -> None:
    index, times = indexed / f"{ZERO}.index", indexed / f"{ZERO}.timeindex"
    index.write_bytes(pack(">ii", 1, 0) + pack(">ii", 7, 0))
    times.write_bytes(pack(">qi", 5, 1) + pack(">qi", 4, 2))
    dumped = dump(Path(f"{index},{times}"))
    assert dumped.errors.splitlines() == [
        f"Mismatches in :{index}",
        "  Index offset: 7, log offset: 1",
        f"Found timestamp mismatch in :{times}",
        "  Index timestamp: 5, log timestamp: 1001",
        "  Index timestamp: 4, log timestamp: 1002",
        f"Found out of order timestamp in :{times}",
        "  Index timestamp: 4, Previously indexed timestamp: 5",
    ]


def test_sanity_is_what_a_broker_would_check(indexed: Path, dump: Dump) -> None:
    index = indexed / f"{ZERO}.index"
    index.write_bytes(pack(">ii", 2, 0))
    assert dump(index, "--index-sanity-check").lines[1] == f"{index} passed sanity check."
    index.write_bytes(pack(">iib", 2, 0, 1))
    dumped = dump(index, "--index-sanity-check")
    assert dumped.code == 1
    assert "found 9 bytes which is neither positive nor a multiple of 8" in dumped.errors
    index.write_bytes(b"")
    assert dump(index).lines[1] == f"{index} is empty."


def test_producers_and_aborted_transactions_are_printed(tmp_path: Path, dump: Dump) -> None:
    state = ProducerState(9)
    idempotent, transactional = Producer(), Producer()
    idempotent.epoch, idempotent.last_timestamp_ms = 0, 44
    idempotent.batches.append(Remembered(2, 2, 2, 44))
    transactional.epoch, transactional.last_timestamp_ms = 4, 45
    transactional.coordinator_epoch, transactional.transaction_start = 0, 3
    state.producers = {1: idempotent, 3: transactional}
    snapshot = tmp_path / f"{ZERO[:-1]}9.snapshot"
    snapshot.write_bytes(state.encode())
    aborted = tmp_path / f"{ZERO}.txnindex"
    aborted.write_bytes(pack(">hqqqq", 0, 1016, 0, 4, 5))
    assert dump(snapshot).lines[1:] == [
        (
            "producerId: 1 producerEpoch: 0 coordinatorEpoch: -1 currentTxnFirstOffset: "
            "OptionalLong.empty lastTimestamp: 44 firstSequence: 0 lastSequence: 2 lastOffset: 2 "
            "offsetDelta: 2 timestamp: 44"
        ),
        (
            "producerId: 3 producerEpoch: 4 coordinatorEpoch: 0 currentTxnFirstOffset: "
            "OptionalLong[3] lastTimestamp: 45"
        ),
    ]
    assert dump(aborted).lines[1:] == [
        "version: 0 producerId: 1016 firstOffset: 0 lastOffset: 4 lastStableOffset: 5"
    ]


@pytest.mark.parametrize(
    ("name", "told", "code"),
    [
        ("nothing.log", "a name that begins with an offset is expected", 1),
        (f"{ZERO}.log", "No such file", 1),
        ("leader-epoch-checkpoint", "Ignoring unknown file", 0),
    ],
)
def test_what_cannot_be_dumped_is_named(
    tmp_path: Path,
    dump: Dump,
    name: str,
    told: str,
    code: int,
) -> None:
    dumped = dump(tmp_path / name)
    assert (dumped.code, told in dumped.errors) == (code, True)


def test_a_decoder_that_is_not_there_is_named(tmp_path: Path, dump: Dump) -> None:
    dumped = dump(tmp_path / f"{ZERO}.log", "--value-decoder-class", "com.example.Nope")
    assert dumped.code == 1
    assert dumped.errors.startswith("com.example.Nope: this decoder is not there")
