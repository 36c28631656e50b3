"""Which batches of idempotent producers are accepted, and that the state outlives the process."""

import json
from pathlib import Path

import pytest

from ottla.core.log.log import Appended, Refused, Shutdown
from ottla.core.log.producer_state import Producer, ProducerState, Remembered, decode_untrusted
from ottla.errors import ErrorCode, RemoteProtocolError
from ottla.record.control import transaction_marker
from ottla.record.crc import crc32c
from tests.unit.core.log.building import (
    DIRECTORY,
    NOW_MS,
    SMALL_SEGMENTS,
    append,
    batch_bytes,
    contents,
    open_log,
    valid,
)
from tests.unit.fakes.disk import MemoryDisk

LAST = 0x7FFFFFFF
OUT_OF_ORDER = ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
FENCED = ErrorCode.INVALID_PRODUCER_EPOCH

# What was appended, as (epoch, base sequence, records); what comes; what is answered: an error, or
# the base offset of the batch it repeats, or None for a fresh one.
CASES: list[tuple[list[tuple[int, int, int]], tuple[int, int, int], ErrorCode | int | None]] = [
    ([], (0, 0, 1), None),
    ([], (0, 77, 1), None),  # nothing is known of this producer: any sequence is taken
    ([(0, 0, 1)], (0, 1, 1), None),
    ([(0, 0, 1)], (0, 0, 1), 0),
    ([(0, 0, 1)], (0, 2, 1), OUT_OF_ORDER),
    ([(0, 0, 3)], (0, 3, 1), None),
    ([(0, 0, 3)], (0, 0, 3), 0),
    ([(0, 0, 3)], (0, 0, 2), OUT_OF_ORDER),
    ([(0, 0, 3)], (0, 1, 2), OUT_OF_ORDER),
    ([(0, at, 1) for at in range(5)], (0, 0, 1), 0),
    ([(0, at, 1) for at in range(6)], (0, 0, 1), OUT_OF_ORDER),  # five are remembered
    ([(0, at, 1) for at in range(6)], (0, 1, 1), 1),
    ([(0, at * 2, 2) for at in range(6)], (0, 8, 2), 8),
    ([(0, LAST, 1)], (0, 0, 1), None),
    ([(0, LAST - 1, 2)], (0, 0, 1), None),
    ([(0, LAST - 1, 2)], (0, 1, 1), OUT_OF_ORDER),
    ([(0, LAST, 2)], (0, 1, 1), None),  # LAST and 0
    ([(0, LAST, 2)], (0, LAST, 2), 0),
    ([(3, 0, 1)], (2, 1, 1), FENCED),
    ([(3, 0, 1)], (2, 0, 1), FENCED),
    ([(3, 9, 1)], (4, 0, 1), None),
    ([(3, 9, 1)], (4, 10, 1), OUT_OF_ORDER),
    ([(3, 9, 1), (4, 0, 1)], (3, 9, 1), FENCED),
    ([(3, 0, 1), (4, 0, 1)], (4, 0, 1), 1),
]


@pytest.mark.parametrize("shutdown", [None, *Shutdown])
@pytest.mark.parametrize(("before", "batch", "answer"), CASES)
def test_the_rules_of_idempotence(
    before: list[tuple[int, int, int]],
    batch: tuple[int, int, int],
    answer: ErrorCode | int | None,
    shutdown: Shutdown | None,
) -> None:
    def data(epoch: int, sequence: int, count: int, producer_id: int = 5) -> bytes:
        return batch_bytes((NOW_MS,) * count, producer=(producer_id, epoch, sequence))

    disk = MemoryDisk()
    log = open_log(disk)
    for one in before:
        append(log, data(*one))
    if shutdown is not None:
        # Replayed from the batches, with all five: only a snapshot forgets four of them.
        log = open_log(disk, shutdown=shutdown)
    end_offset = log.end_offset
    outcome = log.append(valid(data(*batch)), leader_epoch=0, now_ms=NOW_MS)
    if isinstance(answer, ErrorCode):
        assert isinstance(outcome, Refused)
        assert outcome.error is answer
        assert "producer 5" in outcome.message
    else:
        assert isinstance(outcome, Appended)
        assert outcome.duplicate is (answer is not None)
        assert outcome.base_offset == (end_offset if answer is None else answer)
        assert outcome.last_offset == outcome.base_offset + batch[2] - 1
        assert log.end_offset == end_offset + (batch[2] if answer is None else 0)
    append(log, data(0, 0, 1, producer_id=6))  # another one is not concerned
    log.check_invariants()


def test_after_a_clean_stop_the_last_batch_of_each_producer_is_remembered() -> None:
    disk = MemoryDisk()
    log = open_log(disk)
    for at in range(3):
        for producer_id in (1, 2):
            append(log, batch_bytes(producer=(producer_id, 0, at)))
    log.close(NOW_MS)
    assert disk.exists(f"{DIRECTORY}/{6:020d}.snapshot")
    log = open_log(disk)
    outcome = log.append(valid(batch_bytes(producer=(2, 0, 2))), leader_epoch=0, now_ms=NOW_MS)
    assert isinstance(outcome, Appended)
    assert (outcome.duplicate, outcome.base_offset) == (True, 5)
    outcome = log.append(valid(batch_bytes(producer=(2, 0, 1))), leader_epoch=0, now_ms=NOW_MS)
    assert isinstance(outcome, Refused)


