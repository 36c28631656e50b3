"""DescribeProducers: the producers a partition remembers."""

from typing import Any

import pytest

from ottla.broker.handle import describe_producers
from ottla.broker.handle.describe_producers import HandleDescribeProducers
from ottla.errors import ErrorCode
from ottla.record.validate import ValidBatch, validate_untrusted
from ottla.wire.api import APIS
from ottla.wire.message.describe_producers import DescribeProducersRequest, TopicRequest
from tests.unit.core.replica.house import NOW_MS, House, batch, replies


def ask(house: House, topic: str, partition: int = 0) -> Any:
    request = DescribeProducersRequest([TopicRequest(topic, [partition])])
    (response,) = replies(
        HandleDescribeProducers(house.table)(
            house.now_ms, house.call(describe_producers.API_KEY, 0), request
        )
    )
    assert APIS[describe_producers.API_KEY].encode_response(response, 0)
    return response.topics[0].partitions[0]


def test_a_producer_is_told_with_its_last_sequence() -> None:
    house = House()
    house.create("t")
    leader = house.leader("t")
    for sequence in (0, 2):
        data = batch(b"a", b"b", producer_id=9, producer_epoch=3, base_sequence=sequence)
        valid = validate_untrusted(
            data, api_version=9, now_ms=NOW_MS, settings=leader.policy.checks
        )
        assert isinstance(valid, ValidBatch)
        leader.append(valid, NOW_MS)
    (state,) = ask(house, "t").active_producers
    assert (state.producer_id, state.producer_epoch, state.last_sequence) == (9, 3, 3)
    assert (state.last_timestamp, state.current_txn_start_offset) == (NOW_MS, -1)


def test_a_partition_without_producers_has_an_empty_list() -> None:
    house = House()
    house.create("t")
    row = ask(house, "t")
    assert (row.error_code, list(row.active_producers)) == (0, [])


@pytest.mark.parametrize(
    ("topic", "partition", "error"),
    [
        ("missing", 0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("t", 1, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        ("no/name", 0, ErrorCode.INVALID_TOPIC_EXCEPTION),
    ],
)
def test_what_is_not_there(topic: str, partition: int, error: ErrorCode) -> None:
    house = House()
    house.create("t")
    assert ask(house, topic, partition).error_code == error
