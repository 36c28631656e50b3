"""DeleteRecords: what may go, what is answered, and that it stays gone."""

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.broker.handle import delete_records
from ottla.broker.handle.delete_records import HandleDeleteRecords
from ottla.core.effect import Effect
from ottla.core.log.recovery import Shutdown
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.wire.api import APIS
from ottla.wire.message.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsTopic,
)
from tests.unit.core.replica.house import House, batch, partition_image, replies

VERSIONS = range(delete_records.VERSIONS[0], delete_records.VERSIONS[1] + 1)


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    house.create("t")
    append(house, "t", 4)
    yield house
    house.check_invariants()


def append(house: House, topic: str, count: int) -> None:
    leader = house.leader(topic)
    for _ in range(count):
        valid = validate_untrusted(
            batch(key=b"k"), api_version=9, now_ms=house.now_ms, settings=leader.policy.checks
        )
        assert isinstance(valid, ValidBatch)
        leader.append(valid, house.now_ms)
        house.table.appended(leader, house.now_ms)


def delete(
    house: House, offset: int, *, topic: str = "t", partition: int = 0, version: int = 2
) -> tuple[Any, list[Effect]]:
    request = DeleteRecordsRequest(
        [DeleteRecordsTopic(topic, [DeleteRecordsPartition(partition, offset)])], 1000
    )
    effects = HandleDeleteRecords(house.table)(
        house.now_ms, house.call(delete_records.API_KEY, version), request
    )
    (response,) = replies(effects)
    assert APIS[delete_records.API_KEY].encode_response(response, version)
    return response.topics[0].partitions[0], effects


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("offset", "start"), [(0, 0), (3, 3), (4, 4), (-1, 4)])
def test_the_answer_is_the_new_log_start(
    house: House, version: int, offset: int, start: int
) -> None:
    row, _ = delete(house, offset, version=version)
    assert (row.error_code, row.low_watermark) == (0, start)
    assert house.leader("t").log.start_offset == start


def test_the_log_start_never_moves_back(house: House) -> None:
    delete(house, 3)
    row, effects = delete(house, 1)
    assert (row.error_code, row.low_watermark) == (0, 3)
    assert house.write(effects) == []


@pytest.mark.parametrize("offset", [5, -2, 2**62])
def test_an_offset_that_is_not_there_is_out_of_range(house: House, offset: int) -> None:
    row, _ = delete(house, offset)
    assert (row.error_code, row.low_watermark) == (ErrorCode.OFFSET_OUT_OF_RANGE, -1)


@pytest.mark.parametrize(
    ("topic", "partition", "error"),
    [
        ("missing", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("compacted", 0, ErrorCode.POLICY_VIOLATION),
        ("both", 0, ErrorCode.NONE),
        ("__consumer_offsets", 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("led elsewhere", 0, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    ],
)
def test_what_may_not_be_deleted(
    house: House, topic: str, partition: int, error: ErrorCode
) -> None:
    house.create("compacted", configs={"cleanup.policy": "compact"})
    house.create("both", configs={"cleanup.policy": "compact,delete"})
    house.create("__consumer_offsets")
    house.create("led elsewhere", [partition_image(leader=2, replicas=(1, 2))])
    row, _ = delete(house, 0, topic=topic, partition=partition)
    assert row.error_code == error


def test_a_killed_process_does_not_bring_records_back(house: House) -> None:
    _, effects = delete(house, 3)
    assert house.write(effects) == ["log-start-offset-checkpoint"]
    again = house.restarted(Shutdown.KILLED)
    assert again.leader("t").log.start_offset == 3


def test_a_disk_that_refuses_is_a_storage_error() -> None:
    house = House()
    size = len(batch(key=b"k"))
    house.create("t", configs={"internal.segment.bytes": str(size)})
    append(house, "t", 4)
    house.disk.fail_in(1, stays_broken=True)
    row, _ = delete(house, 3)
    house.disk.mend()
    assert row.error_code in (ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NONE)
    assert row.low_watermark == (3 if row.error_code == ErrorCode.NONE else -1)


def test_what_cannot_be_written_down_is_not_done(house: House) -> None:
    house.disk.fail_in(1, stays_broken=True, changes_only=True)
    row, effects = delete(house, 3)
    assert (row.error_code, row.low_watermark) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
    assert house.leader("t").log.start_offset == 0
    house.disk.mend()
    row, effects = delete(house, 3)
    assert (row.error_code, row.low_watermark) == (0, 3)
    house.write(effects)
    assert b"t 0 3" in house.disk.files()["log-start-offset-checkpoint"]