def test_a_producer_outlives_its_records_and_expires_by_silence() -> None:
    disk = MemoryDisk()
    log = open_log(disk, settings=SMALL_SEGMENTS)
    append(log, batch_bytes((NOW_MS,), producer=(1, 0, 0)))
    for _ in range(40):
        append(log, batch_bytes((NOW_MS + 500,)))
    log.truncate_prefix(40)
    assert log.retire(NOW_MS, 41) > 0
    log.close(NOW_MS)
    log = open_log(disk, settings=SMALL_SEGMENTS, log_start=40)
    assert list(log.producers.producers) == [1]
    assert log.producers.expire(NOW_MS + 999, 1000) == 0
    assert log.producers.expire(NOW_MS + 1000, 1000) == 1
    append(log, batch_bytes(producer=(1, 0, 33)))


def test_a_transaction_is_open_until_its_marker_and_then_known_as_aborted() -> None:
    disk = MemoryDisk()
    log = open_log(disk)

    def marker(producer_id: int, commit: bool) -> bytes:
        return bytes(
            transaction_marker(
                commit=commit,
                producer_id=producer_id,
                producer_epoch=0,
                coordinator_epoch=4,
                timestamp_ms=NOW_MS,
                base_offset=log.end_offset,
                leader_epoch=0,
            )
        )

    append(log, batch_bytes(producer=(1, 0, 0), transactional=True))
    append(log, batch_bytes(producer=(2, 0, 0), transactional=True))
    append(log, batch_bytes(producer=(1, 0, 1), transactional=True))
    assert log.producers.first_open_offset == 0
    outcome = log.append(valid(batch_bytes(producer=(2, 0, 1))), leader_epoch=0, now_ms=NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.error is ErrorCode.INVALID_TXN_STATE
    assert log.producers.expire(NOW_MS * 2, 1) == 0
    log.append_batches(marker(1, False), now_ms=NOW_MS)
    assert log.producers.first_open_offset == 1
    log.append_batches(marker(2, True), now_ms=NOW_MS)
    assert log.producers.first_open_offset is None
    assert log.aborted(0, 5) == [(1, 0, 3, 1)]
    assert log.aborted(4, 5) == []
    path = f"{DIRECTORY}/{0:020d}.txnindex"
    before = disk.files()[path]
    assert len(before) == 34
    for shutdown in Shutdown:
        twin_disk = disk.copy()
        if shutdown is not Shutdown.CLEAN:
            twin_disk.put(path, before[:20])
        twin = open_log(twin_disk, shutdown=shutdown)
        assert twin.producers.encode() == log.producers.encode()
        assert twin_disk.files()[path] == before
        assert contents(twin) == contents(log)


def golden() -> list[dict[str, object]]:
    text = Path(__file__).with_name("golden_producer_snapshot.json").read_text()
    found = json.loads(text)
    assert isinstance(found, list)
    return found


def test_snapshots_are_kafkas_bytes() -> None:
    full, minimal = golden()
    entries = full["entries"]
    assert isinstance(entries, list)
    state = ProducerState(0)
    for entry in entries:
        producer = Producer()
        producer.epoch = entry["Epoch"]
        producer.last_timestamp_ms = entry["Timestamp"]
        producer.coordinator_epoch = entry["CoordinatorEpoch"]
        producer.transaction_start = entry["CurrentTxnFirstOffset"]
        producer.batches.append(
            Remembered(
                entry["LastSequence"], entry["LastOffset"], entry["OffsetDelta"], entry["Timestamp"]
            )
        )
        state.producers[entry["ProducerId"]] = producer
    body = bytes.fromhex(str(full["hex"]))[4:]
    assert state.encode() == b"\0\1" + crc32c(body).to_bytes(4, "big") + body
    assert decode_untrusted(state.encode(), 0).encode() == state.encode()
    body = bytes.fromhex(str(minimal["hex"]))[4:]
    assert ProducerState(0).encode() == b"\0\1" + crc32c(body).to_bytes(4, "big") + body


def test_a_damaged_snapshot_is_refused_whatever_is_wrong_with_it() -> None:
    state = ProducerState(0)
    producer = state.producers[7] = Producer()
    producer.batches.append(Remembered(1, 2, 0, 3))
    data = state.encode()
    for cut in range(len(data)):
        with pytest.raises(RemoteProtocolError):
            decode_untrusted(data[:cut], 9)
    for at in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[at // 8] ^= 1 << at % 8
        with pytest.raises(RemoteProtocolError):
            decode_untrusted(bytes(flipped), 9)
    assert decode_untrusted(data, 9).end_offset == 9
