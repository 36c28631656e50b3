"""OffsetForLeaderEpoch: where each of a partition's epochs ended."""

from collections.abc import Iterator
from typing import Any

import pytest

from ottla.broker.handle import offset_for_leader_epoch as api
from ottla.broker.handle.offset_for_leader_epoch import HandleOffsetForLeaderEpoch
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.wire.api import APIS
from ottla.wire.message.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from tests.unit.core.replica.house import House, batch, partition_image, replies

VERSIONS = range(api.VERSIONS[0], api.VERSIONS[1] + 1)


@pytest.fixture
def house() -> Iterator[House]:
    """Topic t: epoch 2 wrote offsets 0-2, epoch 5 offset 3; epoch 7 leads and wrote nothing."""
    house = House()
    house.create("t", [partition_image(leader_epoch=2)])
    for epoch, count in ((2, 3), (5, 1)):
        house.change("t", 0, partition_image(leader_epoch=epoch))
        leader = house.leader("t")
        for _ in range(count):
            valid = validate_untrusted(
                batch(), api_version=9, now_ms=house.now_ms, settings=leader.policy.checks
            )
            assert isinstance(valid, ValidBatch)
            leader.append(valid, house.now_ms)
            house.table.appended(leader, house.now_ms)
    house.change("t", 0, partition_image(leader_epoch=7))
    yield house
    house.check_invariants()


def ask(house: House, epoch: int, *, current: int = -1, version: int = 4, topic: str = "t") -> Any:
    request = OffsetForLeaderEpochRequest(
        -1, [OffsetForLeaderTopic(topic, [OffsetForLeaderPartition(0, current, epoch)])]
    )
    (response,) = replies(
        HandleOffsetForLeaderEpoch(house.table)(
            house.now_ms, house.call(api.API_KEY, version), request
        )
    )
    assert APIS[api.API_KEY].encode_response(response, version)
    return response.topics[0].partitions[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("epoch", "known", "end_offset"),
    [(2, 2, 3), (3, 2, 3), (4, 2, 3), (5, 5, 4), (6, 5, 4), (7, 7, 4), (8, -1, -1)],
)
def test_where_an_epoch_ended(
    house: House, version: int, epoch: int, known: int, end_offset: int
) -> None:
    row = ask(house, epoch, version=version)
    assert (row.error_code, row.leader_epoch, row.end_offset) == (0, known, end_offset)


@pytest.mark.parametrize(
    ("current", "topic", "error"),
    [
        (6, "t", ErrorCode.FENCED_LEADER_EPOCH),
        (8, "t", ErrorCode.UNKNOWN_LEADER_EPOCH),
        (7, "t", ErrorCode.NONE),
        (-1, "missing", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ],
)
def test_who_may_not_be_answered(house: House, current: int, topic: str, error: ErrorCode) -> None:
    assert ask(house, 5, current=current, topic=topic).error_code == error
