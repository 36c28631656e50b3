"""Batches that Apache Kafka wrote or read mean to us what they mean to it."""

import json
from pathlib import Path
from typing import Any

import pytest

from ottla.record.batch import Batch, batches_untrusted, crc_is_right, header_untrusted
from ottla.record.builder import BatchBuilder
from ottla.record.compress import CODEC_BY_NAME
from ottla.record.control import (
    ControlType,
    control_batch,
    control_untrusted,
    coordinator_epoch_untrusted,
    transaction_marker,
)
from ottla.record.legacy import (
    LegacyEntry,
    any_batches_untrusted,
    any_records_untrusted,
    entry_crc_is_right,
)
from ottla.record.record import Record, payload_untrusted, records_untrusted, walk_untrusted
from ottla.record.survey import survey_untrusted

GOLDEN = Path(__file__).parent / "golden"
BATCHES = json.loads((GOLDEN / "record_batches.json").read_text())
CONTROLS = json.loads((GOLDEN / "control_batches.json").read_text())
LIMIT = 1 << 20


def name(golden: dict[str, Any]) -> str:
    kind = golden.get("compression") or golden.get("control_type") or "append-time"
    return f"v{golden['magic']}-{kind}-{golden.get('producer_id', '')}"


def unhex(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def expected(golden: dict[str, Any]) -> list[Record]:
    return [
        Record(
            record["offset"],
            -1 if record["timestamp"] is None else record["timestamp"],
            unhex(record["key"]),
            unhex(record["value"]),
            tuple((key, unhex(value)) for key, value in record["headers"]),
        )
        for record in golden["records"]
    ]


@pytest.mark.parametrize("golden", BATCHES, ids=name)
def test_a_golden_batch_holds_its_records(golden: dict[str, Any]) -> None:
    data = bytes.fromhex(golden["hex"])
    found = list(any_batches_untrusted(data))
    assert sum(batch.size_bytes for batch in found) == len(data)
    records = []
    for batch in found:
        assert batch.magic == golden["magic"]
        assert batch.codec == CODEC_BY_NAME[golden["compression"]]
        if isinstance(batch, LegacyEntry):
            assert entry_crc_is_right(batch)
        else:
            assert crc_is_right(batch)
        records += any_records_untrusted(batch, limit=LIMIT)
    assert records == expected(golden)


@pytest.mark.parametrize("golden", [g for g in BATCHES if g["magic"] == 2], ids=name)
def test_a_golden_batch_has_its_header(golden: dict[str, Any]) -> None:
    batch = header_untrusted(bytes.fromhex(golden["hex"]))
    assert batch.is_transactional == golden["transactional"]
    assert batch.producer_id == golden["producer_id"]
    assert batch.producer_epoch == golden["producer_epoch"]
    assert batch.base_sequence == golden["base_sequence"]
    assert batch.record_count == len(golden["records"])
    assert batch.max_timestamp == max(record["timestamp"] for record in golden["records"])


@pytest.mark.parametrize("golden", [g for g in BATCHES if g["magic"] == 2], ids=name)
def test_walk_and_survey_agree_with_the_records(golden: dict[str, Any]) -> None:
    batch = header_untrusted(bytes.fromhex(golden["hex"]))
    records = records_untrusted(batch, limit=LIMIT)
    payload = bytes(payload_untrusted(batch, LIMIT))
    visits = list(walk_untrusted(payload, len(records)))
    assert [batch.base_offset + visit.offset_delta for visit in visits] == [
        record.offset for record in records
    ]
    assert [batch.base_timestamp + visit.timestamp_delta for visit in visits] == [
        record.timestamp_ms for record in records
    ]
    assert [visit.key_is_null for visit in visits] == [record.key is None for record in records]
    survey = survey_untrusted(payload, len(records))
    assert survey.has_null_key == any(visit.key_is_null for visit in visits)
    assert batch.base_timestamp + survey.timestamp_delta_max == batch.max_timestamp
    assert records[survey.index_of_max].timestamp_ms == batch.max_timestamp


@pytest.mark.parametrize(
    "golden", [g for g in BATCHES if g["magic"] == 2 and g["compression"] == "none"], ids=name
)
def test_we_write_the_same_bytes(golden: dict[str, Any]) -> None:
    builder = BatchBuilder()
    for record in expected(golden):
        builder.append(record.timestamp_ms, record.key, record.value, record.headers)
    batch = builder.build(
        leader_epoch=0,
        producer_id=golden["producer_id"],
        producer_epoch=golden["producer_epoch"],
        base_sequence=golden["base_sequence"],
        transactional=golden["transactional"],
    )
    assert batch.hex() == golden["hex"]
    assert builder.size_bytes == len(batch)


MARKERS = [g for g in CONTROLS if g["control_type"] in ("COMMIT", "ABORT")]


@pytest.mark.parametrize("golden", MARKERS, ids=name)
def test_a_transaction_marker_is_read_and_written(golden: dict[str, Any]) -> None:
    batch = header_untrusted(bytes.fromhex(golden["hex"]))
    assert crc_is_right(batch)
    assert (batch.is_control, batch.is_transactional, batch.base_sequence) == (True, True, -1)
    record = control_untrusted(batch)
    assert record.control_type is ControlType[golden["control_type"]]
    assert record.timestamp_ms == golden["timestamp"]
    assert coordinator_epoch_untrusted(record.value) == golden["coordinator_epoch"]
    ours = transaction_marker(
        commit=golden["control_type"] == "COMMIT",
        producer_id=golden["producer_id"],
        producer_epoch=golden["producer_epoch"],
        coordinator_epoch=golden["coordinator_epoch"],
        timestamp_ms=golden["timestamp"],
        base_offset=golden["base_offset"],
        leader_epoch=golden["partition_leader_epoch"],
    )
    assert ours.hex() == golden["hex"]


def test_a_leader_change_is_read_and_written() -> None:
    (golden,) = [g for g in CONTROLS if g["control_type"] == "LEADER_CHANGE"]
    record = control_untrusted(header_untrusted(bytes.fromhex(golden["hex"])))
    assert record.control_type is ControlType.LEADER_CHANGE
    assert record.offset == golden["base_offset"]
    ours = control_batch(
        ControlType.LEADER_CHANGE,
        record.value,
        timestamp_ms=golden["timestamp"],
        base_offset=golden["base_offset"],
        leader_epoch=golden["partition_leader_epoch"],
    )
    assert ours.hex() == golden["hex"]


def test_with_append_time_every_record_has_the_batchs_timestamp() -> None:
    (golden,) = [g for g in CONTROLS if g["control_type"] is None]
    (batch,) = batches_untrusted(bytes.fromhex(golden["hex"]))
    assert isinstance(batch, Batch)
    assert crc_is_right(batch)
    assert batch.is_log_append_time
    assert batch.partition_leader_epoch == golden["partition_leader_epoch"]
    records = records_untrusted(batch, limit=LIMIT)
    assert [record.timestamp_ms for record in records] == [batch.max_timestamp] * 2
    assert [(record.offset, record.key, record.value) for record in records] == [
        (record["offset"], unhex(record["key"]), unhex(record["value"]))
        for record in golden["records"]
    ]
