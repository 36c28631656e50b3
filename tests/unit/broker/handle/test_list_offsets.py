"""ListOffsets: points in time and special ones, in every version that knows them."""

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.broker.handle import list_offsets
from ottla.broker.handle.list_offsets import HandleListOffsets
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.wire.api import APIS
from ottla.wire.message.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsTopic,
)
from tests.unit.core.replica.house import NOW_MS, House, batch, partition_image, replies

VERSIONS = range(list_offsets.VERSIONS[0], list_offsets.VERSIONS[1] + 1)
NEWEST = list_offsets.VERSIONS[1]
NONE = (-1, -1, -1)


@pytest.fixture
def house() -> Iterator[House]:
    """Topic t: offsets 0-3 with timestamps 100, 200, 200, 150, written in leader epoch 4."""
    house = House()
    house.create("t", [partition_image(leader_epoch=4)])
    for timestamp_ms in (100, 200, 200, 150):
        append(house, timestamp_ms)
    yield house
    house.check_invariants()


def append(house: House, timestamp_ms: int) -> None:
    leader = house.leader("t")
    valid = validate_untrusted(
        batch(timestamp_ms=timestamp_ms),
        api_version=9,
        now_ms=house.now_ms,
        settings=leader.policy.checks,
    )
    assert isinstance(valid, ValidBatch)
    leader.append(valid, house.now_ms)
    house.table.appended(leader, house.now_ms)


def ask(
    house: House,
    *timestamps: int,
    version: int = NEWEST,
    topic: str = "t",
    partition: int = 0,
    replica_id: int = -1,
    epoch: int = -1,
    offsets_max: int = 1,
) -> list[Any]:
    request = ListOffsetsRequest(
        replica_id,
        0,
        [
            ListOffsetsTopic(
                topic,
                [
                    ListOffsetsPartition(partition, epoch, timestamp, offsets_max)
                    for timestamp in timestamps
                ],
            )
        ],
    )
    effects = HandleListOffsets(house.table)(
        NOW_MS, house.call(list_offsets.API_KEY, version), request
    )
    (response,) = replies(effects)
    assert APIS[list_offsets.API_KEY].encode_response(response, version)
    return [row for one in response.topics for row in one.partitions]


def found(house: House, timestamp: int, **options: Any) -> tuple[int, int, int]:
    (row,) = ask(house, timestamp, **options)
    assert row.error_code == 0
    return row.timestamp, row.offset, row.leader_epoch


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (0, (100, 0, 4)),
        (100, (100, 0, 4)),
        (101, (200, 1, 4)),
        (200, (200, 1, 4)),
        (201, NONE),
        (list_offsets.LATEST, (-1, 4, 4)),
        (list_offsets.EARLIEST, (-1, 0, 4)),
        (list_offsets.EARLIEST_LOCAL, (-1, 0, 4)),
        (list_offsets.MAX_TIMESTAMP, (200, 1, 4)),
        (list_offsets.LATEST_TIERED, NONE),
        (list_offsets.EARLIEST_PENDING_UPLOAD, NONE),
    ],
)
def test_what_belongs_to_a_timestamp(
    house: House, timestamp: int, expected: tuple[int, int, int]
) -> None:
    assert found(house, timestamp) == expected


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("timestamp", [*list_offsets.SPECIAL_SINCE, -7, -(2**63)])
def test_a_special_timestamp_is_known_from_its_version_on(
    house: House, version: int, timestamp: int
) -> None:
    (row,) = ask(house, timestamp, version=version)
    known = version >= list_offsets.SPECIAL_SINCE.get(timestamp, 99)
    assert row.error_code == (ErrorCode.NONE if known else ErrorCode.UNSUPPORTED_VERSION)


def test_an_empty_partition_has_ends_but_no_timestamps(house: House) -> None:
    house.create("empty")
    assert found(house, list_offsets.LATEST, topic="empty")[1] == 0
    assert found(house, list_offsets.EARLIEST, topic="empty") == (-1, 0, 0)
    assert found(house, list_offsets.MAX_TIMESTAMP, topic="empty") == NONE
    assert found(house, 0, topic="empty") == NONE


def test_deleted_records_are_not_found(house: House) -> None:
    house.leader("t").log.truncate_prefix(3)
    assert found(house, list_offsets.EARLIEST)[1] == 3
    assert found(house, 0) == (150, 3, 4)


def test_nothing_is_told_beyond_what_may_be_read() -> None:
    house = House(settings={"ottla.flush": "ack"})
    house.create("t")
    append(house, 100)
    assert found(house, list_offsets.LATEST)[1] == 0
    assert found(house, 50) == NONE
    assert found(house, list_offsets.MAX_TIMESTAMP) == NONE
    assert found(house, list_offsets.LATEST, replica_id=-2)[1] == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"topic": "missing"}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"partition": 1}, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ({"epoch": 3}, ErrorCode.FENCED_LEADER_EPOCH),
        ({"epoch": 5}, ErrorCode.UNKNOWN_LEADER_EPOCH),
        ({"epoch": 4}, ErrorCode.NONE),
    ],
)
def test_who_may_not_be_answered(house: House, options: dict[str, Any], error: ErrorCode) -> None:
    (row,) = ask(house, list_offsets.LATEST, **options)
    assert row.error_code == error
    if error:
        assert (row.timestamp, row.offset, row.leader_epoch) == NONE


@pytest.mark.parametrize("version", [0, 1])
def test_a_partition_named_twice_is_refused(house: House, version: int) -> None:
    rows = ask(house, list_offsets.LATEST, list_offsets.EARLIEST, version=version)
    assert [row.error_code for row in rows] == [ErrorCode.INVALID_REQUEST] * 2


@pytest.mark.parametrize(
    ("timestamp", "offsets_max", "expected"),
    [
        (list_offsets.LATEST, 9, [4, 2, 0]),
        (list_offsets.LATEST, 1, [4]),
        (list_offsets.LATEST, 0, []),
        (list_offsets.EARLIEST, 9, [0]),
        (NOW_MS, 9, [4, 2, 0]),
        (NOW_MS - 1, 9, []),
    ],
)
def test_version_0_answers_with_segment_starts(
    timestamp: int, offsets_max: int, expected: list[int]
) -> None:
    house = House()
    size = len(batch(b"x" * 500))
    house.create("t", configs={"internal.segment.bytes": str(2 * size)})
    leader = house.leader("t")
    for _ in range(4):
        valid = validate_untrusted(
            batch(b"x" * 500), api_version=9, now_ms=NOW_MS, settings=leader.policy.checks
        )
        assert isinstance(valid, ValidBatch)
        leader.append(valid, NOW_MS)
        house.table.appended(leader, NOW_MS)
    (row,) = ask(house, timestamp, version=0, offsets_max=offsets_max)
    assert list(row.old_style_offsets) == expected
